"""Files of episodes: read `.npz` members, and believe nothing they say.

Every number in a file may be wrong: a header may claim terabytes, a member
may end early, a checksum may fail on the last byte. Nothing is handed on
before it is checked, and nothing is read that a header has not accounted
for. This module needs numpy alone, so that a download is checked at once.
"""

import contextlib
import io
import math
import zipfile
import zlib

import numpy as np

from nbpainter.actions import ACTION_NAMES, WINDOW_SIZE, check_actions
from nbpainter.errors import DataError

STROKE_SHAPE = (WINDOW_SIZE, WINDOW_SIZE, 3)
CHUNK_ROWS = 512
"""Rows that are read at once: 6 MB of strokes."""

_DAMAGED = "Download it again, or draw a new one with `nbpainter draw`."
_MAX_HEADER = 16_384
_MAX_ROWS = 2**40
_MAX_RATIO = 1_100  # Deflate cannot pack 1,033 bytes into one.


@contextlib.contextmanager
def naming(path):
    """Turn whatever a damaged file raises into one sentence that names it.

    Args:
        path: str or path of the file that is read.

    Yields:
        Nothing.

    Raises:
        DataError: for any error of the block, but a full disk's.
    """
    try:
        yield
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
        if str(path) in str(error) and isinstance(error, DataError):
            raise
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{path} cannot be used: {reason} {_DAMAGED}"
        ) from error


class Member:
    """An array in an `.npz` file: its header is checked, its rows are read.

    Args:
        archive: `zipfile.ZipFile`.
        name: str, `"actions"` or `"strokes"`.

    Attributes:
        shape: tuple of int, as the header has it and the length confirms.
        dtype: `numpy.dtype`.
    """

    def __init__(self, archive, name):
        try:
            self._info = archive.getinfo(f"{name}.npy")
        except KeyError as error:
            found = ", ".join(archive.namelist()[:5]) or "nothing"
            raise ValueError(
                f"it has no array {name!r} (found: {found[:100]})."
            ) from error
        self.name, self._archive = name, archive
        with archive.open(self._info) as file:
            # A damaged header may claim to be gigabytes long.
            head = io.BytesIO(file.read(_MAX_HEADER))
        self.shape, self.dtype = _read_header(head, name)
        self._start = head.tell()
        size, packed = self._info.file_size, self._info.compress_size
        if size > _MAX_RATIO * packed + _MAX_HEADER:
            raise ValueError(f"{name!r} claims to be {size} bytes long.")
        self._row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._info.file_size - self._start != len(self) * self._row_bytes:
            raise ValueError(
                f"the header of {name!r} claims {len(self)} rows, but the "
                "array has another length."
            )

    def __len__(self):
        return self.shape[0]

    def chunks(self, max_rows=None):
        """Yield the rows in order, some at a time, and check them all.

        The checksum is compared at the end of the member: only who takes
        every chunk knows that they are right.

        Args:
            max_rows: int, yield no more rows. Default: all.

        Yields:
            Arrays `(n, ...)` of at most `CHUNK_ROWS` rows.
        """
        wanted = min(len(self), max_rows or len(self))
        with self._archive.open(self._info) as file:
            file.read(self._start)
            for first in range(0, wanted, CHUNK_ROWS):
                num_rows = min(CHUNK_ROWS, wanted - first)
                content = file.read(num_rows * self._row_bytes)
                if len(content) != num_rows * self._row_bytes:
                    raise EOFError(f"{self.name!r} ends too early")
                yield np.frombuffer(content, self.dtype).reshape(
                    num_rows, *self.shape[1:]
                )
            while file.read(1 << 20):
                pass

    def read(self, max_rows=None):
        """Return the first rows as one array.

        Args:
            max_rows: int, so many. Default: all.

        Returns:
            An array `(n, ...)`.
        """
        rows = np.empty(
            (min(len(self), max_rows or len(self)), *self.shape[1:]), self.dtype
        )
        first = 0
        for chunk in self.chunks(max_rows):
            rows[first : first + len(chunk)] = chunk
            first += len(chunk)
        return rows


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
        right = shape[1:3] == STROKE_SHAPE[:2] and shape[3:] in ((3,), (4,))
        right = right and dtype == np.uint8
        expected = f"uint8 of shape (n, {', '.join(map(str, STROKE_SHAPE))})"
    if fortran_order:
        raise ValueError(
            f"{name!r} is stored by columns: save `np.ascontiguousarray` of it."
        )
    if not right or not 1 <= shape[0] <= _MAX_ROWS:
        raise ValueError(
            f"{name!r} must hold {expected}, but holds {dtype} of shape "
            f"{shape}."
        )
    return shape, dtype


@contextlib.contextmanager
def open_members(path):
    """Open a file of episodes and check what its headers say.

    Args:
        path: str or path of an `.npz` file.

    Yields:
        Two `Member`s, of actions and of strokes, of one length.

    Raises:
        DataError: if the file, or what the block reads of it, is damaged.
    """
    with naming(path), zipfile.ZipFile(path) as archive:
        strokes, actions = (Member(archive, n) for n in ("strokes", "actions"))
        if len(actions) != len(strokes):
            raise DataError(
                f"{path} has {len(actions)} actions for {len(strokes)} "
                f"strokes. {_DAMAGED}"
            )
        yield actions, strokes


def check_file(path):
    """Read a file of episodes from end to end, and keep nothing of it.

    Args:
        path: str or path of an `.npz` file.

    Returns:
        An int, the number of strokes.

    Raises:
        DataError: if it is no file of episodes, or damaged anywhere.

    Example:

    >>> import pathlib
    >>> check_file(pathlib.Path(__file__).parent / "tiny_episodes.npz")
    400
    """
    with open_members(path) as (actions, strokes):
        for chunk in actions.chunks():
            check_actions(chunk)
        for _ in strokes.chunks():
            pass
        return len(actions)
