"""Printable sheets to paint along: what to paint next, and with what."""

import io
import itertools
import math
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from nbpainter.actions import COLUMNS
from nbpainter.errors import DataError, check_count
from nbpainter.export.svg import fit_paths
from nbpainter.files import write_whole
from nbpainter.images import from_hex, group_colors, to_hex

MAX_COLORS = 12
"""Colours on the sheets of a painting with more than twice as many."""

_A4 = (8.27, 11.69)  # Inches.
_PICTURE_SIZE = 1024  # Pixels of the pictures' longer side.
_CANVAS_CM = 40  # Longer side of the canvas that brushes are named for.
_NUMBERED = 30  # Strokes on a page that have numbers, at most.
_LUMA = (0.299, 0.587, 0.114)  # Brightness of red, green and blue.


def plot_sheets(painting, pages=8):
    """Draw printable sheets to paint along; see `Painting.steps`.

    Args:
        painting: a `Painting`.
        pages: int, 1 to 200, not more than there are strokes.

    Returns:
        A list of `matplotlib.figure.Figure`, A4: portrait for a picture that
        is higher than wide, landscape for others.

    Raises:
        DataError: for a number of pages out of range, or without strokes.
    """
    count = len(painting)
    if not count:
        raise DataError(
            "A painting without strokes has no steps. Paint some first."
        )
    pages = check_count("pages", pages, 1, min(200, count))
    stops = np.linspace(0, count, pages + 1).round().astype(int)
    pictures = painting.frames(pages + 1, _PICTURE_SIZE)
    points, widths, _ = fit_paths(painting)
    colors = few_colors(painting.actions[:, COLUMNS.color], painting.palette)
    figures = []
    for page, (before, after) in enumerate(itertools.pairwise(pictures)):
        new = np.arange(stops[page], stops[page + 1])
        strokes = new + 1, points[new], widths[new], colors[new]
        figure = _plot_page(before, after, *strokes)
        title = f"A painting of {count} strokes, page {page + 1} of {pages}"
        figure.suptitle(title, x=0.05, ha="left", size=13, weight="bold")
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
    # By way of memory: on a full disk `PdfPages` raises almost anything.
    content = io.BytesIO()
    with PdfPages(content) as pdf:
        for figure in figures:
            pdf.savefig(figure)
    write_whole(path, content.getvalue())


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


def light_to_dark(names):
    """Sort different colours.

    Args:
        names: iterable of `"#rrggbb"`.

    Returns:
        A list of them, none twice.

    Example:

    >>> light_to_dark(["#000080", "#000080", "#ffffff"])
    ['#ffffff', '#000080']
    """
    return sorted(set(names), key=lambda name: (-from_hex(name) @ _LUMA, name))


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
    figure, axes = plt.subplot_mosaic(
        [["new", "after"], ["new", "list"]],
        figsize=_A4 if height > width else _A4[::-1],
        width_ratios=[7, 2],
        height_ratios=[2, 5],
    )
    plt.close(figure)
    # Left, bottom, right, top.
    figure.subplots_adjust(0.05, 0.05, 0.95, 0.92, wspace=0.08)
    titles = {
        "new": f"Strokes {numbers[0]} to {numbers[-1]}, one after another. "
        "A dot is where the brush starts, the arrow where it goes.",
        "after": "At the end of this page",
        "list": "Colours, light to dark",
    }
    for name, title in titles.items():
        axes[name].set_title(title, loc="left", size=8, color="0.35")
        axes[name].set(xticks=[], yticks=[], anchor="NW")
    extent = (0, width, height, 0)
    axes["new"].imshow(0.45 * before + 0.55, extent=extent)
    axes["after"].imshow(after, extent=extent)
    axes["list"].axis("off")
    _plot_strokes(axes["new"], numbers, points, widths, colors)
    _plot_colors(axes["list"], numbers, colors)
    small, middle, large = 10 * _CANVAS_CM * np.quantile(widths, [0, 0.5, 1])
    brushes = (
        f"Brushes on a canvas of {_CANVAS_CM} cm: smallest {small:.0f} mm, "
        f"middle {middle:.0f} mm, largest {large:.0f} mm"
    )
    axes["new"].set_xlabel(brushes, loc="left", size=8)
    return figure


def _plot_strokes(axis, numbers, points, widths, colors):
    """Draw strokes as even lines with thin edges, and where they go."""
    axis.autoscale(False)
    axis.apply_aspect()
    unit = 72 / axis.figure.dpi * axis.transData.get_matrix()[0, 0]  # Points.
    corner = 0.96 * axis.get_xlim()[1], 0.96 * axis.get_ylim()[0]
    strokes = zip(numbers, points, unit * widths, colors)
    for number, curve, width, color in strokes:
        path = Path(curve, [Path.MOVETO, Path.CURVE3, Path.CURVE3])
        ink = "black" if color @ _LUMA > 0.5 else "white"
        edge = withStroke(linewidth=width + 0.8, foreground=ink)
        halo = withStroke(linewidth=1.4, foreground=color)
        line = FancyArrowPatch(path=path, arrowstyle="-", linewidth=width)
        line.set(color=color, path_effects=[edge])
        arrow = FancyArrowPatch(path=path, arrowstyle="->", mutation_scale=6)
        # Above the lines of all strokes.
        arrow.set(linewidth=0.6, color=ink, path_effects=[halo], zorder=1.5)
        axis.add_patch(line)
        axis.add_patch(arrow)
        axis.plot(*curve[0], ".", markersize=3, color=ink)
        if len(numbers) <= _NUMBERED:
            # No number is cut, even if its stroke starts outside.
            x, y = np.clip(curve[0], 0, corner)
            text = axis.text(x, y, f" {number}", size=7, va="top", color=ink)
            text.set_path_effects([halo])


def _plot_colors(axis, numbers, colors):
    """List a page's colours, light to dark, and the strokes of each."""
    strokes = {}
    for number, color in zip(numbers, colors):
        strokes.setdefault(to_hex(color), []).append(str(number))
    shown = light_to_dark(strokes)
    # Many colours are listed in several columns, and in small letters.
    num_columns = math.ceil(math.sqrt(len(shown) / 24))
    labels = []
    for name in shown:
        said = " ".join(strokes[name])
        if len(numbers) > _NUMBERED:
            said = f"{len(strokes[name])} \u00d7"
        labels.append(textwrap.fill(f"{name}  {said}", 20))
    axis.legend(
        [Patch(fc=name, ec="0.5", lw=0.5) for name in shown],
        labels,
        ncols=num_columns,
        loc="upper left",
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        fontsize=min(7, 170 * num_columns / len(shown)),
        handleheight=1.6,
    )
