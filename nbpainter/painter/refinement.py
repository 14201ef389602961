"""Move all strokes of a painting together, each drawn only where it is.

Windows see some strokes at a time; here all are moved at once, against the
whole photograph. Strokes are composited in turn, and what lies beneath each is
kept. From the last stroke back to the first, each is told how the loss changes
with its opacity, colour and spatter: reverse-mode differentiation, by hand.
Memory grows with the pixels that strokes cover. Before they are moved, strokes
that do little are set anew on top, at peaks of the error, along its contours.
"""

import functools
import time
from collections import namedtuple

import keras
import numpy as np
import tensorflow as tf

from nbpainter.actions import ACTION_NAMES, COLUMNS, make_straight, move_actions
from nbpainter.images import resize
from nbpainter.models.stroke_field import curve_samples
from nbpainter.painter.canvas import measure_extent, models_of
from nbpainter.painter.optimizer import (
    adam_update,
    calm_opacities,
    optimizer_of,
    spatter_ratios,
    to_logits,
)

# The picture's longer side in pixels: at least so many, and so many times the
# root of the number of strokes. In focus, strokes are smaller.
_LEAST_SIDE, _LEAST_IN_FOCUS, _SIDE_OF_ROOT = 128, 256, 8.5
# Points of a stroke's path, by the side in pixels that it is drawn at.
_NUM_POINTS = {16: 16, 24: 24, 32: 24, 64: 32, 128: 32}
# Radius in pixels above which a stroke is drawn smaller, and enlarged.
_SMOOTH_RADIUS = 1.5
# Part of a stroke's reach that is drawn: beyond it is hardly any paint.
_REACHED = 0.7
# Pixels that are drawn at once.
_AT_ONCE = 2**19
# Component `size` of a stroke, relative to its patch.
_LIMITS = -1.5, 2.0
# Steps until patches are cut anew: strokes leave theirs.
_ROUND = 30
# Importance over the mean; strokes of less are set anew.
_UNIMPORTANT = 0.1
# Pixels of the painting for each stroke: with fewer, none is set anew if there
# is but one round to find its place: 8,000 strokes on a square of 512 pixels
# lost 0.5 dB by it. In two rounds, 33 pixels a stroke gained 0.3 dB.
_ROOM = 50
# A peak is the largest of so many pixels, squared.
_PEAK = 3
# Component `size` of a new stroke, on top of the others' median; half of its
# length, over the side of a square for each stroke.
_NEW_SIZE, _NEW_REACH = -0.3, 0.15
# What paint counts where none shall be, on top.
_FORBIDDEN = 3.0


class Patches(namedtuple("Patches", "corner side drawn box cut")):
    """Where strokes are drawn: a square around each.

    Attributes:
        corner: int array `(n, 2)`, x and y of the first pixel of the square;
            it may lie outside of the picture.
        side: int array `(n,)`, pixels of the picture.
        drawn: int array `(n,)`, pixels that the square is drawn at.
        box: list of pairs of slices, rows and columns of the picture that the
            stroke may cover.
        cut: list of pairs of slices, the same in the square.
    """


def cut_patches(actions, height, width, reach):
    """Find the squares that strokes are drawn on.

    Args:
        actions: float array `(n, 12)`, relative to the longer side.
        height: int, pixels of the picture.
        width: int.
        reach: two floats, see `StrokeGenerator`, or float array `(2, n)`.

    Returns:
        `Patches`.
    """
    least, largest, radius, reach = measure_extent(
        actions, max(height, width), reach
    )
    middle = (largest + least) / 2
    half = (largest - least) / 2 + _REACHED * reach[:, None] + 1
    side = np.ceil(2 * half.max(axis=1)).astype(int)
    drawn = side * np.minimum(1, _SMOOTH_RADIUS / radius)
    sides = np.array(list(_NUM_POINTS))
    drawn = sides[np.searchsorted(sides[:-1], drawn)]
    side = np.maximum(side, drawn)
    corner = np.floor(middle - side[:, None] / 2).astype(int)
    limits = [width, height]
    low = np.floor(middle - half).clip(0, limits).astype(int)
    high = np.ceil(middle + half).clip(low, limits).astype(int)
    high = np.minimum(high, corner + side[:, None])
    low = np.minimum(np.maximum(low, corner), high)

    def slices(low, high):
        rows = zip(low[:, ::-1].tolist(), high[:, ::-1].tolist())
        return [tuple(map(slice, *row)) for row in rows]

    cut = slices(low - corner, high - corner)
    return Patches(corner, side, drawn, slices(low, high), cut)


