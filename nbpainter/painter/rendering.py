"""Draw strokes with a generator: each on its own, or all on a canvas."""

import functools

import numpy as np
import tensorflow as tf

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    curve_weights,
    move_actions,
)
from nbpainter.models.generators import stroke_noise

_BATCH = 64
_FEW_BLOCKS = 128
_BLOCK = 64  # Pixels that are drawn at once,
_MARGIN = 2  # with so many more around them, to interpolate in.
_DRAWN = _BLOCK + 2 * _MARGIN
_SMOOTH_RADIUS = 16.0  # Pixels; wider brushes are drawn small, and enlarged.
_CURVE = curve_weights(np.linspace(0, 1, 17)).T.astype("float32")


def _block_drawer(generator, noisy, num_blocks):
    """What draws blocks; few are drawn before a drawer would be compiled."""
    if num_blocks > _FEW_BLOCKS:
        return _compiled_drawer(generator, noisy)
    return lambda actions, noise=None: generator.opacity(actions, _DRAWN, noise)


@functools.lru_cache(maxsize=8)
def _compiled_drawer(generator, noisy):
    """Compile the drawing of blocks, once per generator."""
    signature = [tf.TensorSpec((None, len(ACTION_INDEX)))]
    if noisy:
        signature.append(tf.TensorSpec((None, *generator.noise_shape)))

    @tf.function(input_signature=signature, autograph=False)
    def draw_blocks(actions, noise=None):
        return generator.opacity(actions, _DRAWN, noise)

    return draw_blocks


@functools.lru_cache(maxsize=16)
def _enlarger(step):
    """A matrix that enlarges a row of drawn pixels to a block's.

    Cubic interpolation: [Keys, 1981](https://doi.org/10.1109/TASSP.1981.1163711),
    with a = -1/2.
    """
    place = (np.arange(_BLOCK * step) + 0.5) / step - 0.5 + _MARGIN
    away = np.abs(place[:, None] - np.arange(_DRAWN))
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((2.5 - 0.5 * away) * away - 4) * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0))
    return weights.astype("float32")


def lay_strokes(canvas, actions, generator, seed=None):
    """Lay strokes on a canvas of any shape.

    Args:
        canvas: float32 array `(height, width, 3)`.
        actions: float32 array `(n, 12)`, relative to a square of the
            canvas's longer side; sizes may be outside `[0, 1]`.
        generator: a model of `build_generator` or `load_pretrained`.
        seed: int, of one random draw. Default: calm strokes.

    Returns:
        A new float32 array with the shape of `canvas`.
    """
    canvas = canvas.copy()
    for _ in lay_in_turn(canvas, actions, generator, seed):
        pass
    return canvas


def _cut_blocks(actions, height, width, reach):
    """Cut the pixels that strokes can reach into square blocks.

    Args:
        actions: float array `(n, 12)`.
        height: int, pixels of the canvas.
        width: int, pixels.
        reach: two floats, see `StrokeGenerator`.

    Returns:
        An int array `(blocks, 6)`: stroke, left, top, right and bottom in
        pixels of the canvas, and how many of them a drawn pixel measures.
    """
    unit = max(height, width)
    pressure = actions[:, PRESSURE_COLUMNS].max(axis=1)
    radius = brush_radius(actions[:, ACTION_INDEX["size"]])
    reach = radius * (reach[0] + reach[1] * pressure)
    steps = np.ceil(np.log2(radius * unit / _SMOOTH_RADIUS)).clip(0)
    limits = []
    for positions, side in ((X_COLUMNS, width), (Y_COLUMNS, height)):
        curve = actions[:, positions] @ _CURVE
        low = np.floor((curve.min(axis=1) - reach) * unit).clip(0, side)
        high = np.ceil((curve.max(axis=1) + reach) * unit).clip(0, side)
        limits += [low.astype(int).tolist(), high.astype(int).tolist()]
    blocks = []
    for stroke, (left, right, top, bottom, step) in enumerate(
        zip(*limits, (2 ** steps.astype(int)).tolist())
    ):
        side = _BLOCK * step
        blocks += [
            (stroke, x, y, min(x + side, right), min(y + side, bottom), step)
            for y in range(top, bottom, side)
            for x in range(left, right, side)
        ]
    return np.array(blocks, int).reshape(-1, 6)


def lay_in_turn(canvas, actions, generator, seed=None):
    """Lay strokes in place; yield how many are finished after each.

    A block is a window like any other, so blocks of many strokes are drawn
    in one batch, and no stroke is drawn where it is not. Strokes of a wide
    brush are smooth enough to be drawn smaller and enlarged.
    """
    height, width = canvas.shape[:2]
    unit = max(height, width)
    blocks = _cut_blocks(actions, height, width, generator.reach)
    draw_blocks = _block_drawer(generator, seed is not None, len(blocks))
    colors = actions[:, COLOR_COLUMNS]
    at_once = _BATCH if seed is None else _BATCH // 4
    finished = 0
    for start in range(0, len(blocks), at_once):
        batch = blocks[start : start + at_once]
        # A block's side and place, with its margin.
        side = _DRAWN * batch[:, 5]
        corner = batch[:, 1:3] - _MARGIN * batch[:, 5:]
        moved = move_actions(
            actions[batch[:, 0]], -corner / side[:, None], unit / side
        )
        inputs = [moved]
        if seed is not None:
            drawn = {
                k: stroke_noise(generator, seed, k) for k in set(batch[:, 0])
            }
            inputs.append(np.stack([drawn[k] for k in batch[:, 0]]))
        opacities = draw_blocks(*inputs).numpy()
        for (stroke, x, y, right, bottom, step), opacity in zip(
            batch.tolist(), opacities
        ):
            if stroke > finished:
                finished = stroke
                yield finished
            block = canvas[y:bottom, x:right]
            enlarge = _enlarger(step)
            opacity = enlarge[: bottom - y] @ opacity @ enlarge[: right - x].T
            block += opacity[..., None] * (colors[stroke] - block)
    yield len(actions)
