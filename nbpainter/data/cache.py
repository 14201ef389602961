"""Many files of episodes as one, read without loading them.

A compressed file cannot be read in any order, so it is unpacked once into a
cache, as two `.npy` files: actions float32, strokes uint8 RGB on white. Rows
are read from there when a batch asks for them.
"""

import errno
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np

from nbpainter.actions import ACTION_NAMES, check_actions
from nbpainter.config import cache_folder
from nbpainter.data.episode_files import STROKE_SHAPE, naming, open_members
from nbpainter.data.episodes import Episodes
from nbpainter.data.pixels import color_errors, lay_on_white
from nbpainter.data.rows import Rows
from nbpainter.errors import DataError
from nbpainter.files import locked, make_folder, sha256

_FORMAT = 1
_SPARE_BYTES = 2**26  # Left on the disk for others.
_RACY_NS = 2 * 10**9  # A file as young as this may change unseen.
_SAMPLED_ROWS = 256
_KINDS = {
    "actions": ("<f4", (len(ACTION_NAMES),)),
    "strokes": ("|u1", STROKE_SHAPE),
}


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
        *(Rows([entry / f"{name}.npy" for entry in entries]) for name in _KINDS)
    )


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
    return json.loads((unpack(path, cache) / "source.json").read_text())[
        "sha256"
    ]


def unpack(path, cache=None, verbose=0):
    """Make sure that a file is unpacked, whole, checked and up to date.

    Args:
        path: str or path of an `.npz` file.
        cache: str or path of a folder, see `open_episodes`.
        verbose: 0 or 1, whether to say that it is unpacked.

    Returns:
        A `pathlib.Path`, the folder with `actions.npy`, `strokes.npy` and
        `source.json`.

    Raises:
        DataError: as `open_episodes`.
    """
    path = pathlib.Path(path)
    cache = make_folder(cache or cache_folder())
    with naming(path):
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
        entry = cache / f"{path.stem[:40]}-{name}"
        if _is_current(entry, path):
            return entry
    with locked(cache):
        for left in cache.glob(".*.part"):  # What a kill left behind.
            shutil.rmtree(left, ignore_errors=True)
        if not _is_current(entry, path):
            if verbose:
                print(f"Unpacking {path} into {entry}.")
            _unpack(path, entry)
    return entry


def _identity(path):
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _is_current(entry, path):
    """Whether a folder of the cache holds what a file holds now."""
    identity = _identity(path)
    try:
        source = json.loads((entry / "source.json").read_text())
        same = source["format"] == _FORMAT and source["identity"] == identity
        for name, size in source["sizes"].items():
            same = same and (entry / f"{name}.npy").stat().st_size == size
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    young = source["checked_ns"] - identity[1] < _RACY_NS
    return same and not (young and sha256(path) != source["sha256"])


def _unpack(path, entry):
    temporary = pathlib.Path(
        tempfile.mkdtemp(prefix=".", suffix=".part", dir=entry.parent)
    )
    try:
        checked_ns, identity = time.time_ns(), _identity(path)
        with naming(path):
            digest = sha256(path)
        with open_members(path) as members:
            _check_room(path, entry.parent, len(members[0]))
            sizes = {
                member.name: _copy(path, member, temporary)
                for member in members
            }
            _check_colors(temporary)
        if _identity(path) != identity:
            raise DataError(
                f"{path} has changed while it was read. Start again when it "
                "is finished."
            )
        source = {
            "format": _FORMAT,
            "path": str(path.resolve()),
            "identity": identity,
            "checked_ns": checked_ns,
            "sha256": digest,
            "sizes": sizes,
        }
        (temporary / "source.json").write_text(json.dumps(source, indent=1))
        # From here on the folder is whole: its name says so.
        shutil.rmtree(entry, ignore_errors=True)
        os.rename(temporary, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_room(path, cache, num_rows):
    needed = _SPARE_BYTES + num_rows * sum(
        np.dtype(kind).itemsize * int(np.prod(shape))
        for kind, shape in _KINDS.values()
    )
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise DataError(
            f"{path} needs {needed / 1e9:.1f} GB to be unpacked, and {cache} "
            f"has {free / 1e9:.1f} GB left. Make room, use fewer files, or "
            "choose another folder with NBPAINTER_CACHE."
        )


def _copy(path, member, folder):
    """Write a member as `.npy`, checked, and return the file's bytes."""
    kind, shape = _KINDS[member.name]
    header = {"descr": kind, "fortran_order": False}
    try:
        with open(folder / f"{member.name}.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {**header, "shape": (len(member), *shape)}
            )
            for chunk in member.chunks():
                if member.name == "actions":
                    file.write(check_actions(chunk).astype(kind).data)
                else:
                    file.write(lay_on_white(chunk).data)
            file.flush()
            os.fsync(file.fileno())
            return file.tell()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DataError(
            f"{path} cannot be unpacked into {folder.parent} "
            f"({error.strerror}). Make room, or choose another folder with "
            "NBPAINTER_CACHE."
        ) from error


def _check_colors(folder):
    """Refuse actions and strokes that do not belong together."""
    actions, strokes = (Rows([folder / f"{name}.npy"]) for name in _KINDS)
    chosen = np.linspace(0, len(actions) - 1, _SAMPLED_ROWS).astype(int)
    chosen = np.unique(chosen)
    error, darkest = color_errors(actions[chosen], strokes[chosen])
    visible = darkest > 16
    if np.sum(visible & (error > 3)) > max(4, 0.5 * np.sum(visible)):
        raise DataError(
            "its strokes have other colours than its actions: the columns "
            "are in another order, or the arrays are of two files."
        )
