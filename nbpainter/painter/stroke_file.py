"""The stroke file `painting.json`: a painting for people and robots.

Its head names the brush (or holds its file), the generator, the picture's
size in pixels, the background, the seed and figures of the run. Every stroke
has `start`,
`control` and `end` (x and y, fractions of the longer side), `radius` (same
unit), `pressure` (at the start and at the end, 0 to 1) and `color`.
"""

import json
import pathlib

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    brush_radius,
    columns,
    size_of_radius,
)
from nbpainter.engine.brush_file import check_brush
from nbpainter.errors import MAX_SIZE, DataError, EngineError
from nbpainter.files import written_whole

FORMAT = "nbpainter painting"
VERSION = 1

HEAD = (
    *("brush", "generator", "width", "height"),
    *("background", "seed", "palette", "figures"),
)
"""Fields of the head, besides format and version."""

ENDED = ("strokes", "seconds", "interrupt")
"""What ended a painting: it had its strokes, time was up, or Ctrl-C."""


def write_strokes(path, head, actions):
    """Write a stroke file.

    Args:
        path: str or path.
        head: dict with the fields of `HEAD`.
        actions: float array `(n, 12)`, relative to a square of the picture's
            longer side.

    Raises:
        DataError: if it cannot be written.
    """
    content = {"format": FORMAT, "version": VERSION, **head}
    text = json.dumps(content, indent=2).removesuffix("\n}")
    strokes = ",\n    ".join(json.dumps(_to_stroke(a)) for a in actions)
    text += f',\n  "strokes": [\n    {strokes}\n  ]\n}}\n'
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8")


