"""Colours as texts, and palettes that suit a photograph."""

import numbers

import numpy as np

from nbpainter.checks import check_count
from nbpainter.errors import DataError
from nbpainter.pictures import resize

MAX_COLORS = 256

_SAMPLE = 64  # Pixels of the longer side that a palette is chosen on.
_ROUNDS = 30  # Of k-means.


def check_color(name, value):
    """Return a colour `"#rrggbb"` in small letters, or say what is wrong.

    Args:
        name: str, of the argument.
        value: what was passed.

    Returns:
        A str.

    Raises:
        DataError: for anything but `#` and six hexadecimal digits.

    Example:

    >>> check_color("background", "#FFEECC")
    '#ffeecc'
    """
    digits = value[1:] if isinstance(value, str) else ""
    if (
        len(digits) != 6
        or value[0] != "#"
        or set(digits) - set("0123456789abcdefABCDEF")
    ):
        raise DataError(
            f"`{name}` must be a colour '#rrggbb', such as '#ffeecc'. "
            f"Received: {name}={value!r}."
        )
    return value.lower()


def choose_palette(palette, photo, seed=0):
    """Return a palette of one's own colours, or one that suits a photograph.

    Args:
        palette: int, how many colours to choose, or a list of `"#rrggbb"`.
        photo: float32 array `(height, width, 3)`, RGB in `[0, 1]`.
        seed: int, of the choice.

    Returns:
        A list of `"#rrggbb"`, no colour twice. A photograph of fewer colours
        has a smaller palette.

    Raises:
        DataError: for anything else, or a number out of range.

    Example:

    >>> choose_palette(4, np.full((8, 8, 3), 0.5))
    ['#808080']
    """
    if isinstance(palette, numbers.Number):
        count = check_count("palette", palette, 1, MAX_COLORS)
        return _choose(photo, count, seed)
    if isinstance(palette, str):
        palette = [palette]
    try:
        colors = [check_color("palette", color) for color in palette]
    except TypeError as error:
        raise DataError(
            "`palette` must be a number of colours or a list of '#rrggbb'. "
            f"Received: palette={palette!r}."
        ) from error
    if not 1 <= len(colors) <= MAX_COLORS:
        raise DataError(
            f"`palette` must have 1 to {MAX_COLORS} colours. Received: "
            f"{len(colors)}."
        )
    return list(dict.fromkeys(colors))


def _choose(photo, count, seed):
    """k-means, started at colours that are far apart (k-means++)."""
    random = np.random.default_rng(seed)
    scale = _SAMPLE / max(_SAMPLE, *photo.shape[:2])
    height, width = (max(1, round(n * scale)) for n in photo.shape[:2])
    pixels = resize(np.float32(photo), height, width).reshape(-1, 3)
    centres = pixels[random.integers(len(pixels), size=1)]
    for _ in range(count - 1):
        distance = _distances(pixels, centres).min(axis=1)
        if distance.sum() < 1e-6:
            break
        chance = distance / distance.sum(dtype="float64")
        centres = np.concatenate(
            [centres, pixels[random.choice(len(pixels), 1, p=chance)]]
        )
    for _ in range(_ROUNDS):
        nearest = _distances(pixels, centres).argmin(axis=1)
        centres = np.stack(
            [
                pixels[nearest == k].mean(axis=0)
                if (nearest == k).any()
                else centre
                for k, centre in enumerate(centres)
            ]
        )
    levels = np.clip(centres * 255 + 0.5, 0, 255).astype("uint8")
    return list(dict.fromkeys("#" + row.tobytes().hex() for row in levels))


def _distances(pixels, centres):
    return ((pixels[:, None].astype("float64") - centres) ** 2).sum(axis=-1)


def colors_of(palette):
    """Turn a palette into a float32 array `(n, 3)`, RGB in `[0, 1]`."""
    levels = np.frombuffer(
        bytes.fromhex("".join(palette).replace("#", "")), "u1"
    )
    return np.float32(levels.reshape(-1, 3) / 255)
