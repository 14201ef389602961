"""A painting as one HTML page that plays it, stroke by stroke.

The page holds everything, and asks no network for anything: the finished
picture as PNG, each stroke's opacity in 8 bits, and a player. It lays the
strokes on a canvas of floats, so that any step is within a rounding of the
picture after that many strokes; at the end it shows the finished picture.
"""

import base64
import html
import importlib.resources
import io
import json
import re
import zlib

import numpy as np

from nbpainter.files import written_whole
from nbpainter.images import to_image


def write_player(path, picture, layers, colors, background, title):
    """Write the page.

    Args:
        path: str or path, such as `"painting.html"`.
        picture: float32 array `(height, width, 3)`, the finished painting.
        layers: iterable of `(top, left, opacity)`, the strokes: pixels, and
            a float array `(h, w)` in `[0, 1]`.
        colors: float array `(n, 3)`, RGB in `[0, 1]`.
        background: array `(3,)`, RGB in `[0, 1]`.
        title: str, any text.

    Raises:
        DataError: if it cannot be written.
    """
    strokes, packer, packed = [], zlib.compressobj(9), []
    for (top, left, opacity), color in zip(layers, _bytes(colors)):
        opacity = _bytes(opacity)
        rows, columns = opacity.shape
        strokes.append([left, top, columns, rows, *color.tolist()])
        packed.append(packer.compress(filter_opacity(opacity).tobytes()))
    packed.append(packer.flush())
    png = io.BytesIO()
    to_image(picture).save(png, "PNG", optimize=True)
    content = {
        "name": title,
        "background": _bytes(background).tolist(),
        "strokes": strokes,
    }
    height, width = picture.shape[:2]
    parts = {
        "TITLE": html.escape(title),
        "WIDTH": width,
        "HEIGHT": height,
        "COUNT": len(strokes),
        # No text can end the script that it stands in.
        "STROKES": json.dumps(content, separators=(",", ":")).replace(
            "<", "\\u003c"
        ),
        "LAYERS": base64.b64encode(b"".join(packed)).decode(),
        "PICTURE": base64.b64encode(png.getvalue()).decode(),
    }
    page = importlib.resources.files("nbpainter.export").joinpath("player.html")
    # One pass: a title that looks like a part stays a title.
    text = re.sub(
        f"__({'|'.join(parts)})__",
        lambda match: str(parts[match[1]]),
        page.read_text("utf-8"),
    )
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8")


def _bytes(values):
    values = np.clip(np.asarray(values, "float64"), 0, 1)
    return (values * 255 + 0.5).astype("uint8")


def filter_opacity(opacity):
    """Keep of each pixel what the mean of its left and upper one lacks.

    Differences repeat themselves more often than values, and so pack into a
    third less. It is PNG's filter 3, which counts modulo 256.

    Args:
        opacity: uint8 array `(h, w)`.

    Returns:
        A uint8 array `(h, w)`.

    Example:

    >>> filter_opacity(np.array([[8, 8], [8, 8]], "uint8")).tolist()
    [[8, 4], [4, 0]]

    Reference:

    - [PNG, 9.2](https://www.w3.org/TR/png-3/#9Filter-types), "Average".
    """
    wide = np.pad(opacity.astype("int16"), ((1, 0), (1, 0)))
    mean = (wide[1:, :-1] + wide[:-1, 1:]) // 2
    return ((wide[1:, 1:] - mean) & 255).astype("uint8")
