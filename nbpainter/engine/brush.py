"""The real brush: draw actions with MyPaint's engine.

The brush is a small JSON file. One `Brush` draws one list of strokes; its
random numbers run on from stroke to stroke, so the same list, brush and seed
give the same pixels.
"""

import colorsys
import json
import math
import os
import signal

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    STROKE_SECONDS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    check_actions,
    columns,
    curve_weights,
    pressure_weights,
    random_actions,
)
from nbpainter.engine.brush_file import load_brush
from nbpainter.engine.libmypaint import Surface, load_library
from nbpainter.errors import EngineError, check_count, check_size

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


class _Pen:
    """A MyPaint brush whose radius factor is known.

    Args:
        settings: dict, see `load_brush`.
        radius_factor: float, radius of the brush over that of the action.
        seed: as of `Brush`.
    """

    _handle = None

    def __init__(self, settings, radius_factor, seed):
        self._library = load_library()
        self.radius_factor = radius_factor
        settings = {
            **settings,
            "settings": self._known_settings(settings["settings"]),
        }
        self._handle = self._library.mypaint_brush_new()
        self._library.mypaint_brush_from_defaults(self._handle)
        if not self._library.mypaint_brush_from_string(
            self._handle, json.dumps(settings).encode()
        ):
            raise EngineError(
                "libmypaint refuses the brush: choose a .myb file of version 3."
            )
        self._radius_log = None
        self._gammas = {
            source: self._library.mypaint_brush_get_base_value(
                self._handle, self._setting(f"{source}_gamma")
            )
            for source in ("speed1", "speed2")
        }
        self._speed_points = self._find_speed_points(settings["settings"])
        self._warm_up(seed)

    def __del__(self):
        if self._handle:
            self._library.mypaint_brush_unref(self._handle)

    def _setting(self, name):
        """Number of a setting; negative if this library has none."""
        return self._library.mypaint_brush_setting_from_cname(name.encode())

    def _input(self, name):
        """Number of an input of a setting's curve; negative for none."""
        return self._library.mypaint_brush_input_from_cname(name.encode())

    def _known_settings(self, settings):
        """Leave out what this version of the library would complain of."""
        return {
            name: {
                **value,
                "inputs": {
                    source: points
                    for source, points in value["inputs"].items()
                    if self._input(source) >= 0
                },
            }
            for name, value in settings.items()
            if self._setting(name) >= 0
        }

    def _find_speed_points(self, settings):
        """Points of all curves over the pen's speed, see `_set_radius`."""
        return [
            (self._setting(name), source, index, x, y)
            for name, value in settings.items()
            for source in self._gammas
            for index, (x, y) in enumerate(value["inputs"].get(source, []))
        ]

    def _warm_up(self, seed):
        """Bring the brush to rest at the origin, with random numbers of a seed.

        Every new brush has the same random numbers, and the library has no
        call to choose others: throw-away strokes use up some of them.
        """
        self._stroke_to(None, 0.0, 0.0, 0.0, 1.0)  # It only resets the brush.
        scratch = Surface(WINDOW_SIZE, WINDOW_SIZE)
        for action in random_actions(_WARM_UP_STROKES, seed):
            self.draw(scratch, action)
        # From the origin at rest, all goes on alike on canvases of any size.
        for _ in range(2):
            self._stroke_to(scratch, 0.0, 0.0, 0.0, 100.0)

    def _set(self, name, value):
        self._library.mypaint_brush_set_base_value(
            self._handle, self._setting(name), value
        )

    def _set_radius(self, radius_log):
        """Set the radius, and measure the pen's speed in radii a second.

        libmypaint 1.3 drew the dataset and measured so; later versions count
        pixels a second, and thin out large strokes. The input of a speed
        curve is `m ln(e^gamma + speed) + q`, so a gamma that is larger by
        `ln(radius)` and curve points moved to match give the old behaviour.
        """
        if radius_log == self._radius_log:
            return
        self._radius_log = radius_log
        self._set("radius_logarithmic", radius_log)
        for source, gamma in self._gammas.items():
            self._set(f"{source}_gamma", gamma + radius_log)
        for setting, source, index, x, y in self._speed_points:
            gamma = self._gammas[source]
            slope, offset = _speed_mapping(gamma)
            new_slope, new_offset = _speed_mapping(gamma + radius_log)
            x = ((x - offset) / slope + radius_log) * new_slope + new_offset
            self._library.mypaint_brush_set_mapping_point(
                self._handle, setting, self._input(source), index, x, y
            )

    def _stroke_to(self, surface, x, y, pressure, seconds):
        canvas = surface.handle if surface else None
        self._library.mypaint_brush_stroke_to(
            self._handle, canvas, x, y, pressure, 0.0, 0.0, seconds
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
        """
        action = np.asarray(action, "float64")
        radius = float(brush_radius(action[ACTION_INDEX["size"]])) * side
        self._set_radius(math.log(radius * self.radius_factor))
        hsv = colorsys.rgb_to_hsv(*action[COLOR_COLUMNS])
        for name, value in zip(("color_h", "color_s", "color_v"), hsv):
            self._set(name, value)
        x = _CURVE @ action[X_COLUMNS] * side  # (101,)
        y = _CURVE @ action[Y_COLUMNS] * side
        pressure = _PRESSURE @ action[PRESSURE_COLUMNS]
        # The first event: a quarter of a pixel (of 64) along the first chord.
        chord = math.hypot(x[1] - x[0], y[1] - y[0])
        part = min(1.0, 0.25 / WINDOW_SIZE * side / chord) if chord else 0.0
        first_x = x[0] + part * (x[1] - x[0])
        first_y = y[0] + part * (y[1] - y[0])
        self._library.mypaint_surface_begin_atomic(surface.handle)
        self._stroke_to(surface, x[0], y[0], 0.0, travel_seconds)
        self._stroke_to(surface, first_x, first_y, pressure[0], _EVENT_SECONDS)
        # The loop that all drawing time is spent in: no look-ups.
        stroke_to = self._library.mypaint_brush_stroke_to
        brush, canvas = self._handle, surface.handle
        points = zip(x[1:].tolist(), y[1:].tolist(), pressure[1:].tolist())
        for px, py, p in points:
            stroke_to(brush, canvas, px, py, p, 0.0, 0.0, _EVENT_SECONDS)
        self._stroke_to(surface, x[-1], y[-1], 0.0, _EVENT_SECONDS)
        self._library.mypaint_surface_end_atomic(surface.handle, None)


class Brush(_Pen):
    """A MyPaint brush whose random numbers run on from stroke to stroke.

    Args:
        brush: str, path or dict, see `load_brush`. Default `"dry_brush"`.
        seed: int >= 0 or sequence of such ints, which random numbers the
            brush starts with.

    Attributes:
        radius_factor: float, radius of the brush over that of the action:
            the brush's own, or measured.
    """

    def __init__(self, brush="dry_brush", seed=0):
        settings = load_brush(brush)
        radius_factor = settings.get("radius_factor")
        if radius_factor is None:
            radius_factor = measure_radius_factor(settings)
        super().__init__(settings, radius_factor, seed)


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
    factor = 1.0
    for _ in range(2):  # Pixels matter to a thin brush: look again.
        pen = _Pen(settings, factor, seed=0)
        widths = [
            _measure_width(pen, angle, pressure)
            for angle in np.arange(4) * np.pi / 4
            for pressure in (0.4, 0.7, 1.0)
        ]
        widths = [width for width in widths if width > 0]
        if not widths:
            return 1.0
        factor *= _USUAL_WIDTH / float(np.mean(np.square(widths)) ** 0.5)
        factor = min(max(float(f"{factor:.3g}"), 0.01), 100.0)
    return factor


def _measure_width(pen, angle, pressure):
    """Mean distance of paint from a straight path, in radii; 0 for none."""
    size, side = 0.5, 256
    half = 0.25 * np.array([np.cos(angle), np.sin(angle)])
    action = np.full(len(ACTION_INDEX), 0.5)
    action[columns("start_x", "start_y")] -= half
    action[columns("end_x", "end_y")] += half
    action[ACTION_INDEX["size"]] = size
    action[PRESSURE_COLUMNS] = pressure
    surface = Surface(side, side)
    pen.draw(surface, action, side, travel_seconds=1.0)
    opacity = surface.pixels()[..., 3]
    y, x = (np.indices((side, side)) + 0.5) / side - 0.5
    along = x * np.cos(angle) + y * np.sin(angle)
    opacity = np.where(np.abs(along) < 0.15, opacity, 0)
    if opacity.sum() < 1:
        return 0.0
    distance = np.abs(y * np.cos(angle) - x * np.sin(angle))
    mean = float((distance * opacity).sum() / opacity.sum())
    return mean / float(brush_radius(size))


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
    strokes[..., :3] = actions[:, None, None, COLOR_COLUMNS]
    drawn = _draw_each(actions, Brush(brush, seed), size)
    for stroke, pixels in zip(strokes, drawn):
        stroke[..., 3] = pixels[..., 3]
    return strokes


def _draw_each(actions, pen, size):
    """Yield each stroke alone, premultiplied RGBA `(size, size, 4)`."""
    surface = Surface(size, size)
    for action in actions:
        surface.clear()
        pen.draw(surface, action, size)
        yield surface.pixels()


def start_worker():
    """Make a process ready to draw for another one.

    It ends with that one, not by a Ctrl-C of its own, and libmypaint's
    remarks do not get into its output.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def draw_chunk(num_strokes, brush, seed, chunk):
    """Draw one chunk of a file of episodes.

    A chunk has a brush of its own, so that chunks can be drawn side by side;
    it starts where the pen left the chunk before.

    Args:
        num_strokes: int, strokes of the whole file; its actions are
            `random_actions(num_strokes, seed)`.
        brush: str, path or dict, see `load_brush`.
        seed: int >= 0, of the whole file.
        chunk: int, which run of `CHUNK_STROKES` strokes, from 0.

    Returns:
        A uint8 array `(n, 64, 64, 3)`, RGB on white.
    """
    actions = random_actions(num_strokes, seed)
    start = chunk * CHUNK_STROKES
    pen = Brush(brush, [seed, chunk])
    if start:
        pen.draw(Surface(WINDOW_SIZE, WINDOW_SIZE), actions[start - 1])
    actions = actions[start : start + CHUNK_STROKES]
    strokes = np.empty((len(actions), WINDOW_SIZE, WINDOW_SIZE, 3), "uint8")
    for stroke, pixels in zip(strokes, _draw_each(actions, pen, WINDOW_SIZE)):
        stroke[...] = (pixels[..., :3] + 1 - pixels[..., 3:]) * 255 + 0.5
    return strokes
