"""A choice of brushes: which of them fit the one-colour stroke.

A painting here is a list of strokes, each of one colour and with an opacity
that depends on the stroke alone. Whether a brush draws such strokes is found
by drawing with it, not by reading its settings.
"""

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLUMNS,
    WINDOW_SIZE,
    brush_radius,
    make_straight,
    random_actions,
    sampling_matrix,
)
from nbpainter.engine import brush_file
from nbpainter.engine.brush import Brush, aside, draw_strokes
from nbpainter.engine.libmypaint import Surface
from nbpainter.errors import EngineError

_NUM_STROKES, _SEED = 32, 17
_SAMPLES = sampling_matrix(np.linspace(0, 1, 65))

# Radii from the curve: beyond the first there should be no paint, and its
# middle should lie no further off than the second.
_REACH, _BESIDE = 6.0, 0.3

# Side of a sample picture in pixels.
_SAMPLE_SIDE = 128

# The middle of a picture that is three windows wide and high.
_WINDOW = np.s_[WINDOW_SIZE : 2 * WINDOW_SIZE, WINDOW_SIZE : 2 * WINDOW_SIZE]

# Such a picture: four squares of strong colours, opaque.
_COLORS = [[(0.9, 0.1, 0.1), (0, 0.7, 0.2)], [(0.1, 0.2, 0.9), (1, 1, 0.8)]]
_SQUARE = np.ones((3 * WINDOW_SIZE // 2, 3 * WINDOW_SIZE // 2, 1), "float32")
_GROUND = np.kron(np.array(_COLORS, "float32"), _SQUARE)


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
    settings = brush_file.load_brush(brush)
    if "radius_factor" in settings:
        return settings  # It has been tried.
    name = brush if isinstance(brush, str) else "of this file"
    settings = Brush(settings).settings
    problem = find_problem(settings)
    if problem:
        raise EngineError(
            f"The brush {name} does not fit strokes of one colour: {problem}."
        )
    return settings


def find_problem(settings):
    """Draw with a brush and say why it does not fit, if it does not.

    Args:
        settings: dict, see `load_brush`.

    Returns:
        A str such as `"it smudges what is there already"`, or `None`.
    """
    actions = random_actions(_NUM_STROKES, _SEED)
    actions[:, COLUMNS.pressure] = 0.3 + 0.7 * actions[:, COLUMNS.pressure]
    # What smudges carries a colour on from the stroke before: let it be this.
    actions[:, COLUMNS.color] = 0.2, 0.5, 0.8
    # (n, 64, 64, 3) and (n, 64, 64, 1)
    paint, opacity = np.split(_draw_over(settings, actions), [3], axis=-1)
    energy = np.mean(opacity**2, axis=(1, 2, 3))
    if np.mean(energy > 1e-5) < 0.9:
        return "it draws next to nothing on an empty canvas"
    # The engine's colours are exact to a step of 8 bits.
    if _far_off(paint - opacity * actions[0, COLUMNS.color]) > 0.02:
        return "it changes its colour"
    over = _draw_over(settings, actions, _GROUND)
    # A brush that smudges may hold nothing yet, and smear that.
    if np.mean(over[_NUM_STROKES // 2 :, ..., 3] < 0.95) > 1e-3:
        return "it erases what is there already"
    expected = paint + (1 - opacity) * _GROUND[_WINDOW]
    if _far_off(over[..., :3] - expected) > 0.03:
        return "it smudges, or mixes with, what is there already"
    drawn = draw_strokes(actions, brush=settings, seed=1)[..., 3]
    again = draw_strokes(actions, brush=settings, seed=2)[..., 3]
    if np.mean((drawn - again) ** 2) / 2 / np.mean(drawn**2) > 0.35:
        return "its strokes are more chance than anything else"
    far = drawn[_distances(actions) > _REACH].sum()
    if far > 0.1 * drawn.sum() or _paint_beside(settings) > _BESIDE:
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
    actions = actions.astype("float64")
    actions[:, COLUMNS.x + COLUMNS.y] += 1
    drawn = Brush(settings, _SEED).draw_each(
        actions, 3 * WINDOW_SIZE, ground, WINDOW_SIZE, travel_seconds=1.0
    )
    return np.stack([pixels[_WINDOW] for pixels in drawn])


def _distances(actions):
    """Of each pixel from each curve in radii, `(n, 64, 64)`; a pixel less."""
    pixels = (np.arange(WINDOW_SIZE) + 0.5) / WINDOW_SIZE
    apart = [
        np.hypot(pixels[:, None] - x, pixels[:, None, None] - y).min(axis=-1)
        for x, y, _ in np.tensordot(actions, _SAMPLES, axes=1)
    ]
    radii = brush_radius(actions[:, COLUMNS.size])
    return (np.stack(apart) - 1 / WINDOW_SIZE) / radii[:, None, None]


def _paint_beside(settings):
    """How far from a straight path the middle of its paint lies, in radii.

    Of eight directions, the farthest: one offset may be to a side of the
    path, another to a side of the canvas.
    """
    angles = np.repeat(np.arange(8) * np.pi / 4, 6)
    actions = make_straight(0.5, 0.5, angles, 0.2)
    opacity = draw_strokes(actions, brush=settings)[..., 3].reshape(8, -1)
    distance = aside(angles, WINDOW_SIZE).reshape(8, -1)
    mean = np.sum(opacity * distance, axis=1) / np.sum(opacity + 1e-9, axis=1)
    return np.abs(mean).max() / brush_radius(actions[0, COLUMNS.size])


def measure_reach(actions, opacity):
    """Measure how far from the curve a brush's last visible paint lies.

    Args:
        actions: float array `(n, 12)`.
        opacity: float array `(n, 64, 64)`, of their strokes.

    Returns:
        A float, radii, at least 1: of all but one in a hundred strokes.
    """
    distances = np.where(opacity > 2 / 255, _distances(actions), 0.0)
    reach = np.quantile(distances.max(axis=(1, 2)), 0.99)
    return max(1.0, round(float(reach), 1))


def _covered(settings, size):
    """Pixels with paint of some strokes with a brush of that size."""
    actions = random_actions(12, _SEED)
    actions[:, COLUMNS.size] = size
    return np.sum(draw_strokes(actions, brush=settings)[..., 3] > 0.02)


def list_brushes(word=""):
    """Try every brush that is found, about one a second.

    Args:
        word: str, to take only brushes with this in their name.

    Yields:
        Dicts: `name`; `brush`, for `choose_brush`; `problem`, `None` where
        it fits, else a str; and `settings`, `None` if it cannot be read.
    """
    places = {path.stem: path for path in brush_file.shipped_brushes()}
    for name, path in (places | brush_file.installed_brushes()).items():
        if word not in name:
            continue
        row = {"name": name, "brush": path, "settings": None}
        try:
            row["settings"] = Brush(path).settings
            row["problem"] = find_problem(row["settings"])
        except EngineError as error:
            row["problem"] = str(error)
        yield row


def draw_sample(settings):
    """Draw three strokes that show what a brush is like.

    Args:
        settings: dict, see `nbpainter.engine.brush_file.load_brush`.

    Returns:
        A float32 array `(128, 128, 3)`, RGB on white.
    """
    actions = np.full((3, len(ACTION_INDEX)), 0.1)
    actions[:, COLUMNS.size] = 0.35, 0.7, 0.1
    actions[:, COLUMNS.pressure] = (0.2, 1.0), (1.0, 0.4), (0.7, 0.7)
    actions[:, COLUMNS.x] = 0.15, 0.5, 0.85
    actions[:, COLUMNS.y] = np.add.outer((0.2, 0.5, 0.8), (0.06, -0.08, 0.06))
    surface, pen = Surface(_SAMPLE_SIDE, _SAMPLE_SIDE), Brush(settings)
    for action in actions:
        pen.draw(surface, action, _SAMPLE_SIDE, travel_seconds=1.0)
    pixels = surface.pixels()
    return pixels[..., :3] + 1 - pixels[..., 3:]
