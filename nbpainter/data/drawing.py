"""Draw episodes with the real engine, or redraw those of a file to check it."""

import concurrent.futures
import math
import pathlib
import warnings
import zipfile

import joblib
import keras
import numpy as np

from nbpainter.actions import ACTION_NAMES, columns, random_actions
from nbpainter.data.episodes import (
    Episodes,
    color_errors,
    load_episodes,
    on_white,
    open_members,
    tiny_episodes,
    write_rows,
)
from nbpainter.engine.brush import (
    CHUNK_STROKES,
    Brush,
    draw_chunk,
    draw_strokes,
    start_worker,
)
from nbpainter.engine.brush_file import load_brush
from nbpainter.engine.libmypaint import is_available
from nbpainter.errors import MAX_STROKES, EngineError, check_count
from nbpainter.files import make_folder, written_whole
from nbpainter.plotting import plot_actions, save_figure

# Chunks for each core that may wait in memory, 31 MB each.
_CHUNKS_PER_CORE = 4

# Strokes that an inspection shows and draws again.
_NUM_SHOWN = 12

# Of 255; rounding leaves 1 or 2.
_MAX_COLOR_ERROR = 3

# Other orders that a file may have been written in, or read by mistake. A
# stroke that is drawn backwards looks almost the same: not told apart.
_ORDERS = {
    "expected": ", ".join(ACTION_NAMES),
    "as in the README in circulation": (
        "start_pressure, end_pressure, size, red, green, blue, "
        "start_x, start_y, end_x, end_y, control_x, control_y"
    ),
    "x and y exchanged": (
        "end_pressure, size, control_y, control_x, end_y, end_x, "
        "red, green, blue, start_y, start_x, start_pressure"
    ),
    "blue, green, red": (
        "end_pressure, size, control_x, control_y, end_x, end_y, "
        "blue, green, red, start_x, start_y, start_pressure"
    ),
}


def sample_episodes(num_strokes, seed=0):
    """Return real strokes for a lesson, as many as can be had.

    A number that the shipped slice has, or a machine without libmypaint,
    gets the slice's first strokes; otherwise they are drawn.

    Args:
        num_strokes: int, how many, positive.
        seed: int >= 0, of the drawing.

    Returns:
        `Episodes`.
    """
    tiny = tiny_episodes()
    if num_strokes <= len(tiny) or not is_available():
        return tiny[:num_strokes]
    return draw_episodes(num_strokes, seed=seed)


def draw_episodes(num_strokes, brush="dry_brush", seed=0, path=None):
    """Draw episodes with the real MyPaint engine, at random, on all cores.

    Args:
        num_strokes: int, how many, positive.
        brush: str, path or dict, see `nbpainter.engine.brush_file.load_brush`.
        seed: int >= 0; the same seed gives the same strokes, on any number
            of cores.
        path: str or path of an `.npz` file to keep them in. Default: none.

    Returns:
        `Episodes`.

    Raises:
        EngineError: if libmypaint is missing or refuses the brush.
        DataError: if `num_strokes` is not positive or `path` cannot be
            written.
    """
    num_strokes = check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    if path is not None:
        write_drawn_episodes(path, num_strokes, brush, seed)
        return load_episodes(path)
    chunks = list(_draw_chunks(num_strokes, brush, seed))
    return Episodes(random_actions(num_strokes, seed), np.concatenate(chunks))


