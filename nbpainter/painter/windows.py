"""Levels of windows: how a picture is covered, coarse to fine."""

import numpy as np

from nbpainter.actions import ACTION_INDEX, X_COLUMNS, Y_COLUMNS, move_actions
from nbpainter.images import resize

MAX_BATCH = 512
"""Strokes that are optimised together, at most."""

COARSE = 16
_FINE = 2 * COARSE  # Side of a window of a fine level.
_MARGIN = 1 / 8  # Of a window's side, around its core.
_STROKES_PER_WINDOW = 24
_ROUNDED = 1e-4  # Strokes of a file are so far from what was painted.
_CROWD = 2.5  # Strokes of a window over the mean, at most.
_COMPLETE = 0.9  # Share of its strokes that finishes a level.
_WHOLE = 60  # So few strokes are painted in one window.


def plan_levels(num_strokes, height, width):
    """Decide how many windows and strokes each level has.

    Windows halve (after a first third) and strokes grow fourfold from level
    to level, as many strokes to the area of a window on each, until the
    finest windows hold few enough to be painted well.

    Args:
        num_strokes: int.
        height: int, of the picture.
        width: int.

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
    if num_strokes > _WHOLE:
        cells.append(3 * first)
    while True:
        shares = 4.0 ** np.arange(len(cells))
        strokes = largest_remainder(shares, num_strokes)
        if len(cells) == 1 or strokes[-1] <= _STROKES_PER_WINDOW * (
            cells[-1] ** 2 / first
        ):
            return [pair for pair in zip(cells, strokes.tolist()) if pair[1]]
        cells.append(2 * cells[-1])


def next_level(num_strokes, num_painted, height, width):
    """Say what to paint after so many strokes of a painting.

    A painting that was stopped goes on where it was, whatever it was planned
    for: the strokes that it has count from the coarse end of the plan.

    Args:
        num_strokes: int, of the finished painting.
        num_painted: int, strokes that are there.
        height: int, of the picture.
        width: int.

    Returns:
        A tuple: windows along the longer side, strokes of the level, and how
        many of these are there. The last level takes all that are missing.

    Example:

    >>> next_level(500, 100, 256, 256)
    (3, 95, 76)
    """
    levels = plan_levels(num_strokes, height, width)
    before = 0
    for cells, strokes in levels[:-1]:
        there = max(0, num_painted - before)
        # A few that were dropped are better spent on a finer level.
        if there < _COMPLETE * strokes:
            return cells, strokes, there
        before += strokes
    there = max(0, num_painted - before)
    return levels[-1][0], num_strokes - num_painted + there, there


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
        outside: float32 array `(height, width, 1)`, 1 where no paint shall
            be, 0 elsewhere. Default: paint may be everywhere.
    """

    def __init__(self, target, cells, outside=None):
        height, width = target.shape[:2]
        longer = max(height, width)
        # Windows of more pixels than the photograph has show nothing new.
        side = _FINE if cells == 1 or cells * _FINE <= 2 * longer else COARSE
        if cells == 1 and longer <= 2 * _FINE:
            side = 2 * _FINE
        self.side = side
        self.margin = 0 if cells == 1 else int(side * _MARGIN)
        self.core = side - 2 * self.margin
        self.unit = cells * self.core
        self.height = max(1, round(height * self.unit / longer))
        self.width = max(1, round(width * self.unit / longer))
        self.rows = -(-self.height // self.core)
        self.columns = -(-self.width // self.core)
        self.target = self._padded(target, 0.0)
        inside = np.ones((self.height, self.width, 1), "float32")
        self.mask = self._padded(inside, 0.0)
        self.outside = 0 * self.mask
        if outside is not None:
            self.outside = self._padded(outside, 0.0)

    def _padded(self, picture, fill):
        """The picture at the grid's resolution, with all windows' margins."""
        padded = np.full(
            (
                self.rows * self.core + 2 * self.margin,
                self.columns * self.core + 2 * self.margin,
                picture.shape[-1],
            ),
            fill,
            "float32",
        )
        low, high = self.margin, self.margin + self.height
        right = self.margin + self.width
        padded[low:high, low:right] = resize(picture, self.height, self.width)
        return padded

    def _corners(self, batch):
        return self.core * (batch // self.columns), self.core * (
            batch % self.columns
        )

    def windows(self, canvas, batch):
        """Cut windows out of the photograph and the canvas.

        Args:
            canvas: float32 array `(height, width, 3)`.
            batch: int array `(batch,)`, numbers of windows.

        Returns:
            Four float32 arrays `(batch, side, side, channels)`: photograph,
            canvas, a mask that is 0 outside the picture, and one that is 1
            where no paint shall be; and the margin, a fraction of the side.
        """
        tops, lefts = self._corners(batch)
        pictures = self.target, self._padded(canvas, 1.0)
        cut = [
            np.stack(
                [
                    picture[top : top + self.side, left : left + self.side]
                    for top, left in zip(tops, lefts)
                ]
            )
            for picture in (*pictures, self.mask, self.outside)
        ]
        return *cut, self.margin / self.side

    def share(self, canvas, num_strokes):
        """Give each window strokes in proportion to its error's root.

        Returns:
            An int array `(rows * columns,)` that sums to `num_strokes`.
        """
        error = (self.target - self._padded(canvas, 1.0)) ** 2
        paintable = self.mask * (1 - self.outside)
        error = np.concatenate([paintable * error, paintable], axis=-1)[
            self.margin : self.margin + self.rows * self.core,
            self.margin : self.margin + self.columns * self.core,
        ]
        shape = (self.rows, self.core, self.columns, self.core, 4)
        error = error.reshape(shape).sum((1, 3)).reshape(-1, 4)
        shares = np.sqrt(error[:, :3].sum(axis=1) + 1e-6) * (error[:, 3] > 0)
        # No window gets a crowd: the others' batches would wait for it.
        shares = np.minimum(shares, _CROWD * shares.mean())
        return largest_remainder(shares, num_strokes)

    def homes(self, actions):
        """Say which window the middle of each stroke lies in.

        Args:
            actions: float32 array `(n, 12)`, relative to the picture.

        Returns:
            An int array `(n,)`, numbers of windows.
        """
        column, row = (
            (actions[:, ACTION_INDEX[name]] * self.unit // self.core)
            .astype(int)
            .clip(0, most - 1)
            for name, most in (
                ("control_x", self.columns),
                ("control_y", self.rows),
            )
        )
        return row * self.columns + column

    def to_windows(self, actions, homes):
        """Rewrite actions of the picture for windows: undo `to_picture`.

        Args:
            actions: float32 array `(n, 12)`, relative to the picture.
            homes: int array `(n,)`, the window of each stroke.

        Returns:
            A float32 array `(n, 12)`, and a bool array `(n,)`: which strokes
            the window could have painted.
        """
        top, left = self._corners(homes)
        origin = np.stack([left, top], axis=-1) - self.margin
        moved = move_actions(
            actions, -origin / self.side, np.float32(self.unit / self.side)
        )
        low = np.zeros(moved.shape[1], "float32")
        low[X_COLUMNS + Y_COLUMNS] = self.margin / self.side
        inside = (moved > low - _ROUNDED) & (moved < 1 - low + _ROUNDED)
        return moved, inside.all(axis=1)

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

    def to_picture(self, actions, batch, chosen):
        """Rewrite windows' actions for the picture, large strokes first.

        Args:
            actions: float32 array `(batch, strokes, 12)`.
            batch: int array `(batch,)`, numbers of windows.
            chosen: bool array `(batch, strokes)`, which strokes count.

        Returns:
            A float32 array `(number of chosen strokes, 12)`.
        """
        top, left = self._corners(batch)
        origin = np.stack([left, top], axis=-1) - self.margin
        moved = move_actions(
            actions, origin[:, None] / self.unit, self.side / self.unit
        )
        # Windows take turns, so that the picture grows evenly.
        counts = chosen.sum(axis=1, keepdims=True)
        turn = np.cumsum(chosen, axis=1) / np.maximum(counts, 1)
        order = np.argsort(turn[chosen], kind="stable")
        return moved[chosen][order]
