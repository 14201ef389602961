"""Find the strokes that make a canvas match a photograph.

Coarse to fine: each level covers the picture with a grid of square windows.
The strokes of a window are moved by gradient descent until the window matches
the photograph, and must stay inside the window's core; the margin around it
shows what they do to the neighbourhood. Windows of one 2 x 2 parity class do
not touch each other's cores, so a class is painted at once, in one batch, and
then the next class on what it left.
"""

import functools
import time

import keras
import numpy as np
import tensorflow as tf

from nbpainter.actions import (
    ACTION_INDEX,
    ACTION_NAMES,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    columns,
)
from nbpainter.canvas import composite
from nbpainter.checks import check_count, check_positive
from nbpainter.config import PaintConfig
from nbpainter.losses import psnr
from nbpainter.painting import Painting, as_model
from nbpainter.pictures import load_photo
from nbpainter.rendering import lay_strokes
from nbpainter.windows import COARSE, MAX_BATCH, Grid, plan_levels

MAX_STROKES = 100_000

_NOISY_SIDE = 32  # Windows of fewer pixels are painted with calm strokes.
_MAX_DABS = 384  # Of a stroke while it is moved; enough for all but texture.


def paint(
    photo,
    num_strokes=PaintConfig.num_strokes,
    size=PaintConfig.size,
    generator=None,
    seed=PaintConfig.seed,
    num_steps=PaintConfig.num_steps,
    learning_rate=PaintConfig.learning_rate,
    seconds=None,
    verbose=1,
):
    """Paint a photograph with brush strokes.

    Args:
        photo: str or path of a picture file, PIL image, or array
            `(height, width, 3)` (floats in `[0, 1]`, uint8 or uint16).
        num_strokes: int, exactly so many strokes. Default 400.
        size: int, longer side of the painting in pixels. Default 512.
        generator: str or model, what draws the strokes: a name for
            `load_pretrained` or a model of `build_generator`. Default:
            `"generator_gan"`. With a noise input, strokes are moved under
            fresh noise in each step, so that they do well however the real
            brush spatters.
        seed: int >= 0, where the strokes start. The same seed gives the same
            painting.
        num_steps: int, gradient steps for each group of strokes, and half as
            many at each finer resolution. Default 100.
        learning_rate: float, of Adam on the actions' logits. Default 0.1.
        seconds: float, stop after about so long, with the strokes that are
            there. Default: no limit.
        verbose: 0 or 1, whether to show a progress bar. Default 1.

    Returns:
        A `Painting`.

    Raises:
        DataError: for a photograph that cannot be read, or a number out of
            range.

    Example:

    >>> painting = paint(np.ones((20, 30, 3)) * 0.5, num_strokes=2, size=30,
    ...                  num_steps=2, verbose=0)
    >>> painting.canvas.shape
    (20, 30, 3)
    """
    num_strokes = check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    seed = check_count("seed", seed, 0, 2**32 - 1)
    num_steps = check_count("num_steps", num_steps, 1, 100_000)
    learning_rate = check_positive("learning_rate", learning_rate)
    if seconds is not None:
        seconds = check_positive("seconds", seconds)
    target = load_photo(photo, size)
    started = time.perf_counter()
    if generator is None:
        generator = "generator_gan"
    model = as_model(generator)
    optimizer = _optimizer(model)
    random = np.random.default_rng(seed)
    height, width = target.shape[:2]
    canvas = np.ones_like(target)
    painted = []
    bar = keras.utils.Progbar(
        num_strokes,
        stateful_metrics=["psnr"],
        verbose=verbose,
        unit_name="stroke",
    )
    for cells, level_strokes in plan_levels(num_strokes, height, width):
        grid = Grid(target, cells)
        counts = grid.share(canvas, level_strokes)
        for batch in grid.batches(counts):
            actions = optimizer.paint_windows(
                *grid.windows(canvas, batch),
                counts[batch],
                random,
                num_steps,
                learning_rate,
            )
            strokes = grid.to_picture(actions, batch, counts[batch])
            canvas = lay_strokes(canvas, strokes, model)
            painted.append(strokes)
            bar.add(len(strokes), [("psnr", float(psnr(canvas, target)))])
            if seconds and time.perf_counter() - started > seconds:
                break
        else:
            continue
        break
    actions = np.concatenate(painted)
    if len(actions) < num_strokes:
        bar.update(len(actions), finalize=True)
    painting = Painting(actions, width, height, generator=generator, seed=seed)
    painting.figures = {
        "num_strokes": len(painting),
        "psnr": round(float(psnr(painting.canvas, target)), 3),
        "seconds": round(time.perf_counter() - started, 2),
    }
    return painting


