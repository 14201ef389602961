"""Find the strokes that make a canvas match a photograph, coarse to fine.

Each level of windows is painted on what the levels before have left. The
strokes of a window are moved by gradient descent, first at few pixels, then
at more; strokes that hardly help start again where the error is.
"""

import dataclasses
import os
import time

import keras
import numpy as np

from nbpainter import images
from nbpainter.actions import COLUMNS
from nbpainter.config import PaintConfig
from nbpainter.errors import DataError, check_count, check_positive, check_size
from nbpainter.losses import psnr
from nbpainter.models.presets import load_generator
from nbpainter.painter.canvas import lay_strokes
from nbpainter.painter.optimizer import Schedule, optimizer_of
from nbpainter.painter.painting import Painting, run_lengths
from nbpainter.painter.refinement import refine
from nbpainter.painter.stroke_file import MAX_STROKES
from nbpainter.painter.windows import (
    COARSE,
    SINGLE_WINDOW,
    Grid,
    next_level,
    place_strokes,
)
from nbpainter.parallel import on_interrupt

# Seconds for a stroke, guessed before any was painted.
_SECONDS_PER_STROKE = 0.05
# Side in pixels, part of the steps, part of the learning rate. Before each but
# the first and the last, strokes start again.
_STAGES = 5 * [(COARSE, 0.14, 1.0)] + [(32, 0.15, 1.0)]
# The same for a window that holds all of the painting: at 16 pixels 50 strokes
# soon leave no error that would say where to start again.
_STAGES_ALONE = 13 * [(32, 0.15, 1.0)] + [(64, 0.8, 0.6)]
# Of all strokes together: steps over those of a group, and the learning rate
# over that of a group. Usually; from so many strokes on; with a focus; with a
# focus and few strokes, of which each must be found.
_REFINED = 0.3, 0.6
_MANY, _MANY_REFINED = 2000, (0.6, 0.6)
_FOCUS_REFINED = 1.2, 0.6
_FEW_REFINED = 2.4, 1.0
# Of the seconds, if strokes are as many as fit into them.
_RESERVED = 0.3
# Importance over the mean; strokes of less start again elsewhere.
_UNIMPORTANT = 0.15
# Component `size` of strokes that start again, on top.
_SMALL = 0.4
# Decibels that a painting may lack of what it had on its own photograph,
_OTHER_PHOTO = 3.0
# where it had less than this.
_SURELY_THIS_PHOTO = 40.0


_PIXEL = np.zeros((1, 1, 3), "float32")
_CHECKS = {
    "num_strokes": lambda name, n: check_count(name, n, 1, MAX_STROKES),
    "size": lambda _, size: check_size(size),
    "seed": lambda name, n: check_count(name, n, 0, 2**32 - 1),
    "num_steps": lambda name, n: check_count(name, n, 1, 100_000),
    "learning_rate": check_positive,
    "seconds": check_positive,
    "palette": lambda _, palette: images.choose_palette(palette, _PIXEL),
    "background": images.check_color,
}


def check_choices(**choices):
    """Check what can be checked without a photograph.

    Args:
        **choices: arguments of `paint`, by name; `None` stands for a default.

    Raises:
        DataError: for a number out of range, or no colour.

    Example:

    >>> check_choices(num_strokes=400, background="#ffeecc")
    """
    for name, value in choices.items():
        if value is not None:
            _CHECKS[name](name, value)