def composite_patches(ground, patches, opacities, colors, ratios):
    """Composite strokes: the mean of a painting, and its variance.

    A stroke of opacity `a` and colour `c` makes `(1 - a) C + a c` of a canvas
    `C`; see `nbpainter.painter.optimizer.variance` for the variance.

    Args:
        ground: float32 array `(4, height, width)`, RGB and variance.
        patches: `Patches`.
        opacities: list of float32 arrays, of each stroke on its box.
        colors: float32 array `(n, 3)`.
        ratios: float32 array `(n,)`, see `variance`.

    Returns:
        The canvas as `ground`; and for each stroke a float32 array `(5, h,
        w)` on its box: its colour less the mean beneath, the variance
        beneath, and the expected square of their difference.
    """
    canvas, beneath = ground.copy(), []
    strokes = zip(patches.box, opacities, colors[..., None, None], ratios)
    for box, opacity, color, ratio in strokes:
        view, clear = canvas[:, *box], 1 - opacity
        below = np.empty((5, *opacity.shape), "float32")
        difference, varied = below[:3], below[4]
        np.subtract(color, view[:3], out=difference)
        below[3] = view[3]
        np.einsum("chw,chw->hw", difference, difference, out=varied)
        varied /= 3
        varied += below[3]
        view[:3] += opacity * difference
        noise = ratio * opacity
        noise *= clear
        noise *= varied
        clear *= clear
        view[3] *= clear
        view[3] += noise
        beneath.append(below)
    return canvas, beneath


def patch_gradients(gradient, beneath, patches, opacities, colors, ratios):
    """Differentiate `composite_patches`.

    Args:
        gradient: float32 array `(4, height, width)`, of a loss by the canvas;
            in the end it is that by the ground.
        beneath: see `composite_patches`; it is used up.
        patches: `Patches`.
        opacities: see `composite_patches`.
        colors: see `composite_patches`.
        ratios: see `composite_patches`.

    Returns:
        A list and two arrays: the gradients by opacities, colours and ratios.
    """
    by_opacity, by_color = [None] * len(colors), np.empty_like(colors)
    by_ratio = np.empty_like(ratios)
    for k in reversed(range(len(colors))):
        view = gradient[:, *patches.box[k]]
        by_mean, by_variance = view[:3], view[3]
        difference, below, varied = beneath[k][:3], *beneath[k][3:]
        opacity, clear, ratio = opacities[k], 1 - opacities[k], ratios[k]
        noise, by_noise = opacity * clear, by_variance * varied
        by_ratio[k] = np.einsum("hw,hw->", by_noise, noise)
        noise *= ratio
        by_noise *= ratio - 2 * ratio * opacity
        by_noise -= 2 * by_variance * clear * below
        by_noise += np.einsum("chw,chw->hw", by_mean, difference)
        by_opacity[k] = by_noise
        by_color[k] = np.einsum("chw,hw->c", by_mean, opacity)
        difference *= by_variance * noise * (2 / 3)
        by_color[k] += difference.sum(axis=(1, 2))
        by_mean *= clear
        by_mean -= difference
        clear *= clear
        clear += noise
        by_variance *= clear
    return by_opacity, by_color, by_ratio


@functools.cache
def _enlarging(side, drawn):
    """The matrix `(side, drawn)` of linear interpolation."""
    place = (np.arange(side) + 0.5) * (drawn / side) - 0.5
    place = place.clip(0, drawn - 1)[:, None]
    return np.maximum(0, 1 - abs(place - np.arange(drawn))).astype("float32")


def _times(left, right):
    """A matrix product whose sums do not depend on the number of threads.

    OpenBLAS has more than one at work from 2**18 multiplications on.
    """
    if left.size * right.shape[1] < 2**18:
        return left @ right
    return np.einsum("ij,jk->ik", left, right)


