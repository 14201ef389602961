"""Metrics of a generator, measured on strokes of the real engine."""

import numpy as np

from nbpainter.actions import ACTION_INDEX
from nbpainter.data.episodes import StrokeBatches, to_rgba
from nbpainter.engine.brush import draw_strokes
from nbpainter.losses import laplacian
from nbpainter.models.generators import render_strokes

_QUARTERS = 4


def measure_fvu(generator, episodes):
    """Measure the error of calm strokes, altogether and by brush size.

    Args:
        generator: a model of `build_generator`.
        episodes: `Episodes` that no training saw.

    Returns:
        A dict: `fvu`, and `fvu_by_size`, a list for the quarters of the
        component `size`, smallest first (`None` for an empty quarter).
    """
    energies = []
    for actions, real in StrokeBatches(episodes, batch_size=100):
        fake = render_strokes(generator, actions)
        energies.append([_energy((real - fake)[..., 3]), _energy(real[..., 3])])
    return _ratio("fvu", energies, episodes.actions)


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
    noisy = generator.noise_shape is not None
    energies = []
    batches = StrokeBatches(episodes, batch_size=100)
    for index, (actions, real) in enumerate(batches):
        fake = render_strokes(
            generator, actions, seed=seed + index if noisy else None
        )
        energies.append(
            [_energy(np.asarray(laplacian(x[..., 3]))) for x in (fake, real)]
        )
    return _ratio("texture", energies, episodes.actions)


def _energy(maps):
    """Sum of squares of each map `(n, height, width)`."""
    return np.sum(maps**2, axis=(1, 2))


def _ratio(name, energies, actions):
    """Ratio of two sums of energies, altogether and by brush size.

    Args:
        name: str, of the metric.
        energies: list of a pair of float arrays `(batch,)` for each batch:
            the numerator and the denominator of each stroke.
        actions: float array `(n, 12)`, of all strokes.

    Returns:
        A dict: `NAME`, and `NAME_by_size`, see `measure_fvu`.
    """
    values = np.concatenate(energies, axis=1).T  # (n, 2)
    quarter = (actions[:, ACTION_INDEX["size"]] * _QUARTERS).astype(int)
    quarter = np.minimum(quarter, _QUARTERS - 1)
    ratios = []
    for chosen in (slice(None), *(quarter == k for k in range(_QUARTERS))):
        above, below = values[chosen].sum(axis=0)
        ratios.append(round(float(above / below), 4) if below else None)
    return {name: ratios[0], f"{name}_by_size": ratios[1:]}


def measure_spread(generator, actions, seed=0):
    """Measure how far two draws of one action differ.

    Args:
        generator: a model of `build_generator`.
        actions: float array `(n, 12)`.
        seed: int, of both pairs of draws.

    Returns:
        A dict of mean squared differences in opacity: `spread`, the
        generator's (0 without a noise input), and `engine_spread`; and
        `fvu_floor`, half the engine's over the energy of its strokes: what
        no repeatable stroke can better.

    Raises:
        EngineError: if libmypaint is missing.
    """
    seeds = 2 * seed, 2 * seed + 1
    first, second = (
        draw_strokes(actions, brush=generator.brush, seed=s)[..., 3]
        for s in seeds
    )
    engine_spread = float(np.mean((first - second) ** 2))
    floor = engine_spread / 2 / float(np.mean(first**2))
    spread = 0.0
    if generator.noise_shape is not None:
        first, second = (
            render_strokes(generator, actions, seed=s)[..., 3] for s in seeds
        )
        spread = float(np.mean((first - second) ** 2))
    return {
        "spread": round(spread, 5),
        "engine_spread": round(engine_spread, 5),
        "fvu_floor": round(floor, 4),
    }


def compare_strokes(generator, episodes):
    """Draw real strokes' actions with a generator, for `plot_comparison`.

    Args:
        generator: a model of `build_generator`.
        episodes: `Episodes` of its brush.

    Returns:
        A dict of RGBA strokes `(n, 64, 64, 4)`: `real`, `calm` and, with a
        noise input, `one draw`.
    """
    strokes = {
        "real": to_rgba(episodes.actions, episodes.strokes),
        "calm": render_strokes(generator, episodes.actions),
    }
    if generator.noise_shape is not None:
        strokes["one draw"] = render_strokes(
            generator, episodes.actions, seed=0
        )
    return strokes
