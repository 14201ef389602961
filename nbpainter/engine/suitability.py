"""A choice of brushes: which of them fit the one-colour stroke.

A painting here is a list of strokes, each of one colour and with an opacity
that depends on the stroke alone. Whether a brush draws such strokes is found
by drawing with it, not by reading its settings.
"""

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    random_actions,
    sampling_matrix,
)
from nbpainter.engine.brush import (
    Brush,
    aside,
    draw_strokes,
    straight_strokes,
)
from nbpainter.engine.brush_file import (
    installed_brushes,
    load_brush,
    shipped_brushes,
)
from nbpainter.engine.libmypaint import Surface
from nbpainter.errors import EngineError

_NUM_STROKES = 32
_SEED = 17
_SAMPLES = sampling_matrix(np.linspace(0, 1, 65))

# Radii from the curve, beyond which there should be no paint.
_REACH = 6.0

# Radii from the curve to the middle of the paint, at most.
_BESIDE = 0.3

# Side of a sample picture in pixels.
_SAMPLE_SIDE = 128

# The middle of a picture that is three windows wide and high.
_WINDOW = np.s_[WINDOW_SIZE : 2 * WINDOW_SIZE, WINDOW_SIZE : 2 * WINDOW_SIZE]

# Such a picture: four squares of strong colours, opaque.
_GROUND = np.array(
    [[(0.9, 0.1, 0.1), (0, 0.7, 0.2)], [(0.1, 0.2, 0.9), (1, 1, 0.8)]],
    "float32",
).repeat(3 * WINDOW_SIZE // 2, axis=0)
_GROUND = _GROUND.repeat(3 * WINDOW_SIZE // 2, axis=1)


def choose_brush(brush):
    """Read a brush, measure its width, and refuse what does not fit.

    Args:
        brush: str, path or dict, see `nbpainter.engine.brush_file.load_brush`.

    Returns:
        A dict, the brush file's JSON with its `radius_factor`.

    Raises:
        EngineError: if there is no such brush, or it does not draw strokes
            of one colour; says why.
    """
    settings = load_brush(brush)
    if "radius_factor" in settings:
        return settings  # It has been tried.
    name = brush if isinstance(brush, str) else "of this file"
    problem, settings = _try(settings)
    if problem:
        raise EngineError(
            f"The brush {name} does not fit strokes of one colour: {problem}."
        )
    return settings


def _try(settings):
    """The problem of a brush, or `None`, and its settings with its width."""
    factor = Brush(settings).radius_factor
    settings = {**settings, "radius_factor": factor}
    return find_problem(settings), settings


def find_problem(settings):
    """Draw with a brush and say why it does not fit, if it does not.

    Args:
        settings: dict, see `load_brush`.

    Returns:
        A str such as `"it smudges what is there already"`, or `None`.
    """
    actions = random_actions(_NUM_STROKES, _SEED)
    actions[:, PRESSURE_COLUMNS] = 0.3 + 0.7 * actions[:, PRESSURE_COLUMNS]
    # What smudges carries a colour on from the stroke before: let it be this.
    actions[:, COLOR_COLUMNS] = 0.2, 0.5, 0.8
    clear = _draw_over(settings, actions)
    opacity = clear[..., 3]
    energy = np.mean(opacity**2, axis=(1, 2))
    if np.mean(energy > 1e-5) < 0.9:
        return "it draws next to nothing on an empty canvas"
    color = actions[:, None, None, COLOR_COLUMNS]
    paint = clear[..., :3]
    # The engine's colours are exact to a step of 8 bits.
    if _far_off(paint - color * opacity[..., None]) > 0.02:
        return "it changes its colour"
    over = _draw_over(settings, actions, _GROUND)
    # A brush that smudges may hold nothing yet, and smear that.
    if np.mean(over[_NUM_STROKES // 2 :, ..., 3] < 0.95) > 1e-3:
        return "it erases what is there already"
    expected = paint + (1 - opacity[..., None]) * _GROUND[_WINDOW]
    if _far_off(over[..., :3] - expected) > 0.03:
        return "it smudges, or mixes with, what is there already"
    draws = [
        draw_strokes(actions, brush=settings, seed=seed)[..., 3]
        for seed in (1, 1, 2)
    ]
    if not np.array_equal(draws[0], draws[1]):
        return "it never draws the same stroke twice"
    floor = np.mean((draws[0] - draws[2]) ** 2) / 2 / np.mean(draws[0] ** 2)
    if floor > 0.35:
        return "its strokes are more chance than anything else"
    far = draws[0][_distances(actions) > _REACH].sum()
    if far > 0.1 * draws[0].sum() or _paint_beside(settings) > _BESIDE:
        return "its paint lies beside the pen's path"
    small, large = (_covered(settings, size) for size in (0.2, 0.8))
    if large < 1.5 * small:
        return "it is as thin with a large radius as with a small one"
    return None


def _far_off(difference):
    """The error that one in a thousand of the painted pixels exceeds."""
    error = np.abs(difference).max(axis=-1)
    painted = error[error > 1e-4]
    return float(np.quantile(painted, 0.999)) if painted.size > 10 else 0.0


def _draw_over(settings, actions, ground=None):
    """Draw each stroke on nothing or on a ground, premultiplied RGBA."""
    # With room around: what smudges should not smear what is no canvas.
    surface = Surface(3 * WINDOW_SIZE, 3 * WINDOW_SIZE)
    pen = Brush(settings, _SEED)
    actions = actions.astype("float64")
    actions[:, X_COLUMNS + Y_COLUMNS] += 1
    drawn = []
    for action in actions:
        surface.clear()
        if ground is not None:
            surface.fill(ground)
        pen.draw(surface, action, travel_seconds=1.0)
        drawn.append(surface.pixels()[_WINDOW])
    return np.stack(drawn)


def _distances(actions):
    """Of each pixel from each curve in radii, `(n, 64, 64)`; a pixel less."""
    pixels = (np.arange(WINDOW_SIZE) + 0.5) / WINDOW_SIZE
    apart = [
        np.hypot(pixels[:, None] - x, pixels[:, None, None] - y).min(axis=-1)
        for x, y, _ in np.tensordot(actions, _SAMPLES, axes=1)
    ]
    radii = brush_radius(actions[:, ACTION_INDEX["size"]])
    return (np.stack(apart) - 1 / WINDOW_SIZE) / radii[:, None, None]


def _paint_beside(settings):
    """How far from a straight path the middle of its paint lies, in radii.

    Of eight directions, the farthest: one offset may be to a side of the
    path, another to a side of the canvas.
    """
    angles = np.repeat(np.arange(8) * np.pi / 4, 6)
    actions = straight_strokes(angles, 0.4)
    opacity = draw_strokes(actions, brush=settings)[..., 3].reshape(8, -1)
    distance = aside(angles, WINDOW_SIZE).reshape(8, -1)
    mean = np.sum(opacity * distance, axis=1) / np.sum(opacity + 1e-9, axis=1)
    return np.abs(mean).max() / brush_radius(actions[0, ACTION_INDEX["size"]])


def measure_reach(actions, opacity):
    """Measure how far from the curve a brush's last visible paint lies.

    Args:
        actions: float array `(n, 12)`.
        opacity: float array `(n, 64, 64)`, of their strokes.

    Returns:
        A float, radii, at least 1: of all but one in a hundred strokes.
    """
    reaches = np.max(
        _distances(actions), axis=(1, 2), initial=0.0, where=opacity > 2 / 255
    )
    return max(1.0, round(float(np.quantile(reaches, 0.99)), 1))


def _covered(settings, size):
    """Pixels with paint of some strokes with a brush of that size."""
    actions = random_actions(12, _SEED)
    actions[:, ACTION_INDEX["size"]] = size
    return np.sum(draw_strokes(actions, brush=settings)[..., 3] > 0.02)


def list_brushes(word=""):
    """Try every brush that is found, about one a second.

    Args:
        word: str, to take only brushes with this in their name.

    Yields:
        Dicts: `name`; `brush`, for `choose_brush`; `problem`, `None` where
        it fits, else a str; and `settings`, `None` if it cannot be read.
    """
    places = {path.stem: path for path in shipped_brushes()}
    for name, path in (places | installed_brushes()).items():
        if word not in name:
            continue
        try:
            problem, settings = _try(load_brush(path))
        except EngineError as error:
            problem, settings = str(error), None
        yield {
            "name": name,
            "brush": path,
            "problem": problem,
            "settings": settings,
        }


def draw_sample(settings):
    """Draw three strokes that show what a brush is like.

    Args:
        settings: dict, see `nbpainter.engine.brush_file.load_brush`.

    Returns:
        A float32 array `(128, 128, 3)`, RGB on white.
    """
    surface = Surface(_SAMPLE_SIDE, _SAMPLE_SIDE)
    pen = Brush(settings)
    for height, size, pressures in (
        (0.2, 0.35, (0.2, 1.0)),
        (0.5, 0.7, (1.0, 0.4)),
        (0.8, 0.1, (0.7, 0.7)),
    ):
        action = np.full(len(ACTION_INDEX), 0.1)
        action[ACTION_INDEX["size"]] = size
        action[PRESSURE_COLUMNS] = pressures
        action[X_COLUMNS] = 0.15, 0.5, 0.85
        action[Y_COLUMNS] = height + 0.06, height - 0.08, height + 0.06
        pen.draw(surface, action, _SAMPLE_SIDE, travel_seconds=1.0)
    pixels = surface.pixels()
    return pixels[..., :3] + 1 - pixels[..., 3:]
