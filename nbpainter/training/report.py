"""The report card: a generator against the real engine, on fresh strokes."""

import itertools
import json
import pathlib

import keras
import numpy as np

from nbpainter.actions import WINDOW_SIZE
from nbpainter.config import ReportConfig
from nbpainter.data.drawing import draw_episodes
from nbpainter.files import make_folder, write_whole
from nbpainter.images import load_photo
from nbpainter.losses import psnr
from nbpainter.models import discriminator
from nbpainter.models.presets import enter_facts, load_generator
from nbpainter.painter.canvas import lay_strokes
from nbpainter.painter.coarse_to_fine import paint
from nbpainter.plotting import plot_report, sample_photo, save_figure
from nbpainter.training.metrics import (
    compare_strokes,
    measure_fvu,
    measure_spread,
    measure_texture,
)

_PAINTING_SEEDS = (0, 1)
_REPLAY_SEEDS = (0, 1, 2)
_TABLE = """\
                        measured                      the real brush
FVU, calm               {fvu:<30.4f}{fvu_floor:.4f}
  by brush size         {fvu_by_size}
texture                 {texture:<30.3f}1
  by brush size         {texture_by_size}
two draws differ by     {spread:<30.5f}{engine_spread:.5f}
two-sample test         {two_sample:<30.1%}50 % +- {two_sample_error:.1%}
painting                {canvas:.2f} dB
  replayed in MyPaint   {replay:.2f} dB
  reality gap           {reality_gap:5.2f} dB                      0
  gap of calm strokes   {calm_gap:5.2f} dB
"""


