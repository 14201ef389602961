"""The brushes of a machine, as a list and as a contact sheet."""

import numpy as np

from nbpainter.actions import ACTION_INDEX, PRESSURE_COLUMNS, columns
from nbpainter.engine.brush import Brush
from nbpainter.engine.brush_file import installed_brushes
from nbpainter.engine.libmypaint import Surface
from nbpainter.engine.suitability import list_brushes
from nbpainter.errors import EngineError
from nbpainter.plotting import plot_brushes, save_figure

_SIDE = 128


def draw_sample(settings):
    """Draw three strokes that show what a brush is like.

    Args:
        settings: dict, see `nbpainter.engine.brush_file.load_brush`.

    Returns:
        A float32 array `(128, 128, 3)`, RGB on white.
    """
    surface = Surface(_SIDE, _SIDE)
    pen = Brush(settings)
    for height, size, pressures in (
        (0.2, 0.35, (0.2, 1.0)),
        (0.5, 0.7, (1.0, 0.4)),
        (0.8, 0.1, (0.7, 0.7)),
    ):
        action = np.full(len(ACTION_INDEX), 0.1)
        action[ACTION_INDEX["size"]] = size
        action[PRESSURE_COLUMNS] = pressures
        for name, x, dy in (
            ("start", 0.15, 0.06),
            ("control", 0.5, -0.08),
            ("end", 0.85, 0.06),
        ):
            action[columns(f"{name}_x", f"{name}_y")] = x, height + dy
        pen.draw(surface, action, _SIDE, travel_seconds=1.0)
    pixels = surface.pixels()
    return pixels[..., :3] + 1 - pixels[..., 3:]


def print_brushes(word, path):
    """Judge the brushes, print a line for each, and write a contact sheet.

    Args:
        word: str, to take only brushes with this in their name; or `None`.
        path: str or path of the PNG file.

    Raises:
        EngineError: if no brush's name has the word.
        DataError: if the sheet cannot be written.
    """
    rows, samples = [], []
    for row in list_brushes(word or ""):
        problem = row["problem"]
        print(f"{row['name']:32} {problem or 'fits'}", flush=True)
        if row["settings"]:
            rows.append(row)
            samples.append(draw_sample(row["settings"]))
    if not rows:
        raise EngineError(f"No brush has {word!r} in its name.")
    save_figure(
        plot_brushes(
            samples,
            [row["name"] for row in rows],
            [row["problem"] is None for row in rows],
        ),
        path,
    )
    fitting = sum(row["problem"] is None for row in rows)
    print(f"{fitting} of {len(rows)} fit. A picture of each: {path}.")
    if not installed_brushes():
        print("More: sudo apt-get install mypaint-brushes")
