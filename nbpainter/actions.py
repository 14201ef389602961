"""The 12 numbers of a brush stroke: their names, order and meaning.

An *action* is a float32 vector of 12 numbers in `[0, 1]`. Positions are
fractions of the side of a square *window*, origin top left, x to the right
and y down. This module works on NumPy arrays and on tensors alike.
"""

import types

import numpy as np

from nbpainter.errors import DataError

ACTION_NAMES = (
    "end_pressure",
    "size",
    "control_x",
    "control_y",
    "end_x",
    "end_y",
    "red",
    "green",
    "blue",
    "start_x",
    "start_y",
    "start_pressure",
)
"""Names of the columns, in the order of the dataset's files."""

ACTION_INDEX = {name: index for index, name in enumerate(ACTION_NAMES)}
"""Column of each name: `action[..., ACTION_INDEX["red"]]`."""

WINDOW_SIZE = 64
"""Side of the dataset's stroke pictures in pixels."""

PRESSURE_SCALE = 0.8
"""Pen pressure of a pressure component of 1."""

STROKE_SECONDS = 10.0
"""How long the pen takes for a stroke: 100 events of 0.1 s."""

_RAMP = 0.25  # The pressure changes in the first and in the last quarter.


def columns(*names):
    """Return the columns of several components, for `action[..., columns]`.

    Args:
        *names: str, names out of `ACTION_NAMES`.

    Returns:
        A list of ints.

    Example:

    >>> columns("red", "green", "blue")
    [6, 7, 8]
    """
    return [ACTION_INDEX[name] for name in names]


COLUMNS = types.SimpleNamespace(
    x=columns("start_x", "control_x", "end_x"),
    y=columns("start_y", "control_y", "end_y"),
    color=columns("red", "green", "blue"),
    pressure=columns("start_pressure", "end_pressure"),
    size=ACTION_INDEX["size"],
)
"""Columns that belong together: `actions[..., COLUMNS.color]`."""