def write_drawn_episodes(
    path, num_strokes, brush="dry_brush", seed=0, verbose=0
):
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
    bar = keras.utils.Progbar(num_strokes, verbose=verbose, unit_name="stroke")
    with (
        written_whole(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        with archive.open("strokes.npy", "w", force_zip64=True) as file:
            chunks = _draw_chunks(num_strokes, brush, seed, bar)
            write_rows(file, num_strokes, chunks)
        with archive.open("actions.npy", "w", force_zip64=True) as file:
            np.save(file, random_actions(num_strokes, seed))


def _draw_chunks(num_strokes, brush, seed, bar=None):
    """Yield uint8 pictures in order, drawn by as many processes as cores."""
    seed = check_count("seed", seed, 0, 2**63)
    brush = load_brush(brush)
    brush = {**brush, "radius_factor": Brush(brush).radius_factor}
    num_chunks = math.ceil(num_strokes / CHUNK_STROKES)
    num_cores = min(joblib.cpu_count(), num_chunks)
    parallel = joblib.Parallel(
        num_cores,
        return_as="generator",
        max_nbytes=None,  # Nothing is large enough to go through a file.
        initializer=start_worker,
    )
    # In groups: what is drawn waits in memory until it is taken.
    group = _CHUNKS_PER_CORE * num_cores
    for first in range(0, num_chunks, group):
        drawn = parallel(
            joblib.delayed(draw_chunk)(num_strokes, brush, seed, chunk)
            for chunk in range(first, min(first + group, num_chunks))
        )
        try:
            for strokes in drawn:
                yield strokes
                if bar:
                    bar.add(len(strokes))
        except concurrent.futures.process.BrokenProcessPool as error:
            raise EngineError(f"The MyPaint engine stopped: {error}") from error
        finally:
            with warnings.catch_warnings():  # That work is thrown away.
                warnings.simplefilter("ignore")
                drawn.close()


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
    with open_members(path, np.float32) as members:
        actions = members[0].read()
        shown, strokes, damage = _check_rows(actions, members[1])
    metrics = {"path": str(path), "num_strokes": len(actions), **damage}
    metrics |= _check_columns(actions[shown], strokes, brush)
    metrics["picture"] = folder / f"{path.stem}_inspected.png"
    save_figure(plot_actions(actions[shown], strokes), metrics["picture"])
    return metrics


def _check_rows(actions, member):
    """Read all strokes once; keep those to be shown and count damage."""
    not_finite = ~np.isfinite(actions).all(axis=1)
    out_of_range = ~not_finite & ((actions < 0) | (actions > 1)).any(axis=1)
    usable = np.flatnonzero(~not_finite & ~out_of_range)
    if not len(usable):
        usable = np.arange(len(actions))
    shown = usable[np.linspace(0, len(usable) - 1, _NUM_SHOWN).astype(int)]
    shown = np.unique(shown)
    wrong_color, strokes, first = [], [], 0
    for chunk in member.chunks():
        error, _ = color_errors(actions[first : first + len(chunk)], chunk)
        wrong_color.append(error > _MAX_COLOR_ERROR)
        inside = (shown >= first) & (shown < first + len(chunk))
        strokes.append(chunk[shown[inside] - first])
        first += len(chunk)
    bad = not_finite | out_of_range
    wrong_color = np.concatenate(wrong_color) & ~bad
    damage = {
        "not_finite": float(np.mean(not_finite)),
        "out_of_range": float(np.mean(out_of_range)),
        "wrong_color": float(np.mean(wrong_color)),
        "damaged": float(np.mean(bad | wrong_color)),
    }
    return shown, np.concatenate(strokes), damage


def _check_columns(actions, strokes, brush):
    """Redraw actions with their columns in several orders, and compare."""
    actions, fvu = np.clip(np.nan_to_num(actions), 0, 1), {}
    try:
        for name, order in _ORDERS.items():
            ordered = np.empty_like(actions)
            ordered[:, columns(*order.split(", "))] = actions
            fvu[name] = _fvu(draw_strokes(ordered, brush=brush), strokes)
    except EngineError as error:
        return {"fvu": {}, "columns_right": None, "engine": str(error)}
    best = min(fvu, key=fvu.get)
    right = best == "expected" and fvu[best] < 0.5
    return {"fvu": fvu, "columns_right": right}


def _fvu(redrawn, strokes):
    """Squared error of redrawn pictures over that of blank ones."""
    stored = strokes / 255.0
    error = np.sum((on_white(redrawn) - stored) ** 2)
    return round(float(error / max(np.sum((1 - stored) ** 2), 1e-6)), 3)


def inspection_lines(metrics):
    """Put an inspection into words.

    Args:
        metrics: dict of `inspect_episodes`.

    Returns:
        A list of str.
    """
    lines = [f"{metrics['path']}: {metrics['num_strokes']} strokes."]
    if metrics["columns_right"] is None:
        lines.append(f"Columns: not checked. {metrics['engine']}")
    else:
        verdict = "in the expected order"
        if not metrics["columns_right"]:
            verdict = f"NOT {verdict}, or another brush drew the file"
        lines.append(
            f"Columns: {verdict}. Redrawn by the engine (FVU, 0.1 to "
            "0.3 where it is right):"
        )
        lines += [f"  {x:.3f}  {name}" for name, x in metrics["fvu"].items()]
    lines.append(
        f"Damaged rows: {metrics['damaged']:.2%} (not finite "
        f"{metrics['not_finite']:.2%}, out of range "
        f"{metrics['out_of_range']:.2%}, strokes in another colour than "
        f"their action's {metrics['wrong_color']:.2%})."
    )
    lines.append(f"12 strokes with their actions: {metrics['picture']}.")
    return lines
