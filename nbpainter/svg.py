"""A painting as SVG: one path for each stroke, to be edited or plotted.

The brush leaves soft, grainy paint, and a path is even and sharp. So a path
is as wide as the paint that one sees, as opaque as this paint is on average,
and leaves out ends where the pen hardly presses.
"""

import html

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    curve_weights,
)
from nbpainter.files import written_whole
from nbpainter.pictures import hex_color

# Fitted to 550 random strokes of the shipped generator with noise, to cover
# what it covers by more than a fifth; pressures are components of the action.
_FAINT = 0.15  # Below this pressure an end shows no paint.
_WIDTH, _WIDTH_OF_PRESSURE = 0.413, 1.778  # In brush diameters.
_OPACITY = 0.604  # With much pressure; it falls off below the next one.
_OPACITY_PRESSURE = 0.143


def svg_strokes(actions):
    """Turn strokes into paths of one width and one opacity each.

    Args:
        actions: float array `(n, 12)`.

    Returns:
        Three float arrays: points `(n, 3, 2)`, start, handle and end of a
        quadratic Bezier curve; widths `(n,)`, in the unit of the actions;
        and opacities `(n,)` in `[0, 1]`.

    Example:

    >>> points, widths, opacities = svg_strokes(np.full((1, 12), 0.5))
    >>> points[0].tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    actions = np.asarray(actions, "float64").reshape(-1, len(ACTION_INDEX))
    pressures = actions[:, PRESSURE_COLUMNS]
    mean = pressures.mean(axis=1, keepdims=True)
    # Within the first and the last quarter the pressure goes to the mean.
    rise = np.maximum(mean - pressures, 1e-9)
    faint = np.where(mean > _FAINT, (_FAINT - pressures) / rise, 0)
    cut = 0.25 * np.clip(faint, 0, 1)  # (n, 2)
    places = np.stack([cut[:, 0], 1 - cut[:, 1]], axis=1)
    places = np.insert(places, 1, places.mean(axis=1), axis=1)  # (n, 3)
    weights = curve_weights(places)  # (n, 3, 3)
    points = np.stack(
        [
            np.einsum("nij,nj->ni", weights, actions[:, which])
            for which in (X_COLUMNS, Y_COLUMNS)
        ],
        axis=-1,
    )
    # Part of a quadratic curve is one, and passes through its own middle.
    points[:, 1] = 2 * points[:, 1] - (points[:, 0] + points[:, 2]) / 2
    mean = mean[:, 0]
    widths = 2 * brush_radius(actions[:, ACTION_INDEX["size"]])
    widths = widths * (_WIDTH + _WIDTH_OF_PRESSURE * mean)
    return points, widths, _OPACITY * -np.expm1(-mean / _OPACITY_PRESSURE)


def write_svg(path, actions, width, height, background, title):
    """Write strokes as an SVG file, `stroke-1` to `stroke-N`.

    Args:
        path: str or path.
        actions: float array `(n, 12)`, relative to a square of the picture's
            longer side.
        width: int, pixels.
        height: int, pixels.
        background: str, `"#rrggbb"`.
        title: str, any text.

    Raises:
        DataError: if it cannot be written.
    """
    unit = max(width, height)
    points, widths, opacities = svg_strokes(actions)
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
    for number, (place, wide, opacity, action) in enumerate(
        zip(points * unit, widths * unit, opacities, actions), start=1
    ):
        x, y = [[f"{value:.2f}" for value in axis] for axis in place.T]
        lines.append(
            f'<path id="stroke-{number}" '
            f'd="M{x[0]} {y[0]}Q{x[1]} {y[1]} {x[2]} {y[2]}" '
            f'stroke="{hex_color(action[COLOR_COLUMNS])}" '
            f'stroke-width="{wide:.2f}" stroke-opacity="{opacity:.3f}"/>'
        )
    lines += ["</g>", "</svg>", ""]
    with written_whole(path) as temporary:
        temporary.write_text("\n".join(lines), "utf-8")
