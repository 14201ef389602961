"""Strokes over a canvas: all at once to be optimised, or in turn to be shown.

A stroke of one colour lies *over* what is beneath it: `canvas + opacity
(color - canvas)` (Porter and Duff). `composite` does so for all strokes at
once, differentiably: the painter optimises through it. `lay_strokes` draws
strokes with a generator and lays them in turn on a canvas of any size.
"""

import functools
import heapq
import itertools
import operator

import numpy as np
import tensorflow as tf
from PIL import Image

from nbpainter.actions import (
    ACTION_INDEX,
    COLUMNS,
    brush_radius,
    move_actions,
    sampling_matrix,
)
from nbpainter.models.generators import stroke_noise

# An opaque stroke lets a little through: the logarithm stays finite.
_OPAQUE = 1 - 1e-7
# Blocks that are drawn in one batch; of a random draw a quarter.
_BATCH = 64
# Pixels of a block's side.
_BLOCK = 64
# Pixels around a block, to interpolate in.
_MARGIN = 2
_DRAWN = _BLOCK + 2 * _MARGIN
# Brushes of a larger radius in pixels are drawn small, and enlarged.
_SMOOTH_RADIUS = 16.0
# Opacity; a thousand fainter strokes make one step of 8 bits.
_VISIBLE = 1e-4
_PATH = sampling_matrix(np.linspace(0, 1, 17))


def strictly_lower(size):
    """A matrix `(size, size)` that sums, for each row, the rows before."""
    return tf.linalg.band_part(tf.ones([size, size]), -1, 0) - tf.eye(size)


def compositing_weights(opacities):
    """Weigh strokes that lie over each other, first to last.

    Stroke k keeps the share `opacity_k * prod_{j>k} (1 - opacity_j)` of a
    pixel. Products are sums of logarithms, and these one matrix product.

    Args:
        opacities: float tensor `(batch, num_strokes, num_pixels)` in
            `[0, 1]`.

    Returns:
        Two float tensors: the weights, with the shape of `opacities`; and
        the transmittance of all strokes together, `(batch, 1, num_pixels)`.
    """
    log_clear = tf.math.log1p(-tf.minimum(opacities, _OPAQUE))
    earlier = strictly_lower(tf.shape(opacities)[1])
    later = tf.matmul(earlier[None], log_clear, transpose_a=True)
    transmittance = tf.exp(later[:, :1] + log_clear[:, :1])
    return opacities * tf.exp(later), transmittance


def composite(canvas, colors, opacities):
    """Lay strokes over a canvas, first to last, all at once.

    Leading dimensions, if any, are canvases that do not influence each
    other.

    Args:
        canvas: float tensor `(..., height, width, channels)`: RGB in
            `[0, 1]`, or any channels that are blended alike.
        colors: float tensor `(..., num_strokes, channels)`.
        opacities: float tensor `(..., num_strokes, height, width)` in
            `[0, 1]`.

    Returns:
        The painted canvas, a float tensor with the shape of `canvas`.

    Example:

    >>> half = np.full((1, 2, 2), 0.5)
    >>> painted = composite(np.ones((2, 2, 3)), [[1.0, 0.0, 0.0]], half)
    >>> painted[0, 0].numpy().tolist()
    [1.0, 0.5, 0.5]

    Reference:

    - [Porter and Duff, 1984](https://doi.org/10.1145/800031.808606), "over".
    """
    canvas, colors, opacities = (
        tf.cast(values, "float32") for values in (canvas, colors, opacities)
    )
    num_strokes, height, width = tf.unstack(tf.shape(opacities)[-3:])
    channels = tf.shape(colors)[-1]
    weights, transmittance = compositing_weights(
        tf.reshape(opacities, [-1, num_strokes, height * width])
    )
    colors = tf.reshape(colors, [-1, num_strokes, channels])
    paint = tf.matmul(colors, weights, transpose_a=True)
    beneath = tf.reshape(canvas, [-1, height * width, channels])
    painted = tf.transpose(paint, [0, 2, 1])
    painted += tf.transpose(transmittance, [0, 2, 1]) * beneath
    return tf.reshape(painted, tf.shape(canvas))


