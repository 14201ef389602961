"""The real brush: draw actions with MyPaint's engine.

The brush is a small JSON file. One `Brush` draws one list of strokes; its
random numbers run on from stroke to stroke, so the same list, brush and seed
give the same pixels.
"""

import colorsys
import contextlib
import ctypes
import functools
import json
import math
import os
import subprocess
import sys
import weakref

import numpy as np

from nbpainter.actions import (
    COLUMNS,
    STROKE_SECONDS,
    WINDOW_SIZE,
    brush_radius,
    check_actions,
    curve_weights,
    make_straight,
    pressure_weights,
    random_actions,
)
from nbpainter.engine.brush_file import load_brush, shipped_brushes
from nbpainter.engine.libmypaint import Surface, load_library
from nbpainter.errors import EngineError, check_count, check_size
from nbpainter.parallel import start_worker

CHUNK_STROKES = 2_500
"""Strokes of a file of episodes that one brush draws in one go."""

_NUM_EVENTS = 100
_EVENT_SECONDS = STROKE_SECONDS / _NUM_EVENTS

# Not `sampling_matrix`: its sum of twelve products rounds differently, which
# moves some of the engine's float32 points, and drawn strokes must not change.
_CURVE = curve_weights(np.arange(_NUM_EVENTS + 1) / _NUM_EVENTS)
_PRESSURE = pressure_weights(np.arange(_NUM_EVENTS + 1) / _NUM_EVENTS)

# Strokes that a brush draws to use up random numbers.
_WARM_UP_STROKES = 8

# Mean distance of the dry brush's paint from the path, in radii.
_USUAL_WIDTH = 0.85

# Side in pixels of the canvas that a brush's width is measured on.
_WIDTH_SIDE = 256

# What a process may use to try a brush. MyPaint's own brushes need up to 3.5
# seconds, and 50 MB beside Python's.
_TRIAL_SECONDS, _TRIAL_BYTES = 8, 2**30

# The process itself. It finds its modules where this one does.
_TRIAL = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from nbpainter.engine import brush; brush.run_trial()"
)
_in_trial = False

# Inputs of a setting's curve that measure how fast the pen goes.
_SPEEDS = ("speed1", "speed2")


