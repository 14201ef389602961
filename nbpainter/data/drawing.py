"""Draw episodes with the real engine, or redraw those of a file to check it."""

import logging
import math
import pathlib
import zipfile

import joblib
import keras
import numpy as np

from nbpainter.actions import (
    ACTION_NAMES,
    WINDOW_SIZE,
    columns,
    random_actions,
)
from nbpainter.data import episodes
from nbpainter.engine import brush as engine, libmypaint
from nbpainter.errors import MAX_STROKES, EngineError, check_count
from nbpainter.files import make_folder, written_whole
from nbpainter.parallel import spread
from nbpainter.plotting import plot_actions, save_figure

_logger = logging.getLogger(__name__)

# Chunks of 31 MB that may wait in memory, and what drawing one takes.
_GROUP, _CHUNK_BYTES = 4 * joblib.cpu_count(), 2e8

# Strokes that an inspection shows and draws again.
_NUM_SHOWN = 12

# Of 255; rounding leaves 1 or 2.
_MAX_COLOR_ERROR = 3

# Other orders that a file may have been written in, or read by mistake. A
# stroke that is drawn backwards looks almost the same: not told apart.
_NAMES = ", ".join(ACTION_NAMES)
_ORDERS = {
    "expected": _NAMES,
    "as in the README in circulation": (
        "start_pressure, end_pressure, size, red, green, blue, "
        "start_x, start_y, end_x, end_y, control_x, control_y"
    ),
    "x and y exchanged": _NAMES.translate(str.maketrans("xy", "yx")),
    "blue, green, red": _NAMES.replace("red, green, blue", "blue, green, red"),
}

_REDRAWN = "Redrawn by the engine (FVU, 0.1 to 0.3 where it is right):"
_VERDICTS = {
    True: "in the expected order.",
    False: "NOT in the expected order, or another brush drew the file.",
    None: "not checked.",
}

_REPORT = """{path}: {num_strokes} strokes.
Columns: {verdict}
Damaged rows: {damaged:.2%} (not finite {not_finite:.2%}, \
out of range {out_of_range:.2%}, strokes in another colour than \
their action's {wrong_color:.2%}).
12 strokes with their actions: {picture}."""


def sample_episodes(num_strokes, seed=0):
    """Return real strokes for a lesson, as many as can be had.

    A number that the shipped slice has, or a machine without libmypaint,
    gets the slice's first strokes; otherwise they are drawn. A warning is
    logged where fewer come than were asked for.

    Args:
        num_strokes: int, how many, positive.
        seed: int >= 0, of the drawing.

    Returns:
        `Episodes`.
    """
    tiny = episodes.tiny_episodes()
    if num_strokes <= len(tiny):
        return tiny[:num_strokes]
    if libmypaint.is_available():
        return draw_episodes(num_strokes, seed=seed)
    _logger.warning(
        "libmypaint is not installed: the %d strokes that come with the "
        "package stand in for %d, and metrics will be worse than in the text.",
        *(len(tiny), num_strokes),
    )
    return tiny


def draw_episodes(num_strokes, brush="dry_brush", seed=0, size=WINDOW_SIZE):
    """Draw episodes with the real MyPaint engine, at random, on all cores.

    Args:
        num_strokes: int, how many, positive.
        brush: str, path or dict, see `nbpainter.engine.brush_file.load_brush`.
        seed: int >= 0; the same seed gives the same strokes, on any number
            of cores.
        size: int, side of the pictures in pixels; a file has 64. Default 64.

    Returns:
        `Episodes`.

    Raises:
        EngineError: if libmypaint is missing or refuses the brush.
        DataError: if `num_strokes` is not positive.
    """
    chunks = list(_draw_chunks(num_strokes, brush, seed, size=size))
    actions = random_actions(num_strokes, seed)
    return episodes.Episodes(actions, np.concatenate(chunks))


