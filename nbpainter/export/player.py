"""A painting as one HTML page: a player, and a studio to look into strokes.

The page holds everything, and asks no network for anything: the finished
picture, each stroke's opacity in 8 bits, both as PNG, the stroke file and the
SVG, and a player. It lays the strokes, or those of some levels and colours, on
a canvas of floats, so that any step is within a rounding of the picture after
that many strokes; at the end it shows the finished picture.
"""

import base64
import html
import importlib.resources
import json
import pathlib
import string

import numpy as np
from PIL import Image

from nbpainter.actions import COLUMNS
from nbpainter.export.sheets import few_colors, light_to_dark
from nbpainter.export.svg import svg_text, visible_from
from nbpainter.files import printable, write_whole
from nbpainter.images import encode, from_hex, to_hex, to_image, to_uint8

_SHEET_ROWS = 4096  # All browsers take images of this height.


def write_player(painting, path):
    """Write the page.

    Args:
        painting: a `Painting`.
        path: str or path, such as `"painting.html"`.

    Raises:
        DataError: if it cannot be written.
    """
    title = printable(pathlib.Path(path).stem)
    colors = painting.actions[:, COLUMNS.color]
    layers, strokes = [], []
    for (top, left, opacity), color in zip(painting.layers(), colors):
        layers.append(to_uint8(opacity))
        place, seen = [left, top, *opacity.shape[::-1]], visible_from(opacity)
        strokes.append([*place, *to_uint8([*color, seen]).tolist()])
    groups = list(map(to_hex, few_colors(colors, painting.palette)))
    sheets = map(Image.fromarray, stack_layers(layers))
    content = {
        "name": title,
        "background": to_uint8(from_hex(painting.background)).tolist(),
        # Left, top, columns, rows, red, green, blue, opacity that is seen.
        "strokes": strokes,
        "sheets": [_to_png(sheet) for sheet in sheets],
        "levels": painting.level.tolist(),
        "colors": groups,
        "swatches": light_to_dark(groups),
        "brushes": [
            brush if isinstance(brush, str) else "own brush"
            for brush in painting.brushes
        ],
        "file": painting.to_json(),
        "svg": svg_text(painting, title),
    }
    # No text can end the script that it stands in.
    script = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "TITLE": html.escape(title),
        "WIDTH": painting.width,
        "HEIGHT": painting.height,
        "COUNT": len(layers),
        "CONTENT": script,
        "PICTURE": _to_png(to_image(painting.canvas)),
    }
    page = importlib.resources.files("nbpainter.export").joinpath("player.html")
    # One pass: a title that looks like a part stays a title; so do the
    # script's own `${...}`.
    text = string.Template(page.read_text("utf-8")).safe_substitute(parts)
    write_whole(path, text)


def stack_layers(layers, max_rows=_SHEET_ROWS):
    """Stack images below each other on as few sheets as possible.

    Args:
        layers: list of uint8 arrays `(h, w)`.
        max_rows: int, rows of a sheet, unless one layer has more.

    Returns:
        A list of uint8 arrays `(rows, columns)`, padded on the right.

    Example:

    >>> layers = [np.ones((2, 3), "uint8"), np.ones((3, 1), "uint8")]
    >>> [sheet.shape for sheet in stack_layers(layers)]
    [(5, 3)]
    >>> [sheet.shape for sheet in stack_layers(layers, max_rows=4)]
    [(2, 3), (3, 1)]
    """
    sheets, num_rows = [], max_rows
    for layer in filter(np.size, layers):
        if num_rows + len(layer) > max_rows:
            sheets.append([])
            num_rows = 0
        sheets[-1].append(layer)
        num_rows += len(layer)
    stacked = []
    for sheet in sheets:
        width = max(layer.shape[1] for layer in sheet)
        margins = [((0, 0), (0, width - layer.shape[1])) for layer in sheet]
        stacked.append(np.concatenate(list(map(np.pad, sheet, margins))))
    return stacked


def _to_png(image):
    """Return the PNG file of an image in base64."""
    return base64.b64encode(encode(image, ".png", optimize=True)).decode()
