"""A painting as OpenRaster: layers to paint on in MyPaint, Krita or GIMP.

The real engine draws one layer for each level of windows, above one with the
background. MyPaint's own part of a layer, its *strokemap*, says of each stroke
which brush drew it, and where: so "pick stroke" there finds it.

Reference:

- [OpenRaster](https://www.openraster.org), the file's layout.
- [MyPaint 2.0](https://github.com/mypaint/mypaint), `lib/layer/data.py` and
  `lib/strokemap.py`, the strokemap's.
"""

import io
import itertools
import json
import struct
import zipfile
import zlib

import numpy as np

from nbpainter.engine.libmypaint import TILE, Surface
from nbpainter.files import write_whole
from nbpainter.images import encode, to_image
from nbpainter.painter.canvas import straight_alpha
from nbpainter.painter.painting import run_lengths

_THUMBNAIL = (256, 256)  # Pixels, at most.

# A stroke lies where it changes a channel by more; 32768 stands for 1.
_VISIBLE = 2048

# MyPaint is to blend as libmypaint 1 does, and its canvas is to end.
_IMAGE = (
    '<image version="0.0.5" w="{}" h="{}" '
    'xmlns:mypaint="http://mypaint.org/ns/openraster" '
    'mypaint:eotf="1.0" mypaint:frame-active="true">'
)
_LAYER = (
    '<layer name="{}" src="{}" x="0" y="0" composite-op="svg:src-over" {}/>'
)
# The second name is that of MyPaint 1.
_STROKEMAP = 'mypaint:strokemap="{0}" mypaint_strokemap_v2="{0}"'


def write_openraster(painting, path):
    """Write layers, large strokes to small, as the real engine draws them.

    Over each other they are `painting.replay()`, but for rounding.

    Args:
        painting: a `Painting`.
        path: str or path, such as `"painting.ora"`.

    Raises:
        DataError: if it cannot be written.
        EngineError: if libmypaint is missing or lacks a brush.
    """
    canvas = painting.blank()
    surface = Surface(*canvas.shape[:2])
    drawn = painting.replay_on(surface)
    counts = run_lengths(painting.level)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:

        def write(name, data):
            # Without the time: the same painting leaves the same file.
            archive.writestr(zipfile.ZipInfo(name), data)

        def add(name, image):
            write(name, encode(image, ".png"))

        write("mimetype", "image/openraster")
        add("data/background.png", to_image(canvas))
        # MyPaint tiles an endless background with it.
        add("data/tile.png", to_image(np.tile(canvas[:1, :1], (TILE, TILE, 1))))
        extra = 'mypaint:background-tile="data/tile.png"'
        layers = [_LAYER.format("background", "data/background.png", extra)]
        for number, count in enumerate(counts, start=1):
            surface.clear()
            strokemap = _draw(surface, itertools.islice(drawn, count))
            pixels = surface.pixels()
            canvas = pixels[..., :3] + (1 - pixels[..., 3:]) * canvas
            place = f"data/{number}"
            write(f"{place}.dat", strokemap)
            add(f"{place}.png", to_image(straight_alpha(pixels)))
            name = f"level {number} of {len(counts)}"
            extra = _STROKEMAP.format(f"{place}.dat")
            layers.append(_LAYER.format(name, f"{place}.png", extra))
        picture = to_image(canvas)
        add("mergedimage.png", picture)
        lines = [_IMAGE.format(*picture.size), "<stack>", *reversed(layers)]
        write("stack.xml", "\n".join([*lines, "</stack>", "</image>", ""]))
        picture.thumbnail(_THUMBNAIL)
        add("Thumbnails/thumbnail.png", picture)
    write_whole(path, content.getvalue())


def _draw(surface, strokes):
    """Draw the strokes of one layer, and write its strokemap.

    A record `b` holds a brush file, `s` the number of one and the stroke's
    shape: for each tile its place, and a byte for each of its pixels, which
    is 1 where the stroke lies.

    Args:
        surface: `Surface`, empty.
        strokes: iterable, see `Painting.replay_on`.

    Returns:
        The file's bytes.
    """
    records, before = [], surface.tiles.copy()
    for index, (pen, (left, top, width, height)) in enumerate(strokes):
        rows, columns = _tiles(top, height), _tiles(left, width)
        after = surface.tiles[rows, columns]
        change = np.subtract(after, before[rows, columns], dtype="int32")
        before[rows, columns] = after
        # (rows, columns, 64, 64)
        covered = (np.abs(change) > _VISIBLE).any(axis=-1)
        shape = b""
        for row, column in np.argwhere(covered.any(axis=(2, 3))):
            place = columns.start + column, rows.start + row
            bitmap = zlib.compress(covered[row, column].tobytes())
            shape += struct.pack(">iiI", *place, len(bitmap)) + bitmap
        brush = zlib.compress(json.dumps(pen.tuned).encode())
        records += [b"b", struct.pack(">I", len(brush)), brush]
        records += [b"s", struct.pack(">II", index, len(shape)), shape]
    return b"".join([*records, b"}"])


def _tiles(start, length):
    """The tiles of a range of pixels; none has a number below 0."""
    ends = start // TILE, -(-(start + length) // TILE)
    return slice(*(max(0, end) for end in ends))