def paint(
    photo,
    num_strokes=None,
    size=None,
    generator=None,
    seed=None,
    num_steps=PaintConfig.num_steps,
    learning_rate=PaintConfig.learning_rate,
    seconds=None,
    palette=None,
    background=None,
    mask=None,
    focus=None,
    loss=None,
    resume=None,
    verbose=1,
):
    """Paint a photograph with brush strokes.

    Ctrl-C ends it with the strokes that are there, if there are any.

    Args:
        photo: str or path of a picture file, PIL image, or array
            `(height, width, 3)` (floats in `[0, 1]`, uint8 or uint16).
        num_strokes: int, exactly so many strokes, unless `seconds` end the
            painting before. Default 400, or as many as fit into `seconds`.
        size: int, longer side of the painting in pixels. Default 512.
        generator: str or model, what draws the strokes: a name for
            `load_pretrained` or a model of `build_generator`. Default:
            `"generator_gan"`. With a noise input, strokes are found that do
            well however the brush spatters. A list of several shares the
            levels out: the first draws the largest strokes.
        seed: int >= 0, where the strokes start. The same seed gives the same
            painting. Default 0.
        num_steps: int, gradient steps for each group of strokes, and about as
            many again at finer resolutions. Default 100.
        learning_rate: float, of Adam on the actions' logits. Default 0.1.
        seconds: float, stop after about so long, with the strokes that are
            there. Default: no limit.
        palette: int, paint with so many colours, chosen to suit the
            photograph; or a list of `"#rrggbb"`. Default: any colours.
        background: str, `"#rrggbb"`. Default white.
        mask: picture like `photo`, of the same shape, or an array of
            booleans: paint only where it is white. Default: everywhere.
        focus: what is painted with more strokes and more care: `"faces"`,
            `"none"`, or a picture like `photo`, of the same shape, whose
            bright parts count more, see `nbpainter.images.load_focus`.
            Default: faces, if their detector (`mtcnn`) is installed.
        loss: a Keras loss on pictures `(1, height, width, 3)`, such as
            `PerceptualLoss`: what is minimised when, in the end, all strokes
            are moved together. Default: the expected squared error.
        resume: `Painting`, or path of its stroke file, to go on with, on the
            same photograph: its strokes count, and all are moved together in
            the end. Generator, seed, palette and background are its own:
            leave them out. So is the size by default.
        verbose: 0 or 1, whether to show a progress bar. Default 1.

    Returns:
        A `Painting`. Its `figures` hold `num_strokes`, `psnr` (decibels),
        `seconds`, `planned` (strokes) and `curve`, a list of `[strokes,
        seconds, psnr]` while it grew.

    Raises:
        DataError: for a photograph that cannot be read, or a number out of
            range.

    Example:

    >>> import numpy as np
    >>> painting = paint(np.ones((20, 30, 3)) * 0.5, num_strokes=2, size=30,
    ...                  num_steps=2, verbose=0)
    >>> painting.canvas.shape
    (20, 30, 3)
    """
    check_choices(
        num_strokes=num_strokes,
        size=size,
        num_steps=num_steps,
        learning_rate=learning_rate,
        seconds=seconds,
    )
    clock = _Clock(seconds)
    own = {"generator": generator, "seed": seed}
    own |= {"palette": palette, "background": background}
    own = {name: value for name, value in own.items() if value is not None}
    if resume is None:
        target = images.load_photo(photo, size or PaintConfig.size)
        height, width = target.shape[:2]
        if palette is not None:
            own["palette"] = images.choose_palette(palette, target)
        painting = Painting([], width, height, **own)
    else:
        painting, target = _resume(resume, photo, size, own)
    if num_strokes is not None and num_strokes < len(painting):
        raise DataError(
            f"The painting to resume has {len(painting)} strokes already. Ask "
            f"for more. Received: num_strokes={num_strokes}."
        )
    with on_interrupt(clock.interrupt):
        areas = _load_forbidden(mask, target), images.load_focus(focus, target)
        painter = _Painter(
            painting, target, *areas, num_steps, learning_rate, clock
        )
        painter.paint(num_strokes, loss, verbose)
    return painter.finish()


def _resume(painting, photo, size, own):
    """A painting to go on with, and the photograph at its size."""
    for name, value in own.items():
        raise DataError(
            f"`{name}` is the painting's own when it is resumed: leave it out. "
            f"Received: {name}={value!r}."
        )
    if isinstance(painting, (str, os.PathLike)):
        painting = Painting.load(painting)
    longer = max(painting.height, painting.width)
    target = images.load_photo(photo, size or longer)
    height, width = target.shape[:2]
    # The shorter side is rounded to whole pixels, before and now.
    rounding = (max(height, width) + longer) / 2
    if abs(height * painting.width - width * painting.height) > rounding:
        raise DataError(
            "The painting to resume is of another photograph: it has "
            f"{painting.width} x {painting.height} pixels, and this one "
            f"{width} x {height}."
        )
    return dataclasses.replace(painting, height=height, width=width), target


