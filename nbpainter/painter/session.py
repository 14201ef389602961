"""One painting while it grows, from coarse windows to fine ones.

Each level covers the picture with a grid of square windows. The strokes of a
window are moved by gradient descent until the window matches the photograph,
and must stay inside the window's core; the margin around it shows what they
do to the neighbourhood. Windows of one 2 x 2 parity class do not touch each
other's cores, so a class is painted at once, in one batch, and then the next
class on what it left.
"""

import dataclasses

import keras
import numpy as np

from nbpainter.actions import ACTION_INDEX
from nbpainter.config import PaintConfig
from nbpainter.errors import DataError
from nbpainter.images import colors_of, load_mask
from nbpainter.losses import psnr
from nbpainter.models.presets import load_generator
from nbpainter.painter.choices import MAX_STROKES
from nbpainter.painter.optimizer import COARSE, descent_of
from nbpainter.painter.placing import place_strokes
from nbpainter.painter.rendering import lay_strokes
from nbpainter.painter.windows import Grid, largest_remainder, next_level

_PACE = 0.05  # Seconds for a stroke, guessed before any was painted.

# Side in pixels, share of the steps and of the learning rate.
_STAGES = (
    (COARSE, 0.3, 1.0),
    (COARSE, 0.25, 1.0),
    (COARSE, 0.2, 1.0),
    (32, 0.4, 1.0),
    (64, 0.15, 0.6),
)
# One window alone is cheap, and all others build on it: times the steps.
_ALONE = 2.3
_WORTHLESS = 0.05  # Merit over the mean; such strokes start again elsewhere.
_SMALL = 0.4  # Component `size` of strokes that start again, on top.
_OTHER_PHOTO = 3.0  # Decibels that a painting may lack of what it had,
_SURELY_THIS_PHOTO = 40.0  # if it had less than this.


