"""Check numbers that people pass in, with one sentence for each."""

import math
import numbers

from nbpainter.errors import DataError

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
