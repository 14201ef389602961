"""Arrays that stay on the disk until rows of them are asked for.

The files are not mapped into memory: mapped pages count as the process's own
as soon as they are touched, while the pages that `preadv` copies from are the
system's cache.
"""

import itertools
import os

import numpy as np

from nbpainter.errors import DataError


class Rows:
    """Rows of several `.npy` files as one array that stays on the disk.

    A slice without a step is a `Rows` again and reads nothing; anything else
    (an index, a list of indices, `np.asarray`) is read and returned as a
    numpy array.

    Args:
        paths: paths of `.npy` files of one row shape and type, at least one.

    Attributes:
        shape: tuple of int.
        dtype: `numpy.dtype`.
    """

    def __init__(self, paths):
        self._files = [_File(path) for path in paths]
        lengths = [file.shape[0] for file in self._files]
        self._starts = np.cumsum([0, *lengths])
        self.dtype = self._files[0].dtype
        self._first = 0
        self.shape = (sum(lengths), *self._files[0].shape[1:])

    ndim = property(lambda self: len(self.shape))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, slice) and index.step in (None, 1):
            start, stop, _ = index.indices(len(self))
            part = object.__new__(Rows)
            part.__dict__.update(self.__dict__)
            part._first = self._first + start
            part.shape = (max(0, stop - start), *self.shape[1:])
            return part
        chosen = np.arange(len(self))[index]
        rows = self._read(np.atleast_1d(chosen).reshape(-1) + self._first)
        return rows.reshape(*np.shape(chosen), *self.shape[1:])

    def __array__(self, dtype=None, copy=None):
        rows = self._read(np.arange(len(self)) + self._first)
        return rows if dtype is None else rows.astype(dtype)

    def _read(self, indices):
        rows = np.empty((len(indices), *self.shape[1:]), self.dtype)
        if not len(indices):
            return rows
        content = memoryview(rows.reshape(-1).view("uint8"))
        size = len(content) // len(indices)
        files = np.searchsorted(self._starts, indices, "right") - 1
        places = indices - self._starts[files]
        # Neighbours in one file are read at once.
        breaks = (np.diff(indices) != 1) | (np.diff(files) != 0)
        bounds = [0, *(np.flatnonzero(breaks) + 1), len(indices)]
        for first, last in itertools.pairwise(bounds):
            file = self._files[files[first]]
            file.read(content[first * size : last * size], places[first] * size)
        return rows


class _File:
    """A `.npy` file, open as long as somebody may read it."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0(file)
            self.shape, _, self.dtype = header
            self._start = file.tell()
            self._descriptor = os.dup(file.fileno())

    def __del__(self):
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def read(self, content, place):
        """Fill a buffer with the bytes that follow a place in the array."""
        done, place = 0, self._start + int(place)
        while done < len(content):
            count = os.preadv(self._descriptor, [content[done:]], place + done)
            if not count:
                raise DataError(
                    f"{self.path} was cut off while it was read. Start again: "
                    "it is unpacked anew."
                )
            done += count