def curve_weights(t):
    """Weights of start, control and end point along a stroke.

    A stroke is a quadratic Bezier curve whose handle is
    `mid + 2 (control - mid)`, with `mid` halfway between start and end. It
    passes through the control point at `t = 0.5`: the three weights are the
    Lagrange polynomials of the nodes 0, 0.5 and 1.

    Args:
        t: float or array `(num_points,)`, place along the stroke in `[0, 1]`.

    Returns:
        A float array `(num_points, 3)`; each row sums to 1.

    Example:

    >>> curve_weights(np.array([0.0, 0.5, 1.0])).astype(int).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    t = np.asarray(t)
    return np.stack(
        [(1 - t) * (1 - 2 * t), 4 * t * (1 - t), t * (2 * t - 1)], axis=-1
    )


def pressure_weights(t):
    """Weights of start and end pressure along a stroke.

    The pen pressure goes from the start's to the mean of both in the first
    quarter, stays there, and goes to the end's in the last quarter. The
    factor `PRESSURE_SCALE` is part of the weights.

    Args:
        t: float or array `(num_points,)`, place along the stroke in `[0, 1]`.

    Returns:
        A float array `(num_points, 2)`; each row sums to `PRESSURE_SCALE`.

    Example:

    >>> pressure_weights(np.array([0.0, 0.5, 1.0])).tolist()
    [[0.8, 0.0], [0.4, 0.4], [0.0, 0.8]]
    """
    t = np.asarray(t)
    rise = np.clip(t / _RAMP, 0, 1) / 2
    fall = np.clip((t - (1 - _RAMP)) / _RAMP, 0, 1) / 2
    end = rise + fall
    return PRESSURE_SCALE * np.stack([1 - end, end], axis=-1)


def sampling_matrix(t):
    """Matrix that samples a stroke's path and pressure.

    All three are linear in the action, so a stroke's samples are one product:
    `np.tensordot(actions, sampling_matrix(t), axes=1)` has the shape
    `(..., 3, num_points)`. Steps between samples are the product with
    `np.diff` of the matrix.

    Args:
        t: float array `(num_points,)`, places along the stroke in `[0, 1]`.

    Returns:
        A float64 array `(12, 3, num_points)`: x, y and pen pressure.

    Example:

    >>> action = random_actions(1)[0]
    >>> x, y, pressure = np.tensordot(action, sampling_matrix([0.5]), axes=1)
    >>> bool(abs(x[0] - action[ACTION_INDEX["control_x"]]) < 1e-6)
    True
    """
    t = np.asarray(t, "float64")
    matrix = np.zeros((len(ACTION_NAMES), 3, len(t)))
    matrix[COLUMNS.x, 0] = curve_weights(t).T
    matrix[COLUMNS.y, 1] = curve_weights(t).T
    matrix[COLUMNS.pressure, 2] = pressure_weights(t).T
    return matrix


def brush_radius(size):
    """Brush radius as a fraction of the window's side.

    In the dataset's windows of 64 pixels that is `exp(2 size)` pixels: 1.0
    to 7.4.

    Args:
        size: float or float array, the component `size`.

    Returns:
        A float or float array.

    Example:

    >>> round(64 * float(brush_radius(1.0)), 2)
    7.39
    """
    return np.exp(2.0 * np.asarray(size)) / WINDOW_SIZE


def size_of_radius(radius):
    """The component `size` of a brush radius: the inverse of `brush_radius`.

    Args:
        radius: float or float array, a fraction of the window's side, > 0.

    Returns:
        A float or float array.

    Example:

    >>> float(size_of_radius(1 / 64))
    0.0
    """
    return np.log(WINDOW_SIZE * np.asarray(radius)) / 2.0


def move_actions(actions, origin, side):
    """Rewrite actions of a window for the picture that the window lies in.

    Args:
        actions: float array `(..., 12)`, relative to the window.
        origin: float array `(..., 2)`, x and y of the window's top left
            corner in the new unit.
        side: float or array `(...)`, the window's side in the new unit.

    Returns:
        A float array `(..., 12)`: the same strokes in the new unit. Sizes may
        leave `[0, 1]`. Pressures and colours are as before.

    Example:

    >>> action = np.full(12, 0.5, "float32")
    >>> moved = move_actions(action, origin=[0.5, 0.0], side=0.5)
    >>> float(moved[ACTION_INDEX["start_x"]])
    0.75
    """
    moved = np.array(actions, copy=True)
    origin, side = (np.asarray(x, moved.dtype) for x in (origin, side))
    for axis, points in enumerate((COLUMNS.x, COLUMNS.y)):
        moved[..., points] *= side[..., None]
        moved[..., points] += origin[..., axis, None]
    moved[..., COLUMNS.size] += np.log(side) / 2
    return moved


def make_straight(x, y, angle, reach):
    """Make actions of straight strokes.

    Args:
        x: float array, the middle of each.
        y: float array.
        angle: float array, their directions.
        reach: float or float array, half of their length.

    Returns:
        A float64 array `(..., 12)`; all that is no place is 0.5.
    """
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    actions = np.full((*angle.shape, len(ACTION_NAMES)), 0.5)
    actions[..., COLUMNS.x] = np.stack([x - dx, x + 0 * dx, x + dx], axis=-1)
    actions[..., COLUMNS.y] = np.stack([y - dy, y + 0 * dy, y + dy], axis=-1)
    return actions


def random_actions(num_strokes, seed=0):
    """Draw actions at random: every component uniform in `[0, 1)`.

    Args:
        num_strokes: int, how many.
        seed: int or sequence of ints, the same seed gives the same actions.

    Returns:
        A float32 array `(num_strokes, 12)`.

    Example:

    >>> random_actions(3).shape
    (3, 12)
    """
    generator = np.random.default_rng(seed)
    return generator.random((num_strokes, len(ACTION_NAMES)), "float32")


def check_actions(actions, unit_range=True):
    """Return actions as a float32 array `(n, 12)`, or say what is wrong.

    Args:
        actions: array-like `(n, 12)`, or `(12,)` for a single stroke.
        unit_range: bool, whether every component must lie in `[0, 1]`.

    Returns:
        A float32 array `(n, 12)`.

    Raises:
        DataError: for another shape, a value that is not finite or one out
            of range.
    """
    actions = np.atleast_2d(np.asarray(actions, dtype="float32"))
    if actions.ndim != 2 or actions.shape[1] != len(ACTION_NAMES):
        raise DataError(
            f"Actions must have the shape (n, {len(ACTION_NAMES)}). "
            f"Received: shape {actions.shape}."
        )
    if not np.isfinite(actions).all():
        raise DataError("Actions must be finite. Received: NaN or infinity.")
    if unit_range and actions.size:
        low, high = float(actions.min()), float(actions.max())
        if low < 0 or high > 1:
            raise DataError(
                "Actions must lie in [0, 1]. "
                f"Received: values from {low:g} to {high:g}."
            )
    return actions
