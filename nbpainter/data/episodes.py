"""Episodes: actions with the strokes that the real brush drew for them.

A file `episodes_*.npz` of the MyPaintBrushstrokes dataset holds `actions`
`(n, 12)` and `strokes` `(n, 64, 64, 3)`, uint8 on white. Files are read some
rows at a time, once their headers have been checked. The zip's checksums say
whether the rows are right.
"""

import contextlib
import dataclasses
import math
import pathlib
import zipfile

import keras
import numpy as np

from nbpainter.actions import COLUMNS, WINDOW_SIZE, check_actions
from nbpainter.errors import DataError, check_count, keep_freed_memory
from nbpainter.files import check_regular, refusing
from nbpainter.images import to_uint8

TINY_EPISODES = pathlib.Path(__file__).parent / "tiny_episodes.npz"
STROKE_SHAPE = (WINDOW_SIZE, WINDOW_SIZE, 3)

_NO_EPISODES = (
    "{path} is damaged or no file of episodes ({reason}). Download it again, "
    "or draw a new one with `nbpainter draw`."
)

_NO_FILE = "There is no file {path}. Draw one with `nbpainter draw`."

# Shapes of a row that the arrays of a file may have, and their types.
_ARRAYS = {
    "actions": ([(12,)], ["f4", "f2", "f8"]),
    "strokes": ([STROKE_SHAPE, (WINDOW_SIZE, WINDOW_SIZE, 4)], ["u1"]),
}

# Strokes, at most, whose colours are compared with their actions'.
_SAMPLED_ROWS = 256

# Rows that are read at once: 6 MB of strokes.
_CHUNK_ROWS = 512


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
        whole, rest = divmod(len(self.episodes), self.batch_size)
        num_batches = whole + (rest > 0) if self.seed is None else whole or 1
        return min(num_batches, self.max_batches)

    def __getitem__(self, index):
        keep_freed_memory()
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
    color = actions[:, COLUMNS.color].astype("float32")
    ink = 1 - color  # (n, 3)
    power = np.sum(ink**2, axis=-1, keepdims=True)
    weights = np.where(power > 1e-3, ink / np.maximum(power, 1e-3), 0)
    pixels = strokes.reshape(len(strokes), -1, 3).astype("float32")
    light = np.matmul(pixels, weights[:, :, None] / 255)  # (n, pixels, 1)
    opacity = np.sum(weights, axis=-1)[:, None] - light[..., 0]
    rgba = np.empty((*strokes.shape[:3], 4), "float32")
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


def color_errors(actions, strokes):
    """Say how far strokes are from having one colour, their action's.

    Looks at every fourth pixel of every fourth row.

    Args:
        actions: float array `(n, 12)`.
        strokes: uint8 array `(n, height, width, 3)`, RGB on white.

    Returns:
        A float array `(n,)`: the largest error of a pixel, 0 to 255, that is
        left by the best opacity. Rounding alone leaves 1 or 2.
    """
    actions = np.clip(np.nan_to_num(actions), 0, 1)
    sample = strokes[:, ::4, ::4]
    expected = 255 * on_white(to_rgba(actions, sample))
    return np.abs(expected - sample).max(axis=(1, 2, 3))


def check_colors(path, actions, strokes):
    """Refuse actions and strokes that do not belong together.

    Args:
        path: str or path, for the message.
        actions: float array `(n, 12)`.
        strokes: uint8 array `(n, 64, 64, 3)`, RGB on white.

    Raises:
        DataError: if most of a sample have other colours.
    """
    step = math.ceil(len(actions) / _SAMPLED_ROWS)
    actions, strokes = actions[::step], strokes[::step]
    visible = strokes.min(axis=(1, 2, 3)) < 239
    wrong = visible & (color_errors(actions, strokes) > 3)
    if np.sum(wrong) > max(4, 0.5 * np.sum(visible)):
        raise DataError(
            f"{path} cannot be used: its strokes have other colours than its "
            "actions. The columns are in another order, or the arrays are of "
            "two files."
        )


