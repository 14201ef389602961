"""Gradient descent on strokes: move them until windows match a photograph.

A brush that spatters paints another picture each time. Its mean is the
composite of calm strokes; its variance is predicted from them as well. So the
expected squared error, over all draws of the brush, is minimised in closed
form: strokes are found that do well however the brush spatters, without
drawing one dab.
"""

import functools
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from nbpainter.actions import ACTION_NAMES, COLUMNS, WINDOW_SIZE, random_actions
from nbpainter.models.stroke_field import curve_samples
from nbpainter.painter.canvas import (
    composite,
    compositing_weights,
    strictly_lower,
)
from nbpainter.painter.windows import COARSE, Window

# Points of a stroke's path, by the side in pixels that it is drawn at.
_NUM_POINTS = {16: 16, 32: 24, 64: 32}
# Of Adam. The second moment must follow within a stage of some 30 steps.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-7
# Logit of the opacity above which a stroke's gradient would vanish.
_MAX_LOGIT = 4.0
# The blurred error is averaged over squares of so many pixels.
_BLUR = 4
# Radius in pixels that shows half of the spatter.
_HALF_SPATTER = 0.35
# Weight of paint where there shall be none.
_FORBIDDEN = 4.0
# Opacity of what lies beneath is a product; its logarithm stays finite.
_LOG_CLEAR = -60.0

_NUMBER = tf.TensorSpec(())
_RGB, _ONE = (tf.TensorSpec((None, None, None, n)) for n in (3, 1))
# Actions, which strokes there are, and windows.
_INPUTS = [
    tf.TensorSpec((None, None, len(ACTION_NAMES))),
    tf.TensorSpec((None, None), "bool"),
    Window(_RGB, _RGB, _ONE, _ONE, _NUMBER, _NUMBER),
]

_IS_POSITION = np.isin(np.arange(len(ACTION_NAMES)), COLUMNS.x + COLUMNS.y)


class Schedule(namedtuple("Schedule", "num_steps learning_rate snap")):
    """How far strokes are moved.

    Attributes:
        num_steps: int, steps of Adam.
        learning_rate: float, at the start of a cosine decay to 0.
        snap: float32 array `(2,)` in `[0, 1]`, how far colours are drawn to
            the nearest of the palette, at the first and at the last step.
    """


def adam_update(values, gradient, first, second, step, learning_rate):
    """One step of [Adam](https://arxiv.org/abs/1412.6980) on a tensor.

    Args:
        values: float tensor.
        gradient: float tensor.
        first: float tensor, the first moment, 0 at the start.
        second: float tensor, the second moment, 0 at the start.
        step: int tensor; it counts from 0.
        learning_rate: float tensor.

    Returns:
        The values and both moments after the step.
    """
    first = _BETA_1 * first + (1 - _BETA_1) * gradient
    second = _BETA_2 * second + (1 - _BETA_2) * tf.square(gradient)
    count = tf.cast(step + 1, "float32")
    unbiased = first / (1 - _BETA_1**count)
    scale = tf.sqrt(second / (1 - _BETA_2**count)) + _EPSILON
    return values - learning_rate * unbiased / scale, first, second


def to_logits(actions, low, high):
    """Numbers without limits, for actions between limits.

    Args:
        actions: float array.
        low: float array that broadcasts to it.
        high: float array that broadcasts to it.

    Returns:
        A float32 array: `low + (high - low) sigmoid(logits)` is the actions.
        Those at a limit are drawn a little away, so that they can move.
    """
    share = np.clip((actions - low) / (high - low), 0.002, 0.998)
    return np.float32(np.log(share / (1 - share)))


def calm_opacities(generator, actions, side, samples):
    """Draw calm strokes to be optimised, `(n, side, side)`.

    Args:
        generator: see `StrokeOptimizer`.
        actions: float tensor `(n, 12)`.
        side: int or int tensor, pixels.
        samples: see `nbpainter.models.stroke_field.curve_samples`.
    """
    logits = generator.logits(actions, side, samples)
    return tf.sigmoid(tf.minimum(logits, _MAX_LOGIT))


