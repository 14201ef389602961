"""The stroke file `painting.json`: a painting for people and robots.

Its head names the brush (or holds its file), the generator, the picture's
size in pixels, the background, the seed, the palette and what is known of the
run. Every stroke has `start`, `control` and `end` (x and y, fractions of the
longer side), `radius` (same unit), `pressure` (at the start and at the end, 0
to 1) and `color`. With several brushes, the head lists them, and a stroke
names its `brush` by its place in the list, from 0.
"""

import functools
import json
import pathlib
from typing import Annotated, Literal

import numpy as np

from nbpainter.actions import (
    ACTION_INDEX,
    COLUMNS,
    brush_radius,
    check_actions,
    columns,
    size_of_radius,
)
from nbpainter.engine.brush_file import check_brush
from nbpainter.errors import MAX_SIZE, DataError, check_count
from nbpainter.files import read_text, refusing
from nbpainter.images import MAX_COLORS, from_hex, to_hex

FORMAT = "nbpainter painting"
VERSION = 1
HEAD = ["brush", "generator", "width", "height", "background", "seed"]
HEAD += ["palette", "figures"]
"""Fields of the head, besides format and version."""

MAX_STROKES = 100_000
"""Strokes of a painting, at most."""

MAX_BRUSHES = 16
"""Brushes of a painting, at most."""

_NO_STROKES = (
    "{path} is no stroke file ({reason}). Choose a painting.json that "
    "nbpainter saved."
)
_MAX_BYTES = 64_000_000

_POINTS = ("start", "control", "end")
_POINT_COLUMNS = [columns(f"{name}_x", f"{name}_y") for name in _POINTS]


def strokes_text(head, actions, which=None):
    """Return what a stroke file holds.

    Args:
        head: dict with the fields of `HEAD`.
        actions: float array `(n, 12)`, relative to a square of the picture's
            longer side.
        which: int array `(n,)`, the brush of each. Default: there is but one.

    Returns:
        A str of ASCII; the strokes stand last in it.
    """
    content = {"format": FORMAT, "version": VERSION, **head}
    text = json.dumps(content, indent=2).removesuffix("\n}")
    strokes = _to_strokes(actions)
    if which is not None:
        strokes = [s | {"brush": k} for s, k in zip(strokes, which.tolist())]
    strokes = ",\n    ".join(map(json.dumps, strokes))
    return text + f',\n  "strokes": [\n    {strokes}\n  ]\n}}\n'


def read_strokes(path):
    """Read a stroke file and check every field.

    Args:
        path: str or path.

    Returns:
        The head, a dict with the fields of `HEAD` and `which`, the brush of
        each stroke; and the actions, a float32 array `(n, 12)`.

    Raises:
        DataError: names the file, the field, and what is wrong with it.
    """
    path = pathlib.Path(path)
    with refusing(path, _NO_STROKES):
        text = read_text(path, _MAX_BYTES)
        file = _model().model_validate_json(text).model_dump(exclude_unset=True)
        brushes, generators = map(listed, (file["brush"], file["generator"]))
        file["which"] = [s.get("brush", 0) for s in file["strokes"]]
        check_which(file["which"], len(file["strokes"]), generators, brushes)
        for brush in brushes:
            if not isinstance(brush, str):
                check_brush(brush, "its brush")
        every = [stroke["color"] for stroke in file["strokes"]]
        colors = set(file.get("palette") or every)
        for index, stroke in enumerate(file["strokes"]):
            if stroke["color"] not in colors:
                raise ValueError(f"stroke {index} color: not of the palette")
    actions = _to_actions(file.pop("strokes"))
    names = [*HEAD, "which"]
    return {name: file[name] for name in names if name in file}, actions


