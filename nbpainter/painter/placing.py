"""Where strokes start, before gradient descent moves them."""

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    ACTION_NAMES,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    columns,
)

_LARGE, _SMALL = 0.9, 0.2  # Component `size` of the first and last stroke.
_EDGE = 0.03  # Components stay so far from their limits: they can move.


def place_strokes(window, num_strokes, random, sizes=(_LARGE, _SMALL)):
    """Place strokes where the error is, in the photograph's colours.

    Large strokes come first, so that small ones lie on top. Directions are
    random, pressures medium.

    Args:
        window: tuple: float32 arrays `(batch, side, side, channels)` of the
            photograph, the canvas, a mask that is 0 where nothing matters
            and one that is 1 where no paint shall be; and the margin, the
            share of the side that no curve enters.
        num_strokes: int, for each window.
        random: `numpy.random.Generator`.
        sizes: pair of floats, of the first and of the last stroke.

    Returns:
        A float32 array `(batch, num_strokes, 12)`.
    """
    target, canvas, mask, outside, margin = window
    num_windows, side = target.shape[:2]
    border = round(margin * side)
    core = slice(border, side - border)
    error = np.sum((target - canvas) ** 2, axis=-1, keepdims=True) + 1e-7
    error = (mask * (1 - outside) * error)[:, core, core]
    chances = error.reshape(num_windows, -1) + 1e-12
    chances = chances / chances.sum(axis=1, keepdims=True, dtype="float64")
    pixels = np.stack(
        [random.choice(len(row), num_strokes, p=row) for row in chances]
    )
    width = side - 2 * border
    row, column = pixels // width + border, pixels % width + border
    shape = (num_windows, num_strokes)
    x = (column + random.random(shape)) / side
    y = (row + random.random(shape)) / side
    angle = 2 * np.pi * random.random(shape)
    reach = (1 - 2 * margin) * (0.08 + 0.15 * random.random(shape))
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    actions = np.empty((*shape, len(ACTION_NAMES)), "float32")
    actions[..., columns("control_x", "control_y")] = np.stack([x, y], -1)
    actions[..., columns("start_x", "start_y")] = np.stack([x - dx, y - dy], -1)
    actions[..., columns("end_x", "end_y")] = np.stack([x + dx, y + dy], -1)
    actions[..., ACTION_INDEX["size"]] = np.linspace(*sizes, num_strokes)
    actions[..., PRESSURE_COLUMNS] = 0.5
    windows = np.arange(num_windows)[:, None]
    actions[..., COLOR_COLUMNS] = target[windows, row, column]
    edge = margin + _EDGE * (1 - 2 * margin)
    for limited, low in ((X_COLUMNS + Y_COLUMNS, edge), (COLOR_COLUMNS, _EDGE)):
        actions[..., limited] = np.clip(actions[..., limited], low, 1 - low)
    return actions