@functools.lru_cache(maxsize=8)
def _compiled_draw(generator, noisy):
    """Compile the drawing of blocks, once per generator."""

    def draw(actions, noise=None):
        return generator.opacity(actions, _DRAWN, noise)

    signature = [tf.TensorSpec((None, len(ACTION_INDEX)))]
    if noisy:
        signature.append(tf.TensorSpec((None, *generator.noise_shape)))
    return tf.function(draw, input_signature=signature, autograph=False)


def _enlarge(opacity, step):
    """Cut the margin off a drawn block, and enlarge it by cubic interpolation.

    Pillow's filter is that of
    [Keys, 1981](https://doi.org/10.1109/TASSP.1981.1163711), a = -1/2.
    """
    low, high = _MARGIN, _MARGIN + _BLOCK
    if step == 1:
        return opacity[low:high, low:high]
    side, box = step * _BLOCK, (low, low, high, high)
    enlarged = Image.fromarray(opacity).resize(
        (side, side), Image.Resampling.BICUBIC, box
    )
    return np.asarray(enlarged)


def measure_extent(actions, unit, reach):
    """Say where strokes lie.

    Args:
        actions: float array `(n, 12)`, relative to the canvas's longer side.
        unit: int, pixels of that side.
        reach: two floats, see `StrokeGenerator`.

    Returns:
        Four float arrays in pixels: the least and the largest x and y of the
        paths, `(n, 2)` each; the radius of the brush, and how far from the
        path there is paint, `(n,)` each.
    """
    path = unit * np.tensordot(actions, _PATH, axes=1)[:, :2]  # (n, 2, points)
    radius = unit * brush_radius(actions[:, COLUMNS.size])
    pressure = actions[:, COLUMNS.pressure].max(axis=1)
    reach = radius * (reach[0] + reach[1] * pressure)
    return path.min(axis=2), path.max(axis=2), radius, reach


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
    low, high, radius, reach = measure_extent(
        actions, max(height, width), reach
    )
    steps = np.ceil(np.log2(radius / _SMOOTH_RADIUS)).clip(0)
    steps = 2 ** steps.astype(int)
    corner = np.floor(low - reach[:, None])
    corner = corner.clip(0, [width, height]).astype(int)
    end = np.ceil(high + reach[:, None])
    end = end.clip(0, [width, height]).astype(int)
    places = np.concatenate([corner, end, steps[:, None]], axis=1).tolist()
    blocks = []
    # A stroke that lies outside has one empty block.
    for stroke, (left, top, right, bottom, step) in enumerate(places):
        side = _BLOCK * step
        blocks += [
            (stroke, x, y, min(x + side, right), min(y + side, bottom), step)
            for y in range(top, max(bottom, top + 1), side)
            for x in range(left, max(right, left + 1), side)
        ]
    return np.array(blocks, int).reshape(-1, 6)


def models_of(actions, generator):
    """The model that draws each stroke, a list, see `draw_blocks`."""
    is_list = isinstance(generator, list)
    return generator if is_list else [generator] * len(actions)


def draw_blocks(actions, generator, height, width, seed=None):
    """Draw strokes one after the other, each in blocks.

    A block is a window like any other, so blocks of many strokes are drawn
    in one batch, and no stroke is drawn where it is not. Strokes of a wide
    brush are smooth enough to be drawn smaller and enlarged.

    Args:
        actions: float32 array `(n, 12)`, relative to a square of the
            canvas's longer side; sizes may be outside `[0, 1]`.
        generator: a model of `build_generator` or `load_pretrained`; or a
            list of them, one for each stroke.
        height: int, pixels of the canvas.
        width: int, pixels.
        seed: int, of one random draw. Default: calm strokes.

    Yields:
        The number of a stroke, rows and columns of a block (slices), and
        the stroke's opacity there, a float32 array; of a stroke that lies
        outside an empty one.
    """
    unit, streams, numbers = max(height, width), [], {}
    for number, model in enumerate(models_of(actions, generator)):
        numbers.setdefault(model, []).append(number)
    for model, strokes in numbers.items():
        blocks = _cut_blocks(actions[strokes], height, width, model.reach)
        blocks[:, 0] = np.take(strokes, blocks[:, 0])
        streams.append(_draw_cut(blocks, actions, model, unit, seed))
    yield from heapq.merge(*streams, key=operator.itemgetter(0))


