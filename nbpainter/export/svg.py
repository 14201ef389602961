"""A painting as SVG: one path for each stroke, to be edited or plotted.

The brush leaves soft, grainy paint, and a path is even and sharp. So a path
is as wide and as long as the paint that one sees, whatever the brush, and as
opaque as this paint is on average.
"""

import html

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    curve_weights,
)
from nbpainter.files import written_whole
from nbpainter.images import to_hex

_PIECES = 24  # Straight ones that stand for a curve,
_FREE = 6  # of which so many may be left out at each end.
_PIXELS = 48  # Longer side that a stroke is looked at in, at most.
_VISIBLE = 0.2, 0.3  # Opacities from which paint is seen,
_SHARE = 0.5, 0.75  # or shares of a faint stroke's largest one.


def fit_paths(actions, layers, unit):
    """Fit to each stroke a path of one width and one opacity.

    Args:
        actions: float array `(n, 12)`.
        layers: iterable of `(top, left, opacity)`, the strokes as drawn:
            pixels, and a float array `(h, w)` in `[0, 1]`.
        unit: int, pixels of the longer side that they are drawn at.

    Returns:
        Three float arrays: points `(n, 3, 2)`, start, handle and end of a
        quadratic Bezier curve; widths `(n,)`, in the unit of the actions;
        and opacities `(n,)` in `[0, 1]`, 0 for strokes that are not seen.

    Example:

    >>> action = np.full((1, 12), 0.5)
    >>> action[:, X_COLUMNS] = [0.1, 0.5, 0.9]
    >>> points, widths, opacities = fit_paths(
    ...     action, [(40, 5, np.ones((20, 90)))], 100)
    >>> points[0].round(2).tolist(), widths.round(2).item(), opacities.item()
    ([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]], 0.2, 1.0)
    """
    actions = np.asarray(actions, "float64").reshape(-1, len(ACTION_INDEX))
    weights = curve_weights(np.linspace(0, 1, _PIECES + 1))
    fitted = []
    for action, (top, left, opacity) in zip(actions, layers):
        if not opacity.size:
            wide = 2 * brush_radius(action[ACTION_INDEX["size"]])
            fitted.append((0.0, 1.0, wide, 0.0))
            continue
        curve = weights @ action[np.array([X_COLUMNS, Y_COLUMNS])].T
        corner = np.array([left, top], "float64")
        start, end, wide, opaque = _fit(curve * unit - corner, opacity)
        fitted.append((start, end, wide / unit, opaque))
    start, end, widths, opacities = np.reshape(fitted, (-1, 4)).T
    weights = curve_weights(np.stack([start, (start + end) / 2, end], axis=1))
    points = np.stack(
        [
            np.einsum("nij,nj->ni", weights, actions[:, which])
            for which in (X_COLUMNS, Y_COLUMNS)
        ],
        axis=-1,
    )
    # Part of a quadratic curve is one, and passes through its own middle.
    points[:, 1] = 2 * points[:, 1] - (points[:, 0] + points[:, 2]) / 2
    return points, widths, opacities


def _fit(curve, opacity):
    """The part of a curve, and the width, that overlap most with paint.

    Args:
        curve: float array `(pieces + 1, 2)`, x and y in pixels.
        opacity: float array `(h, w)`.

    Returns:
        Four floats: start and end, shares of the curve; width in pixels; and
        mean opacity.
    """
    step = -(-max(opacity.shape) // _PIXELS)
    rows, columns = (-(-side // step) for side in opacity.shape)
    padded = np.zeros((rows * step, columns * step), "float32")
    padded[: opacity.shape[0], : opacity.shape[1]] = opacity
    paint = padded.reshape(rows, step, columns, step).mean((1, 3)).ravel()
    y, x = (np.indices((rows, columns)).reshape(2, -1) + 0.5) * step
    distances = _distances(np.stack([x, y], axis=-1), curve)  # (pixels, pieces)
    seen = paint[:, None] > np.minimum(
        _VISIBLE, np.multiply(_SHARE, paint.max())
    )

    def best(candidates):
        """Number, width and opacity of the candidate that overlaps most."""
        found = [_best_width(distance, seen, paint) for distance in candidates]
        number = int(np.argmax([overlap for overlap, _, _ in found]))
        return number, *found[number][1:]

    # Without so many pieces at the start, then at the end as well.
    later = np.minimum.accumulate(distances[:, ::-1], axis=1)[:, ::-1]
    first, _, _ = best(later[:, : _FREE + 1].T)
    earlier = np.minimum.accumulate(distances[:, first:], axis=1)[:, ::-1]
    last, width, opaque = best(earlier[:, : _FREE + 1].T)
    return first / _PIECES, 1 - last / _PIECES, width, opaque


def _distances(places, curve):
    """Distances of places `(n, 2)` to a curve's pieces, `(n, pieces)`."""
    start, way = np.float32(curve[:-1]), np.diff(np.float32(curve), axis=0)
    away = np.float32(places)[:, None] - start
    share = np.sum(away * way, axis=-1) / np.maximum(np.sum(way**2, -1), 1e-9)
    away -= np.clip(share, 0, 1)[..., None] * way
    return np.sqrt(np.sum(away**2, axis=-1))


def _best_width(distance, seen, paint):
    """Overlap, width and opacity of the path that overlaps most with paint.

    Pixels come to a path in the order of their distance while it widens.
    """
    order = np.argsort(distance)
    both = np.cumsum(seen[order], axis=0)
    either = np.arange(1, len(order) + 1)[:, None] + both[-1] - both
    overlap = np.mean(both / either, axis=1)
    last = int(overlap.argmax())
    near = distance[order[last : last + 2]]
    opaque = float(paint[order[: last + 1]].mean())
    return overlap[last], float(near[0] + near[-1]), opaque


def write_svg(path, paths, colors, width, height, background, title):
    """Write strokes as an SVG file, `stroke-1` to `stroke-N`.

    Args:
        path: str or path.
        paths: points, widths and opacities of `fit_paths`.
        colors: float array `(n, 3)`, RGB in `[0, 1]`.
        width: int, pixels.
        height: int, pixels.
        background: str, `"#rrggbb"`.
        title: str, any text.

    Raises:
        DataError: if it cannot be written.
    """
    unit = max(width, height)
    points, widths, opacities = paths
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{html.escape(title)}</title>",
        f"<desc>{len(points)} brush strokes, first to last. Painted by "
        "nbpainter.</desc>",
        f'<rect id="background" width="{width}" height="{height}" '
        f'fill="{background}"/>',
        '<g id="strokes" fill="none" stroke-linecap="round">',
    ]
    for number, (place, wide, opacity, color) in enumerate(
        zip(points * unit, widths * unit, opacities, colors), start=1
    ):
        x, y = [[f"{value:.2f}" for value in axis] for axis in place.T]
        lines.append(
            f'<path id="stroke-{number}" '
            f'd="M{x[0]} {y[0]}Q{x[1]} {y[1]} {x[2]} {y[2]}" '
            f'stroke="{to_hex(color)}" '
            f'stroke-width="{wide:.2f}" stroke-opacity="{opacity:.3f}"/>'
        )
    lines += ["</g>", "</svg>", ""]
    with written_whole(path) as temporary:
        temporary.write_text("\n".join(lines), "utf-8")