@functools.cache
def _model():
    """The `pydantic` model of a file; loaded late, for it takes its time."""
    from pydantic import BaseModel, FailFast, Field, StringConstraints

    def limits(kind, low, high):
        return Annotated[kind, Field(ge=low, le=high)]

    def few(kind, length):
        # Millions of errors would take minutes and gigabytes.
        return Annotated[list[kind], FailFast(), Field(max_length=length)]

    number, most = int | float, Field(max_length=MAX_BRUSHES)
    text = Annotated[
        str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$", to_lower=True)
    ]
    point = tuple[(limits(float, -2, 3),) * 2]

    class Stroke(BaseModel, strict=True):
        start: point
        control: point
        end: point
        radius: limits(float, 1e-6, 1)
        pressure: tuple[(limits(float, 0, 1),) * 2]
        color: text
        brush: limits(int, 0, MAX_BRUSHES - 1) = 0

    class Figures(BaseModel, strict=True, extra="allow"):
        num_strokes: limits(int, 0, 10**9) = 0
        psnr: limits(number, -1000, 1000) = 0
        seconds: limits(number, 0, 10**9) = 0
        planned: limits(int, 1, 10**9) = 1
        ended: Literal["strokes", "seconds", "interrupt"] = "strokes"
        levels: few(limits(int, 0, MAX_STROKES), MAX_STROKES) = []
        curve: few(tuple[(limits(number, -1000, 10**9),) * 3], MAX_STROKES) = []

    class File(BaseModel, strict=True):
        format: Literal[FORMAT]
        version: Literal[VERSION]
        brush: str | dict | Annotated[list[str | dict], most]
        generator: str | Annotated[list[str], most]
        width: limits(int, 1, MAX_SIZE)
        height: limits(int, 1, MAX_SIZE)
        background: text
        seed: limits(int, 0, 2**32 - 1)
        palette: few(text, MAX_COLORS) = []
        figures: Figures
        strokes: few(Stroke, MAX_STROKES)

    return File


def listed(one_or_more):
    """Return a list, or something else as the only one of a list."""
    is_list = isinstance(one_or_more, list)
    return one_or_more if is_list else [one_or_more]


def check_which(which, num_strokes, generators, brushes):
    """Say what is wrong with the brushes of a painting's strokes.

    Args:
        which: list of ints, the brush of each stroke.
        num_strokes: int.
        generators: list.
        brushes: list.

    Raises:
        DataError: if not each stroke has a brush, and each brush a generator.
    """
    have = 0 < len(brushes) == len(generators) <= MAX_BRUSHES
    known = set(which) <= set(range(len(brushes)))
    if not (have and known and len(which) == num_strokes):
        raise DataError(
            f"A painting has 1 to {MAX_BRUSHES} brushes, a generator for each, "
            "and for each stroke its brush's place in their list, from 0. "
            f"Received: {len(brushes)} brushes, {len(generators)} generators "
            f"and places for {len(which)} of {num_strokes} strokes."
        )


def as_in_file(actions):
    """Round actions to the precision that the stroke file keeps."""
    if not check_count("len(actions)", len(actions), 0, MAX_STROKES):
        return np.zeros((0, len(ACTION_INDEX)), "float32")
    actions = check_actions(actions, unit_range=False)
    return _to_actions(_to_strokes(actions))


def _to_strokes(actions):
    """Actions as entries of the stroke file, rounded as the file is."""
    exact = np.asarray(actions, "float64")
    points = np.round(exact[:, _POINT_COLUMNS], 6).tolist()  # (n, 3, 2)
    radius = np.round(brush_radius(exact[:, COLUMNS.size]), 6)
    pressure = np.round(exact[:, COLUMNS.pressure], 5).tolist()
    colors = map(to_hex, actions[:, COLUMNS.color])
    return [
        {**dict(zip(_POINTS, place)), "radius": r, "pressure": p, "color": c}
        for place, r, p, c in zip(points, radius.tolist(), pressure, colors)
    ]


def _to_actions(strokes):
    """The actions of entries of the stroke file, float32 `(n, 12)`."""
    actions = np.empty((len(strokes), len(ACTION_INDEX)), "float32")
    for action, stroke in zip(actions, strokes):
        action[_POINT_COLUMNS] = [stroke[name] for name in _POINTS]
        action[COLUMNS.size] = size_of_radius(stroke["radius"])
        action[COLUMNS.pressure] = stroke["pressure"]
        action[COLUMNS.color] = from_hex(stroke["color"])
    return actions
