"""A painting as lines for a pen plotter: one layer for each pen.

A pen draws lines of one width, and nothing takes them back. So a stroke
becomes lines along its path, and each of them is drawn where the stroke has to
cover so much of the paper. How much differs from line to line: where the stroke
fades, or hides under later ones, its lines get fewer. That is ordered dithering
(Bayer, 1973), with lines in place of pixels.
"""

import pathlib
import re

import numpy as np

from nbpainter.actions import COLUMNS
from nbpainter.errors import DataError, check_positive
from nbpainter.export.sheets import few_colors, light_to_dark
from nbpainter.export.svg import join_svg, sample_curve
from nbpainter.files import write_whole
from nbpainter.images import to_hex
from nbpainter.painter.canvas import measure_extent, stroke_layers

PAPERS = {"a3": "297x420", "a4": "210x297", "a5": "148x210"}
PAPERS["letter"] = "215.9x279.4"
"""Sizes of paper in millimetres."""

_LAYER = (
    '<g inkscape:groupmode="layer" inkscape:label="{number} {color}" '
    'id="layer{number}" fill="none" stroke="{color}" stroke-width="{pen:g}" '
    'stroke-linecap="round" stroke-linejoin="round">'
)
_PAGE = (
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
    'width="{0:g}mm" height="{1:g}mm" viewBox="0 0 {0:g} {1:g}"'
)
_MARGIN = 0.05  # Of the paper's shorter side.
_WHITE = 0.98  # Red, green and blue of a colour that the paper has.
_APART = 0.65  # Pen widths from line to line: no paper shows between.
_NEAR = 1.5  # Pen widths that the pen goes on for without being lifted.
_DRAWN_SIDE = 512  # Pixels of a picture's longer side; strokes are drawn so.
_PAPER = 0.01  # The least that lines leave of the paper, where all is painted.
_T = np.linspace(0, 1, 65)

# The cover that a line is drawn from: on the path, beside it, ...
_LEVELS = np.array([1, 5, 3, 7, 2, 6, 4, 8]) / 10


def paper_size(paper):
    """Return the shorter and the longer side of a sheet in millimetres.

    Args:
        paper: str, `"A3"`, `"A4"`, `"A5"`, `"letter"`, or two sides in
            millimetres, 20 to 5000.

    Returns:
        A float array `(2,)`.

    Raises:
        DataError: for anything else.

    Example:

    >>> paper_size("A4").tolist(), paper_size("300x200").tolist()
    ([210.0, 297.0], [200.0, 300.0])
    """
    text = PAPERS.get(str(paper).lower(), str(paper))
    if re.fullmatch(r"\d+(\.\d+)?x\d+(\.\d+)?", text):
        sides = np.sort(np.array(text.split("x"), float))
        if sides.min() >= 20 and sides.max() <= 5000:
            return sides
    raise DataError(
        "`paper` must be A3, A4, A5, letter, or millimetres such as 200x300, "
        f"20 to 5000. Received: paper={paper!r}."
    )


def write_plot(painting, path, paper="A4", pen=0.5):
    """Write strokes as an SVG file of lines in millimetres for a plotter.

    Each colour is a layer of Inkscape, light to dark: pens hardly cover what
    is darker, and it would soil them. The background is not drawn, nor is
    white. Many colours without a palette become few, see `few_colors`.

    Args:
        painting: a `Painting`.
        path: str or path, such as `"painting.plot.svg"`.
        paper: str, see `paper_size`; turned as the picture is. Default A4.
        pen: float, width of the pens' lines in millimetres, a 4000th to a
            20th of the paper's longer side. Default 0.5.

    Raises:
        DataError: for a bad paper or pen, or if it cannot be written.
    """
    page = paper_size(paper)
    low, high = page[1] / [4000, 20]
    if not low <= check_positive("pen", pen) <= high:
        raise DataError(
            f"On this paper `pen` must be {low:.2f} to {high:.0f} millimetres. "
            f"Received: pen={pen!r}."
        )
    picture = np.array([painting.width, painting.height])
    margin = _MARGIN * page[0]
    page = page[::-1] if picture[0] > picture[1] else page
    scale = np.min((page - 2 * margin) / picture)
    corner = (page - scale * picture) / 2
    unit, layers = scale * picture.max(), {}
    colors = few_colors(painting.actions[:, COLUMNS.color], painting.palette)
    strokes = zip(painting.actions, painting.models(), cover_strokes(painting))
    for color, (action, model, cover) in zip(colors, strokes):
        reach = measure_extent(action[None], unit, model.reach)[-1].item()
        lines = hatch_stroke(action, *cover, unit, reach, pen)
        if lines and color.min() < _WHITE:
            layers.setdefault(to_hex(color), []).extend(lines)
    elements = []
    for number, name in enumerate(light_to_dark(layers), start=1):
        elements.append(_LAYER.format(number=number, color=name, pen=pen))
        for line in order_lines(layers[name], _NEAR * pen):
            points = " ".join(f"{x:.2f},{y:.2f}" for x, y in line + corner)
            elements.append(f'<polyline points="{points}"/>')
        elements.append("</g>")
    text = join_svg(
        pathlib.Path(path).stem,
        _PAGE.format(*page),
        f"{len(painting)} brush strokes for {len(layers)} pens.",
        elements,
    )
    write_whole(path, text)


