"""Printable sheets to paint along: what to paint next, and with what."""

import io
import itertools
import textwrap

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.patches import FancyArrowPatch, Patch, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from nbpainter.actions import COLOR_COLUMNS
from nbpainter.errors import DataError, check_count
from nbpainter.export.svg import fit_paths
from nbpainter.files import written_whole
from nbpainter.images import group_colors, to_hex

MAX_COLORS = 12
"""Colours on the sheets of a painting with more than twice as many."""

_A4 = (8.27, 11.69)  # Inches, as are the next five.
_MARGIN = 0.45
_HEAD = 0.9  # From the top of the page to the pictures.
_GAP = 0.3  # Between the parts of a page.
_STRIP = 2.7  # Beside or below the large picture, for the other parts.
_LINE = 0.19  # From one colour of the list to the next.
_SMALL = 6.5  # Points of the list's letters.
_PICTURE_SIZE = 1024  # Pixels of the pictures' longer side.
_CANVAS_CM = 40  # Longer side of the canvas that brushes are named for.
_NUMBERED = 30  # Strokes on a page that have numbers, at most.
_GREY = "0.35"
_CURVE = [Path.MOVETO, Path.CURVE3, Path.CURVE3]
_LUMA = (0.299, 0.587, 0.114)  # Brightness of red, green and blue.


def plot_sheets(painting, pages=8):
    """Draw printable sheets to paint along; see `Painting.steps`.

    Args:
        painting: a `Painting`.
        pages: int, 1 to 200, not more than there are strokes.

    Returns:
        A list of `matplotlib.figure.Figure`, A4: landscape for a picture
        that is wider than high.

    Raises:
        DataError: for a number of pages out of range, or without strokes.
    """
    if not len(painting):
        raise DataError(
            "A painting without strokes has no steps. Paint some first."
        )
    pages = check_count("pages", pages, 1, min(200, len(painting)))
    stops = np.linspace(0, len(painting), pages + 1).round().astype(int)
    pictures = list(painting.frames(pages + 1, _PICTURE_SIZE))
    points, widths, _ = fit_paths(painting)
    colors = few_colors(painting.actions[:, COLOR_COLUMNS], painting.palette)
    figures = []
    for page, (first, last) in enumerate(itertools.pairwise(stops)):
        title = f"A painting of {len(painting)} strokes, "
        title += f"page {page + 1} of {pages}"
        # Text is text: a dollar sign starts no formula.
        with matplotlib.rc_context({"text.parse_math": False}):
            figure = _plot_page(
                title,
                before=pictures[page],
                after=pictures[page + 1],
                numbers=np.arange(first, last) + 1,
                points=points[first:last],
                widths=widths[first:last],
                colors=colors[first:last],
            )
        figures.append(figure)
    return figures


def write_sheets(painting, path, pages=8):
    """Write sheets to paint along to one PDF file.

    Args:
        painting: a `Painting`.
        path: str or path, such as `"steps.pdf"`.
        pages: int, at most so many; no page is without strokes. Default 8.

    Raises:
        DataError: without strokes, or if it cannot be written.
    """
    figures = plot_sheets(painting, min(pages, max(1, len(painting))))
    content = io.BytesIO()
    with PdfPages(content, metadata={"Creator": "nbpainter"}) as pdf:
        for figure in figures:
            pdf.savefig(figure)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.getvalue())


def few_colors(colors, palette=()):
    """Replace colours by few that resemble them, if they are many.

    Args:
        colors: float array `(n, 3)`, RGB in `[0, 1]`.
        palette: list of the only colours, which stay. Default: any colours.

    Returns:
        A float array `(n, 3)`. More than `2 * MAX_COLORS` different colours
        become `MAX_COLORS`.

    Example:

    >>> few_colors(np.eye(3)).tolist() == np.eye(3).tolist()
    True
    """
    num_colors = len({to_hex(color) for color in colors})
    if num_colors <= max(2 * MAX_COLORS, len(palette)):
        return colors
    groups, which = group_colors(colors, MAX_COLORS)
    return groups[which]


