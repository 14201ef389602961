"""How a picture is covered with windows, level by level, coarse to fine.

Each level covers the picture with a grid of square windows: cores that tile
it, each with a margin around. The paths of a window's strokes cross the border
of its core by half of the margin, so that no seam is left between cores; the
margin shows what strokes do to the neighbourhood. Windows of one 2 x 2 parity
class do not touch each other, so a class is painted at once, in one batch.
"""

from collections import namedtuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nbpainter.actions import COLUMNS, make_straight, move_actions
from nbpainter.images import resize

MAX_BATCH = 512
"""Strokes that are optimised together, at most."""

COARSE = 16
"""Side in pixels that every window is first painted at."""

SINGLE_WINDOW = 60
"""So few strokes are painted in a single window."""

# Side of a window of a fine level.
_FINE = 2 * COARSE
# Of a window's side, around its core.
_MARGIN = 1 / 8
# Part of the margin that no path enters.
_CLOSED = 1 / 2
_STROKES_PER_WINDOW = 24
# Strokes of a window over the mean, and strokes of a window: at most, whichever
# are more.
_MAX_LOAD, _MAX_FEW = 2.5, 12
# Share of a level's strokes that may be missing: finer ones follow.
_FEW = 0.1
# Fewer with a focus, which may be a small part of it. Up to `SINGLE_WINDOW`, a
# focus has windows and parts of the strokes of its own.
_SINGLE_IN_FOCUS = 30
_FEW_IN_FOCUS = np.array([1, 3, 6]), np.array([0.2, 0.4, 0.4])
# Component `size` of the first and of the last stroke of a window.
_SIZES = 0.9, 0.2
# Components start so far from their limits: they can move.
_EDGE = 0.03


_FIELDS = "target canvas mask forbidden margin pixels"


class Window(namedtuple("Window", _FIELDS)):
    """A batch of windows, at one resolution.

    Attributes:
        target: float32 array `(batch, side, side, 3)`, the photograph.
        canvas: float32 array `(batch, side, side, 3)`, what is painted.
        mask: float32 array `(batch, side, side, 1)`, what an error counts: 0
            beyond the picture. Its square weighs squared errors.
        forbidden: float32 array `(batch, side, side, 1)`, 1 where no paint
            shall be.
        margin: float, the share of the side that no stroke's path enters.
        pixels: float, what the side measures in pixels of the painting.
    """

    def shrink(self, side):
        """Average the pictures down to a side that divides theirs."""
        step = self.target.shape[1] // side
        shape = (len(self.target), side, step, side, step, -1)
        pictures = [p.reshape(shape).mean((2, 4)) for p in self[:4]]
        return Window(*pictures, *self[4:])


def plan_levels(num_strokes, height, width, focused=False):
    """Decide how many windows and strokes each level has.

    Windows halve (after a first third) and strokes grow fourfold from level
    to level, as many strokes to the area of a window on each, until the
    finest windows hold few enough to be painted well.

    Args:
        num_strokes: int.
        height: int, of the picture.
        width: int.
        focused: bool, whether some pixels count more than others: then even
            few strokes need finer windows. Default `False`.

    Returns:
        A list of `(cells, strokes)`: windows along the longer side, and
        strokes of the level. The strokes sum to `num_strokes`.

    Example:

    >>> plan_levels(50, 64, 64)
    [(1, 50)]
    >>> plan_levels(500, 256, 256)
    [(1, 24), (3, 95), (6, 381)]
    """
    # A long picture starts with several windows side by side.
    first = max(1, round(max(height, width) / min(height, width) / 1.5))
    cells = [first]
    if num_strokes > SINGLE_WINDOW:
        cells.append(3 * first)
    elif focused and num_strokes > _SINGLE_IN_FOCUS:
        cells, shares = _FEW_IN_FOCUS
        strokes = largest_remainder(shares, num_strokes)
        return list(zip((first * cells).tolist(), strokes.tolist()))
    while True:
        shares = 4.0 ** np.arange(len(cells))
        strokes = largest_remainder(shares, num_strokes)
        if len(cells) == 1 or strokes[-1] <= _STROKES_PER_WINDOW * (
            cells[-1] ** 2 / first
        ):
            return [pair for pair in zip(cells, strokes.tolist()) if pair[1]]
        cells.append(2 * cells[-1])


