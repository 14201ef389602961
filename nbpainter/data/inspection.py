"""Look at a file of episodes: its strokes, its columns, its damage."""

import pathlib

import numpy as np

from nbpainter.actions import ACTION_INDEX, ACTION_NAMES
from nbpainter.data.episode_files import open_members
from nbpainter.data.episodes import on_white
from nbpainter.data.pixels import color_errors, lay_on_white
from nbpainter.engine.brush import draw_strokes
from nbpainter.errors import EngineError
from nbpainter.files import make_folder
from nbpainter.plotting import plot_actions, save_figure

_NUM_SHOWN = 12
_MAX_COLOR_ERROR = 3  # Of 255; rounding leaves 1 or 2.

# Other orders that a file may have been written in, or read by mistake. A
# stroke that is drawn backwards looks almost the same: not told apart.
_ORDERS = {
    "as in the README in circulation": (
        *("start_pressure", "end_pressure", "size", "red", "green", "blue"),
        *("start_x", "start_y", "end_x", "end_y", "control_x", "control_y"),
    ),
    "x and y exchanged": (
        *("end_pressure", "size", "control_y", "control_x"),
        *("end_y", "end_x", "red", "green", "blue"),
        *("start_y", "start_x", "start_pressure"),
    ),
    "blue, green, red": (
        *ACTION_NAMES[:6],
        *("blue", "green", "red"),
        *ACTION_NAMES[9:],
    ),
}


def inspect_episodes(path, folder=None, brush="dry_brush"):
    """Show 12 strokes of a file and check its columns and its rows.

    Args:
        path: str or path of an `.npz` file of episodes. Rows may be damaged.
        folder: str or path, where the picture goes. Default: beside the file.
        brush: str or path, the brush that drew the file, see
            `nbpainter.engine.brush.load_brush`.

    Returns:
        A dict: `num_strokes`; `damaged`, the share of rows that are damaged,
        and of it `not_finite`, `out_of_range` and `wrong_color`; `fvu`, how
        far the engine's strokes are from the stored ones for each order of
        the columns (`{}` without libmypaint); `columns_right`, a bool or
        `None`; and `picture`, a path.

    Raises:
        DataError: if the file cannot be read or the picture not written.
    """
    path = pathlib.Path(path)
    folder = make_folder(folder or path.parent)
    with open_members(path) as members:
        actions = members[0].read().astype("float32")
        shown, damage = _check_rows(actions, members[1])
    chosen, strokes = shown
    figures = {"path": str(path), "num_strokes": len(actions), **damage}
    figures |= _check_columns(actions[chosen], strokes, brush)
    figures["picture"] = folder / f"{path.stem}_inspected.png"
    save_figure(plot_actions(actions[chosen], strokes), figures["picture"])
    return figures


def _check_rows(actions, member):
    """Read all strokes once; keep the 12 to be shown and count damage."""
    not_finite = ~np.isfinite(actions).all(axis=1)
    out_of_range = ~not_finite & ((actions < 0) | (actions > 1)).any(axis=1)
    usable = np.flatnonzero(~not_finite & ~out_of_range)
    if not len(usable):
        usable = np.arange(len(actions))
    places = np.linspace(0, len(usable) - 1, _NUM_SHOWN).astype(int)
    chosen = np.unique(usable[places])
    wrong_color, strokes, first = [], [], 0
    for chunk in member.chunks():
        chunk = lay_on_white(chunk)
        error, _ = color_errors(actions[first : first + len(chunk)], chunk)
        wrong_color.append(error > _MAX_COLOR_ERROR)
        inside = (chosen >= first) & (chosen < first + len(chunk))
        strokes.append(chunk[chosen[inside] - first])
        first += len(chunk)
    kinds = {
        "not_finite": not_finite,
        "out_of_range": out_of_range,
        "wrong_color": np.concatenate(wrong_color)
        & ~not_finite
        & ~out_of_range,
    }
    damage = {name: float(np.mean(rows)) for name, rows in kinds.items()}
    damage["damaged"] = float(np.mean(np.any(list(kinds.values()), axis=0)))
    return (chosen, np.concatenate(strokes)), damage


def _check_columns(actions, strokes, brush):
    """Redraw actions with their columns in several orders, and compare."""
    right = f"expected: {', '.join(ACTION_NAMES)}"
    actions = np.clip(np.nan_to_num(actions), 0, 1)
    fvu = {}
    try:
        for name, order in {right: ACTION_NAMES, **_ORDERS}.items():
            ordered = np.empty_like(actions)
            for column, component in enumerate(order):
                ordered[:, ACTION_INDEX[component]] = actions[:, column]
            fvu[name] = _measure(draw_strokes(ordered, brush=brush), strokes)
    except EngineError as error:
        return {"fvu": {}, "columns_right": None, "engine": str(error)}
    best = min(fvu, key=fvu.get)
    return {
        "fvu": {name.partition(":")[0]: value for name, value in fvu.items()},
        "columns_right": best == right and fvu[right] < 0.5,
    }


def _measure(redrawn, strokes):
    """Squared error of redrawn pictures over that of blank ones."""
    stored = strokes / 255.0
    error = np.sum((on_white(redrawn) - stored) ** 2)
    return round(float(error / max(np.sum((1 - stored) ** 2), 1e-6)), 3)


def inspection_lines(figures):
    """Put an inspection into words.

    Args:
        figures: dict of `inspect_episodes`.

    Returns:
        A list of str.
    """
    lines = [f"{figures['path']}: {figures['num_strokes']} strokes."]
    if figures["columns_right"] is None:
        lines.append(f"Columns: not checked. {figures['engine']}")
    else:
        verdict = (
            "in the expected order"
            if figures["columns_right"]
            else "NOT in the expected order, or another brush drew the file"
        )
        lines.append(
            f"Columns: {verdict}. Redrawn by the engine (FVU, 0.1 to "
            "0.3 where it is right):"
        )
        lines += [f"  {x:.3f}  {name}" for name, x in figures["fvu"].items()]
    lines.append(
        f"Damaged rows: {figures['damaged']:.2%} (not finite "
        f"{figures['not_finite']:.2%}, out of range "
        f"{figures['out_of_range']:.2%}, strokes in another colour than "
        f"their action's {figures['wrong_color']:.2%})."
    )
    lines.append(f"12 strokes with their actions: {figures['picture']}.")
    return lines
