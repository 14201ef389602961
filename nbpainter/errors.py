"""The errors that nbpainter raises on purpose: one sentence each."""

import ctypes
import math
import numbers
import os
import pathlib
import re


class NBPainterError(Exception):
    """Something outside the program is wrong, and the message says what to do.

    The command line prints the message alone and exits with code 2.
    """


class DataError(NBPainterError, ValueError):
    """A file cannot be used: a photograph, episodes, weights or a painting."""


class EngineError(NBPainterError, RuntimeError):
    """The MyPaint engine is missing, or it refuses a brush."""


class TrainingError(NBPainterError, ArithmeticError):
    """A training ended in numbers that are not finite."""


MAX_SIZE = 16_384
"""Pixels of a picture's longer side, at most."""

MAX_STROKES = 10_000_000
"""Strokes that are drawn in one go, at most."""


def check_count(name, value, low, high):
    """Return a whole number as an int, or say what is wrong with it.

    Args:
        name: str, of the argument.
        value: what was passed.
        low: int, the smallest value that is allowed.
        high: int, the largest.

    Returns:
        An int.

    Raises:
        DataError: for anything but a whole number in range.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise DataError(
            f"`{name}` must be a whole number from {low} to {high}. "
            f"Received: {name}={value!r}."
        )
    return int(value)


def check_size(size):
    """Return a number of pixels as an int, from 1 to `MAX_SIZE`."""
    return check_count("size", size, 1, MAX_SIZE)


def check_positive(name, value):
    """Return a positive, finite number as a float, or say what is wrong.

    Args:
        name: str, of the argument.
        value: what was passed.

    Returns:
        A float.

    Raises:
        DataError: for anything but a positive, finite number.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 < value < math.inf:
        raise DataError(
            f"`{name}` must be a positive number. Received: {name}={value!r}."
        )
    return float(value)


def available_memory():
    """Return the bytes that this machine has left; infinite if not Linux."""
    try:
        text = pathlib.Path("/proc/meminfo").read_text()
    except OSError:
        return math.inf
    return 1024 * int(re.search(r"MemAvailable: +(\d+)", text)[1])


def keep_freed_memory():
    """Let the C library keep freed memory for the next step.

    Keras reads batches by `tf.data.Dataset.from_generator`, which tells glibc
    to give all of it back at once (`GeneratorDatasetOp`, "Memory patch"), and
    so does Dask in its workers (`MALLOC_TRIM_THRESHOLD_`). Page faults then
    take more than half of a training's time.
    """
    if os.name == "posix":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)
        mallopt(-1, 2**30)  # M_TRIM_THRESHOLD
        mallopt(-3, 2**25)  # M_MMAP_THRESHOLD


def check_memory(num_bytes):
    """Refuse to take more memory than this machine has left.

    Args:
        num_bytes: int, what is about to be taken.

    Raises:
        MemoryError: if there is less.
    """
    left = available_memory()
    if left < num_bytes:
        raise MemoryError(f"{num_bytes / 1e9:.1f} of {left / 1e9:.1f} GB")