def next_level(num_strokes, num_painted, height, width, focused=False):
    """Say what to paint after so many strokes of a painting.

    A painting that was stopped goes on, whatever it was planned for: the
    strokes that it has count from the coarse end of the plan. What a level
    lacks is painted on top of it; a few that are missing are better spent on
    a finer level.

    Args:
        num_strokes: int, of the finished painting.
        num_painted: int, strokes that are there, fewer.
        height: int, of the picture.
        width: int.
        focused: bool, see `plan_levels`.

    Returns:
        A tuple: how many levels are coarser, as part of all; windows along
        the longer side; and strokes to paint. The last level takes all that
        are missing.

    Example:

    >>> next_level(50, 20, 64, 64)
    (0.0, 1, 30)
    """
    planned, levels = 0, plan_levels(num_strokes, height, width, focused)
    for number, (cells, strokes) in enumerate(levels):
        planned += strokes
        missing = planned - num_painted
        if missing > _FEW * strokes or planned == num_strokes:
            return number / len(levels), cells, missing


def largest_remainder(shares, total):
    """Split a whole number in proportion, into whole numbers.

    Args:
        shares: float array `(n,)`, not negative, with a positive sum.
        total: int.

    Returns:
        An int array `(n,)` that sums to `total`.

    Example:

    >>> largest_remainder(np.array([1.0, 1.0, 1.0]), 4).tolist()
    [2, 1, 1]
    """
    exact = shares * (total / shares.sum())
    counts = np.floor(exact).astype(int)
    missing = total - counts.sum()
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return counts