class Brush:
    """A MyPaint brush whose random numbers run on from stroke to stroke.

    Args:
        brush: str, path or dict, see `load_brush`. Default `"dry_brush"`.
        seed: int >= 0 or sequence of such ints, which random numbers the
            brush starts with.

    Attributes:
        settings: dict, the brush file's JSON. Its `radius_factor`, radius of
            the brush over that of the action, is the brush's own or measured.
        tuned: dict, the same with the radius and the colour of the stroke
            that was drawn last; the next one changes it.
    """

    def __init__(self, brush="dry_brush", seed=0):
        self._library = library = load_library()
        self.settings = load_brush(brush)
        if not _in_trial:
            factor = try_brush(json.dumps(self.settings))
            self.settings = {**self.settings, "radius_factor": factor}
        self._handle = library.mypaint_brush_new()
        weakref.finalize(self, library.mypaint_brush_unref, self._handle)
        library.mypaint_brush_from_defaults(self._handle)
        self._speed_points = []
        self.tuned = json.loads(json.dumps(self.settings))
        # A `Surface` mixes no pigments; MyPaint 2 does, unless it is told.
        self.tuned["settings"]["paint_mode"] = {"base_value": 0.0, "inputs": {}}
        self._set_all(self.tuned["settings"])
        base_value = library.mypaint_brush_get_base_value
        self._gammas = {
            source: base_value(self._handle, self._number(f"{source}_gamma"))
            for source in _SPEEDS
        }
        self._warm_up(seed)

    def _number(self, name):
        """Number of a setting; negative if this library has none."""
        return self._library.mypaint_brush_setting_from_cname(name.encode())

    def _set(self, name, value):
        setting = self.tuned["settings"].setdefault(name, {"inputs": {}})
        setting["base_value"] = value
        self._library.mypaint_brush_set_base_value(
            self._handle, self._number(name), value
        )

    def _set_all(self, settings):
        """Set what this version of the library knows of a file's settings."""
        library = self._library
        for name, value in settings.items():
            setting = self._number(name)
            if setting < 0:
                continue
            self._set(name, float(value["base_value"]))
            for source, points in value["inputs"].items():
                number = library.mypaint_brush_input_from_cname(source.encode())
                if number < 0:
                    continue
                curve = self._handle, setting, number
                library.mypaint_brush_set_mapping_n(*curve, len(points))
                for index, point in enumerate(points):
                    x, y = map(float, point)
                    library.mypaint_brush_set_mapping_point(*curve, index, x, y)
                    if source in _SPEEDS:
                        place = source, curve, index, x, y, point
                        self._speed_points.append(place)

    def _warm_up(self, seed):
        """Bring the brush to rest at the origin, with random numbers of a seed.

        Every new brush has the same random numbers, and the library has no
        call to choose others: throw-away strokes use up some of them.
        """
        scratch = Surface(WINDOW_SIZE, WINDOW_SIZE)
        # The first call only resets the brush.
        self._stroke_to(scratch, 0.0, 0.0, 0.0, 1.0)
        for action in random_actions(_WARM_UP_STROKES, seed):
            self.draw(scratch, action)
        # From the origin at rest, all goes on alike on canvases of any size.
        for _ in range(2):
            self._stroke_to(scratch, 0.0, 0.0, 0.0, 100.0)

    def _set_radius(self, radius_log):
        """Set the radius, and measure the pen's speed in radii a second.

        libmypaint 1.3 drew the dataset and measured so; later versions count
        pixels a second, and thin out large strokes. The input of a speed
        curve is `m ln(e^gamma + speed) + q`, so a gamma that is larger by
        `ln(radius)` and curve points moved to match give the old behaviour.
        """
        self._set("radius_logarithmic", radius_log)
        for source, gamma in self._gammas.items():
            self._set(f"{source}_gamma", gamma + radius_log)
        for source, curve, index, x, y, point in self._speed_points:
            gamma = self._gammas[source]
            slope, offset = _speed_mapping(gamma)
            new_slope, new_offset = _speed_mapping(gamma + radius_log)
            x = ((x - offset) / slope + radius_log) * new_slope + new_offset
            self._library.mypaint_brush_set_mapping_point(*curve, index, x, y)
            point[0] = x

    def _stroke_to(self, surface, x, y, pressure, seconds):
        self._library.mypaint_brush_stroke_to(
            self._handle, surface.handle, x, y, pressure, 0.0, 0.0, seconds
        )

    def draw(
        self, surface, action, side=WINDOW_SIZE, travel_seconds=_EVENT_SECONDS
    ):
        """Draw one stroke onto a surface.

        Args:
            surface: `Surface`, drawn on.
            action: float array `(12,)`.
            side: int or float, the side of the action's window in pixels;
                its origin is the surface's.
            travel_seconds: float, how long the pen takes from the last
                stroke's end to this one's start. 0.1, the dataset's, lets
                the brush's smoothing reach into the stroke by 0.7 % of the
                distance; 1.0 makes the stroke independent of the one before.

        Returns:
            Left, top, width and height of what it may have changed, ints in
            pixels; it may lie beyond the surface.
        """
        action = np.asarray(action, "float64")
        radius = float(brush_radius(action[COLUMNS.size])) * side
        self._set_radius(math.log(radius * self.settings["radius_factor"]))
        hsv = colorsys.rgb_to_hsv(*action[COLUMNS.color])
        for name, value in zip(("color_h", "color_s", "color_v"), hsv):
            self._set(name, value)
        x = _CURVE @ action[COLUMNS.x] * side  # (101,)
        y = _CURVE @ action[COLUMNS.y] * side
        pressure = _PRESSURE @ action[COLUMNS.pressure]
        # The first event: a quarter of a pixel (of 64) along the first chord.
        chord = math.hypot(x[1] - x[0], y[1] - y[0])
        part = min(1.0, 0.25 / WINDOW_SIZE * side / chord) if chord else 0.0
        self._library.mypaint_surface_begin_atomic(surface.handle)
        self._stroke_to(surface, x[0], y[0], 0.0, travel_seconds)
        x[0] += part * (x[1] - x[0])
        y[0] += part * (y[1] - y[0])
        # The loop that all drawing time is spent in: no look-ups.
        stroke_to = self._library.mypaint_brush_stroke_to
        brush, canvas = self._handle, surface.handle
        for px, py, p in zip(x.tolist(), y.tolist(), pressure.tolist()):
            stroke_to(brush, canvas, px, py, p, 0.0, 0.0, _EVENT_SECONDS)
        self._stroke_to(surface, x[-1], y[-1], 0.0, _EVENT_SECONDS)
        box = (ctypes.c_int * 4)()  # MyPaintRectangle of libmypaint 1.x.
        self._library.mypaint_surface_end_atomic(surface.handle, box)
        return tuple(box)

    def draw_each(self, actions, size, ground=None, side=None, **options):
        """Draw strokes, each alone on a square surface.

        Args:
            actions: float array `(n, 12)`.
            size: int, side of the surface in pixels.
            ground: float array `(size, size, 3)`, what each is drawn on, see
                `Surface.clear`. Default: nothing.
            side: as in `draw`. Default: `size`.
            **options: of `draw`.

        Yields:
            Float32 arrays `(size, size, 4)`, premultiplied RGBA.
        """
        surface = Surface(size, size)
        for action in actions:
            surface.clear(ground)
            self.draw(surface, action, side or size, **options)
            yield surface.pixels()