class _Clock:
    """Watches the time, and Ctrl-C."""

    def __init__(self, seconds):
        self.started = time.perf_counter()
        self.seconds = float("inf") if seconds is None else seconds
        self.interrupted = False

    def passed(self):
        return time.perf_counter() - self.started

    def remaining(self):
        return 0.0 if self.interrupted else self.seconds - self.passed()

    def interrupt(self, *_):
        """Take the first Ctrl-C as a wish to stop soon, the second as ever."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True


def _load_forbidden(mask, target):
    """Where no paint shall be, float32 `(height, width, 1)`."""
    if mask is None:
        return np.zeros_like(target[..., :1])
    mask = np.float32(images.load_mask(mask, target) >= 0.5)
    if not mask.any():
        raise DataError(
            "The mask leaves nothing to paint: it is white nowhere."
        )
    return 1 - mask


class _Painter:
    """One painting while it grows.

    Args:
        painting: `Painting` to go on with; it may be empty.
        target: float32 array `(height, width, 3)`, the photograph.
        forbidden: float32 array `(height, width, 1)`, 1 where no paint shall
            be.
        weight: float32 array `(height, width, 1)`, what an error counts.
        num_steps: int, see `paint`.
        learning_rate: float, see `paint`.
        clock: `_Clock`.
    """

    def __init__(
        self,
        painting,
        target,
        forbidden,
        weight,
        num_steps,
        learning_rate,
        clock,
    ):
        self.painting, self.clock = painting, clock
        self.num_steps, self.learning_rate = num_steps, learning_rate
        self.forbidden, self.weight = forbidden, weight
        self.focused = np.ptp(weight) > 0
        self.target = np.where(self.forbidden > 0, painting.blank(), target)
        self.palette = [images.from_hex(color) for color in painting.palette]
        self.models = [load_generator(each) for each in painting.generators]
        self.actions, self.which = painting.actions, painting.which
        self.level = painting.level
        self.canvas = lay_strokes(
            painting.blank(), self.actions, painting.models()
        )
        self._check_photo(painting.figures.get("psnr", 0))
        self.spent = painting.figures.get("seconds", 0.0)
        self.curve = [list(row) for row in painting.figures.get("curve", [])]
        self.planned = painting.figures.get("planned", PaintConfig.num_strokes)
        self.ended, self.reserved = "strokes", 0.0
        self.alone = False  # One window holds all of the painting.

    def _check_photo(self, before):
        now = float(psnr(self.canvas, self.target))
        if now < min(before, _SURELY_THIS_PHOTO) - _OTHER_PHOTO:
            raise DataError(
                "The painting to resume is of another photograph, or another "
                f"mask: it matched its own by {before:.1f} dB, and matches "
                f"this one by {now:.1f} dB."
            )

    def paint(self, num_strokes, loss, verbose):
        """Paint until there are so many strokes, or time is over."""
        fit_seconds = num_strokes is None and self.clock.seconds < float("inf")
        if fit_seconds:
            self.reserved = _RESERVED * self.clock.seconds
        if num_strokes is not None:
            self.planned = int(num_strokes)
        bar = keras.utils.Progbar(
            None if fit_seconds else self.planned,
            stateful_metrics=["psnr"],
            verbose=verbose,
            unit_name="stroke",
        )
        shape = self.target.shape[:2]
        seconds_per_stroke = _SECONDS_PER_STROKE
        while not self._must_stop():
            num_painted, started = len(self.actions), self.clock.passed()
            if fit_seconds:
                fitting = round(self._remaining() / seconds_per_stroke)
                self.planned = min(num_painted + max(1, fitting), MAX_STROKES)
            if num_painted >= self.planned:
                break
            coarser, *level = next_level(
                self.planned, num_painted, *shape, self.focused
            )
            which = int(coarser * len(self.models))
            self._paint_level(which, *level, bar)
            num_new = max(1, len(self.actions) - num_painted)
            seconds_per_stroke = (self.clock.passed() - started) / num_new
        if verbose and len(self.actions) != bar.target:
            bar.update(len(self.actions), finalize=True)
        # A painting may have been stopped while its strokes were moved.
        stopped = self.painting.figures.get("ended", "strokes") != "strokes"
        is_new = len(self.actions) > len(self.painting) or stopped
        # A window that held all of it at full resolution was enough.
        enough = self.alone and max(shape) <= _STAGES_ALONE[-1][0]
        if loss is not None or (is_new and not enough):
            self._refine(loss, verbose)
        if self.clock.interrupted:
            if not len(self.actions):
                raise KeyboardInterrupt
            self.ended = "interrupt"
        elif self.clock.remaining() <= 0 or fit_seconds:
            self.ended = "seconds"

    def _must_stop(self):
        """However short the time, something is painted."""
        something = self.clock.interrupted or len(self.actions) > 0
        return self._remaining() <= 0 and something

    def _remaining(self):
        """Seconds that are left to paint strokes."""
        return self.clock.remaining() - self.reserved

    def _paint_level(self, which, cells, num_strokes, bar):
        model, level = self.models[which], max(self.level, default=-1) + 1
        self.optimizer = optimizer_of(model)
        self.alone = cells == 1 and num_strokes == self.planned
        grid = Grid(self.target, cells, self.forbidden, self.weight, self.alone)
        counts = grid.allot(self.canvas, num_strokes)
        for batch in grid.batches(counts):
            strokes = self._paint_windows(grid, batch, counts[batch])
            if strokes is None:
                return
            self.actions = np.concatenate([self.actions, strokes])
            self.which = np.append(self.which, [which] * len(strokes))
            self.level = np.append(self.level, [level] * len(strokes))
            self.canvas = lay_strokes(self.canvas, strokes, model)
            decibels = float(psnr(self.canvas, self.target))
            seconds = self.spent + self.clock.passed()
            self.curve.append(
                [len(self.actions), round(seconds, 2), round(decibels, 3)]
            )
            bar.update(len(self.actions), [("psnr", decibels)])
            if self._remaining() <= 0:
                return

    def _paint_windows(self, grid, batch, counts):
        """Strokes for windows of a grid; `None` if time is over meanwhile."""
        random = np.random.default_rng([self.painting.seed, len(self.actions)])
        window = grid.windows(self.canvas, batch)
        actions = place_strokes(window, counts.max(), random)
        active = np.arange(counts.max()) < counts[:, None]
        stages = _STAGES_ALONE if self.alone else _STAGES
        last = len(stages) - 1
        for stage, (side, steps, rate) in enumerate(stages):
            if side > grid.side:
                break
            if self._must_stop():
                return None
            if 0 < stage < last:
                seen = window.shrink(side)
                actions = self._restart(actions, active, seen, random)
            # Colours of a palette are chosen before the last stage.
            done = np.float32([stage, stage + 1]) / last
            schedule = Schedule(
                num_steps=max(1, round(steps * self.num_steps)),
                learning_rate=rate * self.learning_rate,
                snap=np.minimum(done, 1),
            )
            actions = self.optimizer.move(
                actions, active, window, side, schedule, self.palette
            )
        return grid.to_picture(actions, batch, active)

    def _refine(self, loss, verbose):
        """Move all strokes together, as far as time is left."""
        part, rate = _REFINED if len(self.actions) < _MANY else _MANY_REFINED
        if self.focused:
            few = len(self.actions) <= SINGLE_WINDOW
            part, rate = _FEW_REFINED if few else _FOCUS_REFINED
        if loss is not None:
            part = 1.0
        models = [self.models[k] for k in self.which]
        self.actions, origin = refine(
            self.actions,
            models,
            self.target,
            self.painting.blank(),
            max(1, round(part * self.num_steps)),
            rate * self.learning_rate,
            weight=self.weight,
            forbidden=self.forbidden,
            loss=loss,
            palette=self.palette,
            remaining=self.clock.remaining,
            verbose=verbose,
        )
        self.which, self.level = self.which[origin], self.level[origin]
        if self.curve:  # A file may hold none.
            self.curve[-1][1] = round(self.spent + self.clock.passed(), 2)

    def _restart(self, actions, active, window, random):
        """Place unimportant strokes anew; order all, large to small."""
        importance, window = self.optimizer.importance(actions, active, window)
        counts = np.maximum(active.sum(axis=1, keepdims=True), 1)
        mean = np.sum(importance * active, axis=1, keepdims=True) / counts
        weak = (importance < _UNIMPORTANT * mean) & active
        placed = place_strokes(
            window, actions.shape[1], random, sizes=(_SMALL, _SMALL)
        )
        actions = np.where(weak[..., None], placed, actions)
        size = np.where(active, actions[..., COLUMNS.size], -1)
        order = np.argsort(-size, axis=1, kind="stable")
        return np.take_along_axis(actions, order[..., None], axis=1)

    def finish(self):
        """The painting, with its figures."""
        painting = dataclasses.replace(
            self.painting, actions=self.actions, which=self.which
        )
        # While it grew, only calm strokes were drawn.
        rows = {row[0]: row for row in self.curve}
        for finished, canvas in enumerate(painting.growing()):
            if finished in rows:
                rows[finished][2] = round(float(psnr(canvas, self.target)), 3)
        painting.canvas = np.clip(canvas, 0, 1)
        painting.figures = {
            "num_strokes": len(painting),
            "psnr": round(float(psnr(painting.canvas, self.target)), 3),
            "seconds": round(self.spent + self.clock.passed(), 2),
            "planned": max(self.planned, len(painting)),
            "ended": self.ended,
            "curve": self.curve,
            "levels": run_lengths(self.level),
        }
        return painting
