"""Every figure: arrays in, a matplotlib figure out.

A notebook shows a figure that is the value of a cell. The figures are closed
for pyplot, so that they are not shown twice.
"""

import itertools
import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patches

from nbpainter.actions import ACTION_NAMES
from nbpainter.files import written_whole

_INCH = 1.1  # Side of a stroke's picture.

# What a stage computes, from top to bottom: for each row a kind, what it is,
# and what comes in from the side.
_STAGES = {
    "generator": {
        0: ("data", "actions", ""),
        1: ("learned", "generator", ""),
        2: ("data", "strokes", ""),
        4: ("loss", "cross-entropy", "real\nstrokes"),
    },
    "discriminator": {
        0: ("data", "actions", ""),
        1: ("frozen", "generator", ""),
        2: ("data", "strokes", "real\nstrokes"),
        3: ("learned", "discriminator", ""),
        4: ("loss", "cross-entropy", "real\nor not"),
    },
    "gan": {
        0: ("data", "actions, noise", ""),
        1: ("learned", "generator", ""),
        2: ("data", "strokes", "real\nstrokes"),
        3: ("learned", "discriminator", ""),
        4: ("loss", "cross-entropy", "real\nor not"),
    },
    "paint_image": {
        0: ("learned", "actions", ""),
        1: ("frozen", "generator", ""),
        2: ("data", "canvas", ""),
        4: ("loss", "squared error", "photo-\ngraph"),
    },
}
_PALE = 0.35
_KINDS = {
    "data": {"facecolor": "white", "edgecolor": "none"},
    "learned": {"facecolor": "#fdc27a", "edgecolor": "#b35806"},
    "frozen": {"facecolor": "0.9", "edgecolor": "0.4", "linestyle": "--"},
    "loss": {"facecolor": "#f4b6b6", "edgecolor": "#b2182b"},
}


