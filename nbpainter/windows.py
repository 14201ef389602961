"""Levels of windows: how a picture is covered, coarse to fine."""

import numpy as np

from nbpainter.actions import move_actions
from nbpainter.pictures import resize

COARSE = 16
"""Side in pixels that every window is first painted at."""

MAX_BATCH = 512
"""Strokes that are optimised together, at most."""

_FINE = 2 * COARSE  # Side of a window of a fine level.
_MARGIN = 1 / 8  # Of a window's side, around its core.
_STROKES_PER_WINDOW = 24
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
    """

    def __init__(self, target, cells):
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
            Three float32 arrays `(batch, side, side, channels)`: photograph,
            canvas, and a mask that is 0 outside the picture; and the margin,
            a fraction of the side.
        """
        tops, lefts = self._corners(batch)
        cut = [
            np.stack(
                [
                    picture[top : top + self.side, left : left + self.side]
                    for top, left in zip(tops, lefts)
                ]
            )
            for picture in (self.target, self._padded(canvas, 1.0), self.mask)
        ]
        return *cut, self.margin / self.side

    def share(self, canvas, num_strokes):
        """Give each window strokes in proportion to its error's root.

        Returns:
            An int array `(rows * columns,)` that sums to `num_strokes`.
        """
        error = self.mask * (self.target - self._padded(canvas, 1.0)) ** 2
        error = error.sum(axis=-1)[
            self.margin : self.margin + self.rows * self.core,
            self.margin : self.margin + self.columns * self.core,
        ]
        error = error.reshape(self.rows, self.core, self.columns, self.core)
        shares = np.sqrt(error.sum((1, 3)).ravel() + 1e-6)
        # No window gets a crowd: the others' batches would wait for it.
        shares = np.minimum(shares, 2.5 * shares.mean())
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

    def to_picture(self, actions, batch, counts):
        """Rewrite windows' actions for the picture, large strokes first.

        Args:
            actions: float32 array `(batch, strokes, 12)`.
            batch: int array `(batch,)`, numbers of windows.
            counts: int array `(batch,)`, how many strokes of each count.

        Returns:
            A float32 array `(sum(counts), 12)`.
        """
        top, left = self._corners(batch)
        origin = np.stack([left, top], axis=-1) - self.margin
        moved = move_actions(
            actions, origin[:, None] / self.unit, self.side / self.unit
        )
        # Windows take turns, so that the picture grows evenly.
        turn = np.arange(actions.shape[1]) / counts[:, None]
        order = np.argsort(turn, axis=None, kind="stable")
        return moved.reshape(-1, moved.shape[-1])[order][: counts.sum()]
