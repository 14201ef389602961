"""Printable sheets to paint along: what to paint next, and with what."""

import itertools
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.patches import FancyArrowPatch, Patch, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from nbpainter.actions import COLUMNS
from nbpainter.errors import DataError, check_count
from nbpainter.export.svg import fit_paths
from nbpainter.files import written_whole
from nbpainter.images import group_colors, to_hex

MAX_COLORS = 12
"""Colours on the sheets of a painting with more than twice as many."""

_A4 = (8.27, 11.69)  # Inches.
_PLACES = {"left": 0.05, "right": 0.95, "bottom": 0.05, "top": 0.92}
_LINE = 0.19  # Inches from one colour of the list to the next.
_SMALL = 6.5  # Points of the list's letters.
_PICTURE_SIZE = 1024  # Pixels of the pictures' longer side.
_CANVAS_CM = 40  # Longer side of the canvas that brushes are named for.
_NUMBERED = 30  # Strokes on a page that have numbers, at most.
_TITLE = {"loc": "left", "size": 8, "color": "0.35"}
_LUMA = (0.299, 0.587, 0.114)  # Brightness of red, green and blue.
_CURVE = [Path.MOVETO, Path.CURVE3, Path.CURVE3]


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
    pictures = painting.frames(pages + 1, _PICTURE_SIZE)
    points, widths, _ = fit_paths(painting)
    colors = few_colors(painting.actions[:, COLUMNS.color], painting.palette)
    strokes = (np.arange(len(painting)) + 1, points, widths, colors)
    figures = []
    for number, (before, after) in enumerate(itertools.pairwise(pictures)):
        page = slice(stops[number], stops[number + 1])
        figure = _plot_page(before, after, *(part[page] for part in strokes))
        figure.suptitle(
            f"A painting of {len(painting)} strokes, "
            f"page {number + 1} of {pages}",
            x=_PLACES["left"],
            y=0.97,
            horizontalalignment="left",
            size=13,
            weight="bold",
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
    with (
        written_whole(path) as temporary,
        PdfPages(temporary, metadata={"Creator": "nbpainter"}) as pdf,
    ):
        for figure in figures:
            pdf.savefig(figure)


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


def _plot_page(before, after, numbers, points, widths, colors):
    """Draw one page.

    Args:
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
    figure, axes = _lay_out(is_wide=width > height)
    order = ", in the order of their numbers" * (len(numbers) <= _NUMBERED)
    said = f"Strokes {numbers[0]} to {numbers[-1]}{order}. A dot is where the "
    said += "brush starts, the arrow where it goes."
    axes["new"].imshow(0.45 * before + 0.55, extent=(0, width, height, 0))
    axes["new"].set_title(said, **_TITLE)
    axes["after"].imshow(after, extent=(0, width, height, 0))
    axes["after"].set_title("At the end of this page", **_TITLE)
    axes["list"].set_title("Colours", **_TITLE)
    _plot_strokes(axes["new"], numbers, points, widths, colors)
    axes["new"].set(xlim=(0, width), ylim=(height, 0))
    _plot_list(axes["list"], numbers, widths, colors)
    return figure


def _lay_out(is_wide):
    """A page of A4, and its parts: the new strokes, the result, the list."""
    if is_wide:
        mosaic = [["new", "after"], ["new", "list"]]
        ratios = {"width_ratios": [3, 1], "height_ratios": [2, 3]}
    else:
        mosaic = [["new", "new"], ["after", "list"]]
        ratios = {"width_ratios": [3, 5], "height_ratios": [8, 3]}
    figure, axes = plt.subplot_mosaic(
        mosaic,
        figsize=_A4[::-1] if is_wide else _A4,
        gridspec_kw=_PLACES | ratios | {"wspace": 0.06, "hspace": 0.08},
    )
    plt.close(figure)
    for axis in axes.values():
        axis.set(xticks=[], yticks=[], anchor="NW")
        axis.spines[:].set_color("0.7")
    axes["list"].axis("off")
    return figure, axes


def _plot_strokes(axis, numbers, points, widths, colors):
    """Draw strokes as even lines with thin edges, and where they go."""
    axis.apply_aspect()
    box = axis.get_window_extent()
    unit = 72 * max(box.width, box.height) / axis.figure.dpi  # Points.
    (_, width), (height, _) = axis.get_xlim(), axis.get_ylim()
    numbered = len(numbers) <= _NUMBERED
    thick = 1.5 if numbered else 1
    for number, curve, linewidth, color in zip(
        numbers, points, unit * widths, colors
    ):
        path = Path(curve, _CURVE)
        ink = "black" if np.dot(color, _LUMA) > 0.5 else "white"
        halo = [withStroke(linewidth=1.4, foreground=color)] * numbered
        edge = withStroke(linewidth=linewidth + 0.8, foreground=ink, alpha=0.6)
        line = PathPatch(
            path,
            fill=False,
            linewidth=linewidth,
            edgecolor=color,
            alpha=0.9,
            capstyle="round",
            joinstyle="round",
            path_effects=[edge],
        )
        arrow = FancyArrowPatch(
            path=path,
            arrowstyle="->",
            mutation_scale=4 * thick,
            linewidth=0.4 * thick,
            color=ink,
            path_effects=halo,
            zorder=1.5,
        )
        axis.add_patch(line)
        axis.add_patch(arrow)
        axis.plot(*curve[0], ".", markersize=2 * thick, color=ink)
        if numbered:
            # No number is cut at the right or at the top.
            x = np.clip(curve[0, 0], 0, 0.96 * width)
            y = np.clip(curve[0, 1], 0.03 * height, height)
            text = axis.text(x, y, f" {number}", size=7, color=ink)
            text.set_path_effects(halo)


def _plot_list(axis, numbers, widths, colors):
    """The page's colours, light to dark, and its brushes, as a list."""
    names = np.array([to_hex(color) for color in colors])
    light_to_dark = np.argsort(-(colors @ _LUMA), kind="stable")
    shown = list(dict.fromkeys(names[light_to_dark].tolist()))
    inches = axis.get_position().height * axis.figure.get_figheight()
    num_lines = int((inches - 1) / _LINE)  # An inch for the rest.
    num_columns = -(-len(shown) // num_lines)
    # Beyond three columns there is no room for words.
    is_narrow = num_columns > 3
    labels = []
    for name in shown:
        mine = numbers[names == name]
        many = len(numbers) > _NUMBERED
        said = f"{len(mine)} \u00d7" if many else _spans(mine)
        labels.append("" if is_narrow else textwrap.fill(f"{name}  {said}", 40))
    axis.legend(
        [Patch(fc=name, ec="0.5", lw=0.5) for name in shown],
        labels,
        ncols=num_columns,
        loc="upper left",
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        fontsize=_SMALL,
        handleheight=1.6,
        handlelength=1.6 if is_narrow else 4.4,
        columnspacing=0 if is_narrow else 2,
    )
    small, middle, large = 10 * _CANVAS_CM * np.quantile(widths, [0, 0.5, 1])
    axis.text(
        0,
        0,
        f"Brushes on a canvas of {_CANVAS_CM} cm\nsmallest: {small:.0f} mm\n"
        f"middle: {middle:.0f} mm\nlargest: {large:.0f} mm",
        size=_SMALL,
        linespacing=1.6,
    )


def _spans(numbers):
    """Shorten rising numbers: 1, 2, 3, 7 becomes "1-3 7".

    Example:

    >>> _spans([1, 2, 3, 7, 9, 10])
    '1-3 7 9 10'
    """
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return " ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else " ".join(map(str, run))
        for run in runs
    )