def cover_strokes(painting):
    """Say how much of the paper the lines of each stroke are to cover.

    Args:
        painting: a `Painting`.

    Returns:
        A list with `top` and `left` of each stroke, in pixels of a picture of
        512 on its longer side, and a float array `(h, w)` in `[0, 1]`.
    """
    actions, models = painting.actions[::-1], painting.models()[::-1]
    clear = np.ones_like(painting.blank(_DRAWN_SIDE)[..., 0])
    shares = []
    # From the last stroke on, which hides those before; without spatter.
    for top, left, opacity in stroke_layers(actions, models, *clear.shape):
        rows, columns = opacity.shape
        block = slice(top, top + rows), slice(left, left + columns)
        shares.append((block, opacity * clear[block]))
        clear[block] *= 1 - opacity
    # Lines that cross leave the product of what each stroke's leave. It is the
    # paper that the paint leaves, if each leaves `paper^(share / (1 - paper))`.
    paper = clear.clip(_PAPER, 0.999)
    power = np.log(paper) / (1 - paper)
    return [
        (rows.start, columns.start, -np.expm1(power[rows, columns] * share))
        for (rows, columns), share in reversed(shares)
    ]


def hatch_stroke(action, top, left, cover, unit, reach, pen):
    """Draw a stroke as lines along its path.

    Args:
        action: float array `(12,)`.
        top: int, pixels; see `cover_strokes`.
        left: int, pixels.
        cover: float array `(h, w)`.
        unit: float, millimetres of the picture's longer side.
        reach: float, millimetres from the path to the last line.
        pen: float, millimetres.

    Returns:
        A list of float arrays `(points, 2)`, x and y in millimetres from the
        picture's corner; no line is shorter than the pen is wide.
    """
    apart, pixel, lines = _APART * pen, unit / _DRAWN_SIDE, []
    path, normals = trace_path(action, unit, reach, apart)
    cover = np.pad(cover, 1)  # Nothing outside.
    corner, most = (left - 1, top - 1), np.subtract(cover.shape[::-1], 1)
    last = int(reach / apart)
    for number in range(-last, last + 1):
        line = path + number * apart * normals
        place = (line // pixel - corner).clip(0, most)
        columns, rows = place.astype(int).T
        drawn = cover[rows, columns] > _LEVELS[number % len(_LEVELS)]
        # Inside of a bend, another part of the path may be nearer.
        x, y = line[drawn].T[..., None] - path[::8].T[:, None]
        nearest = max(0, abs(number) - 0.5) * apart
        drawn[drawn] = (x * x + y * y).min(axis=1) >= nearest**2
        runs = np.flatnonzero(np.diff(drawn, prepend=False, append=False))
        for start, end in runs.reshape(-1, 2):
            if np.hypot(*np.diff(line[start:end], axis=0).T).sum() >= pen:
                lines.append(_thin(line[start:end], pen))
    return lines


def trace_path(action, unit, reach, step):
    """Sample a stroke's path, and straight on beyond both ends.

    Args:
        action: float array `(12,)`.
        unit: float, millimetres of the picture's longer side.
        reach: float, millimetres beyond the ends.
        step: float, millimetres between points, at most.

    Returns:
        Two float arrays `(points, 2)`: the points, in millimetres, and the
        normals there, of length 1.
    """
    curve = unit * sample_curve(action, _T)  # (2, 65)
    along = np.append(0, np.cumsum(np.hypot(*np.diff(curve))))
    length = along[-1] + 2 * reach
    even = np.linspace(-reach, length - reach, 2 + int(length / step))
    path = unit * sample_curve(action, np.interp(even, along, _T))
    ends = np.diff(curve)[:, [0, -1]] + [[1e-9], [0]]  # It may be a dot.
    ends /= np.hypot(*ends)
    path += ends[:, :1] * np.minimum(even, 0)
    path += ends[:, 1:] * np.maximum(even - along[-1], 0)
    steps = np.gradient(path, axis=1)
    normals = steps[::-1] * [[1], [-1]] / np.maximum(np.hypot(*steps), 1e-9)
    return path.T, normals.T


def order_lines(lines, near):
    """Order lines so that the pen travels little: always to the nearest end.

    Args:
        lines: list of float arrays `(points, 2)`.
        near: float, gaps up to which two lines become one.

    Returns:
        A list of float arrays `(points, 2)`.

    Example:

    >>> lines = [[[0, 0], [9, 0]], [[0, 5], [9, 5]], [[0, 1], [9, 1]]]
    >>> first, last = order_lines(np.array(lines), near=1)
    >>> first.tolist(), last.tolist()
    ([[0, 0], [9, 0], [9, 1], [0, 1]], [[0, 5], [9, 5]])
    """
    # Both ends of a line follow each other.
    x, y = np.concatenate([line[[0, -1]] for line in lines]).T.astype(float)
    here, ordered = np.zeros(2), []
    for _ in lines:
        gaps = (x - here[0]) ** 2 + (y - here[1]) ** 2
        nearest = int(gaps.argmin())
        index, reverse = divmod(nearest, 2)
        line = lines[index][::-1] if reverse else lines[index]
        if not ordered or gaps[nearest] > near**2:
            ordered.append([])
        ordered[-1].append(line)
        x[2 * index : 2 * index + 2], here = np.inf, line[-1]
    return list(map(np.concatenate, ordered))


def _thin(line, pen):
    """Leave out points of a smooth line that it is within a 10th pen of."""
    bend = np.abs(np.diff(line, 2, axis=0)).max(initial=1e-9)
    # A chord over n steps is `bend n^2 / 8` off the line.
    step = max(1, int((0.8 * pen / bend) ** 0.5))
    return np.concatenate([line[:-1:step], line[-1:]])
