"""Brush files: found by name or path, and checked.

MyPaint's collection of brushes (Debian's `mypaint-brushes`, CC0) lies in
groups, such as `classic/charcoal`. The brushes that have a preset are kept in
the package, so that their paintings replay where only libmypaint is.
"""

import itertools
import json
import os
import pathlib
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from nbpainter.engine.libmypaint import setting_limits
from nbpainter.errors import EngineError
from nbpainter.files import read_text, refusing

SHIPPED = pathlib.Path(__file__).parent / "brushes"
"""The folder of the brush files that come with the package."""

_PLACES = (
    "~/.local/share/mypaint/brushes",
    "/usr/local/share/mypaint-data/2.0/brushes",
    "/usr/share/mypaint-data/2.0/brushes",
    "/opt/homebrew/share/mypaint-data/2.0/brushes",
)
_SUFFIX = ".myb"
_INSTALL = (
    "Install the collection with `sudo apt-get install mypaint-brushes`, or "
    "give the path of a .myb file."
)
_NO_BRUSH = (
    "{path} is not a MyPaint brush file of version 3 ({reason}). Choose a .myb "
    "file that MyPaint 1.2 or later has saved."
)
_MAX_BYTES = 1_000_000

_Number = Annotated[float, Field(strict=True, ge=-1e6, le=1e6)]
_Curve = Annotated[list[tuple[_Number, _Number]], Field(max_length=64)]


class _Setting(BaseModel):
    base_value: _Number
    inputs: dict[str, _Curve]

    @field_validator("inputs")
    @classmethod
    def _rise(cls, inputs):
        for name, curve in inputs.items():
            pairs = itertools.pairwise(x for x, _ in curve)
            if len(curve) == 1 or any(x > next_x for x, next_x in pairs):
                raise ValueError(f"{name} has one point, or x that falls")
        return inputs


class _BrushFile(BaseModel):
    version: Literal[3]
    settings: Annotated[dict[str, _Setting], Field(min_length=1)]
    radius_factor: Annotated[float, Field(strict=True, ge=0.01, le=100)] = 1.0


def shipped_brushes():
    """Return the paths of the brush files in the package, a sorted list."""
    return sorted(SHIPPED.glob(f"*{_SUFFIX}"))


def installed_brushes():
    """Find MyPaint's brushes on this machine.

    Returns:
        A dict from names, such as `"classic/charcoal"`, to paths; empty
        where no collection is installed.
    """
    found = {}
    for place in _PLACES:
        folder = pathlib.Path(place).expanduser()
        for path in sorted(folder.rglob(f"*{_SUFFIX}")):
            name = path.relative_to(folder).as_posix().removesuffix(_SUFFIX)
            found.setdefault(name, path)
    return found


def find_brush(brush):
    """Find the file of a brush.

    Args:
        brush: str or path: a brush of the package, such as `"charcoal"`, one
            of the installed collection with or without its group, or a
            `.myb` file.

    Returns:
        A `pathlib.Path`.

    Raises:
        EngineError: if there is none, or more than one of that name.

    Example:

    >>> find_brush("dry_brush").name
    'dry_brush.myb'
    """
    if not isinstance(brush, (str, os.PathLike)):
        raise EngineError(
            f"A brush is a name or a path. Received: {type(brush).__name__}."
        )
    name = str(brush)
    path = SHIPPED / (name + _SUFFIX)
    if path.parent == SHIPPED and path.is_file():
        return path
    path = pathlib.Path(brush)
    if name.endswith(_SUFFIX):
        if path.is_file():
            return path
        raise EngineError(f"There is no brush file {name}. Check the path.")
    installed = installed_brushes()
    fitting = [key for key in installed if name in (key, key.split("/")[-1])]
    if len(fitting) == 1:
        return installed[fitting[0]]
    if fitting:
        raise EngineError(
            f"There are several brushes {name!r}: choose one of "
            f"{', '.join(fitting)}."
        )
    names = ", ".join(path.stem for path in shipped_brushes())
    advice = "See `nbpainter brushes`." if installed else _INSTALL
    raise EngineError(
        f"There is no brush {name!r} among those of nbpainter ({names}), nor "
        f"is it installed. {advice}"
    )


def brush_name(brush):
    """Return a short name of a brush for files: `"charcoal"`.

    Args:
        brush: str or path, see `find_brush`.

    Returns:
        A str without blanks and slashes.
    """
    stem = find_brush(brush).stem
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in stem)


def load_brush(brush="dry_brush"):
    """Read a MyPaint brush file and check it.

    Args:
        brush: str or path, see `find_brush`; or what this function returned.

    Returns:
        A dict, the brush file's JSON. Its `radius_factor`, a key of our own,
        is how much smaller the brush's radius is than the action's, so that
        all brushes are about as wide.

    Raises:
        EngineError: if there is no such brush or the file is not a brush.
    """
    if isinstance(brush, dict):
        return check_brush(brush, "The brush")
    path = find_brush(brush)
    with refusing(path, _NO_BRUSH, EngineError):
        content = json.loads(read_text(path, _MAX_BYTES))
    return check_brush(content, path)


def check_brush(settings, name):
    """Return a brush file's JSON if it is one: libmypaint would crash.

    Args:
        settings: what was read.
        name: str or path, for the message.

    Returns:
        `settings`, a dict.

    Raises:
        EngineError: if it is no brush of version 3, or a number is beyond
            libmypaint's own limits.
    """
    with refusing(name, _NO_BRUSH, EngineError):
        brush = _BrushFile.model_validate(settings)
        for key, setting in brush.settings.items():
            low, high = setting_limits(key)
            if not low <= setting.base_value <= high:
                raise ValueError(f"{key} is not from {low:g} to {high:g}")
            points = itertools.chain(*setting.inputs.values())
            if any(abs(y) > high - low for _, y in points):
                raise ValueError(f"a curve of {key} goes beyond its limits")
    return settings