def _draw_cut(blocks, actions, generator, unit, seed):
    """As `draw_blocks`, with one generator."""
    noisy = seed is not None and generator.noise_shape is not None
    at_once = _BATCH // 4 if noisy else _BATCH
    draw = _compiled_draw(generator, noisy)
    if len(blocks) <= 2 * _BATCH:  # Drawn sooner than it is compiled.
        draw = draw.python_function
    for start in range(0, len(blocks), at_once):
        batch = blocks[start : start + at_once]
        # A block's side and place, with its margin.
        side = _DRAWN * batch[:, 5]
        corner = batch[:, 1:3] - _MARGIN * batch[:, 5:]
        moved = move_actions(
            actions[batch[:, 0]], -corner / side[:, None], unit / side
        )
        inputs = [moved]
        if noisy:
            strokes, which = np.unique(batch[:, 0], return_inverse=True)
            noise = [stroke_noise(generator, seed, k) for k in strokes]
            inputs.append(np.stack(noise)[which])
        opacities = draw(*inputs).numpy()
        for (stroke, left, top, right, bottom, step), opacity in zip(
            batch.tolist(), opacities
        ):
            opacity = _enlarge(opacity, step)[: bottom - top, : right - left]
            yield stroke, slice(top, bottom), slice(left, right), opacity


def lay_in_turn(canvas, actions, generator, seed=None):
    """Lay strokes on a canvas one after the other, in place.

    Args:
        canvas: float32 array `(height, width, 3)`, RGB, or `(height, width,
            4)` with premultiplied alpha; changed.
        actions: see `draw_blocks`.
        generator: see `draw_blocks`.
        seed: see `draw_blocks`.

    Yields:
        The canvas, before the first stroke and after each.
    """
    paint = np.ones((len(actions), canvas.shape[2]), "float32")
    paint[:, :3] = actions[:, COLUMNS.color]
    yield canvas
    blocks = draw_blocks(actions, generator, *canvas.shape[:2], seed)
    for stroke, parts in itertools.groupby(blocks, operator.itemgetter(0)):
        for _, rows, columns, opacity in parts:
            block = canvas[rows, columns]
            block += opacity[..., None] * (paint[stroke] - block)
        yield canvas


def lay_strokes(canvas, actions, generator, seed=None):
    """Lay strokes on a canvas of any shape.

    Args:
        canvas: see `lay_in_turn`; it stays as it is.
        actions: see `draw_blocks`.
        generator: see `draw_blocks`.
        seed: see `draw_blocks`.

    Returns:
        A new float32 array with the shape of `canvas`.
    """
    canvas = canvas.copy()
    for _ in lay_in_turn(canvas, actions, generator, seed):
        pass
    return canvas


def stroke_layers(actions, generator, height, width, seed=None):
    """Draw strokes one by one, each as the picture of the whole shows it.

    A canvas forgets what lies under a stroke; layers remember.

    Args:
        actions: see `draw_blocks`.
        generator: see `draw_blocks`.
        height: int, pixels of the picture.
        width: int, pixels.
        seed: see `draw_blocks`.

    Yields:
        For each stroke `top` and `left`, pixels, and its opacity there, a
        float32 array `(h, w)`, cut to what can be seen: possibly nothing.
    """
    layer = np.zeros((height, width), "float32")
    blocks = draw_blocks(actions, generator, height, width, seed)
    for _, parts in itertools.groupby(blocks, operator.itemgetter(0)):
        layer[:] = 0
        for _, rows, columns, opacity in parts:
            layer[rows, columns] = opacity
        box = Image.fromarray(layer > _VISIBLE).getbbox()
        left, top, right, bottom = box or (0, 0, 0, 0)
        yield top, left, layer[top:bottom, left:right].copy()


def straight_alpha(picture):
    """Divide premultiplied RGB `(height, width, 4)` by its alpha.

    Example:

    >>> straight_alpha(np.array([[[0.2, 0, 0.4, 0.5]]]))[0, 0].tolist()
    [0.4, 0.0, 0.8, 0.5]
    """
    alpha = picture[..., 3:]
    color = picture[..., :3] / np.maximum(alpha, 1e-6)
    return np.clip(np.concatenate([color, alpha], axis=-1), 0, 1)
