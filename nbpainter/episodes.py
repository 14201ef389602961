"""Episodes: actions with the strokes that the real brush drew for them.

A file `episodes_*.npz` of the MyPaintBrushstrokes dataset holds `actions`
`(n, 12)` and `strokes` `(n, 64, 64, 3)`, uint8 on white. This module reads
and checks such files.
"""

import dataclasses
import math
import pathlib
import zipfile
import zlib

import keras
import numpy as np

from nbpainter.actions import (
    ACTION_NAMES,
    COLOR_COLUMNS,
    WINDOW_SIZE,
    check_actions,
)
from nbpainter.checks import check_count
from nbpainter.errors import DataError

TINY_EPISODES = pathlib.Path(__file__).parent / "data" / "tiny_episodes.npz"

_STROKE_SHAPE = (WINDOW_SIZE, WINDOW_SIZE, 3)
_DAMAGED = "Download it again, or draw a new one with `nbpainter draw`."


@dataclasses.dataclass(frozen=True)
class Episodes:
    """Actions and the strokes drawn for them.

    Attributes:
        actions: float32 array `(n, 12)` in `[0, 1]`, see `ACTION_NAMES`.
        strokes: uint8 array `(n, 64, 64, 3)`, RGB on white.
    """

    actions: np.ndarray
    strokes: np.ndarray

    def __len__(self):
        return len(self.actions)

    def __getitem__(self, index):
        return Episodes(self.actions[index], self.strokes[index])


class StrokeBatches(keras.utils.PyDataset):
    """Batches of `(actions, RGBA strokes)` for `fit`, shuffled each epoch.

    Args:
        episodes: `Episodes`.
        batch_size: int. Default 32.
        seed: int, of the order; `None` keeps the order of the episodes and
            the last batch, even if it is smaller.
        max_batches: int, batches of an epoch, at most. Default: as many as
            the episodes have.
        first_epoch: int, the epoch to begin with: a training that goes on
            gets the order that it would have got.
    """

    def __init__(
        self,
        episodes,
        batch_size=32,
        seed=None,
        max_batches=None,
        first_epoch=0,
    ):
        super().__init__()
        self.episodes, self.batch_size, self.seed = episodes, batch_size, seed
        self.max_batches = max_batches or math.inf
        self.epoch = first_epoch - 1
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
    color = actions[:, None, None, COLOR_COLUMNS]
    ink = 1 - color  # (n, 1, 1, 3)
    darkness = 1 - strokes.astype("float32") / 255
    power = np.sum(ink**2, axis=-1)
    opacity = np.einsum("nhwc,nijc->nhw", darkness, ink)
    opacity = np.where(power > 1e-3, opacity / np.maximum(power, 1e-3), 0)
    rgba = np.empty((*opacity.shape, 4), "float32")
    rgba[..., :3] = color
    rgba[..., 3] = np.clip(opacity, 0, 1)
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
    try:
        with zipfile.ZipFile(path) as archive:
            strokes = _read_member(archive, "strokes", max_strokes)
            actions = _read_member(archive, "actions", max_strokes)
    except FileNotFoundError as error:
        raise DataError(
            f"There is no file {path}. Draw one with `nbpainter draw`."
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{path} is damaged or no .npz file ({error}). {_DAMAGED}"
        ) from error
    except MemoryError as error:
        raise DataError(
            f"{path} does not fit into memory. Pass `max_strokes`."
        ) from error
    except Exception as error:  # Damaged headers raise almost anything.
        raise DataError(f"{path} cannot be used: {error} {_DAMAGED}") from error
    if len(actions) != len(strokes):
        raise DataError(
            f"{path} has {len(actions)} actions for {len(strokes)} strokes. "
            f"{_DAMAGED}"
        )
    try:
        actions = check_actions(actions)
    except DataError as error:
        raise DataError(f"{path} cannot be used: {error} {_DAMAGED}") from error
    if strokes.shape[-1] == 4:
        opacity = strokes[..., 3:].astype("uint16")
        on_white = strokes[..., :3] * opacity + 255 * (255 - opacity)
        strokes = ((on_white + 127) // 255).astype("uint8")
    return Episodes(actions, strokes)


def _read_member(archive, name, max_rows):
    """Read an array of an .npz file, and believe nothing that it says."""
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        found = ", ".join(archive.namelist()[:5]) or "nothing"
        raise ValueError(
            f"it has no array {name!r} (found: {found})."
        ) from error
    with archive.open(info) as file:
        shape, dtype = _read_header(file, name)
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        if info.file_size - file.tell() != shape[0] * row_bytes:
            raise ValueError(
                f"the header of {name!r} claims {shape[0]} rows, but the "
                "array has another length."
            )
        num_rows = min(shape[0], max_rows or shape[0])
        content = file.read(num_rows * row_bytes)
        if len(content) != num_rows * row_bytes:
            raise EOFError(f"{name!r} ends too early")
        # The checksum is compared at the end of the member, not before.
        while file.read(1 << 20):
            pass
    return np.frombuffer(content, dtype).reshape(num_rows, *shape[1:])


def _read_header(file, name):
    major, minor = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if (major, minor) not in readers:
        raise ValueError(f"{name!r} has an unknown format.")
    shape, fortran_order, dtype = readers[major, minor](file)
    if name == "actions":
        right = shape[1:] == (len(ACTION_NAMES),) and dtype.kind == "f"
        expected = f"floats of shape (n, {len(ACTION_NAMES)})"
    else:
        right = shape[1:3] == _STROKE_SHAPE[:2] and shape[3:] in ((3,), (4,))
        right = right and dtype == np.uint8
        expected = f"uint8 of shape (n, {', '.join(map(str, _STROKE_SHAPE))})"
    if not right or fortran_order or shape[0] < 1:
        raise ValueError(
            f"{name!r} must hold {expected}, but holds {dtype} of shape "
            f"{shape}."
        )
    return shape, dtype


def tiny_episodes():
    """Return the shipped slice: 400 strokes drawn by the real engine.

    They are `draw_episodes(400, seed=2019)`.

    Returns:
        `Episodes`.
    """
    return load_episodes(TINY_EPISODES)