@functools.lru_cache(maxsize=4)
def _optimizer(generator):
    """One optimizer for a generator: its steps are compiled only once."""
    return ActionOptimizer(generator)


class ActionOptimizer:
    """Moves strokes by gradient descent until windows match.

    Args:
        generator: a model of `build_generator`.
    """

    def __init__(self, generator):
        self.generator = generator
        self.logits = keras.Variable(
            np.zeros((MAX_BATCH, len(ACTION_NAMES)), "float32")
        )
        # Squared gradients are forgotten in the time that a stage takes.
        self.adam = keras.optimizers.Adam(beta_2=0.99)
        self.adam.build([self.logits])
        self.steps = {}  # Compiled, by the side of the windows in pixels.

    def _compiled_step(self, side):
        if side not in self.steps:
            pictures = [
                tf.TensorSpec((None, side, side, channels))
                for channels in (3, 3, 1)
            ]
            limits = [tf.TensorSpec((len(ACTION_NAMES),))] * 2
            self.steps[side] = tf.function(
                self._step,
                input_signature=[
                    *pictures,
                    *limits,
                    tf.TensorSpec((None,)),
                    tf.TensorSpec((2,), "int32"),
                ],
                autograph=False,
            )
        return self.steps[side]

    def _noise(self, num_strokes, side, seed):
        """Fresh noise, so that strokes must do well however they spatter."""
        if self.generator.noise_shape is None or side < _NOISY_SIDE:
            return None
        num_dabs, channels = self.generator.noise_shape
        shape = (num_strokes, min(num_dabs, _MAX_DABS), channels)
        return tf.random.stateless_normal(shape, seed)

    def _step(self, target, canvas, mask, low, high, active, seed):
        side, num_windows = target.shape[1], tf.shape(target)[0]
        with tf.GradientTape() as tape:
            logits = self.logits.value[: tf.shape(active)[0]]
            actions = low + (high - low) * tf.sigmoid(logits)
            noise = self._noise(tf.shape(actions)[0], side, seed)
            opacities = self.generator.opacity(actions, side, noise)
            opacities *= active[:, None, None]
            colors = tf.gather(actions, COLOR_COLUMNS, axis=1)
            painted = composite(
                canvas,
                tf.reshape(colors, (num_windows, -1, 3)),
                tf.reshape(opacities, (num_windows, -1, side, side)),
            )
            error = mask * (painted - target)
            # The error's blur counts as well: it reaches further.
            blurred = tf.nn.avg_pool2d(error, 4, 4, "VALID")
            loss = tf.reduce_mean(error**2) + tf.reduce_mean(blurred**2)
        gradient = tape.gradient(loss, self.logits.value)
        self.adam.apply([gradient], [self.logits])
        return actions

    def paint_windows(
        self,
        target,
        canvas,
        mask,
        margin,
        counts,
        random,
        num_steps,
        learning_rate,
    ):
        """Paint a batch of windows.

        Args:
            target: float32 array `(batch, side, side, 3)`, the photograph.
            canvas: float32 array `(batch, side, side, 3)`, what is there.
            mask: float32 array `(batch, side, side, 1)`, 0 where nothing
                matters.
            margin: float, share of the side that no curve enters.
            counts: int array `(batch,)`, strokes of each window.
            random: `numpy.random.Generator`.
            num_steps: int, see `paint`.
            learning_rate: float, at the start of a cosine decay.

        Returns:
            A float32 array `(batch, max(counts), 12)`, the actions; a
            window's own are the first of its row.
        """
        num_windows, num_strokes = len(target), counts.max()
        actions = _first_actions(target, canvas, mask, margin, counts, random)
        actions = actions.reshape(-1, len(ACTION_NAMES))
        low = np.zeros(len(ACTION_NAMES), "float32")
        low[X_COLUMNS + Y_COLUMNS] = margin
        high = 1 - low
        active = np.arange(num_strokes) < counts[:, None]
        active = active.astype("float32").ravel()
        side = min(COARSE, target.shape[1])
        # One window alone is cheap, and all others build on it.
        num_steps = num_steps * (2 if num_windows == 1 else 1)
        fine_steps = max(1, num_steps // 2)
        while side <= target.shape[1]:
            pictures = [_shrink(x, side) for x in (target, canvas, mask)]
            actions = self._descend(
                actions,
                random,
                num_steps,
                learning_rate,
                *pictures,
                low,
                high,
                active,
            )
            side, num_steps = 2 * side, fine_steps
        return actions.reshape(num_windows, num_strokes, -1)

    def _descend(self, actions, random, num_steps, learning_rate, *arguments):
        arguments = [tf.constant(argument) for argument in arguments]
        low, high = arguments[3:5]
        share = np.clip((actions - low) / (high - low), 0.002, 0.998)
        logits = np.zeros(self.logits.shape, "float32")
        logits[: len(actions)] = np.log(share / (1 - share))
        self.logits.assign(logits)
        for variable in self.adam.variables:
            variable.assign(tf.zeros_like(variable))
        step = self._compiled_step(arguments[0].shape[1])
        decay = 0.5 + 0.5 * np.cos(np.pi * np.arange(num_steps) / num_steps)
        for factor in decay:
            self.adam.learning_rate.assign(learning_rate * factor)
            seed = random.integers(2**31, size=2, dtype="int32")
            actions = step(*arguments, tf.constant(seed))
        return actions.numpy()


def _shrink(pictures, side):
    """Average square pictures down to a side that divides theirs."""
    count, before, _, channels = pictures.shape
    step = before // side
    parts = pictures.reshape(count, side, step, side, step, channels)
    return parts.mean((2, 4))


def _first_actions(target, canvas, mask, margin, counts, random):
    """Place first strokes where the error is, in the photograph's colours.

    Large strokes come first, so that small ones lie on top. Directions are
    random, pressures medium.
    """
    num_windows, side = target.shape[:2]
    num_strokes = counts.max()
    border = round(margin * side)
    core = slice(border, side - border)
    error = np.sum(mask * (target - canvas) ** 2, axis=-1)[:, core, core]
    chances = error.reshape(num_windows, -1) + 1e-6
    chances = chances / chances.sum(axis=1, keepdims=True)
    pixels = np.stack(
        [random.choice(len(row), num_strokes, p=row) for row in chances]
    )
    width = side - 2 * border
    row, column = pixels // width + border, pixels % width + border
    shape = (num_windows, num_strokes)
    x = (column + random.random(shape)) / side
    y = (row + random.random(shape)) / side
    angle = 2 * np.pi * random.random(shape)
    reach = (1 - 2 * margin) * (0.08 + 0.15 * random.random(shape))
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    actions = np.empty((*shape, len(ACTION_NAMES)), "float32")
    actions[..., columns("control_x", "control_y")] = np.stack([x, y], -1)
    actions[..., columns("start_x", "start_y")] = np.stack([x - dx, y - dy], -1)
    actions[..., columns("end_x", "end_y")] = np.stack([x + dx, y + dy], -1)
    actions[..., ACTION_INDEX["size"]] = np.linspace(0.9, 0.2, num_strokes)
    actions[..., PRESSURE_COLUMNS] = 0.5
    windows = np.arange(num_windows)[:, None]
    actions[..., COLOR_COLUMNS] = target[windows, row, column]
    edge = 0.03
    low, high = margin + edge * (1 - 2 * margin), 1 - margin - edge
    actions[..., X_COLUMNS + Y_COLUMNS] = np.clip(
        actions[..., X_COLUMNS + Y_COLUMNS], low, high
    )
    actions[..., COLOR_COLUMNS] = np.clip(
        actions[..., COLOR_COLUMNS], edge, 1 - edge
    )
    return actions
