"""Metrics of a generator, measured on strokes of the real engine."""

import functools

import numpy as np

from nbpainter.actions import COLUMNS, WINDOW_SIZE
from nbpainter.data.episodes import StrokeBatches, to_rgba
from nbpainter.engine.brush import draw_strokes
from nbpainter.losses import laplacian
from nbpainter.models.generators import render_strokes


def measure_fvu(generator, episodes, seed=None):
    """Measure the error of calm strokes, altogether and by brush size.

    Args:
        generator: a model of `build_generator`.
        episodes: `Episodes` that no training saw.

    Returns:
        A dict: `fvu`, and `fvu_by_size`, a list for the quarters of the
        component `size`, smallest first (`None` for an empty quarter).
    """
    return _measure(
        "fvu", lambda real, fake: (real - fake, real), generator, episodes, seed
    )


def measure_texture(generator, episodes, seed=0):
    """Measure the grain: energy of the Laplacian, generated over real.

    Args:
        generator: a model of `build_generator`; one with a noise input
            spatters.
        episodes: `Episodes` that no training saw.
        seed: int, of the noise.

    Returns:
        A dict: `texture`, 1 where it is right, and `texture_by_size`, see
        `measure_fvu`.
    """
    return _measure(
        "texture",
        lambda real, fake: (laplacian(fake), laplacian(real)),
        generator,
        episodes,
        None if generator.noise_shape is None else seed,
    )


def _measure(name, compare, generator, episodes, seed=None):
    """Measure a ratio of energies, altogether and by brush size.

    Args:
        name: str, of the metric.
        compare: function of the opacities `(batch, height, width)` of real
            and of generated strokes; returns two maps, whose sums of squares
            are divided.
        generator: a model of `build_generator`.
        episodes: `Episodes`.
        seed: int, of the noise. Default: calm strokes.

    Returns:
        A dict: `NAME`, and `NAME_by_size`, see `measure_fvu`.
    """
    energies = []
    batches = StrokeBatches(episodes, batch_size=100)
    for index, (actions, real) in enumerate(batches):
        draw = None if seed is None else seed + index
        fake = render_strokes(generator, actions, real.shape[1], draw)
        maps = map(np.asarray, compare(real[..., 3], fake[..., 3]))
        energies.append([np.sum(x**2, axis=(1, 2)) for x in maps])
    values = np.concatenate(energies, axis=1).T  # (n, 2)
    size = episodes.actions[:, COLUMNS.size]
    quarter = np.digitize(size, (0.25, 0.5, 0.75))
    ratios = []
    for chosen in (slice(None), *(quarter == k for k in range(4))):
        above, below = values[chosen].sum(axis=0)
        ratios.append(round(float(above / below), 4) if below else None)
    return {name: ratios[0], f"{name}_by_size": ratios[1:]}


def measure_spread(generator, actions, seed=0, size=WINDOW_SIZE):
    """Measure how far two draws of one action differ.

    Args:
        generator: a model of `build_generator`.
        actions: float array `(n, 12)`.
        seed: int, of both pairs of draws.
        size: int, side of the pictures in pixels. Default 64.

    Returns:
        A dict of mean squared differences in opacity: `spread`, the
        generator's (0 without a noise input), and `engine_spread`; and
        `fvu_floor`, half the engine's over the energy of its strokes: what
        no repeatable stroke can better.

    Raises:
        EngineError: if libmypaint is missing.
    """

    def compare(draw):
        first, second = (draw(seed=s)[..., 3] for s in (2 * seed, 2 * seed + 1))
        return float(np.mean((first - second) ** 2)), float(np.mean(first**2))

    engine = functools.partial(
        draw_strokes, actions, size, brush=generator.brush
    )
    engine_spread, engine_energy = compare(engine)
    spread = 0.0
    if generator.noise_shape is not None:
        own = functools.partial(render_strokes, generator, actions, size)
        spread, _ = compare(own)
    return {
        "spread": round(spread, 5),
        "engine_spread": round(engine_spread, 5),
        "fvu_floor": round(engine_spread / 2 / engine_energy, 4),
    }


def compare_strokes(generator, episodes):
    """Draw real strokes' actions with a generator, for `plot_comparison`.

    Args:
        generator: a model of `build_generator`.
        episodes: `Episodes` of its brush.

    Returns:
        A dict of RGBA strokes `(n, size, size, 4)`: `real`, `calm` and, with a
        noise input, `one draw`.
    """
    actions, size = episodes.actions, episodes.strokes.shape[1]
    strokes = {
        "real": to_rgba(actions, episodes.strokes),
        "calm": render_strokes(generator, actions, size),
    }
    if generator.noise_shape is not None:
        strokes["one draw"] = render_strokes(generator, actions, size, seed=0)
    return strokes