@functools.lru_cache(maxsize=4)
def _compile(generator):
    """Compile the drawing of patches, and its derivative, for all sides."""

    def draw(logits, low, high, pixels, spatter, side, samples):
        actions = low + (high - low) * tf.sigmoid(logits)
        opacities = calm_opacities(generator, actions, side, samples)
        ratios = spatter * spatter_ratios(actions, pixels)
        return opacities, tf.gather(actions, COLUMNS.color, axis=1), ratios

    def differentiate(logits, *inputs):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            drawn = draw(logits, *inputs[:-3])
        return tape.gradient(drawn, logits, inputs[-3:])

    row, column = (tf.TensorSpec((None, n)) for n in (len(ACTION_NAMES), 1))
    samples = tf.TensorSpec((len(ACTION_NAMES), 5, None))
    number, side = tf.TensorSpec(()), tf.TensorSpec((), "int32")
    inputs = [row, row, row, column, number, side, samples]
    outputs = [tf.TensorSpec((None, None, None)), tf.TensorSpec((None, 3))]
    signatures = {draw: inputs, differentiate: [*inputs, *outputs, column]}
    return [
        tf.function(
            function, input_signature=signature, autograph=False
        ).get_concrete_function()
        for function, signature in signatures.items()
    ]


class _Strokes:
    """The strokes of a painting at one resolution, each in its own patch.

    Args:
        actions: float32 array `(n, 12)`.
        models: list `(n,)`, what draws each.
        height: int, pixels of the picture to match.
        width: int.
        pixels: int, longer side of the painting.
    """

    def __init__(self, actions, models, height, width, pixels):
        reach = np.transpose([model.reach for model in models])
        self.patches = cut_patches(actions, height, width, reach)
        self._unit = max(height, width)
        side, drawn = self.patches.side, self.patches.drawn
        local = move_actions(
            actions, -self.patches.corner / side[:, None], self._unit / side
        )
        self._low, self._high = np.zeros_like(local), np.ones_like(local)
        self._low[:, COLUMNS.size], self._high[:, COLUMNS.size] = _LIMITS
        self.logits = to_logits(local, self._low, self._high)
        self._matrices = [
            None if before == after else _enlarging(after, before)
            for after, before in zip(side.tolist(), drawn.tolist())
        ]
        pixels = np.float32(side * (pixels / self._unit))[:, None]
        groups = {}
        for k, key in enumerate(zip(drawn.tolist(), models)):
            groups.setdefault(key, []).append(k)
        self._batches = []
        for (number, model), which in sorted(
            groups.items(), key=lambda group: group[0][0]
        ):
            samples = curve_samples(_NUM_POINTS[number])
            spatter = np.float32(optimizer_of(model).spatter)
            most = max(1, _AT_ONCE // number**2)
            for batch in np.split(which, range(most, len(which), most)):
                frame = [x[batch] for x in (self._low, self._high, pixels)]
                constants = [*frame, spatter, number, samples]
                self._batches.append((batch, constants, *_compile(model)))

    def draw(self):
        """Opacities, colours and ratios, see `composite_patches`."""
        num_strokes = len(self.logits)
        opacities = [None] * num_strokes
        colors = np.empty((num_strokes, 3), "float32")
        ratios = np.empty((num_strokes, 1), "float32")
        for batch, constants, draw, _ in self._batches:
            drawn, colors[batch], ratios[batch] = draw(
                self.logits[batch], *constants
            )
            for k, opacity in zip(batch.tolist(), drawn.numpy()):
                matrix = self._matrices[k]
                if matrix is not None:
                    opacity = _times(_times(matrix, opacity), matrix.T)
                opacities[k] = opacity[self.patches.cut[k]]
        return opacities, colors, ratios[:, 0]

    def differentiate(self, by_opacity, by_color, by_ratio):
        """From the gradients by what is drawn to that by the logits."""
        gradient = np.empty_like(self.logits)
        for batch, constants, _, differentiate in self._batches:
            squares = []
            for k in batch.tolist():
                square = np.zeros([self.patches.side[k]] * 2, "float32")
                square[self.patches.cut[k]] = by_opacity[k]
                matrix = self._matrices[k]
                if matrix is not None:
                    square = _times(_times(matrix.T, square), matrix)
                squares.append(square)
            others = by_color[batch], by_ratio[batch, None]
            gradient[batch] = differentiate(
                self.logits[batch], *constants, np.stack(squares), *others
            )
        return gradient

    def actions(self):
        """The strokes as they are now, relative to the longer side."""
        share = 1 / (1 + np.exp(-self.logits))
        local = self._low + (self._high - self._low) * share
        corner, side = self.patches.corner, self.patches.side
        return move_actions(local, corner / self._unit, side / self._unit)


def _importance(strokes, drawn, canvas, beneath, planes, scale):
    """By how much each stroke lowers the expected squared error, `(n,)`."""
    importance = np.empty(len(beneath))
    # Of a stroke, as much is seen as is clear above it.
    clear = np.ones_like(scale)
    error = canvas[:3] - planes
    for k in reversed(range(len(beneath))):
        box, opacity = strokes.patches.box[k], drawn[0][k]
        difference = beneath[k][:3]
        change = clear[box] * opacity * difference
        lower = np.mean(change * (change - 2 * error[:, *box]), axis=0)
        noise = drawn[2][k] * clear[box] ** 2 * opacity * (1 - opacity)
        lower -= noise * np.mean(difference * difference, axis=0)
        importance[k] = np.sum(scale[box] * lower)
        clear[box] *= 1 - opacity
    return importance


def _set_anew(actions, importance, error, target, weight, palette):
    """Set strokes that do little at peaks of the error, along its contours.

    Args:
        actions: float32 array `(n, 12)`, relative to the longer side.
        importance: float array `(n,)`, see `_importance`.
        error: float32 array `(height, width, 3)`, canvas less photograph.
        target: float32 array `(height, width, 3)`.
        weight: float32 array `(height, width, 1)`, of an error; 0 where no
            stroke shall be.
        palette: see `refine`.

    Returns:
        The actions, new ones last; and an int array `(n,)`, the stroke that
        each was. New ones are drawn as the last stroke was.
    """
    height, width = (max(2, -(-side // _PEAK)) for side in error.shape[:2])
    error, target, weight = (
        resize(picture, height, width) for picture in (error, target, weight)
    )
    peaks = np.argsort(-np.sum(weight * error**2, axis=-1), axis=None)
    weak = np.flatnonzero(importance < _UNIMPORTANT * importance.mean())
    weak = weak[np.argsort(importance[weak])][: len(peaks)]
    row, column = np.divmod(peaks[: len(weak)], width)
    down, right = (g[row, column] for g in np.gradient(error.mean(axis=-1)))
    angle = np.arctan2(right, -down)  # At right angles to the gradient.
    unit = max(height, width)
    reach = _NEW_REACH / len(actions) ** 0.5
    x, y = (column + 0.5) / unit, (row + 0.5) / unit
    new = np.float32(make_straight(x, y, angle, reach))
    new[:, COLUMNS.size] = np.median(actions[:, COLUMNS.size]) + _NEW_SIZE
    new[:, COLUMNS.color] = target[row, column]
    if len(palette):
        apart = new[:, None, COLUMNS.color] - np.float32(palette)
        nearest = np.argmin(np.sum(apart**2, axis=-1), axis=-1)
        new[:, COLUMNS.color] = np.float32(palette)[nearest]
    kept = np.delete(np.arange(len(actions)), weak)
    origin = np.append(kept, np.full(len(weak), len(actions) - 1))
    return np.concatenate([actions[kept], new]), origin


def refine(
    actions,
    generator,
    target,
    ground,
    num_steps,
    learning_rate=0.06,
    weight=None,
    forbidden=None,
    loss=None,
    palette=(),
    remaining=lambda: float("inf"),
    verbose=0,
):
    """Move all strokes of a painting together.

    Without a loss, the expected squared error of the painting is minimised:
    the squared error of its mean and, where the brush spatters, its variance.
    Strokes that lower it little are set anew before.

    Args:
        actions: float32 array `(n, 12)`, relative to the longer side.
        generator: a model of `build_generator` or `load_pretrained`, or a
            list of them, one for each stroke.
        target: float32 array `(height, width, 3)`, the photograph.
        ground: float32 array `(height, width, 3)`, beneath the strokes.
        num_steps: int, steps of Adam.
        learning_rate: float, of Adam on the actions' logits, at the start of
            each round's cosine decay to 0. Default 0.06.
        weight: float32 array `(height, width, 1)`, what an error at a pixel
            counts. Default: all count the same.
        forbidden: float32 array `(height, width, 1)`, 1 where no paint shall
            be. Default: it may be everywhere.
        loss: a Keras loss on pictures `(1, height, width, 3)`, to be
            minimised in place of the squared error.
        palette: list of float arrays `(3,)`, the colours that strokes keep.
            Default: any colour.
        remaining: function without arguments, how many seconds are left.
            Default: no limit.
        verbose: 0 or 1, whether to show a progress bar.

    Returns:
        A float32 array `(n, 12)`; strokes that were set anew come last, and
        are drawn as the last one was. And an int array `(n,)`, the stroke
        that each was.
    """
    pixels = max(target.shape[:2])
    rounds = np.array_split(np.arange(num_steps), -(-num_steps // _ROUND))
    has_room = target[..., 0].size >= _ROOM * len(actions)
    grows = loss is None and (has_room or len(rounds) > 1)
    models, origin = models_of(actions, generator), np.arange(len(actions))
    if weight is None:
        weight = np.ones_like(target[..., :1])
    least = _LEAST_IN_FOCUS if np.ptp(weight) else _LEAST_SIDE
    least = max(least, _SIDE_OF_ROOT * len(actions) ** 0.5)
    part = min(1.0, least / pixels)
    height, width = (max(1, round(part * x)) for x in target.shape[:2])
    if forbidden is None:
        forbidden = np.zeros_like(weight)
    target, ground, weight, forbidden = (
        resize(x, height, width) for x in (target, ground, weight, forbidden)
    )
    planes = np.ascontiguousarray(np.moveaxis(target, -1, 0))
    ground = np.concatenate([ground, np.zeros_like(weight)], axis=-1)
    ground = np.ascontiguousarray(np.moveaxis(ground, -1, 0))
    # A stroke's gradient does not depend on how many others there are.
    scale = weight * (1 + _FORBIDDEN * forbidden) * len(actions)
    scale = scale[..., 0] / (height * width)

    def slope(canvas):
        """Gradient of the loss by a canvas."""
        if loss is None:
            by_mean = 2 / 3 * scale * (canvas[:3] - planes)
            return np.concatenate([by_mean, scale[None]])
        picture = tf.constant(np.moveaxis(canvas[:3], 0, -1)[None])
        with tf.GradientTape() as tape:
            tape.watch(picture)
            value = len(actions) * loss(target[None], picture)
        by_mean = np.moveaxis(tape.gradient(value, picture).numpy()[0], -1, 0)
        return np.concatenate([by_mean, 0 * by_mean[:1]])

    def renew(actions, models):
        """Set strokes that do little anew."""
        strokes = _Strokes(actions, models, height, width, pixels)
        drawn = strokes.draw()
        canvas, beneath = composite_patches(ground, strokes.patches, *drawn)
        return _set_anew(
            actions,
            _importance(strokes, drawn, canvas, beneath, planes, scale),
            np.moveaxis(canvas[:3], 0, -1) - target,
            target,
            weight * (1 - forbidden),
            palette,
        )

    bar = keras.utils.Progbar(num_steps, verbose=verbose, unit_name="step")
    started = time.perf_counter()
    for steps in rounds:
        if remaining() <= 0 or not len(actions):
            break
        if grows:
            actions, which = renew(actions, models)
            models, origin = [models[k] for k in which], origin[which]
        strokes = _Strokes(actions, models, height, width, pixels)
        moments = 2 * [np.zeros_like(strokes.logits)]
        for step in range(len(steps)):
            left, passed = remaining(), time.perf_counter() - started
            if left <= 0:
                break
            # The rate falls to 0 with each round, or when the time is over.
            done = max(step / len(steps), step and passed / (passed + left))
            rate = learning_rate * (0.5 + 0.5 * np.cos(np.pi * done))
            drawn = strokes.draw()
            canvas, beneath = composite_patches(ground, strokes.patches, *drawn)
            gradient = strokes.differentiate(
                *patch_gradients(
                    slope(canvas), beneath, strokes.patches, *drawn
                )
            )
            strokes.logits, *moments = map(
                np.asarray,
                adam_update(strokes.logits, gradient, *moments, step, rate),
            )
            bar.update(steps[step] + 1)
        moved = strokes.actions()
        if len(palette):
            moved[:, COLUMNS.color] = actions[:, COLUMNS.color]
        actions = moved
    return actions, origin
