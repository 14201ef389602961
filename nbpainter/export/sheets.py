"""Printable sheets to paint along: what to paint next, and with what."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.patches import FancyArrowPatch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from PIL import Image

from nbpainter.files import written_whole
from nbpainter.images import to_hex

MAX_COLORS = 12
"""Colours on the sheets of a painting with more than twice as many."""

_A4 = (8.27, 11.69)  # Inches.
_MARGIN = 0.45
_CANVAS_CM = 40  # Brushes are named for a canvas of this longer side.
_GREY = "0.35"
_MANY = 30  # More strokes on a page have outlines, but no numbers.
_ROWS = 24  # Of colours, in one column of the list.


def group_colors(colors, most=2 * MAX_COLORS):
    """Find few colours that stand for many.

    Args:
        colors: float array `(n, 3)`, RGB in `[0, 1]`.
        most: int, so many different colours stay what they are. Default 24.

    Returns:
        A float array `(groups, 3)`, light to dark, and an int array `(n,)`:
        each colour's group. More colours than `most` become
        `MAX_COLORS`, by Pillow's median cut and k-means.

    Example:

    >>> groups, which = group_colors([[0, 0, 0], [1, 1, 1], [0, 0, 0]])
    >>> which.tolist()
    [1, 0, 1]
    """
    colors = np.asarray(colors, "float64").reshape(-1, 3)
    pixels = (np.clip(colors, 0, 1) * 255 + 0.5).astype("uint8")
    groups, which = np.unique(pixels, axis=0, return_inverse=True)
    if len(groups) > most:
        image = Image.fromarray(pixels[None]).quantize(MAX_COLORS, kmeans=4)
        which = np.asarray(image)[0]
        used, which = np.unique(which, return_inverse=True)
        groups = np.array(image.getpalette(), "uint8").reshape(-1, 3)[used]
    which = which.reshape(len(pixels))
    order = np.argsort(-(groups @ [0.299, 0.587, 0.114]), kind="stable")
    rank = np.argsort(order)
    return groups[order] / 255, rank[which]


def plot_sheets(pictures, stops, paths, colors, title, palette=()):
    """Draw one page for each of a painting's stages.

    Args:
        pictures: float arrays `(height, width, 3)`: the empty canvas, and
            what it looks like at the end of each page.
        stops: ints, how many strokes each of them has; the first is 0.
        paths: float arrays: points `(n, 3, 2)` of quadratic Bezier curves,
            and widths `(n,)`; fractions of the picture's longer side.
        colors: float array `(n, 3)`, RGB in `[0, 1]`.
        title: str, any text.
        palette: list of the painting's only colours, which are shown as they
            are. Default: colours are grouped.

    Returns:
        A list of `matplotlib.figure.Figure`, A4: landscape for a picture
        that is wider than high.
    """
    most = max(len(palette), 2 * MAX_COLORS)
    groups, which = group_colors(colors, most)
    figures = []
    for page in range(1, len(stops)):
        # Text is text: a dollar sign starts no formula.
        with matplotlib.rc_context({"text.parse_math": False}):
            figures.append(
                _plot_page(
                    pictures[page - 1 : page + 1],
                    range(stops[page - 1], stops[page]),
                    paths,
                    (groups, which),
                    f"{title}, page {page} of {len(stops) - 1}",
                )
            )
    return figures


def write_sheets(path, figures):
    """Write figures to one PDF file, a page for each.

    Args:
        path: str or path, such as `"steps.pdf"`.
        figures: list of `matplotlib.figure.Figure`.

    Raises:
        DataError: if it cannot be written.
    """
    content = io.BytesIO()
    with PdfPages(content, metadata={"Creator": "nbpainter"}) as pages:
        for figure in figures:
            pages.savefig(figure)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _plot_page(pictures, strokes, paths, colors, title):
    before, after = pictures
    many = len(strokes) > _MANY
    height, width = before.shape[:2]
    size = _A4[::-1] if width > height else _A4
    figure = plt.figure(figsize=size)
    plt.close(figure)
    figure.text(
        _MARGIN / size[0], 1 - 0.5 / size[1], title, size=13, weight="bold"
    )
    figure.text(
        *(_MARGIN / size[0], 1 - 0.72 / size[1]),
        f"Strokes {strokes[0] + 1} to {strokes[-1] + 1}"
        + (". " if many else ", in the order of their numbers. ")
        + "A dot is where the brush starts, the arrow where it goes.",
        **{"size": 8, "color": _GREY},
    )
    # The big picture, and a strip beside or below it.
    room = size[0] - 2 * _MARGIN, size[1] - 0.9 - _MARGIN
    strip = 2.7
    if width > height:
        scale = min((room[0] - strip - 0.25) / width, room[1] / height)
    else:
        scale = min(room[0] / width, (room[1] - strip - 0.25) / height)
    big = width * scale, height * scale
    top = size[1] - 0.9
    axis = _axis(figure, _MARGIN, top - big[1], *big)
    _plot_new(axis, before, strokes, paths, colors, scale)
    if width > height:
        left, room = _MARGIN + big[0] + 0.25, (strip, room[1])
        small = strip, strip * height / width
        place = left, top - small[1]
        list_place = left, top - small[1] - 0.35
        list_room = strip, list_place[1] - _MARGIN
    else:
        top = top - big[1] - 0.35
        small_height = min(strip - 0.1, 2.9 * height / width)
        small = small_height * width / height, small_height
        place = _MARGIN, top - small[1]
        list_place = _MARGIN + small[0] + 0.3, top
        list_room = size[0] - _MARGIN - list_place[0], top - _MARGIN
    axis = _axis(figure, *place, *small)
    axis.imshow(
        after, extent=(0, width, height, 0), interpolation="antialiased"
    )
    axis.set_title("At the end of this page", size=8, color=_GREY, pad=3)
    _plot_list(figure, list_place, list_room, strokes, paths[1], colors)
    return figure


def _axis(figure, left, bottom, width, height):
    """An empty frame, placed in inches."""
    page = figure.get_size_inches()
    box = (left / page[0], bottom / page[1], width / page[0], height / page[1])
    axis = figure.add_axes(box)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_color("0.7")
    return axis


def _plot_new(axis, before, strokes, paths, colors, scale):
    """What is there, paler, and the new strokes with their ways."""
    height, width = before.shape[:2]
    groups, which = colors
    axis.imshow(
        0.45 * before + 0.55,
        extent=(0, width, height, 0),
        interpolation="antialiased",
    )
    points, widths = (part[strokes.start : strokes.stop] for part in paths)
    unit = max(height, width)
    points, widths = points * unit, widths * unit * scale * 72
    codes = [Path.MOVETO, Path.CURVE3, Path.CURVE3]
    curves = [Path(place, codes) for place in points]
    many = len(strokes) > _MANY
    for stroke, path, wide in zip(strokes, curves, widths):
        color = groups[which[stroke]]
        line = {"fill": False, "capstyle": "round", "joinstyle": "round"}
        axis.add_patch(
            PathPatch(path, lw=wide + 0.8, ec=_edge(color), alpha=0.6, **line)
        )
        axis.add_patch(PathPatch(path, lw=wide, ec=color, alpha=0.9, **line))
    for stroke, path, place in zip(strokes, curves, points):
        ink = _edge(groups[which[stroke]])
        halo = [withStroke(linewidth=1.4, foreground=groups[which[stroke]])]
        arrow = FancyArrowPatch(
            path=path,
            arrowstyle="->",
            mutation_scale=4 if many else 6,
            lw=0.4 if many else 0.6,
            color=ink,
        )
        arrow.set_path_effects([] if many else halo)
        axis.add_patch(arrow)
        axis.plot(*place[0], ".", ms=2 if many else 3, color=ink)
        if many:
            continue
        # Towards the inside at the right and at the top: no number is cut.
        x, y = np.clip(place[0], 0, [width, height])
        right, top = x > 0.96 * width, y < 0.03 * height
        label = axis.annotate(
            str(stroke + 1),
            (x, y),
            xytext=(-1.5 if right else 1.5, -1.5 if top else 1.5),
            textcoords="offset points",
            size=7,
            color=ink,
            ha="right" if right else "left",
            va="top" if top else "bottom",
        )
        label.set_path_effects(halo)
    axis.set(xlim=(0, width), ylim=(height, 0))


def _edge(color):
    """Black or white, whichever shows on a colour."""
    return "black" if np.dot(color, [0.299, 0.587, 0.114]) > 0.5 else "white"


def _plot_list(figure, place, room, strokes, widths, colors):
    """The page's colours and brushes, as a list."""
    groups, which = colors
    axis = _axis(figure, place[0], place[1] - room[1], *room)
    axis.set(xlim=(0, room[0]), ylim=(room[1], 0))
    axis.axis("off")
    used = np.unique(which[strokes.start : strokes.stop])
    columns = -(-len(used) // _ROWS)
    rows = -(-len(used) // columns)
    row = min(0.27, (room[1] - 1.0) / rows)
    axis.text(0, 0, "Colours", size=8, color=_GREY, va="bottom")
    for index, group in enumerate(used):
        x, y = index // rows * room[0] / columns, 0.05 + index % rows * row
        color = groups[group]
        axis.add_patch(
            Rectangle((x, y), 0.4, 0.8 * row, fc=color, ec="0.5", lw=0.5)
        )
        mine = [k + 1 for k in strokes if which[k] == group]
        said = _spans(mine) if len(strokes) <= _MANY else f"{len(mine)} \u00d7"
        said = f"{to_hex(color)}  {said}" if columns < 4 else ""
        axis.text(
            *(x + 0.47, y + 0.42 * row, said),
            **{"size": 6.5, "va": "center", "clip_on": True},
        )
    y = 0.05 + rows * row + 0.3
    axis.text(0, y, "Brushes", size=8, color=_GREY, va="bottom")
    widths = widths[strokes.start : strokes.stop]
    for index, (name, share) in enumerate(
        (("smallest", 0), ("middle", 0.5), ("largest", 1))
    ):
        wide = np.quantile(widths, share)
        axis.text(
            *(0, y + 0.13 + 0.16 * index),
            f"{name}: {10 * _CANVAS_CM * wide:.0f} mm on a canvas of "
            f"{_CANVAS_CM} cm",
            **{"size": 6.5, "va": "center"},
        )


def _spans(numbers):
    """Shorten a list of numbers: 1, 2, 3, 7 becomes "1-3 7".

    Example:

    >>> _spans([1, 2, 3, 7, 9, 10])
    '1-3 7 9 10'
    """
    spans = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return " ".join(
        f"{span[0]}-{span[-1]}" if len(span) > 2 else " ".join(map(str, span))
        for span in spans
    )