@contextlib.contextmanager
def one_sentence(path):
    """Turn whatever a damaged file raises into a sentence that names it.

    Args:
        path: str or path of the file that the block reads.

    Yields:
        Nothing.

    Raises:
        DataError: for any error of the block.
    """
    with refusing(path, _NO_EPISODES, missing=_NO_FILE):
        check_regular(path)
        yield


@contextlib.contextmanager
def _opened(archive, name):
    """Open an array at its first row, and check what its header says."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{name} in an unknown format")
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
        shapes, types = _ARRAYS[name]
        if by_columns or shape[1:] not in shapes or dtype.str[1:] not in types:
            raise ValueError(
                f"{name} of type {dtype} and shape {shape}, not of {types[0]} "
                f"and (n, {str(shapes[0])[1:]} by rows"
            )
        size = file.tell() + math.prod(shape) * dtype.itemsize
        if shape[0] < 1 or size != info.file_size:
            raise ValueError(f"{shape[0]} {name} in {info.file_size} bytes")
        yield file, shape, dtype


def read_actions(path, check=check_actions):
    """Check the headers of a file of episodes, and read its actions.

    Args:
        path: str or path of an `.npz` file.
        check: function that is called with the actions and returns them.

    Returns:
        A float32 array `(n, 12)`. The file has as many strokes.

    Raises:
        DataError: if the file is missing, damaged or something else.
    """
    with (
        one_sentence(path),
        zipfile.ZipFile(path) as archive,
        _opened(archive, "strokes") as (_, (num_strokes, *_), _),
        _opened(archive, "actions") as (file, shape, dtype),
    ):
        if shape[0] != num_strokes:
            raise ValueError(f"{shape[0]} actions for {num_strokes} strokes")
        actions = np.frombuffer(file.read(), dtype).reshape(shape)
        return check(actions.astype("float32"))


def stroke_chunks(path):
    """Yield the strokes of a file in order, some at a time.

    Args:
        path: str or path of an `.npz` file.

    Yields:
        Which rows of the file they are, a slice, and an array
        `(n, 64, 64, 3)`, uint8 RGB on white.

    Raises:
        DataError: if the file is missing, damaged or something else. The
            checksum is compared at the end, so no row is sure before the
            last.
    """
    with (
        one_sentence(path),
        zipfile.ZipFile(path) as archive,
        _opened(archive, "strokes") as (file, (num_strokes, *row), _),
    ):
        for first in range(0, num_strokes, _CHUNK_ROWS):
            shape = (min(_CHUNK_ROWS, num_strokes - first), *row)
            content = file.read(math.prod(shape))
            rows = np.frombuffer(content, "uint8").reshape(shape)
            if row[-1] == 4:
                rows = to_uint8(on_white(rows / np.float32(255)))
            yield slice(first, first + len(rows)), rows


def write_strokes(file, num_strokes, chunks):
    """Write strokes that come some at a time, as `.npy`.

    Args:
        file: binary file, open for writing.
        num_strokes: int, how many in all.
        chunks: iterable of uint8 arrays `(n, 64, 64, 3)`.
    """
    shape = (num_strokes, *STROKE_SHAPE)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.writelines(chunks)


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
    if max_strokes is not None:
        check_count("max_strokes", max_strokes, 1, 2**63)
    actions = read_actions(path)[:max_strokes]
    strokes = np.empty((len(actions), *STROKE_SHAPE), "uint8")
    for rows, chunk in stroke_chunks(path):  # All: the checksum comes last.
        place = strokes[rows]
        place[...] = chunk[: len(place)]
    check_colors(path, actions, strokes)
    return Episodes(actions, strokes)


def tiny_episodes():
    """Return the shipped slice: 400 strokes drawn by the real engine.

    They are `draw_episodes(400, seed=2019)`.

    Returns:
        `Episodes`.
    """
    return load_episodes(TINY_EPISODES)
