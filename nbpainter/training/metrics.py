"""Figures of a generator, measured on strokes of the real engine."""

import numpy as np

from nbpainter.actions import ACTION_INDEX
from nbpainter.data.episodes import StrokeBatches
from nbpainter.engine.brush import draw_strokes
from nbpainter.losses import laplacian
from nbpainter.models.generators import render_strokes

_QUARTERS = 4


def _by_size(actions, values):
    """Ratios of sums, altogether and for the quarters of the brush size.

    Args:
        actions: float array `(n, 12)`.
        values: float array `(n, 2)`, a numerator and a denominator each.

    Returns:
        A float, and a list of floats (`None` for an empty quarter).
    """
    quarter = (actions[:, ACTION_INDEX["size"]] * _QUARTERS).astype(int)
    quarter = np.minimum(quarter, _QUARTERS - 1)
    sums = [values[quarter == k].sum(axis=0) for k in range(_QUARTERS)]
    above, below = values.sum(axis=0)
    return round(float(above / below), 4), [
        round(float(above / below), 4) if below else None
        for above, below in sums
    ]


def measure_fvu(generator, episodes):
    """Measure the error of calm strokes, altogether and by brush size.

    Args:
        generator: a model of `build_generator`.
        episodes: `Episodes` that no training saw.

    Returns:
        A dict: `fvu`, and `fvu_by_size`, a list for the quarters of the
        component `size`, smallest first (`None` for an empty quarter).
    """
    values = []
    for actions, real in StrokeBatches(episodes, batch_size=100):
        fake = render_strokes(generator, actions)
        values.append(
            np.stack(
                [
                    np.sum((real - fake)[..., 3] ** 2, axis=(1, 2)),
                    np.sum(real[..., 3] ** 2, axis=(1, 2)),
                ],
                axis=-1,
            )
        )
    fvu, by_size = _by_size(episodes.actions, np.concatenate(values))
    return {"fvu": fvu, "fvu_by_size": by_size}


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
    values = []
    for index, (actions, real) in enumerate(
        StrokeBatches(episodes, batch_size=100)
    ):
        fake = render_strokes(
            generator, actions, seed=seed + index if noisy else None
        )
        values.append(
            np.stack(
                [
                    np.sum(np.asarray(laplacian(x[..., 3])) ** 2, axis=(1, 2))
                    for x in (fake, real)
                ],
                axis=-1,
            )
        )
    texture, by_size = _by_size(episodes.actions, np.concatenate(values))
    return {"texture": texture, "texture_by_size": by_size}


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

    def difference(draws):
        return float(np.mean((draws[0] - draws[1]) ** 2))

    real = [
        draw_strokes(actions, brush=generator.brush, seed=s)[..., 3]
        for s in (2 * seed, 2 * seed + 1)
    ]
    spread, engine_spread = 0.0, difference(real)
    if generator.noise_shape is not None:
        spread = difference(
            [
                render_strokes(generator, actions, seed=s)[..., 3]
                for s in (2 * seed, 2 * seed + 1)
            ]
        )
    floor = engine_spread / 2 / float(np.mean(real[0] ** 2))
    return {
        "spread": round(spread, 5),
        "engine_spread": round(engine_spread, 5),
        "fvu_floor": round(floor, 4),
    }
