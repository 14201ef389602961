"""The real brush: draw actions with MyPaint's engine.

The brush is a small JSON file of ours. One `Brush` draws one list of strokes;
its random numbers run on from stroke to stroke, so the same list, brush and
seed give the same pixels.
"""

import colorsys
import functools
import json
import math
import os
import sys

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    check_actions,
    curve_weights,
    pressure_weights,
    random_actions,
)
from nbpainter.engine.brush_file import load_brush
from nbpainter.engine.libmypaint import Surface, load_library
from nbpainter.errors import EngineError, check_count, check_size

CHUNK_STROKES = 2_500
"""Strokes of a file of episodes that one brush draws in one go."""

_EVENT_SECONDS = 0.1
_NUM_EVENTS = 100
_WARM_UP_STROKES = 8
_USUAL_WIDTH = 0.85  # Radii from the path to the dry brush's paint, on average.

# One stroke's events: a first point a little way along, then 100 points.
_TIMES = np.arange(_NUM_EVENTS + 1) / _NUM_EVENTS
_CURVE = curve_weights(_TIMES)
_PRESSURE = pressure_weights(_TIMES)


class Brush:
    """A MyPaint brush whose random numbers run on from stroke to stroke.

    Args:
        brush: str, path or dict, see `load_brush`. Default `"dry_brush"`.
        seed: int >= 0 or sequence of such ints, which random numbers the
            brush starts with.
    """

    def __init__(self, brush="dry_brush", seed=0):
        self._handle = None
        self._library = load_library()
        settings = load_brush(brush)
        self.radius_factor = settings.get("radius_factor")
        if self.radius_factor is None:
            self.radius_factor = measure_radius_factor(json.dumps(settings))
        settings = self._known_settings(settings)
        self._handle = self._library.mypaint_brush_new()
        self._library.mypaint_brush_from_defaults(self._handle)
        if not self._library.mypaint_brush_from_string(
            self._handle, json.dumps(settings).encode()
        ):
            raise EngineError(
                "libmypaint refuses the brush: choose a .myb file of version 3."
            )
        self._settings = {
            name: self._library.mypaint_brush_setting_from_cname(name.encode())
            for name in (
                *("radius_logarithmic", "color_h", "color_s", "color_v"),
                *("speed1_gamma", "speed2_gamma"),
            )
        }
        self._gammas = {
            name: self._library.mypaint_brush_get_base_value(
                self._handle, self._settings[f"{name}_gamma"]
            )
            for name in ("speed1", "speed2")
        }
        self._speed_points = list(self._find_speed_points(settings))
        self._radius_log = None
        self._stroke_to(None, 0.0, 0.0, 0.0, 1.0)  # It only resets the brush.
        # Every new brush has the same random numbers, and the library has no
        # call to choose others: throw-away strokes use up some of them.
        scratch = Surface(WINDOW_SIZE, WINDOW_SIZE)
        for action in random_actions(_WARM_UP_STROKES, seed):
            self.draw(scratch, action)
        # From the origin at rest, all goes on alike on canvases of any size.
        for _ in range(2):
            self._stroke_to(scratch, 0.0, 0.0, 0.0, 100.0)

    def __del__(self):
        if self._handle:
            self._library.mypaint_brush_unref(self._handle)

    def _known_settings(self, settings):
        """Leave out what this version of the library would complain of."""
        setting_of = self._library.mypaint_brush_setting_from_cname
        input_of = self._library.mypaint_brush_input_from_cname
        known = {
            name: {
                **value,
                "inputs": {
                    source: points
                    for source, points in value["inputs"].items()
                    if input_of(source.encode()) >= 0
                },
            }
            for name, value in settings["settings"].items()
            if setting_of(name.encode()) >= 0
        }
        return {**settings, "settings": known}

    def _find_speed_points(self, settings):
        for setting, value in settings["settings"].items():
            for name in self._gammas:
                points = value.get("inputs", {}).get(name, [])
                for index, (x, y) in enumerate(points):
                    yield (
                        self._library.mypaint_brush_setting_from_cname(
                            setting.encode()
                        ),
                        self._library.mypaint_brush_input_from_cname(
                            name.encode()
                        ),
                        *(index, x, y, self._gammas[name]),
                    )

    def _set(self, name, value):
        self._library.mypaint_brush_set_base_value(
            self._handle, self._settings[name], value
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
        for name, gamma in self._gammas.items():
            self._set(f"{name}_gamma", gamma + radius_log)
        for setting, source, index, x, y, gamma in self._speed_points:
            slope, offset = _speed_mapping(gamma)
            new_slope, new_offset = _speed_mapping(gamma + radius_log)
            x = ((x - offset) / slope + radius_log) * new_slope + new_offset
            self._library.mypaint_brush_set_mapping_point(
                self._handle, setting, source, index, x, y
            )

    def _stroke_to(self, surface, x, y, pressure, seconds):
        self._library.mypaint_brush_stroke_to(
            self._handle,
            surface.handle if surface else None,
            *(x, y, pressure, 0.0, 0.0, seconds),
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
                way; 1.0 makes the stroke independent of the one before.
        """
        action = np.asarray(action, "float64")
        x = _CURVE @ action[X_COLUMNS] * side
        y = _CURVE @ action[Y_COLUMNS] * side
        pressure = _PRESSURE @ action[PRESSURE_COLUMNS]
        radius = float(brush_radius(action[ACTION_INDEX["size"]])) * side
        self._set_radius(math.log(radius * self.radius_factor))
        hsv = colorsys.rgb_to_hsv(*action[COLOR_COLUMNS])
        for name, value in zip(("color_h", "color_s", "color_v"), hsv):
            self._set(name, value)
        # A quarter of a pixel (of 64) along the first chord.
        chord = math.hypot(x[1] - x[0], y[1] - y[0])
        part = min(1.0, 0.25 / 64 * side / chord) if chord else 0.0
        points = zip(x[1:].tolist(), y[1:].tolist(), pressure[1:].tolist())
        first = (x[0] + part * (x[1] - x[0]), y[0] + part * (y[1] - y[0]))
        self._library.mypaint_surface_begin_atomic(surface.handle)
        self._stroke_to(surface, x[0], y[0], 0.0, travel_seconds)
        self._stroke_to(surface, *first, pressure[0], _EVENT_SECONDS)
        # The loop that all drawing time is spent in: no look-ups.
        stroke_to = self._library.mypaint_brush_stroke_to
        brush, canvas = self._handle, surface.handle
        for px, py, p in points:
            stroke_to(brush, canvas, px, py, p, 0.0, 0.0, _EVENT_SECONDS)
        self._stroke_to(surface, x[-1], y[-1], 0.0, _EVENT_SECONDS)
        self._library.mypaint_surface_end_atomic(surface.handle, None)


@functools.lru_cache(maxsize=256)
def measure_radius_factor(text):
    """Measure how much smaller a brush's radius must be than the action's.

    A brush may be much wider than its radius: dabs are moved aside, or grow
    with pressure. Straight strokes of four directions and three pressures
    say how far its paint lies from the pen's path; the dry brush's does so
    by `_USUAL_WIDTH` radii.

    Args:
        text: str, a brush file's JSON.

    Returns:
        A float, rounded to three figures; 1 for a brush that draws nothing.
    """
    settings, factor = json.loads(text), 1.0
    for _ in range(2):  # Pixels matter to a thin brush: look again.
        pen = Brush({**settings, "radius_factor": factor})
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
    reach = 0.25 * np.array([np.cos(angle), np.sin(angle)])
    action = np.full(12, 0.5)
    action[[ACTION_INDEX["start_x"], ACTION_INDEX["start_y"]]] -= reach
    action[[ACTION_INDEX["end_x"], ACTION_INDEX["end_y"]]] += reach
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
    away = np.abs(y * np.cos(angle) - x * np.sin(angle))
    mean = float((away * opacity).sum() / opacity.sum())
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
    pen = Brush(brush, seed)
    for stroke, pixels in zip(strokes, _draw_each(actions, pen, size)):
        stroke[..., 3] = pixels[..., 3]
    return strokes


def _draw_each(actions, pen, size):
    surface = Surface(size, size)
    for action in actions:
        surface.clear()
        pen.draw(surface, action, size)
        yield surface.pixels()


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


def main(arguments):
    """Draw one chunk with the brush file on standard input.

    Its pixels are written to standard output.
    """
    num_strokes, seed, chunk = arguments
    brush = json.load(sys.stdin)
    # libmypaint prints warnings there, and they are no pixels.
    pixels = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        strokes = draw_chunk(int(num_strokes), brush, int(seed), int(chunk))
    except EngineError as error:
        sys.exit(str(error))
    with pixels:
        pixels.write(strokes.data)


if __name__ == "__main__":
    main(sys.argv[1:])
