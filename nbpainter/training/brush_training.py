"""A brush of one's own: from its name to a generator with a report card."""

import numpy as np

from nbpainter.config import BrushConfig
from nbpainter.data.episodes import StrokeBatches, to_rgba
from nbpainter.engine.brush_file import brush_name, find_brush, shipped_brushes
from nbpainter.engine.suitability import choose_brush, measure_reach
from nbpainter.models.brush_start import (
    generator_arguments,
)
from nbpainter.models.generators import (
    build_brush_generator,
    compile_brush_generator,
    render_strokes,
    start_brush_generator,
)
from nbpainter.plotting import plot_comparison, save_figure
from nbpainter.training.devices import choose_strategy
from nbpainter.training.metrics import (
    measure_fvu,
    measure_spread,
    measure_texture,
)
from nbpainter.training.run import Run

_NUM_DRAWN = 400  # Test strokes that are drawn at random as well.


def draws_are_right(generator, episodes, fvu):
    """Whether random draws are about as far from the brush's as they should.

    A right draw and the brush's own are both off the mean, so they differ by
    twice the floor of the FVU. The trained calm stroke is close to that
    floor; a quarter is left for what it lacks, and for chance. The dabs of
    other draws do not do what this brush does: calm strokes are better.

    Args:
        generator: a model of `build_brush_generator` with a noise input.
        episodes: `Episodes` of its brush that no training saw.
        fvu: float, of its calm strokes.

    Returns:
        A bool.
    """
    real = to_rgba(episodes.actions, episodes.strokes)[..., 3]
    fake = render_strokes(generator, episodes.actions, seed=0)[..., 3]
    return float(np.mean((fake - real) ** 2) / np.mean(real**2)) <= 2.5 * fvu


def _without_dabs(generator, arguments):
    """The calm stroke alone: the brush has more to it than its dabs."""
    calm = build_brush_generator(**arguments)
    for new, old in zip(calm.weights, generator.weights):
        new.assign(old)
    calm.brush = generator.brush
    return calm


def train_brush(folder, brush, config=None, resume=False, verbose=1):
    """Draw a brush's strokes, train its generator, measure it, keep it.

    Args:
        folder: str or path, where `NAME.weights.h5`, `manifest.json`, the
            report card and pictures go.
        brush: str or path, see `nbpainter.engine.suitability.choose_brush`.
        config: `BrushConfig`. Default: the shipped presets' own.
        resume: bool, whether to go on from the newest checkpoint in
            `folder`. Default `False`: start anew.
        verbose: 0 or 1.

    Returns:
        The path of the weights, for `load_pretrained` and
        `paint(generator=...)`.

    Raises:
        DataError: for a folder that cannot be written to.
        EngineError: without libmypaint, or for a brush that does not fit.
        TrainingError: for a loss or a weight that is not finite.
    """
    config = config or BrushConfig()
    settings, name = choose_brush(brush), brush_name(brush)
    shipped = find_brush(brush) in shipped_brushes()
    run = Run(
        *(f"brush_{name}", folder, config, (), {}),
        *(resume, verbose, choose_strategy(1), settings),
    )
    run.facts["brush"] = name if shipped else settings
    run.facts["radius_factor"] = settings["radius_factor"]
    generator = start_brush_generator(settings)
    compile_brush_generator(generator, config, len(run.train))
    run.fit(
        generator,
        [*generator.weights, *generator.optimizer.variables],
        StrokeBatches(run.train, config.batch_size, config.seed),
    )
    shown = run.test[:_NUM_DRAWN]
    real = to_rgba(shown.actions, shown.strokes)
    pictures = {
        "real": real[:16],
        "calm": render_strokes(generator, shown.actions[:16]),
    }
    if generator.noise_shape is not None:
        pictures["one draw"] = render_strokes(
            generator, shown.actions[:16], seed=0
        )
    save_figure(plot_comparison(pictures), run.folder / f"{name}_strokes.png")
    arguments = generator_arguments(settings)
    arguments["reach"] = measure_reach(shown.actions, real[..., 3])
    figures = measure_fvu(generator, run.test)
    if generator.noise_shape is not None and not draws_are_right(
        generator, shown, figures["fvu"]
    ):
        arguments.pop("num_dabs")
        generator = _without_dabs(generator, arguments)
    figures |= measure_texture(generator, run.test[:_NUM_DRAWN])
    figures |= measure_spread(generator, run.test.actions[:_NUM_DRAWN])
    run.save(generator, name, "build_brush_generator", arguments, figures)
    run.checkpoints.clear()
    return run.folder / f"{name}.weights.h5"