def write_drawn_episodes(path, num_strokes, brush, seed, verbose=0):
    """Draw episodes straight into a file, in constant memory.

    Args:
        path: str or path of the `.npz` file, written whole or not at all.
        num_strokes: int, positive. The dataset's files have 100,000.
        brush: str, path or dict, see `nbpainter.engine.brush_file.load_brush`.
        seed: int >= 0.
        verbose: 0 or 1, whether to show a progress bar.

    Raises:
        As `draw_episodes`.
    """
    num_strokes = check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    with (
        written_whole(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        with archive.open("strokes.npy", "w", force_zip64=True) as file:
            chunks = _draw_chunks(num_strokes, brush, seed, verbose)
            episodes.write_strokes(file, num_strokes, chunks)
        with archive.open("actions.npy", "w", force_zip64=True) as file:
            np.save(file, random_actions(num_strokes, seed))


def _draw_chunks(num_strokes, brush, seed, verbose=0, size=WINDOW_SIZE):
    """Yield uint8 pictures in order, drawn by as many processes as cores."""
    num_strokes = check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    seed = check_count("seed", seed, 0, 2**63)
    # Its width is measured once, not by every chunk.
    brush = engine.Brush(brush).settings
    bar = keras.utils.Progbar(num_strokes, verbose=verbose, unit_name="stroke")
    chunks = range(math.ceil(num_strokes / engine.CHUNK_STROKES))
    jobs = [(num_strokes, brush, seed, chunk, size) for chunk in chunks]
    # In groups: what is drawn waits in memory until it is taken.
    for first in range(0, len(jobs), _GROUP):
        group = jobs[first : first + _GROUP]
        for strokes in list(spread(engine.draw_chunk, group, _CHUNK_BYTES)):
            yield strokes
            bar.add(len(strokes))


def inspect_episodes(path, folder=None, brush="dry_brush"):
    """Show 12 strokes of a file and check its columns and its rows.

    Args:
        path: str or path of an `.npz` file of episodes. Rows may be damaged.
        folder: str or path, where the picture goes. Default: beside the file.
        brush: str or path, the brush that drew the file, see
            `nbpainter.engine.brush_file.load_brush`.

    Returns:
        A dict: `num_strokes`; `damaged`, the part of the rows that are
        damaged, and of it `not_finite`, `out_of_range` and `wrong_color`;
        `fvu`, how far the engine's strokes are from the stored ones for each
        order of the columns (`{}` without libmypaint); `columns_right`, a
        bool or `None`; and `picture`, a path.

    Raises:
        DataError: if the file cannot be read or the picture not written.
    """
    path = pathlib.Path(path)
    folder = make_folder(folder or path.parent)
    actions = episodes.read_actions(path, check=np.asarray)
    shown, strokes, damage = _check_rows(actions, episodes.stroke_chunks(path))
    metrics = {"path": str(path), "num_strokes": len(actions), **damage}
    metrics |= _check_columns(actions[shown], strokes, brush)
    metrics["picture"] = folder / f"{path.stem}_inspected.png"
    save_figure(plot_actions(actions[shown], strokes), metrics["picture"])
    return metrics


def _check_rows(actions, chunks):
    """Read all strokes once; keep those to be shown and count damage."""
    not_finite = ~np.isfinite(actions).all(axis=1)
    out_of_range = ~not_finite & ((actions < 0) | (actions > 1)).any(axis=1)
    usable = ~(not_finite | out_of_range)
    rows = np.flatnonzero(usable if usable.any() else ~usable)
    shown = np.zeros(len(actions), bool)
    shown[rows[np.linspace(0, len(rows) - 1, _NUM_SHOWN, dtype=int)]] = True
    errors, strokes = np.empty(len(actions)), []
    for here, chunk in chunks:
        errors[here] = episodes.color_errors(actions[here], chunk)
        strokes.append(chunk[shown[here]])
    wrong_color = usable & (errors > _MAX_COLOR_ERROR)
    damage = {
        "not_finite": not_finite,
        "out_of_range": out_of_range,
        "wrong_color": wrong_color,
        "damaged": ~usable | wrong_color,
    }
    damage = {name: float(np.mean(bad)) for name, bad in damage.items()}
    return shown, np.concatenate(strokes), damage


def _check_columns(actions, strokes, brush):
    """Redraw actions with their columns in several orders, and compare."""
    actions, fvu = np.clip(np.nan_to_num(actions), 0, 1), {}
    stored = strokes / 255.0  # FVU: squared error over that of blank ones.
    blank = max(np.sum((1 - stored) ** 2), 1e-6)
    try:
        for name, order in _ORDERS.items():
            ordered = np.empty_like(actions)
            ordered[:, columns(*order.split(", "))] = actions
            redrawn = engine.draw_strokes(ordered, brush=brush)
            wrong = np.sum((episodes.on_white(redrawn) - stored) ** 2)
            fvu[name] = round(float(wrong / blank), 3)
    except EngineError as error:
        return {"fvu": {}, "columns_right": None, "engine": str(error)}
    right = min(fvu, key=fvu.get) == "expected" and fvu["expected"] < 0.5
    return {"fvu": fvu, "columns_right": right}


def inspection_lines(metrics):
    """Put an inspection into words.

    Args:
        metrics: dict of `inspect_episodes`.

    Returns:
        A list of str.
    """
    verdict = _VERDICTS[metrics["columns_right"]]
    verdict += f" {metrics.get('engine', _REDRAWN)}"
    for name, value in metrics["fvu"].items():
        verdict += f"\n  {value:.3f}  {name}"
    return _REPORT.format(verdict=verdict, **metrics).splitlines()