def _plot_page(title, before, after, numbers, points, widths, colors):
    """Draw one page.

    Args:
        title: str.
        before: float array `(height, width, 3)`, the canvas to begin with.
        after: float array of the same shape, the canvas to end with.
        numbers: int array `(n,)`, of the page's strokes, from 1.
        points: float array `(n, 3, 2)`, their paths, see `fit_paths`.
        widths: float array `(n,)`.
        colors: float array `(n, 3)`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    height, width = before.shape[:2] / np.max(before.shape)
    figure, axes = _lay_out(height, width)
    numbered = len(numbers) <= _NUMBERED
    left, inch = axes["new"].get_position().x0, 1 / figure.get_figheight()
    figure.text(left, 1 - 0.5 * inch, title, size=13, weight="bold")
    figure.text(
        left,
        1 - 0.72 * inch,
        f"Strokes {numbers[0]} to {numbers[-1]}"
        + (", in the order of their numbers. " if numbered else ". ")
        + "A dot is where the brush starts, the arrow where it goes.",
        size=8,
        color=_GREY,
    )
    pale = 0.45 * before + 0.55
    for axis, picture in ((axes["new"], pale), (axes["after"], after)):
        axis.imshow(
            picture, extent=(0, width, height, 0), interpolation="antialiased"
        )
        axis.apply_aspect()
    axes["after"].set_title(
        "At the end of this page", size=8, color=_GREY, pad=3
    )
    _plot_paths(axes["new"], points, widths, colors)
    _plot_directions(axes["new"], numbers, points, colors)
    _plot_list(axes["list"], numbers, widths, colors)
    return figure


def _lay_out(height, width):
    """A page of A4, and its parts: the new strokes, the result, the list.

    The picture is as large as the page allows. What is left beside or below
    it, at least `_STRIP`, is for the others.
    """
    is_wide = width > height
    page = _A4[::-1] if is_wide else _A4
    # Inches of two columns and of two rows.
    columns = page[0] - 2 * _MARGIN - _GAP
    rows = page[1] - _HEAD - _MARGIN - _GAP
    if is_wide:
        mosaic = [["new", "after"], ["new", "list"]]
        column = min(columns - _STRIP, (rows + _GAP) * width / height)
        row = min((columns - column) * height / width, rows / 2)
    else:
        mosaic = [["new", "new"], ["after", "list"]]
        row = min(rows - _STRIP, (columns + _GAP) * height / width)
        column = min((rows - row) * width / height, columns / 2)
    figure, axes = plt.subplot_mosaic(
        mosaic,
        figsize=page,
        width_ratios=[column, columns - column],
        height_ratios=[row, rows - row],
        gridspec_kw={
            "left": _MARGIN / page[0],
            "right": 1 - _MARGIN / page[0],
            "bottom": _MARGIN / page[1],
            "top": 1 - _HEAD / page[1],
            "wspace": 2 * _GAP / columns,
            "hspace": 2 * _GAP / rows,
        },
    )
    plt.close(figure)
    for axis in axes.values():
        axis.set(xticks=[], yticks=[], anchor="NW")
        axis.spines[:].set_color("0.7")
    axes["list"].axis("off")
    return figure, axes


def _plot_paths(axis, points, widths, colors):
    """Draw strokes as even lines with thin edges."""
    unit = 72 * np.max(axis.get_position().size * axis.figure.get_size_inches())
    for curve, linewidth, color in zip(points, unit * widths, colors):
        edge = withStroke(
            linewidth=linewidth + 0.8, foreground=_ink(color), alpha=0.6
        )
        patch = PathPatch(
            Path(curve, _CURVE),
            fill=False,
            linewidth=linewidth,
            edgecolor=color,
            alpha=0.9,
            capstyle="round",
            joinstyle="round",
            path_effects=[edge],
        )
        axis.add_patch(patch)


def _plot_directions(axis, numbers, points, colors):
    """Mark where strokes start and where they go; number them if few."""
    numbered = len(numbers) <= _NUMBERED
    width, height = axis.get_xlim()[1], axis.get_ylim()[0]
    for number, curve, color in zip(numbers, points, colors):
        ink = _ink(color)
        halo = [withStroke(linewidth=1.4, foreground=color)] * numbered
        arrow = FancyArrowPatch(
            path=Path(curve, _CURVE),
            arrowstyle="->",
            mutation_scale=6 if numbered else 4,
            linewidth=0.6 if numbered else 0.4,
            color=ink,
            path_effects=halo,
        )
        axis.add_patch(arrow)
        axis.plot(*curve[0], ".", markersize=3 if numbered else 2, color=ink)
        if not numbered:
            continue
        # Towards the inside at the right and at the top: no number is cut.
        x, y = np.clip(curve[0], 0, [width, height])
        at_right, at_top = x > 0.96 * width, y < 0.03 * height
        axis.annotate(
            str(number),
            (x, y),
            xytext=(-1.5 if at_right else 1.5, -1.5 if at_top else 1.5),
            textcoords="offset points",
            size=7,
            color=ink,
            horizontalalignment="right" if at_right else "left",
            verticalalignment="top" if at_top else "bottom",
            path_effects=halo,
        )
    axis.set(xlim=(0, width), ylim=(height, 0))


def _ink(color):
    """Black or white, whichever shows on a colour."""
    return "black" if np.dot(color, _LUMA) > 0.5 else "white"


def _plot_list(axis, numbers, widths, colors):
    """The page's colours, light to dark, and its brushes, as a list."""
    by_color = {}
    for index in np.argsort(-(colors @ _LUMA), kind="stable"):
        color = to_hex(colors[index])
        by_color.setdefault(color, []).append(int(numbers[index]))
    brushes = axis.text(
        0,
        0,
        "\n".join(
            f"{name}: {10 * _CANVAS_CM * np.quantile(widths, place):.0f} mm on "
            f"a canvas of {_CANVAS_CM} cm"
            for name, place in (
                ("smallest", 0),
                ("middle", 0.5),
                ("largest", 1),
            )
        ),
        size=_SMALL,
        linespacing=1.6,
    )
    axis.annotate(
        "Brushes",
        (0, 1),
        xycoords=brushes,
        xytext=(0, 5),
        textcoords="offset points",
        size=8,
        color=_GREY,
    )
    inches = axis.get_position().height * axis.figure.get_figheight()
    num_lines = int((inches - 1) / _LINE)  # An inch for the rest.
    num_columns = -(-len(by_color) // num_lines)
    # Beyond three columns there is no room for words.
    is_narrow = num_columns > 3
    legend = axis.legend(
        [Patch(fc=color, ec="0.5", lw=0.5) for color in by_color],
        [
            "" if is_narrow else _label(color, mine, len(numbers) <= _NUMBERED)
            for color, mine in by_color.items()
        ],
        ncols=num_columns,
        title="Colours",
        title_fontsize=8,
        alignment="left",
        loc="upper left",
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        fontsize=_SMALL,
        handleheight=1.6,
        handlelength=1.2 if is_narrow else 4.4,
        handletextpad=0.2 if is_narrow else 0.8,
        columnspacing=0 if is_narrow else 2,
    )
    legend.get_title().set_color(_GREY)


def _label(color, numbers, numbered):
    """Say which strokes, or how many, have a colour."""
    said = _spans(numbers) if numbered else f"{len(numbers)} \u00d7"
    return textwrap.fill(f"{color}  {said}", 40)


def _spans(numbers):
    """Shorten a list of numbers: 1, 2, 3, 7 becomes "1-3 7".

    Example:

    >>> _spans([1, 2, 3, 7, 9, 10])
    '1-3 7 9 10'
    """
    spans = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return " ".join(
        f"{span[0]}-{span[-1]}" if len(span) > 2 else " ".join(map(str, span))
        for span in spans
    )