class StrokeOptimizer:
    """Moves the strokes of a batch of windows.

    Args:
        generator: a model of `build_generator` or `load_pretrained`.
    """

    def __init__(self, generator):
        self.generator = generator
        # Measured while the first steps are compiled.
        self._spatter = ThreadPoolExecutor(1).submit(measure_spatter, generator)
        self._graph = functools.cache(self._compile)
        self._weigh = tf.function(
            self._importance, input_signature=_INPUTS, autograph=False
        )

    @property
    def spatter(self):
        """See `measure_spatter`."""
        return self._spatter.result()

    def _compile(self, has_palette, has_mask):
        """Compile `_descend`, once for all sides and numbers of strokes."""
        steps, ends = tf.TensorSpec((), "int32"), tf.TensorSpec((2,))
        return tf.function(
            functools.partial(self._descend, has_palette, has_mask),
            input_signature=[
                *_INPUTS,
                _INPUTS[-1],
                Schedule(steps, _NUMBER, ends),
                tf.TensorSpec((None, 3)),
                tf.TensorSpec((len(ACTION_NAMES), 5, None)),
                _NUMBER,
            ],
            autograph=False,
        ).get_concrete_function()

    def move(self, actions, active, window, side, schedule, palette):
        """Move strokes so that their windows match the photograph better.

        Args:
            actions: float32 array `(batch, strokes, 12)`.
            active: bool array `(batch, strokes)`, which strokes there are.
            window: `Window`.
            side: int, pixels to work at; it divides the windows' side.
            schedule: `Schedule`.
            palette: list of float arrays `(3,)`. Any colour if it is empty.

        Returns:
            Actions as before.
        """
        window = window.shrink(side)
        low = np.where(_IS_POSITION, window.margin, 0)
        descend = self._graph(len(palette) > 0, window.forbidden.any())
        moved = descend(
            to_logits(actions, low, 1 - low),
            active,
            window,
            window.shrink(COARSE),
            schedule,
            np.float32(palette).reshape(-1, 3),
            curve_samples(_NUM_POINTS[side]),
            self.spatter,
        )
        return moved.numpy()

    def _descend(self, has_palette, has_mask, logits, *inputs):
        active, window, coarse, schedule, palette, samples, spatter = inputs
        last = tf.cast(schedule.num_steps, "float32")
        side = tf.shape(window.target)[1]

        def to_actions(logits, done):
            """Paths stay inside; colours are drawn to the palette's."""
            low = tf.where(_IS_POSITION, window.margin, 0.0)
            actions = low + (1 - 2 * low) * tf.sigmoid(logits)
            if has_palette:
                first, last = tf.unstack(schedule.snap)
                actions = _snap(actions, palette, first + (last - first) * done)
            return actions

        def step(index, logits, *moments):
            done = tf.cast(index, "float32") / last
            with tf.GradientTape() as tape:
                tape.watch(logits)
                actions = to_actions(logits, done)
                opacities = self._opacities(actions, active, side, samples)
                loss = self._loss(actions, opacities, window, coarse, spatter)
                if has_mask:
                    # The darkness of black strokes on white is their paint.
                    black = tf.zeros_like(tf.gather(actions, [0], axis=2))
                    white = tf.ones_like(window.mask)
                    paint = 1 - composite(white, black, opacities)
                    paint = _mean_square(window.forbidden * paint)
                    loss += _FORBIDDEN * paint
            gradient = tape.gradient(loss, logits)
            decay = 0.5 + 0.5 * tf.cos(np.pi * done)
            rate = schedule.learning_rate * decay
            moved = adam_update(logits, gradient, *moments, index, rate)
            return index + 1, *moved

        zeros = tf.zeros_like(logits)
        _, logits, *_ = tf.while_loop(
            lambda index, *_: index < schedule.num_steps,
            step,
            (0, logits, zeros, zeros),
            parallel_iterations=1,
        )
        return to_actions(logits, 1.0)

    def _opacities(self, actions, active, side, samples):
        """Of calm strokes, `(batch, strokes, side, side)`; 0 for padding."""
        flat = tf.reshape(actions, [-1, len(ACTION_NAMES)])
        opacities = calm_opacities(self.generator, flat, side, samples)
        shape = tf.shape(actions)
        opacities = tf.reshape(opacities, [shape[0], shape[1], side, side])
        return opacities * tf.cast(active, "float32")[..., None, None]

    def _loss(self, actions, opacities, window, coarse, spatter):
        """The expected squared error, and that of the blurred picture."""
        side = tf.shape(window.target)[1]
        colors = tf.gather(actions, COLUMNS.color, axis=2)
        painted = composite(window.canvas, colors, opacities)
        error = window.mask * (painted - window.target)
        loss = _mean_square(error)
        # The blurred error reaches further: strokes first find their place.
        squares = [-1, side // _BLUR, _BLUR, side // _BLUR, _BLUR, 3]
        blurred = tf.reduce_mean(tf.reshape(error, squares), axis=(2, 4))
        loss += tf.where(side > COARSE, 0.0, _mean_square(blurred))
        if self.generator.noise_shape:
            # Spatter is smooth enough to be looked at in coarse pixels.
            opacities = _pool(opacities, COARSE)
            ratios = spatter * spatter_ratios(actions, window.pixels)
            loss += tf.reduce_mean(
                coarse.mask**2
                * variance(coarse.canvas, colors, opacities, ratios)
            )
        return loss

    def importance(self, actions, active, window):
        """Say what each stroke is worth.

        Args:
            actions: see `move`.
            active: see `move`.
            window: see `move`.

        Returns:
            A float32 array `(batch, strokes)`, by how much each stroke
            lowers the squared error of its window; and the `Window` with
            the strokes on its canvas.
        """
        importance, painted = self._weigh(actions, active, window)
        return importance.numpy(), window._replace(canvas=painted.numpy())

    def _importance(self, actions, active, window):
        """See `importance`; the second output is the painted canvas."""
        samples = curve_samples(_NUM_POINTS[COARSE])
        side = tf.shape(window.target)[1]
        opacities = self._opacities(actions, active, side, samples)
        colors = tf.gather(actions, COLUMNS.color, axis=2)
        painted = composite(window.canvas, colors, opacities)
        error = _flat(window.mask * (painted - window.target))
        batch, num_strokes, _ = tf.unstack(tf.shape(actions))
        opacities = tf.reshape(opacities, [batch, num_strokes, -1])
        weights, _ = compositing_weights(opacities)
        below = beneath(window.canvas, colors, opacities)
        change = weights[:, :, None] * (colors[..., None] - below)
        change *= _flat(window.mask)[:, None]
        without = change * (change - 2 * error[:, None])
        return tf.reduce_sum(tf.reduce_mean(without, axis=3), axis=2), painted


@functools.lru_cache(maxsize=4)
def optimizer_of(generator):
    """The `StrokeOptimizer` of a generator: its steps are compiled once."""
    return StrokeOptimizer(generator)


def spatter_ratios(actions, pixels):
    """Variance of a draw's opacity over `opacity (1 - opacity)`, relatively.

    It grows with the pressure, and a pixel wider than a dab averages it.

    Args:
        actions: float tensor `(..., 12)`.
        pixels: float, what the side of their window measures in pixels.

    Returns:
        A float tensor `(..., 1)`, 1 at a pressure of 1 under a wide brush.
    """
    size = actions[..., COLUMNS.size, None]
    pressure = tf.gather(actions, COLUMNS.pressure, axis=-1)
    pressure = tf.reduce_mean(pressure, axis=-1, keepdims=True)
    radius = tf.exp(2 * size) * (pixels / WINDOW_SIZE)
    return pressure * radius / (radius + _HALF_SPATTER)


def measure_spatter(generator):
    """Measure how much a generator with a noise input spatters.

    Args:
        generator: a model of `build_generator` or `load_pretrained`.

    Returns:
        A float: the variance of a pixel's opacity over `opacity (1 -
        opacity)`, at a pressure of 1 under a wide brush; 0 for a generator
        that draws only calm strokes.
    """
    if generator.noise_shape is None:
        return 0.0
    actions = tf.constant(random_actions(16, seed=1))
    num_dabs, channels = generator.noise_shape
    shape = (2 * len(actions), min(num_dabs, 384), channels)
    noise = np.random.default_rng(1).standard_normal(shape, "float32")
    draws = generator.opacity(tf.tile(actions, [2, 1]), WINDOW_SIZE, noise)
    first, second = tf.split(draws, 2)
    calm = generator.opacity(actions, WINDOW_SIZE)
    ratios = spatter_ratios(actions, WINDOW_SIZE)
    expected = ratios[:, None] * calm * (1 - calm)
    variance = (first - second) ** 2 / 2
    return float(tf.reduce_sum(variance) / tf.reduce_sum(expected))


def _snap(actions, palette, snap):
    """Draw colours to the nearest of the palette, where they then stay."""
    colors = tf.gather(actions, COLUMNS.color, axis=-1)
    distance = tf.reduce_sum((colors[..., None, :] - palette) ** 2, axis=-1)
    nearest = tf.gather(palette, tf.argmin(distance, axis=-1))
    # One-hot rows put the colours' changes into their columns.
    columns = tf.one_hot(COLUMNS.color, len(ACTION_NAMES))
    return actions + snap * tf.tensordot(nearest - colors, columns, axes=1)


def _pool(opacities, side):
    """Average `(batch, strokes, before, before)` over squares of pixels."""
    before = tf.shape(opacities)[-1]
    step = before // side
    averages = tf.repeat(tf.eye(side), step, axis=1)  # (side, before)
    averages = averages[None] / tf.cast(step, "float32")
    # In three dimensions: TensorFlow 2.21 on oneDNN corrupts memory when it
    # broadcasts matrices over two batch dimensions whose sizes change.
    pooled = tf.reshape(opacities, [-1, before, before])
    pooled = averages @ tf.matmul(pooled, averages, transpose_b=True)
    shape = tf.shape(opacities)
    return tf.reshape(pooled, [shape[0], shape[1], side, side])


def _mean_square(error):
    return tf.reduce_mean(tf.square(error))


def _flat(pictures):
    """Pictures `(batch, side, side, 3)` as `(batch, 3, pixels)`."""
    shape = tf.shape(pictures)
    flat = tf.reshape(pictures, [shape[0], -1, shape[3]])
    return tf.transpose(flat, [0, 2, 1])


def beneath(canvas, colors, opacities):
    """What lies beneath each stroke.

    Args:
        canvas: float tensor `(batch, side, side, 3)`.
        colors: float tensor `(batch, strokes, 3)`.
        opacities: float tensor `(batch, strokes, pixels)`.

    Returns:
        A float tensor `(batch, strokes, 3, pixels)`.
    """
    log_clear = tf.math.log1p(-opacities)
    earlier = strictly_lower(tf.shape(opacities)[1])[None]
    # What opaque strokes hide must not overflow.
    before = tf.maximum(tf.matmul(earlier, log_clear), _LOG_CLEAR)
    paint = opacities * tf.exp(-tf.maximum(before + log_clear, _LOG_CLEAR))
    shape = tf.shape(paint)
    paint = paint[:, :, None] * colors[..., None]
    below = tf.matmul(earlier, tf.reshape(paint, [shape[0], shape[1], -1]))
    below = tf.reshape(below, [shape[0], shape[1], 3, shape[2]])
    return tf.exp(before)[:, :, None] * (below + _flat(canvas)[:, None])


def variance(canvas, colors, opacities, ratios):
    """Variance of a painting over the draws of the brush.

    A stroke of opacity `a` and colour `c` makes `(1 - a) C + a c` of a canvas
    `C`. Draws do not depend on each other, so its variance is
    `E[(1 - a)^2] Var[C] + Var[a] (E[C] - c)^2`.

    Args:
        canvas: float tensor `(batch, side, side, 3)`, what is beneath.
        colors: float tensor `(batch, strokes, 3)`.
        opacities: float tensor `(batch, strokes, side, side)`, the mean.
        ratios: float tensor `(batch, strokes, 1)`, the variance of a draw's
            opacity over `opacity (1 - opacity)`.

    Returns:
        A float tensor `(batch, side, side, 1)`, the mean of the channels.
    """
    shape = tf.shape(opacities)
    opacities = tf.reshape(opacities, [shape[0], shape[1], -1])
    clear = 1 - opacities
    kept = tf.math.log(clear * (1 + (ratios - 1) * opacities))
    earlier = strictly_lower(shape[1])[None]
    later = tf.exp(tf.matmul(earlier, kept, transpose_a=True))
    difference = colors[..., None] - beneath(canvas, colors, opacities)
    squared = tf.reduce_mean(tf.square(difference), axis=2)
    own = ratios * opacities * clear
    total = tf.reduce_sum(own * later * squared, axis=1)
    return tf.reshape(total, [shape[0], shape[2], shape[3], 1])
