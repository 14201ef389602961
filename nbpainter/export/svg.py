"""A painting as SVG: one path for each stroke, to be edited or plotted.

The brush leaves soft, grainy paint, and a path is even and sharp. So a path
is as wide and as long as the paint that one sees, whatever the brush, and as
opaque as this paint is on average.
"""

import html
import itertools
import pathlib

import numpy as np

from nbpainter import actions
from nbpainter.files import printable, write_whole
from nbpainter.images import resize, to_hex

_DRAWN_SIDE = 256  # Pixels of a picture's longer side; strokes are drawn so.
_FITTED_SIDE = 32  # Pixels of a stroke's longer side while it is fitted.
_NUM_POINTS = 33  # Points along a stroke, from which distances are measured.
_CUTS = (0, 2, 3, 4, 6, 8)  # Points that a path may leave out at either end.
_NUM_WIDTHS = 28
_THINNEST = 0.5  # Half of a path's width, in fitted pixels.
_VISIBLE = 0.24  # Opacity from which paint is seen.
_VISIBLE_PART = 0.6  # The same for faint strokes, as part of their largest.


def fit_paths(painting):
    """Fit to each stroke a path of one width and one opacity.

    Args:
        painting: a `Painting`.

    Returns:
        Three float arrays: points `(n, 3, 2)`, start, handle and end of a
        quadratic Bezier curve; widths `(n,)`; both are fractions of the
        picture's longer side; and opacities `(n,)` in `[0, 1]`, 0 for strokes
        that are not seen.
    """
    layers = painting.layers(_DRAWN_SIDE)
    points = np.zeros((len(painting), 3, 2))
    widths, opacities = np.zeros((2, len(painting)))
    for index, (action, layer) in enumerate(zip(painting.actions, layers)):
        path = fit_path(action, *layer, _DRAWN_SIDE)
        points[index], widths[index], opacities[index] = path
    return points, widths, opacities


def fit_path(action, top, left, opacity, side):
    """Find the path that overlaps most with the visible paint of a stroke.

    A grid search over the start, the end and the width of the path, for the
    largest intersection over union (IoU) of path and visible paint.

    Args:
        action: float array `(12,)`.
        top: int, where the paint lies, in pixels.
        left: int, pixels.
        opacity: float array `(h, w)` in `[0, 1]`, the paint.
        side: int, pixels of the picture's longer side.

    Returns:
        Points `(3, 2)`, width and opacity, as of `fit_paths`.

    Example:

    >>> from nbpainter.actions import COLUMNS
    >>> action = np.full(12, 0.5)
    >>> action[COLUMNS.x] = 0.1, 0.5, 0.9
    >>> points, width, opacity = fit_path(action, 40, 5, np.ones((20, 90)), 100)
    >>> points.round(1).tolist(), round(float(width), 1), float(opacity)
    ([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]], 0.2, 1.0)
    """
    if not opacity.size:
        width = 2 * actions.brush_radius(action[actions.COLUMNS.size])
        return _part_of_curve(action, 0, 1), width, 0.0
    scale = min(1, _FITTED_SIDE / max(opacity.shape))
    rows, columns = (max(1, round(scale * length)) for length in opacity.shape)
    paint = resize(np.float32(opacity)[..., None], rows, columns).ravel()
    visible = paint > visible_from(paint)
    y, x = np.float32(np.indices((rows, columns)).reshape(2, -1) + 0.5)
    t = np.linspace(0, 1, _NUM_POINTS)
    curve_x, curve_y = np.float32(sample_curve(action, t) * side)[..., None]
    distances = scale * np.hypot(
        curve_x - (left + x * opacity.shape[1] / columns),
        curve_y - (top + y * opacity.shape[0] / rows),
    )  # (points, pixels)
    # The widest path along the whole curve covers all pixels.
    nearest = np.maximum(distances.min(axis=0), _THINNEST)
    radii = np.geomspace(nearest.min(), nearest.max(), _NUM_WIDTHS)
    best_iou = 0.0
    for first, cut in itertools.product(_CUTS, _CUTS):
        last = _NUM_POINTS - 1 - cut
        distance = distances[first : last + 1].min(axis=0)
        covered = distance <= radii[:, None]  # (radii, pixels)
        intersection = np.sum(covered & visible, axis=1)
        iou = intersection / np.sum(covered | visible, axis=1)
        index = int(iou.argmax())
        if iou[index] > best_iou:
            best_iou, radius = iou[index], radii[index]
            start, end = t[first], t[last]
            mean_opacity = float(paint[covered[index]].mean())
    points = _part_of_curve(action, start, end)
    return points, 2 * radius / scale / side, mean_opacity


def visible_from(paint):
    """The opacity from which a stroke's paint is seen, a float.

    Args:
        paint: float array of any shape, opacities in `[0, 1]`.

    Example:

    >>> visible_from(np.array([0.0, 0.1])), visible_from(np.array([1.0]))
    (0.06, 0.24)
    """
    return min(_VISIBLE, _VISIBLE_PART * float(paint.max(initial=0)))


def sample_curve(action, t):
    """Sample a stroke's curve.

    Args:
        action: float array `(12,)`.
        t: float array `(num_points,)`, places along it in `[0, 1]`.

    Returns:
        A float64 array `(2, num_points)`, x and y.
    """
    x, y, _ = np.tensordot(action, actions.sampling_matrix(t), axes=1)
    return np.stack([x, y])


def _part_of_curve(action, start, end):
    """Start, handle and end `(3, 2)` of a part of a stroke's curve.

    Part of a quadratic curve is one, and passes through its own middle.
    """
    places = [start, (start + end) / 2, end]
    first, middle, last = sample_curve(action, places).T
    return np.stack([first, 2 * middle - (first + last) / 2, last])


def write_svg(painting, path):
    """Write strokes as an SVG file, see `svg_text`.

    Args:
        painting: a `Painting`.
        path: str or path.

    Raises:
        DataError: if it cannot be written.
    """
    write_whole(path, svg_text(painting, pathlib.Path(path).stem))


def svg_text(painting, title):
    """Draw strokes as paths of an SVG file, `stroke-1` to `stroke-N`.

    Args:
        painting: a `Painting`.
        title: str.

    Returns:
        A str, what the file holds.
    """
    width, height = painting.width, painting.height
    unit = max(width, height)
    points, widths, opacities = fit_paths(painting)
    colors = painting.actions[:, actions.COLUMNS.color]
    elements = [
        f'<rect id="background" width="{width}" height="{height}" '
        f'fill="{painting.background}"/>',
        '<g id="strokes" fill="none" stroke-linecap="round">',
    ]
    for number, (curve, stroke_width, opacity, color) in enumerate(
        zip(points * unit, widths * unit, opacities, colors), start=1
    ):
        start, handle, end = (f"{x:.2f} {y:.2f}" for x, y in curve)
        elements.append(
            f'<path id="stroke-{number}" d="M{start}Q{handle} {end}" '
            f'stroke="{to_hex(color)}" stroke-width="{stroke_width:.2f}" '
            f'stroke-opacity="{opacity:.3f}"/>'
        )
    return join_svg(
        title,
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"',
        f"{len(points)} brush strokes, first to last.",
        [*elements, "</g>"],
    )


def join_svg(title, attributes, description, elements):
    """Return what an SVG file holds.

    Args:
        title: str.
        attributes: str, of the picture.
        description: str, of what is drawn.
        elements: list of str.
    """
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>',
        f"<title>{html.escape(printable(title))}</title>",
        f"<desc>{description} Painted by nbpainter.</desc>",
    ]
    return "\n".join([*lines, *elements, "</svg>", ""])
