"""Many files of episodes as one, read without loading them.

A compressed file cannot be read in any order, so it is unpacked once into a
cache, as two `.npy` files: actions float32, strokes uint8 RGB on white. They
are mapped into memory, and rows are read when a batch asks for them.
"""

import hashlib
import logging
import os
import pathlib
import shutil
import tempfile

import filelock
import numpy as np

from nbpainter.actions import ACTION_NAMES
from nbpainter.config import cache_folder
from nbpainter.data.episodes import (
    STROKE_SHAPE,
    Episodes,
    color_errors,
    one_sentence,
    open_members,
    write_rows,
)
from nbpainter.errors import DataError
from nbpainter.files import make_folder, sha256

# Bytes of an unpacked stroke with its action.
_ROW_BYTES = 4 * len(ACTION_NAMES) + int(np.prod(STROKE_SHAPE))

# Bytes that are left on the disk for others.
_SPARE_BYTES = 2**26

# Strokes whose colours are compared with their actions'.
_SAMPLED_ROWS = 256


class Rows:
    """Arrays of the same type and row shape, one after another, as one.

    A slice without a step is `Rows` again and reads nothing. Anything else
    (an index, a list of indices, `np.asarray`) returns a numpy array.

    Args:
        parts: list of arrays `(n, ...)`, such as `numpy.memmap`s.

    Attributes:
        shape: tuple of int.
        dtype: `numpy.dtype`.
    """

    def __init__(self, parts):
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        starts = self._ends - [len(part) for part in self._parts]
        if isinstance(index, slice) and index.step in (None, 1):
            first, last, _ = index.indices(len(self))
            return Rows(
                [
                    part[max(0, first - start) : max(0, last - start)]
                    for part, start in zip(self._parts, starts)
                ]
            )
        chosen = np.arange(len(self))[index]
        rows = np.empty((chosen.size, *self.shape[1:]), self.dtype)
        numbers = np.searchsorted(self._ends, chosen.ravel(), "right")
        for number in np.unique(numbers):
            here = numbers == number
            places = chosen.ravel()[here] - starts[number]
            rows[here] = self._parts[number][places]
        return rows.reshape(*chosen.shape, *self.shape[1:])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(np.concatenate(self._parts), dtype)


def open_episodes(paths, cache=None, verbose=0):
    """Open files of episodes of any number and size, without loading them.

    A file that is new or has changed is checked and unpacked into the cache
    first: 1.2 GB and some seconds for 100,000 strokes.

    Args:
        paths: paths of `.npz` files, at least one; or one path.
        cache: str or path of a folder. Default: see `config.cache_folder`.
        verbose: 0 or 1, whether to say what is unpacked.

    Returns:
        `Episodes` whose `actions` and `strokes` are read when they are
        indexed: for `StrokeBatches`, or `load()` for arrays.

    Raises:
        DataError: if a file is missing, damaged or something else, or if
            there is no room to unpack it.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    entries = [unpack(path, cache, verbose) for path in paths]
    if not entries:
        raise DataError("There are no episodes to open: give a file's path.")
    return Episodes(
        Rows([_open(entry, "actions") for entry in entries]),
        Rows([_open(entry, "strokes") for entry in entries]),
    )


def _open(entry, name):
    return np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _is_whole(entry):
    """Whether an entry is there, with arrays as long as their headers say."""
    try:
        return all(len(_open(entry, name)) for name in ("actions", "strokes"))
    except (OSError, ValueError):
        return False


def stored_sha256(path, cache=None):
    """Return the SHA-256 of a file that was unpacked, without reading it.

    Args:
        path: str or path of an `.npz` file.
        cache: str or path of a folder, see `open_episodes`.

    Returns:
        A str, 64 hexadecimal digits.

    Raises:
        DataError: as `open_episodes`.
    """
    return (unpack(path, cache) / "sha256").read_text()


def unpack(path, cache=None, verbose=0):
    """Make sure that a file is unpacked, whole and checked.

    A folder of the cache is named by the file's path, size and time, and gets
    its name when it is whole.

    Args:
        path: str or path of an `.npz` file.
        cache: str or path of a folder, see `open_episodes`.
        verbose: 0 or 1, whether to say that it is unpacked.

    Returns:
        A `pathlib.Path`, the folder with `actions.npy`, `strokes.npy` and
        `sha256`.

    Raises:
        DataError: as `open_episodes`.
    """
    path = pathlib.Path(path)
    cache = make_folder(cache or cache_folder())
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    with one_sentence(path):
        found = path.stat()
    version = f"{found.st_size}-{found.st_mtime_ns}"
    entry = cache / f"{path.stem[:40]}-{place}-{version}"
    if _is_whole(entry):
        return entry
    with filelock.FileLock(cache / ".lock"):
        for left in cache.glob(".*.part"):  # What a kill left behind.
            shutil.rmtree(left, ignore_errors=True)
        if not _is_whole(entry):
            if verbose:
                logging.getLogger(__name__).info(
                    "Unpacking %s into %s.", path, entry
                )
            for old in cache.glob(f"*-{place}*"):
                shutil.rmtree(old, ignore_errors=True)
            _unpack(path, entry)
    return entry


def _unpack(path, entry):
    """Unpack a file into a folder, and give it its name when it is whole."""
    with (
        open_members(path) as (actions, strokes),
        tempfile.TemporaryDirectory(".part", ".", entry.parent) as folder,
    ):
        temporary = pathlib.Path(folder)
        _check_room(path, entry.parent, len(actions))
        try:
            (temporary / "sha256").write_text(sha256(path))
            for name, member in ("actions", actions), ("strokes", strokes):
                with open(temporary / f"{name}.npy", "wb") as file:
                    write_rows(file, len(member), member.chunks())
                    file.flush()
                    os.fsync(file.fileno())
            _check_colors(path, temporary)
            os.rename(temporary, entry)
        except OSError as error:
            raise DataError(
                f"{path} cannot be unpacked into {entry.parent} "
                f"({error.strerror}). Make room, or choose another folder "
                "with NBPAINTER_CACHE."
            ) from error


def _check_room(path, cache, num_rows):
    """Refuse to unpack what would fill the disk."""
    needed = _SPARE_BYTES + num_rows * _ROW_BYTES
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise DataError(
            f"{path} needs {needed / 1e9:.1f} GB to be unpacked, and {cache} "
            f"has {free / 1e9:.1f} GB left. Make room, use fewer files, or "
            "choose another folder with NBPAINTER_CACHE."
        )


def _check_colors(path, entry):
    """Refuse actions and strokes that do not belong together."""
    actions, strokes = _open(entry, "actions"), _open(entry, "strokes")
    chosen = np.linspace(0, len(actions) - 1, _SAMPLED_ROWS).astype(int)
    chosen = np.unique(chosen)
    error, darkest = color_errors(actions[chosen], strokes[chosen])
    visible = darkest > 16
    if np.sum(visible & (error > 3)) > max(4, 0.5 * np.sum(visible)):
        raise DataError(
            f"{path} cannot be used: its strokes have other colours than its "
            "actions. The columns are in another order, or the arrays are of "
            "two files."
        )