@functools.cache
def _shipped():
    return [load_brush(path) for path in shipped_brushes()]


@functools.lru_cache(maxsize=256)
def try_brush(text):
    """Draw with a brush in a process of its own, once, before it is used.

    Among numbers that are all within their limits, libmypaint finds some that
    it aborts on, or that take all the time and memory there is. A brush of
    the package is known to be none.

    Args:
        text: str, the JSON of a brush file.

    Returns:
        A float, the brush's `radius_factor`, which is measured if it has none.

    Raises:
        EngineError: if the process does not come to its end.
    """
    settings = json.loads(text)
    if settings in _shipped():
        return settings["radius_factor"]
    command = [sys.executable, "-c", _TRIAL, json.dumps(sys.path)]
    trial = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    said = trial.stderr.split("\n")[-2:][0]
    if trial.returncode:
        raise EngineError(
            f"libmypaint does not survive this brush, or takes more than "
            f"{_TRIAL_SECONDS} seconds for some strokes ({said or 'killed'}). "
            "Choose another one."
        )
    return float(said)


def run_trial():
    """Try the brush on standard input; end with its `radius_factor`.

    This is the process that `try_brush` starts.
    """
    global _in_trial
    _in_trial = True
    start_worker()
    # Not on every system.
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_TRIAL_SECONDS,) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (_TRIAL_BYTES,) * 2)
    settings = json.load(sys.stdin)
    factor = settings.get("radius_factor") or measure_radius_factor(settings)
    pen = Brush(settings | {"radius_factor": factor})
    for _ in pen.draw_each(random_actions(_WARM_UP_STROKES), _WIDTH_SIDE):
        pass
    print(factor, file=sys.stderr)


