"""Many files of episodes as one, read without loading them.

A compressed file cannot be read in any order, so it is unpacked once into a
cache, as two `.npy` files: actions float32, strokes uint8 RGB on white. They
are mapped into memory, and rows are read when a batch asks for them.
"""

import contextlib
import errno
import hashlib
import json
import logging
import math
import os
import pathlib
import shutil
import tempfile
import zlib

import filelock
import numpy as np

from nbpainter.config import cache_folder
from nbpainter.data import episodes
from nbpainter.errors import DataError
from nbpainter.files import make_folder, sha256

# Bytes that are left on the disk for others.
_SPARE_BYTES = 2**26

# Entries of the cache that this process has read to the end.
_checked = set()


class Rows:
    """Arrays of the same type and row shape, one after another, as one.

    A slice is `Rows` again and reads nothing. Anything else (an index, a list
    of indices, `np.asarray`) returns a numpy array.

    Args:
        parts: sequence of arrays `(n, ...)`, such as `numpy.memmap`s.
        order: int array, rows of all parts in the order of these `Rows`.
            Default: every row once.

    Attributes:
        shape: tuple of int.
        dtype: `numpy.dtype`.
    """

    def __init__(self, parts, order=None):
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._order = np.arange(self._ends[-1]) if order is None else order
        self.shape = (len(self._order), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        chosen = self._order[index]
        if isinstance(index, slice):
            return Rows(self._parts, chosen)
        rows = np.empty((*chosen.shape, *self.shape[1:]), self.dtype)
        numbers = np.searchsorted(self._ends, chosen, "right")
        for number in np.unique(numbers):
            here = numbers == number
            # Counted from the part's end: negative.
            places = chosen[here] - self._ends[number]
            rows[here] = self._parts[number][places]
        return rows

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[...], dtype)


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
    opened = [_open(unpack(path, cache, verbose)) for path in paths]
    if not opened:
        raise DataError("There are no episodes to open: give a file's path.")
    actions, strokes = zip(*opened)
    return episodes.Episodes(Rows(actions), Rows(strokes))


def _open(entry):
    """Map actions and strokes, as long as their headers say, into memory."""
    files = entry / "actions.npy", entry / "strokes.npy"
    return [np.load(file, mmap_mode="r") for file in files]


def _checksums(entry):
    """The CRC-32 of each file of an entry."""
    found = {}
    for name in ("actions.npy", "strokes.npy", "sha256"):
        found[name] = 0
        with open(entry / name, "rb") as file:
            while block := file.read(2**22):
                found[name] = zlib.crc32(block, found[name])
    return found


def _is_whole(entry):
    """Whether an entry holds what was unpacked: disks and people change it."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        _open(entry)
        text = (entry / "crc32.json").read_text()
        if entry in _checked or json.loads(text) == _checksums(entry):
            _checked.add(entry)
            return True
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
        A `pathlib.Path`, the folder with `actions.npy`, `strokes.npy`,
        `sha256`, and the checksums of the three.

    Raises:
        DataError: as `open_episodes`.
    """
    path = pathlib.Path(path)
    cache = make_folder(cache or cache_folder())
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    with episodes.one_sentence(path):
        found = path.stat()
    version = f"{found.st_size}-{found.st_mtime_ns}"
    entry = cache / f"{path.stem[:40]}-{place}-{version}"
    with filelock.FileLock(cache / ".lock"):
        if _is_whole(entry):
            return entry
        if verbose:
            logger = logging.getLogger(__name__)
            logger.info("Unpacking %s into %s.", path, entry)
        # What a kill left behind, and what the file held before.
        for old in [*cache.glob(".*.part"), *cache.glob(f"*-{place}*")]:
            shutil.rmtree(old, ignore_errors=True)
        _unpack(path, entry)
    return entry


def _unpack(path, entry):
    """Unpack a file into a folder, and give it its name when it is whole."""
    actions, cache = episodes.read_actions(path), entry.parent
    try:
        with tempfile.TemporaryDirectory(".part", ".", cache) as folder:
            folder = pathlib.Path(folder)
            _check_room(cache, actions)
            (folder / "sha256").write_text(sha256(path))
            np.save(folder / "actions.npy", actions)
            with open(folder / "strokes.npy", "wb") as file:
                chunks = (chunk for _, chunk in episodes.stroke_chunks(path))
                episodes.write_strokes(file, len(actions), chunks)
            episodes.check_colors(path, *_open(folder))
            text = json.dumps(_checksums(folder))
            (folder / "crc32.json").write_text(text)
            for written in folder.iterdir():
                with open(written, "rb") as file:
                    os.fsync(file.fileno())
            os.rename(folder, entry)
    except OSError as error:
        raise DataError(
            f"{path} cannot be unpacked into {cache} ({error.strerror}). Make "
            "room, use fewer files, or choose another folder with "
            "NBPAINTER_CACHE."
        ) from error


def _check_room(folder, actions):
    """Refuse to unpack what would fill the disk."""
    num_bytes = actions.nbytes + len(actions) * math.prod(episodes.STROKE_SHAPE)
    needed, free = num_bytes + _SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        reason = f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are left"
        raise OSError(errno.ENOSPC, reason)
