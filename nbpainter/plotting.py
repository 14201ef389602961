"""Every figure: arrays in, a matplotlib figure out.

A notebook shows a figure that is the value of a cell. The figures are closed
for pyplot, so that they are not shown twice.
"""

import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from nbpainter.actions import ACTION_NAMES
from nbpainter.files import written_whole

_INCH = 1.1  # Side of a stroke's picture.


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
        if picture.dtype == np.uint8:
            picture = picture / 255
        if picture.shape[-1] == 4:
            opacity = picture[..., 3:]
            picture = picture[..., :3] * opacity + 1 - opacity
        axis.imshow(np.clip(picture, 0, 1), interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_color("0.85")


def _grid(pictures, columns, width, height):
    """Show pictures in rows; width and height in inches are of one place."""
    rows = math.ceil(len(pictures) / columns)
    figure, axes = _figure(rows, columns, width * columns, height * rows)
    _show(axes, pictures)
    return figure, axes.flat


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
    """Show maps of one channel side by side.

    Args:
        maps: float array `(height, width, n)`.
        titles: sequence of n strings. Default: none.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    count = maps.shape[-1]
    figure, axes = _figure(1, count, 2.2 * count, 2.4)
    for index, axis in enumerate(axes.flat):
        axis.imshow(maps[..., index], cmap="gray_r")
        axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes.flat, titles):
        axis.set_title(title)
    return figure


def plot_history(history):
    """Draw the curves of a training, one panel for each figure.

    Args:
        history: dict from names to lists, such as `fit(...).history`; a
            name beginning with `val_` shares the panel of the rest of it.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    names = [name for name in history if not name.startswith("val_")]
    figure, axes = _figure(1, len(names), 3.6 * len(names), 2.8)
    for name, axis in zip(names, axes.flat):
        epochs = np.arange(1, len(history[name]) + 1)
        axis.plot(epochs, history[name], "o-", label="training")
        if f"val_{name}" in history:
            axis.plot(epochs, history[f"val_{name}"], "s-", label="unseen")
            axis.legend()
        axis.set(xlabel="epoch", title=name)
        axis.set_ylim(0, 1.08 * max(axis.get_ylim()[1], 1e-9))
        axis.xaxis.get_major_locator().set_params(integer=True)
    return figure


def plot_calibration(calibration):
    """Draw how often strokes are real, given how sure the judge is.

    Args:
        calibration: list of `[mean probability, share of real strokes,
            number of strokes]`, see `measure_discriminator`.

    Returns:
        A `matplotlib.figure.Figure`: a calibrated judge's points lie on the
        diagonal; the larger a point, the more strokes it stands for.
    """
    figure, ((axis,),) = _figure(1, 1, 3.6, 3.6)
    chance, real, count = np.transpose(calibration)
    axis.plot([0, 1], [0, 1], color="0.8", zorder=0)
    axis.scatter(chance, real, 20 + 180 * count / count.max(), alpha=0.7)
    axis.set(
        xlabel="probability of being real, says the judge",
        ylabel="share of real strokes",
        xlim=(-0.05, 1.05),
        ylim=(-0.05, 1.05),
        aspect="equal",
    )
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