def measure_radius_factor(settings):
    """Measure how much smaller a brush's radius must be than the action's.

    A brush may be much wider than its radius: dabs are moved aside, or grow
    with pressure. Straight strokes of four directions and three pressures
    say how far its paint lies from the pen's path; the dry brush's does so
    by `_USUAL_WIDTH` radii.

    Args:
        settings: dict, see `load_brush`.

    Returns:
        A float, rounded to three figures; 1 for a brush that draws nothing.
    """
    angles = np.repeat(np.arange(4) * np.pi / 4, 3)
    actions = make_straight(0.5, 0.5, angles, 0.25)
    actions[:, COLUMNS.pressure] = np.tile([0.4, 0.7, 1.0], 4)[:, None]
    radius = float(brush_radius(actions[0, COLUMNS.size]))
    # Away from both ends, and how far aside there.
    near = np.abs(aside(angles + np.pi / 2, _WIDTH_SIDE)) < 0.15
    distance = np.abs(aside(angles, _WIDTH_SIDE))
    factor = 1.0
    for _ in range(2):  # Pixels matter to a thin brush: look again.
        pen = Brush(settings | {"radius_factor": factor})
        drawn = pen.draw_each(actions, _WIDTH_SIDE, travel_seconds=1.0)
        opacity = np.stack([pixels[..., 3] for pixels in drawn]) * near
        paint = opacity.sum(axis=(1, 2))
        widths = (distance * opacity).sum(axis=(1, 2))[paint >= 1]
        widths = widths / paint[paint >= 1] / radius
        if not widths.size:
            return 1.0
        factor *= _USUAL_WIDTH / float(np.mean(widths**2) ** 0.5)
        factor = min(max(float(f"{factor:.3g}"), 0.01), 100.0)
    return factor


def aside(angles, size):
    """Say how far to the right of a straight path each pixel lies.

    Args:
        angles: float array `(n,)`.
        size: int, side of the window in pixels.

    Returns:
        A float array `(n, size, size)`, in sides of the window.
    """
    middle = (np.arange(size) + 0.5) / size - 0.5
    down = np.cos(angles)[:, None, None] * middle[:, None]
    return down - np.sin(angles)[:, None, None] * middle


def _speed_mapping(gamma):
    """Slope and offset of a speed curve's input, libmypaint's brush code."""
    slope = 0.015 * (45 + math.exp(gamma))
    return slope, 0.5 - slope * math.log(45 + math.exp(gamma))


def draw_strokes(actions, size=64, brush="dry_brush", seed=0):
    """Draw each action on an empty square canvas with the real engine.

    One brush draws them all, as in the dataset, so a stroke's spatter
    depends on the strokes before it.

    Args:
        actions: float array `(n, 12)` in `[0, 1]`.
        size: int, side of a canvas in pixels. Default 64.
        brush: str, path or dict, see `load_brush`.
        seed: int >= 0, which random numbers the brush starts with.

    Returns:
        A float32 array `(n, size, size, 4)`: RGBA in `[0, 1]`, straight
        alpha, each stroke in its action's colour.

    Raises:
        DataError: for actions of another shape or out of range.
        EngineError: if libmypaint is missing or refuses the brush.
    """
    actions = check_actions(actions)
    size = check_size(size)
    seed = check_count("seed", seed, 0, 2**63)
    strokes = np.empty((len(actions), size, size, 4), "float32")
    strokes[..., :3] = actions[:, None, None, COLUMNS.color]
    drawn = Brush(brush, seed).draw_each(actions, size)
    for stroke, pixels in zip(strokes, drawn):
        stroke[..., 3] = pixels[..., 3]
    return strokes


def draw_chunk(num_strokes, brush, seed, chunk, size=WINDOW_SIZE):
    """Draw one chunk of a file of episodes.

    A chunk has a brush of its own, so that chunks can be drawn side by side;
    it starts where the pen left the chunk before.

    Args:
        num_strokes: int, strokes of the whole file; its actions are
            `random_actions(num_strokes, seed)`.
        brush: str, path or dict, see `load_brush`.
        seed: int >= 0, of the whole file.
        chunk: int, which run of `CHUNK_STROKES` strokes, from 0.
        size: int, side of the pictures in pixels. Default 64.

    Returns:
        A uint8 array `(n, size, size, 3)`, RGB on white.
    """
    actions = random_actions(num_strokes, seed)
    start = chunk * CHUNK_STROKES
    pen = Brush(brush, [seed, chunk])
    if start:
        pen.draw(Surface(size, size), actions[start - 1], size)
    actions = actions[start : start + CHUNK_STROKES]
    strokes = np.empty((len(actions), size, size, 3), "uint8")
    for stroke, pixels in zip(strokes, pen.draw_each(actions, size)):
        stroke[...] = (pixels[..., :3] + 1 - pixels[..., 3:]) * 255 + 0.5
    return strokes
