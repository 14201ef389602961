"""What may be asked of the painter, whatever the photograph."""

import numpy as np

from nbpainter.errors import check_count, check_positive, check_size
from nbpainter.images import check_color, choose_palette

MAX_STROKES = 100_000


def check_choices(
    num_strokes=None,
    size=None,
    seed=None,
    seconds=None,
    palette=None,
    background=None,
):
    """Check what can be checked without a photograph; see `paint`.

    Raises:
        DataError: for a number out of range, or no colour.

    Example:

    >>> check_choices(num_strokes=400, background="#ffeecc")
    """
    if num_strokes is not None:
        check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    if size is not None:
        check_size(size)
    if seed is not None:
        check_count("seed", seed, 0, 2**32 - 1)
    if seconds is not None:
        check_positive("seconds", seconds)
    if palette is not None:
        choose_palette(palette, np.zeros((1, 1, 3), "float32"))
    if background is not None:
        check_color("background", background)