def _figure(rows, columns, width, height):
    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _show(axes, pictures):
    """Show pictures, each in a place of its own, and hide the other places."""
    for axis in axes.flat[len(pictures) :]:
        axis.set_visible(False)
    for axis, picture in zip(axes.flat, pictures):
        picture = np.asarray(picture)
        if picture.dtype != np.uint8:
            picture = np.clip(picture, 0, 1)
        axis.imshow(picture, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_color("0.85")


def _grid(pictures, columns, width, height):
    """Show pictures in rows; width and height in inches are of one place."""
    rows = math.ceil(len(pictures) / columns)
    figure, axes = _figure(rows, columns, width * columns, height * rows)
    _show(axes, pictures)
    return figure, axes.flat


def plot_stages(present):
    """Draw the four stages: what goes in, what is learned, where the loss is.

    Args:
        present: str, the stage that is coloured: `"generator"`,
            `"discriminator"`, `"gan"` or `"paint_image"`. The others are
            pale.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _figure(1, len(_STAGES), 10, 3.6)
    for number, (axis, stage) in enumerate(zip(axes.flat, _STAGES), 1):
        here = stage == present
        axis.set(xlim=(-1, 1.7), ylim=(4.5, -0.4), xticks=[], yticks=[])
        axis.spines[:].set(visible=here, color=_KINDS["learned"]["edgecolor"])
        axis.set_title(f"{number}  {stage}", alpha=1.0 if here else _PALE)
        steps = _STAGES[stage]
        rows = [*steps, None]
        for row, following in itertools.pairwise(rows):
            kind, text, beside = steps[row]
            if beside:
                end = (0.62 if kind == "loss" else 0.35, row)
                _step(axis, (1.3, row), beside, "data", end, here)
            end = None if following is None else (0, following - 0.25)
            _step(axis, (0, row), text, kind, end, here)
    handles = [
        patches.Patch(label=kind, **_KINDS[kind])
        for kind in ("learned", "frozen", "loss")
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _step(axis, place, text, kind, end, here):
    """A box with its text, and an arrow from its edge to the next one."""
    shade = 1.0 if here else _PALE
    box = {"boxstyle": "round", "alpha": shade, **_KINDS[kind]}
    style = {"ha": "center", "va": "center", "alpha": shade, "bbox": box}
    arrow = {"arrowstyle": "-|>", "color": "0.3", "alpha": shade, "shrinkB": 0}
    if end is None:
        axis.text(*place, text, **style)
    else:
        axis.annotate(text, end, place, arrowprops=arrow, **style)


def plot_strokes(strokes, num_columns=8):
    """Show strokes on white, in rows.

    Args:
        strokes: array `(n, height, width, 3 or 4)`: RGB or RGBA floats in
            `[0, 1]`, or uint8.
        num_columns: int. Default 8.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    columns = min(num_columns, len(strokes))
    return _grid(strokes, columns, _INCH, _INCH)[0]


def plot_actions(actions, strokes):
    """Show strokes with their actions: the curve, its ends and the numbers.

    Args:
        actions: float array `(n, 12)`.
        strokes: uint8 array `(n, size, size, 3)`.

    Returns:
        A `matplotlib.figure.Figure`: start o, control +, end x.
    """
    figure, axes = _grid(strokes, 4, 3.6, 2.2)
    size = strokes.shape[1]
    for axis, action in zip(axes, actions):
        named = dict(zip(ACTION_NAMES, action))
        for point, marker in (("start", "o"), ("control", "+"), ("end", "x")):
            x, y = (named[f"{point}_{axis_name}"] for axis_name in "xy")
            axis.plot(x * size, y * size, marker, color="k", fillstyle="none")
        axis.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
        text = "\n".join(f"{name} {x:.2f}" for name, x in named.items())
        axis.text(1.05, 1, text, va="top", fontsize=7, transform=axis.transAxes)
    return figure


def plot_comparison(strokes, num_columns=8):
    """Show the same strokes drawn in several ways, one below the other.

    Args:
        strokes: dict from a name to an array `(n, height, width, 3 or 4)`
            of floats in `[0, 1]`.
        num_columns: int, strokes side by side. Default 8.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    count = min(len(pictures) for pictures in strokes.values())
    columns = min(num_columns, count)
    rows = math.ceil(count / columns) * len(strokes)
    figure, axes = _figure(rows, columns, _INCH * columns + 1, _INCH * rows)
    for index, (name, pictures) in enumerate(strokes.items()):
        mine = axes[index :: len(strokes)]
        _show(mine, pictures[:count])
        for axis in mine[:, 0]:
            axis.set_ylabel(name)
    return figure


def plot_maps(maps, titles=()):
    """Show maps of one channel side by side, on one grey scale.

    Args:
        maps: float array `(height, width, n)`; the largest value of all is
            black.
        titles: sequence of n strings. Default: none.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    grey = 1 - np.moveaxis(maps, -1, 0)[..., None] / maps.max()
    figure, axes = _grid(grey.repeat(3, axis=-1), len(grey), 2.2, 2.4)
    for axis, title in zip(axes, titles):
        axis.set_title(title)
    return figure


def plot_history(history, lines=None, log=(), unit="epoch"):
    """Draw the curves of a training, one panel for each metric.

    Args:
        history: dict from names to lists, such as `fit(...).history` or
            `StepHistory().history`; a name beginning with `val_` shares the
            panel of the rest of it, and spans it however few its values are.
        lines: dict from a metric's name to a dict from labels to values:
            horizontal lines to compare its curve with. Default: none.
        log: sequence of str, metrics on a logarithmic scale. Default: none.
        unit: str, what a value stands for: `"epoch"` (the default) or
            `"step"`; steps scatter, so their running mean is drawn as well.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:

    >>> history = {"loss": [0.9, 0.8, 0.7], "val_loss": [0.9, 0.8, 0.75]}
    >>> figure = plot_history(history, {"loss": {"ln 2": math.log(2)}})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['training', 'held-out', 'ln 2']
    """
    names = [name for name in history if not name.startswith("val_")]
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    figure, axes = _figure(rows, columns, 3.6 * columns, 2.8 * rows)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for name, axis in zip(names, axes.flat):
        _curves(axis, history[name], history.get(f"val_{name}"), unit)
        for label, value in (lines or {}).get(name, {}).items():
            color = f"C{len(axis.lines)}"
            axis.axhline(value, color=color, linestyle="--", label=label)
        axis.set(xlabel=unit, title=name)
        if name in log:
            axis.set_yscale("log")
        else:
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, 0), max(1.08 * high, 1e-9))
        if len(axis.lines) > 1:
            axis.legend()
        axis.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _curves(axis, values, held_out, unit):
    places = np.arange(1, len(values) + 1)
    if unit == "epoch":
        axis.plot(places, values, "o-", label="training")
    else:
        # The first steps are the steepest, so the window is short there.
        first = places - np.minimum((places + 1) // 2, 1 + len(places) // 25)
        sums = np.cumsum([0, *values])
        mean = (sums[places] - sums[first]) / (places - first)
        axis.plot(places, values, color="C0", alpha=0.25)
        axis.plot(places, mean, color="C0", label="training")
    if held_out:
        step = len(values) / len(held_out)
        places = step * np.arange(1, len(held_out) + 1)
        axis.plot(places, held_out, "s-", color="C1", label="held-out")


def plot_windows(photo, levels):
    """Show which windows cover a photograph, level by level.

    Args:
        photo: float array `(height, width, 3)`.
        levels: list of pairs of ints, see `plan_levels`: windows along the
            longer side, and strokes of the level.

    Returns:
        A `matplotlib.figure.Figure`: the windows of one parity class, which
        are painted together, are coloured.
    """
    height, width = photo.shape[:2]
    columns = len(levels)
    figure, axes = _grid([photo] * columns, columns, 3, 3 * height / width)
    for axis, (cells, num_strokes) in zip(axes, levels):
        side = max(height, width) / cells
        rows, columns = math.ceil(height / side), math.ceil(width / side)
        for row, column in itertools.product(range(rows), range(columns)):
            chosen = row % 2 == 0 and column % 2 == 0
            corner = column * side - 0.5, row * side - 0.5
            face = (1, 0.5, 0, 0.35) if chosen else "none"
            square = patches.Rectangle(corner, side, side, fc=face, ec="white")
            axis.add_patch(square)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        axis.set_title(f"{rows} x {columns} windows, {num_strokes} strokes")
    return figure


def plot_minima(x, curves, label):
    """Draw curves, and mark the lowest point of each.

    Args:
        x: float array `(n,)`.
        curves: dict from names to float arrays `(n,)`.
        label: str, what `x` is.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, ((axis,),) = _figure(1, 1, 5.5, 3.2)
    for name, values in curves.items():
        (line,) = axis.plot(x, values, label=name)
        lowest = np.argmin(values)
        axis.plot(x[lowest], values[lowest], "o", color=line.get_color())
    axis.set(xlabel=label)
    axis.legend()
    return figure


def plot_bars(values, title="", lines=None):
    """Draw one bar for each value, with its number.

    Args:
        values: dict from names to floats.
        title: str, what the values are. Default: none.
        lines: dict from labels to values, to compare with. Default: none.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, ((axis,),) = _figure(1, 1, 7, 0.6 + 0.42 * len(values))
    bars = axis.barh(list(values), list(values.values()), color="C0")
    axis.bar_label(bars, fmt="%.3f", padding=3)
    axis.invert_yaxis()
    for label, value in (lines or {}).items():
        axis.axvline(value, color="0.3", linestyle="--", label=label)
        axis.legend()
    axis.set(xlabel=title, xlim=(0, 1.15 * max(values.values())))
    return figure


def plot_calibration(calibration):
    """Draw how often strokes are real, given the predicted probability.

    Args:
        calibration: list of `[mean probability, share of real strokes,
            number of strokes]`, see `measure_discriminator`.

    Returns:
        A `matplotlib.figure.Figure`: the points of a calibrated
        discriminator lie on the diagonal. Beside a point stands the number
        of its strokes, and its bar is two standard errors long either way.
    """
    figure, ((axis,),) = _figure(1, 1, 4.4, 4.4)
    chance, real, count = np.transpose(calibration)
    error = 2 * np.sqrt(np.maximum(real * (1 - real), 1e-9) / count)
    axis.plot([0, 1], [0, 1], color="0.8", zorder=0)
    axis.errorbar(chance, real, error, fmt="o", capsize=3)
    for x, y, number in zip(chance, real, count.astype(int)):
        axis.text(x + 0.02, y - 0.05, number, fontsize=8)
    axis.set(xlim=(-0.05, 1.12), ylim=(-0.1, 1.1), aspect="equal")
    axis.set_xlabel("predicted probability of being real")
    axis.set_ylabel("share of real strokes")
    return figure


def plot_curves(curves):
    """Draw how paintings come closer to their photographs.

    Args:
        curves: dict from a name to a list of `[strokes, seconds, psnr]`, see
            `paint`: PSNR in decibels.

    Returns:
        A `matplotlib.figure.Figure`: PSNR against strokes and seconds.
    """
    figure, ((left, right),) = _figure(1, 2, 8.0, 3.2)
    for name, curve in curves.items():
        strokes, seconds, decibels = np.transpose(curve)
        left.plot(strokes, decibels, ".-", label=name)
        right.plot(seconds, decibels, ".-", label=name)
    left.set(xlabel="strokes", ylabel="PSNR in dB", xscale="log")
    right.set(xlabel="seconds")
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter("")
    for axis in (left, right):
        axis.grid(color="0.9")
    if len(curves) > 1:
        left.legend()
    return figure


def plot_pictures(pictures, num_columns=4):
    """Show pictures of one shape with their titles.

    Args:
        pictures: dict from a title to an array `(height, width, 3)`.
        num_columns: int, places side by side. Default 4.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    height, width = np.shape(next(iter(pictures.values())))[:2]
    inch = 10 / num_columns
    tall = inch * min(2.0, height / width) + 0.3
    figure, axes = _grid(list(pictures.values()), num_columns, inch, tall)
    for axis, title in zip(axes, pictures):
        axis.set_title(title, fontsize=min(12, 48 / num_columns))
    return figure


def plot_report(figures, strokes):
    """Draw a report card: strokes, error and texture by brush size.

    Args:
        figures: dict, see `nbpainter.measure_preset`.
        strokes: dict from a name to RGBA strokes `(8, height, width, 4)`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = plt.figure(figsize=(10, 3.0 + len(strokes)), layout="constrained")
    plt.close(figure)
    above, below = figure.subfigures(2, 1, height_ratios=[len(strokes), 2.6])
    axes = above.subplots(len(strokes), 8, squeeze=False)
    for row, (name, pictures) in zip(axes, strokes.items()):
        row[0].set_ylabel(name)
        _show(row, pictures)
    left, right = below.subplots(1, 2)
    for axis, name, title, line in (
        (left, "fvu", "FVU of the calm stroke", figures["fvu_floor"]),
        (right, "texture", "texture, generated over real", 1.0),
    ):
        values = figures[f"{name}_by_size"]
        heights = [value or 0 for value in values]
        axis.bar(["1", "2", "3", "4"], heights, color="tab:blue")
        axis.axhline(line, color="0.3", linestyle="--")
        axis.set(title=title, xlabel="quarter of brush sizes, smallest first")
    return figure


def sample_photo():
    """Return the path of a photograph that comes with matplotlib.

    It is a portrait of Grace Hopper by James S. Davis, US Navy, in the
    public domain.
    """
    return f"{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg"


def save_figure(figure, path):
    """Write a figure to a PNG file, whole or not at all."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=120)
