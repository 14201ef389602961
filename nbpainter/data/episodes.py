"""Episodes: actions with the strokes that the real brush drew for them.

A file `episodes_*.npz` of the MyPaintBrushstrokes dataset holds `actions`
`(n, 12)` and `strokes` `(n, 64, 64, 3)`, uint8 on white. This module reads
and checks such files.
"""

import dataclasses
import math
import pathlib

import keras
import numpy as np

from nbpainter.actions import COLOR_COLUMNS, check_actions
from nbpainter.data.episode_files import open_members
from nbpainter.data.pixels import lay_on_white
from nbpainter.errors import check_count

TINY_EPISODES = pathlib.Path(__file__).parent / "tiny_episodes.npz"


@dataclasses.dataclass(frozen=True)
class Episodes:
    """Actions and the strokes drawn for them.

    Attributes:
        actions: float32 array `(n, 12)` in `[0, 1]`, see `ACTION_NAMES`.
        strokes: uint8 array `(n, 64, 64, 3)`, RGB on white.

    Both may also be `nbpainter.data.cache.Rows`, which stay on the disk until
    they are indexed.
    """

    actions: np.ndarray
    strokes: np.ndarray

    def __len__(self):
        return len(self.actions)

    def __getitem__(self, index):
        return Episodes(self.actions[index], self.strokes[index])

    def load(self):
        """Return the same `Episodes` in memory."""
        return Episodes(np.asarray(self.actions), np.asarray(self.strokes))


class StrokeBatches(keras.utils.PyDataset):
    """Batches of `(actions, RGBA strokes)` for `fit`, shuffled each epoch.

    Args:
        episodes: `Episodes`.
        batch_size: int. Default 32.
        seed: int, of the order; `None` keeps the order of the episodes and
            the last batch, even if it is smaller.
        max_batches: int, batches of an epoch, at most. Default: as many as
            the episodes have.
    """

    def __init__(self, episodes, batch_size=32, seed=None, max_batches=None):
        super().__init__()
        self.episodes, self.batch_size, self.seed = episodes, batch_size, seed
        self.max_batches = max_batches or math.inf
        self.epoch = -1
        self.on_epoch_begin()

    def __len__(self):
        num_batches = len(self.episodes) / self.batch_size
        if self.seed is None:
            num_batches = math.ceil(num_batches)
        else:
            num_batches = max(1, math.floor(num_batches))
        return min(num_batches, self.max_batches)

    def __getitem__(self, index):
        start = index * self.batch_size
        chosen = self.order[start : start + self.batch_size]
        actions = self.episodes.actions[chosen]
        return actions, to_rgba(actions, self.episodes.strokes[chosen])

    def start_at(self, epoch):
        """Let the next `on_epoch_begin` begin this epoch, from 0."""
        self.epoch = epoch

    def on_epoch_begin(self):
        self.order = np.arange(len(self.episodes))
        self.epoch += 1
        if self.seed is not None:
            np.random.default_rng([self.seed, self.epoch]).shuffle(self.order)


def to_rgba(actions, strokes):
    """Turn pictures on white into colour and opacity.

    A stroke has one colour, its action's: a pixel is
    `1 - opacity (1 - color)`, and least squares over the three channels give
    the opacity back. The whiter the colour, the less is known; a colour that
    is white to the eye (less than 3 % from it) counts as no paint.

    Args:
        actions: float array `(n, 12)`.
        strokes: uint8 array `(n, height, width, 3)`, RGB on white.

    Returns:
        A float32 array `(n, height, width, 4)`: RGBA, straight alpha.
    """
    num_strokes, height, width = strokes.shape[:3]
    color = actions[:, COLOR_COLUMNS]
    ink = 1 - color  # (n, 3)
    power = np.sum(ink**2, axis=-1, keepdims=True)
    share = np.where(power > 1e-3, ink / np.maximum(power, 1e-3), 0)
    share = share.astype("float32")
    pixels = strokes.reshape(num_strokes, -1, 3).astype("float32")
    light = np.matmul(pixels, share[:, :, None] / 255)  # (n, pixels, 1)
    opacity = np.sum(share, axis=-1)[:, None] - light[..., 0]
    rgba = np.empty((num_strokes, height, width, 4), "float32")
    rgba[..., :3] = color[:, None, None]
    rgba[..., 3] = np.clip(opacity, 0, 1).reshape(rgba.shape[:3])
    return rgba


def on_white(strokes):
    """Lay RGBA strokes on white, each on its own.

    Args:
        strokes: float array `(..., 4)`, straight alpha.

    Returns:
        A float array `(..., 3)`.

    Example:

    >>> on_white(np.array([1.0, 0.0, 0.0, 0.5])).tolist()
    [1.0, 0.5, 0.5]
    """
    strokes = np.asarray(strokes)
    return 1 - strokes[..., 3:] * (1 - strokes[..., :3])


def load_episodes(path, max_strokes=None):
    """Read a file of episodes and check it.

    Args:
        path: str or path of an `.npz` file with `actions` `(n, 12)` and
            `strokes` `(n, 64, 64, 3)` uint8. RGBA strokes `(n, 64, 64, 4)`
            are laid on white.
        max_strokes: int, read at most so many. Default: all.

    Returns:
        `Episodes`.

    Raises:
        DataError: if the file is missing, damaged or something else; names
            the file, what is wrong with it and what to do.

    Example:

    >>> load_episodes(TINY_EPISODES, max_strokes=10).strokes.shape
    (10, 64, 64, 3)
    """
    path = pathlib.Path(path)
    if max_strokes is not None:
        check_count("max_strokes", max_strokes, 1, 2**63)
    with open_members(path) as (actions, strokes):
        return Episodes(
            check_actions(actions.read(max_strokes)),
            lay_on_white(strokes.read(max_strokes)),
        )


def tiny_episodes():
    """Return the shipped slice: 400 strokes drawn by the real engine.

    They are `draw_episodes(400, seed=2019)`.

    Returns:
        `Episodes`.
    """
    return load_episodes(TINY_EPISODES)
