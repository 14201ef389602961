"""Gradient descent on strokes: move them until windows match a photograph.

A brush that spatters paints another picture each time. Its mean is the
composite of calm strokes; its variance is predicted from them as well. So the
expected squared error, over all draws of the brush, is minimised in closed
form: strokes are found that do well however the brush spatters, without
drawing one dab.
"""

import concurrent.futures
import functools

import numpy as np
import tensorflow as tf

from nbpainter.actions import (
    ACTION_INDEX,
    ACTION_NAMES,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    random_actions,
)
from nbpainter.models.stroke_field import curve_nodes

COARSE = 16
"""Side in pixels that every window is first painted at."""

_POINTS = {COARSE: 16, 32: 24}  # Of the curve, by side,
_MANY_POINTS = 32  # and of every larger side.
_FORGET, _FORGET_SQUARED = 0.9, 0.99  # Adam's; squares forget in a stage.
_HALF_SPATTER = 0.35  # Radius in pixels that shows half of the spatter.
_OUTSIDE = 4.0  # Weight of paint where there shall be none.


class Descent:
    """Moves the strokes of a batch of windows.

    Args:
        generator: a model of `build_generator` or `load_pretrained`.
    """

    def __init__(self, generator):
        self.generator = generator
        any_side = tf.TensorSpec((None, 3, None))
        one_channel = tf.TensorSpec((None, 1, None))
        row = tf.TensorSpec((len(ACTION_NAMES),))
        self._run = tf.function(
            self._descend,
            input_signature=[
                tf.TensorSpec((None, len(ACTION_NAMES))),
                any_side,
                any_side,
                one_channel,
                one_channel,
                row,
                row,
                tf.TensorSpec((None,)),
                tf.TensorSpec((None, 3)),
                tf.TensorSpec((2,)),
                tf.TensorSpec((len(ACTION_NAMES), None)),
                tf.TensorSpec((), "int32"),
                tf.TensorSpec((), "int32"),
                tf.TensorSpec(()),
                tf.TensorSpec(()),
                tf.TensorSpec(()),
            ],
            autograph=False,
        )
        # Each takes half a second of one core.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            spatter = pool.submit(measure_spatter, generator)
            self._run.get_concrete_function()
        self.spatter = spatter.result()

    def move(
        self,
        actions,
        window,
        counts,
        side,
        num_steps,
        learning_rate,
        pixels,
        palette=None,
        snapped=(1.0, 1.0),
    ):
        """Move strokes by so many steps of Adam.

        Args:
            actions: float32 array `(batch, strokes, 12)`.
            window: tuple of float32 arrays `(batch, side, side, channels)`:
                photograph, canvas, a mask that is 0 where nothing matters
                and one that is 1 where no paint shall be; and the margin,
                the share of the side that no curve enters.
            counts: int array `(batch,)`, strokes of each window.
            side: int, pixels to work at; it divides the windows' side.
            num_steps: int.
            learning_rate: float, at the start of a cosine decay.
            pixels: float, what the window's side measures in the painting:
                finer paintings show more spatter.
            palette: float32 array `(n, 3)`. Default: any colour.
            snapped: pair of floats, how far colours are drawn to the nearest
                of the palette, at the first and at the last step.

        Returns:
            A tuple: actions as before, and a float32 array `(batch,
            strokes)`, by how much each stroke lowers the squared error of
            its window.
        """
        *pictures, margin = window
        pictures = [shrink(picture, side) for picture in pictures]
        shape = actions.shape
        low = np.zeros(len(ACTION_NAMES), "float32")
        low[X_COLUMNS + Y_COLUMNS] = margin
        high = 1 - low
        share = np.clip(
            (actions.reshape(-1, shape[-1]) - low) / (high - low), 0.002, 0.998
        )
        active = np.arange(shape[1]) < np.asarray(counts)[:, None]
        if palette is None:
            palette, snapped = np.zeros((1, 3), "float32"), (0.0, 0.0)
        moved = self._run(
            np.float32(np.log(share / (1 - share))),
            *(_channels_first(picture) for picture in pictures),
            low,
            high,
            np.float32(active).ravel(),
            palette,
            np.float32(snapped),
            curve_nodes(_POINTS.get(side, _MANY_POINTS)),
            side,
            num_steps,
            learning_rate,
            pixels,
            self.spatter,
        )
        return moved.numpy().reshape(shape)

    def _descend(
        self,
        logits,
        target,
        canvas,
        mask,
        outside,
        low,
        high,
        active,
        palette,
        snapped,
        nodes,
        side,
        num_steps,
        learning_rate,
        pixels,
        spatter,
    ):
        windows = tf.shape(target)[0]
        last = tf.cast(num_steps, "float32")
        # Spatter is smooth enough to be looked at in coarse pixels.
        coarse, blur = _averages(side, COARSE), _averages(side, side // 4)
        # The blurred error reaches further: strokes first find their place.
        blurred = tf.where(side > COARSE, 0.0, 1.0)
        coarse_canvas, coarse_mask = _pool(canvas, coarse), _pool(mask, coarse)

        def loss_of(logits, snap):
            """The expected squared error, and that of the blurred picture."""
            actions = low + (high - low) * tf.sigmoid(logits)
            opacity = self.generator.sketch(actions, side, nodes)
            # A stroke too many is one without opacity.
            opacity = tf.where(
                active[:, None] > 0, tf.minimum(opacity, 4.0), -30.0
            )
            opacity = tf.reshape(opacity, [windows, -1, side**2])
            actions = tf.reshape(actions, [windows, -1, len(ACTION_NAMES)])
            colors = _snap(actions, palette, snap)
            weights, through = lay(opacity)
            painted = tf.matmul(colors, weights, transpose_a=True)
            error = mask * (painted + canvas * through - target)
            loss = _mean_square(error)
            loss += blurred * _mean_square(_pool(error, blur))
            loss += _OUTSIDE * _mean_square(outside * (1 - through))
            if self.generator.noise_shape is not None:
                loss += tf.reduce_mean(
                    coarse_mask
                    * variance(
                        colors,
                        _spread(actions, pixels, spatter),
                        _pool(tf.sigmoid(opacity), coarse),
                        coarse_canvas,
                    )
                )
            return loss

        def step(index, logits, mean, square):
            done = tf.cast(index, "float32") / last
            snap = snapped[0] + (snapped[1] - snapped[0]) * done
            with tf.GradientTape() as tape:
                tape.watch(logits)
                loss = loss_of(logits, snap)
            gradient = tape.gradient(loss, logits)
            mean = _FORGET * mean + (1 - _FORGET) * gradient
            square = _FORGET_SQUARED * square
            square += (1 - _FORGET_SQUARED) * tf.square(gradient)
            count = tf.cast(index + 1, "float32")
            rate = learning_rate * (0.5 + 0.5 * tf.cos(np.pi * done))
            root = tf.sqrt(square / (1 - _FORGET_SQUARED**count)) + 1e-7
            logits -= rate * mean / (1 - _FORGET**count) / root
            return index + 1, logits, mean, square

        _, logits, _, _ = tf.while_loop(
            lambda index, *_: index < num_steps,
            step,
            (0, logits, tf.zeros_like(logits), tf.zeros_like(logits)),
            parallel_iterations=1,
        )
        actions = low + (high - low) * tf.sigmoid(logits)
        first = COLOR_COLUMNS[0]
        colors = _snap(actions, palette, snapped[1])
        return tf.concat(
            [actions[:, :first], colors, actions[:, first + 3 :]], axis=1
        )

    def judge(self, actions, window, counts):
        """Say what each stroke is worth, in coarse pixels.

        Args:
            actions: float32 array `(batch, strokes, 12)`.
            window: see `move`.
            counts: see `move`.

        Returns:
            A tuple of float32 arrays: `(batch, strokes)`, by how much each
            stroke lowers the squared error of its window; and the window as
            `move` takes it, coarse, with the strokes on its canvas.
        """
        *pictures, margin = window
        pictures = [shrink(picture, COARSE) for picture in pictures]
        target, canvas, mask, _ = map(_channels_first, pictures)
        shape = actions.shape
        logits = self.generator.sketch(
            tf.reshape(actions, [-1, shape[2]]),
            tf.constant(COARSE),
            curve_nodes(_POINTS[COARSE]),
        )
        logits = tf.reshape(logits, [*shape[:2], COARSE**2])
        active = np.arange(shape[1]) < np.asarray(counts)[:, None]
        logits = tf.where(active[..., None], logits, -30.0)
        colors = tf.gather(actions, COLOR_COLUMNS, axis=2)
        weights, through = lay(logits)
        painted = tf.matmul(colors, weights, transpose_a=True)
        painted += canvas * through
        error = mask * (painted - target)
        below = beneath(colors, tf.sigmoid(logits), canvas)
        change = weights[:, :, None] * (colors[..., None] - below)
        without = change * (change - 2 * error[:, None])
        merits = tf.reduce_sum(tf.reduce_mean(without, axis=3), axis=2)
        painted = tf.transpose(painted, [0, 2, 1]).numpy()
        pictures[1] = painted.reshape(pictures[1].shape)
        return merits.numpy(), (*pictures, margin)


@functools.lru_cache(maxsize=4)
def descent_of(generator):
    """The `Descent` of a generator: its steps are compiled only once."""
    return Descent(generator)


def measure_spatter(generator):
    """Measure how much a generator with a noise input spatters.

    Args:
        generator: a model of `build_generator` or `load_pretrained`.

    Returns:
        A float: the variance of a pixel's opacity over `opacity (1 -
        opacity)`, at a pressure of 1 under a wide brush, see `Descent`; 0 for
        a generator that draws only calm strokes.
    """
    if generator.noise_shape is None:
        return 0.0
    actions = tf.constant(random_actions(16, seed=1))
    num_dabs, channels = generator.noise_shape
    random = np.random.default_rng(1)
    shape = (2, len(actions), min(num_dabs, 384), channels)
    first, second = (
        generator.opacity(actions, WINDOW_SIZE, noise)
        for noise in random.standard_normal(shape, "float32")
    )
    calm = generator.opacity(actions, WINDOW_SIZE)
    radius = tf.exp(2 * actions[:, ACTION_INDEX["size"]])
    share = tf.reduce_mean(tf.gather(actions, PRESSURE_COLUMNS, axis=1), axis=1)
    share *= radius / (radius + _HALF_SPATTER)
    expected = share[:, None, None] * calm * (1 - calm)
    variance = (first - second) ** 2 / 2
    return float(tf.reduce_sum(variance) / tf.reduce_sum(expected))


def _spread(actions, pixels, spatter):
    """Variance of a draw's opacity over `opacity (1 - opacity)`.

    It grows with the pressure, and a pixel wider than a dab averages it.
    """
    start, end, size = (
        actions[..., column, None]
        for column in (*PRESSURE_COLUMNS, ACTION_INDEX["size"])
    )
    radius = tf.exp(2 * size) * (pixels / WINDOW_SIZE)
    spread = spatter / 2 * (start + end)
    return spread * radius / (radius + _HALF_SPATTER)


def shrink(pictures, side):
    """Average square pictures down to a side that divides theirs.

    Args:
        pictures: float array `(batch, before, before, channels)`.
        side: int.

    Returns:
        A float array `(batch, side, side, channels)`.
    """
    count, before, _, channels = pictures.shape
    step = before // side
    parts = pictures.reshape(count, side, step, side, step, channels)
    return parts.mean((2, 4))


def _channels_first(pictures):
    count, channels = len(pictures), pictures.shape[-1]
    return np.moveaxis(pictures, -1, 1).reshape(count, channels, -1)


def _averages(side, smaller):
    """A matrix `(smaller, side)` that averages neighbours in a row."""
    step = side // smaller
    rows = tf.repeat(tf.eye(smaller), step, axis=1)
    return rows / tf.cast(step, "float32")


def _pool(pictures, averages):
    """Average `(batch, channels, side * side)` over squares of pixels."""
    shape, side = tf.shape(pictures), tf.shape(averages)[1]
    pictures = tf.reshape(pictures, [-1, side, side])
    pooled = averages @ tf.matmul(pictures, averages[None], transpose_b=True)
    return tf.reshape(pooled, [shape[0], shape[1], -1])


def _mean_square(error):
    return tf.reduce_mean(tf.square(error))


def _snap(actions, palette, snap):
    """Draw colours to the nearest of the palette, where they then stay."""
    first = COLOR_COLUMNS[0]
    colors = actions[..., first : first + 3]
    distance = tf.reduce_sum((colors[..., None, :] - palette) ** 2, axis=-1)
    nearest = tf.gather(palette, tf.argmin(distance, axis=-1))
    return (1 - snap) * colors + snap * nearest


def _earlier(clear):
    """A matrix that sums, for each stroke, what is of the strokes before."""
    count = tf.shape(clear)[1]
    ones = tf.ones([1, count, count])
    return tf.linalg.band_part(ones, -1, 0) - tf.eye(count)


def lay(logits):
    """Lay strokes over each other, in logarithms: by sums, not products.

    Args:
        logits: float tensor `(batch, strokes, pixels)`, of the opacities.

    Returns:
        Two float tensors: what each stroke contributes, of that shape; and
        `(batch, 1, pixels)`, what shines through all of them.
    """
    clear = -tf.nn.softplus(logits)
    through = tf.matmul(_earlier(clear), clear, transpose_a=True) + clear
    return tf.exp(logits + through), tf.exp(through[:, :1])


def beneath(colors, opacity, canvas):
    """What lies beneath each stroke, `(batch, strokes, 3, pixels)`."""
    clear = tf.math.log1p(-opacity)
    earlier = _earlier(opacity)
    # What opaque strokes hide must not overflow.
    before = tf.maximum(tf.matmul(earlier, clear), -60.0)
    share = opacity * tf.exp(-tf.maximum(before + clear, -60.0))
    shape = tf.shape(share)
    share = share[:, :, None] * colors[..., None]
    below = tf.matmul(earlier, tf.reshape(share, [shape[0], shape[1], -1]))
    below = tf.reshape(below, [shape[0], shape[1], 3, shape[2]])
    return tf.exp(before)[:, :, None] * (below + canvas[:, None])


def variance(colors, spread, opacity, canvas):
    """Variance of a painting over the draws of the brush.

    A stroke of opacity `a` and colour `c` makes `(1 - a) C + a c` of a canvas
    `C`. Draws do not depend on each other, so its variance is
    `E[(1 - a)^2] Var[C] + Var[a] (E[C] - c)^2`.

    Args:
        colors: float tensor `(batch, strokes, 3)`.
        spread: float tensor `(batch, strokes, 1)`, the variance of a draw's
            opacity over `opacity (1 - opacity)`.
        opacity: float tensor `(batch, strokes, pixels)`, its mean.
        canvas: float tensor `(batch, 3, pixels)`, what is beneath.

    Returns:
        A float tensor `(batch, 1, pixels)`, the mean of the channels.
    """
    clear = 1 - opacity
    kept = tf.math.log(clear * (1 + (spread - 1) * opacity))
    share = spread * opacity * clear
    share *= tf.exp(tf.matmul(_earlier(kept), kept, transpose_a=True))
    difference = colors[..., None] - beneath(colors, opacity, canvas)
    squared = tf.reduce_mean(tf.square(difference), axis=2)
    return tf.reduce_sum(share * squared, axis=1, keepdims=True)