class Session:
    """One painting while it grows.

    Args:
        painting: `Painting` to go on with; it may be empty.
        target: float32 array `(height, width, 3)`, the photograph.
        mask: see `paint`.
        num_steps: int, see `paint`.
        learning_rate: float, see `paint`.
        budget: `Budget`.
    """

    def __init__(
        self, painting, target, mask, num_steps, learning_rate, budget
    ):
        self.painting, self.target = painting, target
        self.num_steps, self.learning_rate = num_steps, learning_rate
        self.budget = budget
        self.model = load_generator(painting.generator)
        self.descent = descent_of(self.model)
        self.outside = None
        if mask is not None:
            mask = load_mask(mask, max(target.shape[:2]))
            if mask.shape[:2] != target.shape[:2]:
                raise DataError(
                    "The mask must have the photograph's shape. Received: "
                    f"{mask.shape[1]} x {mask.shape[0]} pixels for "
                    f"{target.shape[1]} x {target.shape[0]}."
                )
            self.outside = 1 - mask
            if self.outside.all():
                raise DataError(
                    "The mask leaves nothing to paint: it is white nowhere."
                )
            self.target = np.where(self.outside > 0, painting.blank(), target)
        self.palette = None
        if painting.palette:
            self.palette = colors_of(painting.palette)
        self.actions = painting.actions
        self.canvas = self._lay(painting.blank(), painting.actions)
        before = min(painting.figures.get("psnr", 0), _SURELY_THIS_PHOTO)
        now = float(psnr(self.canvas, self.target)) if before else 0
        if now < before - _OTHER_PHOTO:
            raise DataError(
                "The painting to resume is of another photograph, or another "
                f"mask: it matched its own by {before:.1f} dB, and matches "
                f"this one by {now:.1f} dB."
            )
        self.spent = painting.figures.get("seconds", 0.0)
        self.curve = [list(row) for row in painting.figures.get("curve", [])]
        self.before = len(self.curve)
        self.planned = painting.figures.get("planned", PaintConfig.num_strokes)
        self.ended = "strokes"

    def _lay(self, canvas, actions):
        return lay_strokes(canvas, actions, self.model)

    def paint(self, num_strokes, verbose):
        """Paint until there are so many strokes, or the budget is spent."""
        height, width = self.target.shape[:2]
        fitting = num_strokes is None and self.budget.seconds is not None
        if not fitting:
            self.planned = num_strokes or self.planned
        bar = keras.utils.Progbar(
            None if fitting else self.planned,
            stateful_metrics=["psnr"],
            verbose=verbose,
            unit_name="stroke",
        )
        pace = _PACE
        # However short the time, something is painted.
        while not (self.budget.is_spent() and self._may_stop()):
            if fitting:
                self.planned = self._fitting(pace)
            there, started = len(self.actions), self.budget.passed()
            if there >= self.planned:
                break
            level = next_level(self.planned, there, height, width)
            self._paint_level(*level, bar)
            new = max(1, len(self.actions) - there)
            pace = (self.budget.passed() - started) / new
        if verbose and len(self.actions) != bar.target:
            bar.update(len(self.actions), finalize=True)
        if self.budget.interrupted and not len(self.actions):
            raise KeyboardInterrupt
        if self.budget.interrupted:
            self.ended = "interrupt"
        elif len(self.actions) < self.planned or fitting:
            self.ended = "seconds"

    def _may_stop(self):
        return self.budget.interrupted or len(self.actions) > 0

    def _fitting(self, pace):
        """How many strokes will fit into the seconds that are left."""
        fitting = len(self.actions) + round(self.budget.left() / pace)
        return int(np.clip(fitting, len(self.actions) + 1, MAX_STROKES))

    def _paint_level(self, cells, num_strokes, num_there, bar):
        grid = Grid(self.target, cells, self.outside)
        there = len(self.actions) - num_there
        canvas = self.canvas
        if num_there:
            canvas = self._lay(self.painting.blank(), self.actions[:there])
        counts = grid.share(canvas, num_strokes)
        homes = np.full(len(self.actions), -1)
        if num_there:
            homes[there:] = grid.homes(self.actions[there:])
            has = np.bincount(homes[there:], minlength=len(counts))
            left = np.maximum(counts - has, 0)
            counts = largest_remainder(left, num_strokes - num_there)
        for batch in grid.batches(counts):
            finished = self._paint_windows(grid, batch, counts, homes)
            if finished is None:
                return
            self.actions, self.canvas, homes = finished
            decibels = float(psnr(self.canvas, self.target))
            seconds = self.spent + self.budget.passed()
            self.curve.append(
                [len(self.actions), round(seconds, 2), round(decibels, 3)]
            )
            bar.update(len(self.actions), [("psnr", decibels)])
            if self.budget.is_spent():
                return

    def _paint_windows(self, grid, batch, counts, homes):
        """Paint windows of a grid; `None` if the budget is spent meanwhile.

        Strokes that a window has already are taken up and moved with the new
        ones.
        """
        random = np.random.default_rng([self.painting.seed, len(self.actions)])
        taken = np.flatnonzero(np.isin(homes, batch))
        moved, able = grid.to_windows(self.actions[taken], homes[taken])
        taken, moved = taken[able], moved[able]
        kept = np.setdiff1d(np.arange(len(homes)), taken)
        had = [moved[homes[taken] == number] for number in batch]
        counts = counts[batch] + [len(strokes) for strokes in had]
        window = grid.windows(self.canvas, batch)
        actions = place_strokes(window, counts.max(), random)
        canvas = self.canvas
        if len(taken):
            canvas = self._lay(self.painting.blank(), self.actions[kept])
            window = grid.windows(canvas, batch)
            for row, strokes in zip(actions, had):
                row[: len(strokes)] = strokes
        pixels = max(self.target.shape) * grid.side / grid.unit
        num_steps = self.num_steps * (_ALONE if len(batch) == 1 else 1)
        num_coarse = sum(side == COARSE for side, _, _ in _STAGES)
        for stage, (side, share, rate) in enumerate(_STAGES):
            if side > grid.side:
                break
            if self.budget.is_spent() and self._may_stop():
                return None
            if 0 < stage < num_coarse:
                actions = self._start_again(actions, window, counts, random)
            actions = self.descent.move(
                actions,
                window,
                counts,
                side,
                max(1, round(share * num_steps)),
                rate * self.learning_rate,
                pixels,
                self.palette,
                # Colours of a palette are chosen while all is coarse.
                np.minimum([stage, stage + 1], num_coarse) / num_coarse,
            )
        strokes = grid.to_picture(
            actions, batch, np.arange(counts.max()) < counts[:, None]
        )
        return (
            np.concatenate([self.actions[kept], strokes]),
            self._lay(canvas, strokes),
            np.concatenate([homes[kept], np.full(len(strokes), -1)]),
        )

    def _start_again(self, actions, window, counts, random):
        """Place strokes that do not help anew; order all, large to small."""
        merits, window = self.descent.judge(actions, window, counts)
        active = np.arange(actions.shape[1]) < counts[:, None]
        mean = np.sum(merits * active, axis=1) / np.maximum(counts, 1)
        worthless = (merits < _WORTHLESS * mean[:, None]) & active
        self.again = worthless.sum() / active.sum()
        placed = place_strokes(
            window, actions.shape[1], random, (_SMALL, _SMALL)
        )
        actions = np.where(worthless[..., None], placed, actions)
        size = np.where(active, actions[..., ACTION_INDEX["size"]], -1)
        order = np.argsort(-size, axis=1, kind="stable")
        return np.take_along_axis(actions, order[..., None], axis=1)

    def finished(self):
        """The painting, with its figures."""
        painting = dataclasses.replace(self.painting, actions=self.actions)
        painting.canvas = self._measured(painting)
        painting.figures = {
            "num_strokes": len(painting),
            "psnr": round(float(psnr(painting.canvas, self.target)), 3),
            "seconds": round(self.spent + self.budget.passed(), 2),
            "planned": max(self.planned, len(painting)),
            "ended": self.ended,
            "curve": self.curve,
        }
        return painting

    def _measured(self, painting):
        """The painting's canvas; on the way it completes the curve.

        While it grows, only calm strokes are drawn.
        """
        rows = iter(self.curve[self.before :])
        row = next(rows, None)
        for canvas, finished in painting.growing():
            while row and finished >= row[0]:
                row[2] = round(float(psnr(canvas, self.target)), 3)
                row = next(rows, None)
        return np.clip(canvas, 0, 1)