class Grid:
    """The windows of one level, at the level's own resolution.

    Args:
        target: float32 array `(height, width, 3)`, the photograph.
        cells: int, windows along the longer side.
        forbidden: float32 array `(height, width, 1)`, 1 where no paint shall
            be, 0 elsewhere. Default: paint may be everywhere.
        weight: float32 array `(height, width, 1)`, what a squared error
            counts. Default: 1 everywhere.
        alone: bool, whether a single window holds all of the painting, and
            must be fine. Default `False`.
    """

    def __init__(self, target, cells, forbidden=None, weight=None, alone=False):
        height, width = target.shape[:2]
        self.longer = max(height, width)
        # Windows of more pixels than the photograph has show nothing new.
        fine = cells == 1 or cells * _FINE <= 2 * self.longer
        self.side = _FINE if fine else COARSE
        if alone:
            self.side = 2 * _FINE
        self.margin = 0 if cells == 1 else int(self.side * _MARGIN)
        self.core = self.side - 2 * self.margin
        self.unit = cells * self.core
        self.height = max(1, round(height * self.unit / self.longer))
        self.width = max(1, round(width * self.unit / self.longer))
        self.rows = -(-self.height // self.core)
        self.columns = -(-self.width // self.core)
        inside = np.ones((height, width, 1), "float32")
        forbidden = 0 * inside if forbidden is None else forbidden
        self.target = self._padded(target)
        self.mask = self._padded(inside if weight is None else weight**0.5)
        self.forbidden = self._padded(forbidden)

    def _padded(self, picture):
        """The picture at the grid's resolution, with all windows' margins."""
        picture = resize(picture, self.height, self.width)
        below = self.rows * self.core - self.height + self.margin
        right = self.columns * self.core - self.width + self.margin
        margins = ((self.margin, below), (self.margin, right), (0, 0))
        return np.pad(picture, margins)

    def windows(self, canvas, batch):
        """Cut windows out of the photograph and the canvas.

        Args:
            canvas: float32 array `(height, width, 3)`.
            batch: int array `(batch,)`, numbers of windows.

        Returns:
            A `Window`.
        """
        rows, columns = np.divmod(batch, self.columns)

        def cut(picture):
            views = sliding_window_view(picture, (self.side, self.side), (0, 1))
            chosen = views[:: self.core, :: self.core][rows, columns]
            return np.ascontiguousarray(np.moveaxis(chosen, 1, -1))

        pictures = self.target, self._padded(canvas)
        return Window(
            *map(cut, (*pictures, self.mask, self.forbidden)),
            margin=_CLOSED * self.margin / self.side,
            pixels=self.longer * self.side / self.unit,
        )

    def allot(self, canvas, num_strokes):
        """Give each window strokes in proportion to its error's root.

        What was painted before has less error: where a painting was stopped,
        windows that have no strokes yet get more of the missing ones.

        Args:
            canvas: float32 array `(height, width, 3)`.
            num_strokes: int, to be given.

        Returns:
            An int array `(rows * columns,)` that sums to `num_strokes`.
        """
        error = np.sum((self.target - self._padded(canvas)) ** 2, axis=-1)
        paintable = self.mask**2 * (1 - self.forbidden)
        core = slice(self.margin, -self.margin or None)
        error = (paintable[..., 0] * (error + 1e-9))[core, core]
        error = error.reshape(self.rows, self.core, self.columns, self.core)
        shares = np.sqrt(error.sum((1, 3)).ravel())
        # No window gets a crowd: the others' batches would wait for it.
        few = _MAX_FEW / max(1, num_strokes) * shares.sum()
        shares = np.minimum(shares, max(_MAX_LOAD * shares.mean(), few))
        return largest_remainder(shares, num_strokes)

    def batches(self, counts):
        """Yield the windows to paint together, class after class.

        Args:
            counts: int array, strokes of each window.

        Yields:
            Int arrays: numbers of windows of one parity class, as many as
            fit into a batch.
        """
        numbers = np.arange(self.rows * self.columns)
        parity = 2 * (numbers // self.columns % 2) + numbers % self.columns % 2
        for which in range(4):
            batch = numbers[(parity == which) & (counts > 0)]
            if len(batch):
                most = max(1, MAX_BATCH // counts[batch].max())
                yield from np.split(batch, range(most, len(batch), most))

    def to_picture(self, actions, batch, active):
        """Rewrite windows' actions for the picture, large strokes first.

        Args:
            actions: float32 array `(batch, strokes, 12)`.
            batch: int array `(batch,)`, numbers of windows.
            active: bool array `(batch, strokes)`, which strokes count.

        Returns:
            A float32 array `(number of active strokes, 12)`.
        """
        corners = np.stack([batch % self.columns, batch // self.columns], -1)
        origin = self.core * corners - self.margin
        moved = move_actions(
            actions, origin[:, None] / self.unit, self.side / self.unit
        )
        # Windows take turns, so that the picture grows evenly.
        counts = active.sum(axis=1, keepdims=True)
        turn = np.cumsum(active, axis=1) / np.maximum(counts, 1)
        order = np.argsort(turn[active], kind="stable")
        return moved[active][order]


def place_strokes(window, num_strokes, random, sizes=_SIZES):
    """Place strokes where the error is, in the photograph's colours.

    Large strokes come first, so that small ones lie on top. Directions are
    random, pressures medium.

    Args:
        window: `Window`.
        num_strokes: int, for each window.
        random: `numpy.random.Generator`.
        sizes: pair of floats, of the first and of the last stroke.

    Returns:
        A float32 array `(batch, num_strokes, 12)`.
    """
    num_windows, side = window.target.shape[:2]
    border = round(window.margin * side)
    core = slice(border, side - border)
    error = np.sum((window.target - window.canvas) ** 2, -1, keepdims=True)
    paintable = window.mask**2 * (1 - window.forbidden)
    chances = (paintable * (error + 1e-7))[:, core, core]
    chances = chances.reshape(num_windows, -1) + 1e-12
    chances = chances / chances.sum(axis=1, keepdims=True, dtype="float64")
    pixels = np.stack(
        [random.choice(len(row), num_strokes, p=row) for row in chances]
    )
    width = side - 2 * border
    row, column = pixels // width + border, pixels % width + border
    shape = (num_windows, num_strokes)
    x = (column + random.random(shape)) / side
    y = (row + random.random(shape)) / side
    angle = 2 * np.pi * random.random(shape)
    reach = (1 - 2 * window.margin) * (0.08 + 0.15 * random.random(shape))
    actions = np.float32(make_straight(x, y, angle, reach))
    actions[..., COLUMNS.size] = np.linspace(*sizes, num_strokes)
    windows = np.arange(num_windows)[:, None]
    actions[..., COLUMNS.color] = window.target[windows, row, column]
    edge = window.margin + _EDGE * (1 - 2 * window.margin)
    for limited, low in ((COLUMNS.x + COLUMNS.y, edge), (COLUMNS.color, _EDGE)):
        actions[..., limited] = np.clip(actions[..., limited], low, 1 - low)
    return actions