def read_strokes(path):
    """Read a stroke file and check every field.

    Args:
        path: str or path.

    Returns:
        The head, a dict with the fields of `HEAD`, and the actions, a
        float32 array `(n, 12)`.

    Raises:
        DataError: names the file, the field, and what is wrong with it.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path} is no stroke file ({reason}). Choose a painting.json "
            "that nbpainter saved."
        ) from error
    fields = _Fields(path, content, "the file")
    fields.one_of("format", [FORMAT])
    fields.one_of("version", [VERSION])
    head = {
        "brush": fields.brush("brush"),
        "generator": fields.text("generator"),
        "width": fields.integer("width", 1, MAX_SIZE),
        "height": fields.integer("height", 1, MAX_SIZE),
        "background": fields.color("background"),
        "seed": fields.integer("seed", 0, 2**32 - 1),
        "palette": fields.colors("palette"),
        "figures": fields.figures("figures"),
    }
    actions = []
    for index, stroke in enumerate(fields.of_type("strokes", list, "a list")):
        fields = _Fields(path, stroke, f"stroke {index}")
        for name in ("start", "control", "end"):
            fields.numbers(name, 2, -2, 3)
        fields.number("radius", 1e-6, 1)
        fields.numbers("pressure", 2, 0, 1)
        color = fields.color("color")
        if head["palette"] and color not in head["palette"]:
            fields.fail("needs a colour of the palette as 'color'", color)
        actions.append(_to_action(stroke))
    return head, np.array(actions, "float32").reshape(-1, len(ACTION_INDEX))


def as_in_file(actions):
    """Round actions to the precision that the stroke file keeps."""
    actions = np.asarray(actions, "float32")
    if not len(actions):
        return np.zeros((0, len(ACTION_INDEX)), "float32")
    right = actions.ndim == 2 and actions.shape[1] == len(ACTION_INDEX)
    if not right or not np.isfinite(actions).all():
        raise DataError(
            "The strokes of a painting are finite numbers of shape (n, "
            f"{len(ACTION_INDEX)}). Received: shape {actions.shape}."
        )
    rounded = [_to_action(_to_stroke(action)) for action in actions]
    return np.array(rounded, "float32").reshape(-1, len(ACTION_INDEX))


def color_of(text):
    """Turn `"#rrggbb"` into three floats in `[0, 1]`."""
    return [value / 255 for value in bytes.fromhex(text[1:])]


def _to_stroke(action):
    """An action as an entry of the stroke file, rounded as the file is."""
    points = {
        name: [
            round(float(value), 6)
            for value in action[columns(f"{name}_x", f"{name}_y")]
        ]
        for name in ("start", "control", "end")
    }
    color = np.clip(action[COLOR_COLUMNS], 0, 1) * 255 + 0.5
    return {
        **points,
        "radius": round(float(brush_radius(action[ACTION_INDEX["size"]])), 6),
        "pressure": [
            round(float(value), 5) for value in action[PRESSURE_COLUMNS]
        ],
        "color": "#" + bytes(color.astype("uint8")).hex(),
    }


def _to_action(stroke):
    action = np.empty(len(ACTION_INDEX), "float64")
    for name in ("start", "control", "end"):
        action[columns(f"{name}_x", f"{name}_y")] = stroke[name]
    action[ACTION_INDEX["size"]] = size_of_radius(stroke["radius"])
    action[PRESSURE_COLUMNS] = stroke["pressure"]
    action[COLOR_COLUMNS] = color_of(stroke["color"])
    return action


class _Fields:
    """Checks the fields of one object of a stroke file."""

    def __init__(self, path, content, place):
        self.path, self.content, self.place = path, content, place
        if not isinstance(content, dict):
            self.fail("must be an object", content)

    def fail(self, problem, value):
        """Say what is wrong with a value."""
        received = json.dumps(value)
        received = received if len(received) < 60 else received[:57] + "..."
        raise DataError(
            f"{self.path}: {self.place} {problem}. Received: {received}."
        )

    def _get(self, name):
        if name not in self.content:
            raise DataError(
                f"{self.path}: {self.place} has no field {name!r}. Save the "
                "painting again, or add it."
            )
        return self.content[name]

    def of_type(self, name, kind, description):
        value = self._get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            self.fail(f"needs {description} as {name!r}", value)
        return value

    def one_of(self, name, choices):
        value = self._get(name)
        if value not in choices:
            self.fail(f"needs {choices[0]!r} as {name!r}", value)

    def text(self, name):
        return self.of_type(name, str, "a text")

    def brush(self, name):
        """A brush of the package by name, or the content of a brush file."""
        value = self._get(name)
        if isinstance(value, str):
            return value
        try:
            return check_brush(value, name)
        except EngineError:
            self.fail(f"needs a brush's name or file as {name!r}", value)

    def integer(self, name, low, high):
        value = self.of_type(name, int, "a whole number")
        if not low <= value <= high:
            self.fail(f"needs {name!r} from {low} to {high}", value)
        return value

    def _in_range(self, value, low, high):
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        return real and low <= value <= high

    def number(self, name, low, high):
        value = self._get(name)
        if not self._in_range(value, low, high):
            self.fail(f"needs a number from {low} to {high} as {name!r}", value)

    def numbers(self, name, count, low, high):
        values = self._get(name)
        if (
            not isinstance(values, list)
            or len(values) != count
            or not all(self._in_range(value, low, high) for value in values)
        ):
            self.fail(
                f"needs {count} numbers from {low} to {high} as {name!r}",
                values,
            )

    def color(self, name):
        return self._as_color(name, self.text(name))

    def _as_color(self, name, value):
        try:
            right = len(value) == 7 and value[0] == "#"
            right = right and len(color_of(value)) == 3
        except (TypeError, ValueError):
            right = False
        if not right:
            self.fail(f"needs a colour '#rrggbb' as {name!r}", value)
        return value.lower()

    def colors(self, name):
        # Paintings of any colours, and older files, have no palette.
        if name not in self.content:
            return []
        values = self.of_type(name, list, "a list")
        return [self._as_color(name, value) for value in values]

    def figures(self, name):
        """Figures of the run: those that are known must be right."""
        values = self.of_type(name, dict, "an object")
        fields = _Fields(self.path, values, f"{self.place}'s {name!r}")
        for known, low, high in (
            ("num_strokes", 0, 10**9),
            ("planned", 1, 10**9),
        ):
            if known in values:
                fields.integer(known, low, high)
        for known, low, high in (
            ("psnr", -1000, 1000),
            ("seconds", 0, 10**9),
        ):
            if known in values:
                fields.number(known, low, high)
        if "ended" in values:
            fields.one_of("ended", ENDED)
        for row in (
            fields.of_type("curve", list, "a list")
            if ("curve" in values)
            else []
        ):
            if (
                not isinstance(row, list)
                or len(row) != 3
                or not all(self._in_range(n, -1000, 10**9) for n in row)
            ):
                fields.fail(
                    "needs rows of strokes, seconds and psnr as 'curve'", row
                )
        return values