def _draw(generator, config, num_strokes, offset=0):
    """Fresh strokes at the size that is measured; the larger, the fewer."""
    seed, size = config.seed + offset, config.stroke_size
    num_strokes = max(1, num_strokes * WINDOW_SIZE // size)
    return draw_episodes(num_strokes, generator.brush, seed, size=size)


def judge_generator(generator, config, verbose=0):
    """Two-sample test: can a fresh discriminator tell the strokes apart?

    It has the shipped architecture, is trained from zero on real and
    generated strokes of different actions, and tested on others.

    Args:
        generator: a model of `build_generator`.
        config: `ReportConfig`.
        verbose: 0 or 1.

    Returns:
        A dict: `two_sample`, the discriminator's accuracy, 0.5 where it can
        only guess; and `two_sample_error`, the standard error of a guess.

    Reference:

    - [Lopez-Paz and Oquab, 2017](https://arxiv.org/abs/1610.06545).
    """

    def judged(count, offset, order_seed=None):
        real = _draw(generator, config, count, offset)
        seed = config.seed + offset
        return discriminator.judge_beside(
            generator, real, seed, config.batch_size, order_seed
        )

    train = judged(config.num_judged, 1, order_seed=config.seed)
    test = judged(config.num_test_strokes, 2)
    keras.utils.set_random_seed(config.seed)
    network = discriminator.build_discriminator(size=config.stroke_size)
    num_steps = len(train) * config.epochs
    discriminator.compile_discriminator(
        network, config.learning_rate, num_steps
    )
    network.fit(train, epochs=config.epochs, verbose=2 if verbose else 0)
    metrics = discriminator.measure_discriminator(network, test)
    num_tested = sum(count for *_, count in metrics["calibration"])
    return {
        "two_sample": metrics["accuracy"],
        "two_sample_error": round(0.5 / num_tested**0.5, 4),
    }


def measure_reality_gap(generator, photos=(), config=None):
    """Paint photographs, and let the real brush replay the strokes.

    Args:
        generator: str or model, see `paint`.
        photos: photographs as `paint` takes them. Default: a sample.
        config: `ReportConfig`. Default: its defaults.

    Returns:
        A dict of mean decibels over photographs and two seeds: `canvas`, the
        painting; `replay`, its replay in MyPaint (three draws each);
        `reality_gap`, their difference; and `calm_gap`, the same for the
        canvas of calm strokes.

    Raises:
        EngineError: if libmypaint is missing.
    """
    config = config or ReportConfig()
    model, decibels = load_generator(generator), []
    # Figures shall not depend on whether the faces' detector is installed.
    settings = {"size": config.size, "focus": "none", "verbose": 0}
    settings["generator"] = generator
    photos = photos or [sample_photo()]
    targets = [load_photo(photo, config.size) for photo in photos]
    for target, seed in itertools.product(targets, _PAINTING_SEEDS):
        painting = paint(target, config.num_painted, seed=seed, **settings)
        calm = lay_strokes(painting.blank(), painting.actions, model)
        pictures = [painting.canvas, calm]
        pictures += [painting.replay(seed=s) for s in _REPLAY_SEEDS]
        decibels.append([float(psnr(x, target)) for x in pictures])
    canvas, calm, *replays = np.mean(decibels, axis=0)
    replay = np.mean(replays)
    metrics = {
        "canvas": canvas,
        "replay": replay,
        "reality_gap": canvas - replay,
        "calm_gap": calm - replay,
    }
    return {name: round(float(value), 2) for name, value in metrics.items()}


def measure_preset(name, photos=(), config=None, verbose=0):
    """Measure everything about a generator on fresh strokes.

    Args:
        name: str, path or model, see `load_pretrained`.
        photos: photographs for the reality gap. Default: a sample.
        config: `ReportConfig`. Default: about five minutes on two cores.
        verbose: 0 or 1.

    Returns:
        A dict for JSON, of what `measure_fvu`, `measure_texture`,
        `measure_spread`, `judge_generator` and `measure_reality_gap` return.

    Raises:
        DataError: for weights or a photograph that cannot be read.
        EngineError: if libmypaint is missing.
    """
    config = config or ReportConfig()
    generator = load_generator(name)
    seed, size = config.seed, config.stroke_size
    fresh = _draw(generator, config, config.num_strokes)
    # Before the rest: a photograph that cannot be read is named soon.
    gap = measure_reality_gap(name, photos, config)
    return {
        **measure_fvu(generator, fresh),
        **measure_texture(generator, fresh, seed),
        **measure_spread(generator, fresh.actions, seed, size),
        **gap,
        **judge_generator(generator, config, verbose),
        "num_strokes": len(fresh),
        "num_judged": config.num_judged,
        "num_photos": len(photos) or 1,
        "seed": seed,
        "stroke_size": size,
    }


def report_lines(metrics):
    """Write a report as the lines of a table.

    Args:
        metrics: dict, see `measure_preset`.

    Returns:
        A list of str.
    """
    by_size = {
        name: "  ".join("-" if x is None else f"{x:.3f}" for x in metrics[name])
        for name in ("fvu_by_size", "texture_by_size")
    }
    return _TABLE.format(**metrics | by_size).splitlines()


def write_report(name, folder, photos=(), config=None, verbose=0, enter=False):
    """Measure a generator; leave its metrics as JSON and as a figure.

    Args:
        name: str or path, see `load_pretrained`.
        folder: str or path, where `report_NAME.json` and `.png` go.
        photos: see `measure_preset`.
        config: see `measure_preset`.
        verbose: 0 or 1.
        enter: bool, whether to add the metrics to the manifest's entry of
            the weights; `name` is their path then.

    Returns:
        A dict, see `measure_preset`.

    Raises:
        As `measure_preset`, and `DataError` for a folder that cannot be
        written to.
    """
    folder, config = make_folder(folder), config or ReportConfig()
    generator = load_generator(name)
    metrics = measure_preset(name, photos, config, verbose)
    if enter:
        enter_facts(name, {"report": metrics})
    strokes = compare_strokes(generator, _draw(generator, config, 64)[:8])
    stem = pathlib.Path(name).name.removesuffix(".weights.h5")
    save_figure(plot_report(metrics, strokes), folder / f"report_{stem}.png")
    text = json.dumps(metrics, indent=2) + "\n"
    write_whole(folder / f"report_{stem}.json", text)
    return metrics
