"""Write a painting as whatever the ending of a file's name asks for."""

import pathlib

import numpy as np

from nbpainter.actions import COLOR_COLUMNS
from nbpainter.errors import DataError
from nbpainter.export.player import write_player
from nbpainter.export.sheets import write_sheets
from nbpainter.export.svg import write_svg
from nbpainter.images import find_ffmpeg, from_hex as color_of

_PAGES = 8


def _export_svg(painting, path):
    write_svg(
        path,
        painting.paths(),
        painting.actions[:, COLOR_COLUMNS],
        painting.width,
        painting.height,
        painting.background,
        pathlib.Path(path).stem,
    )


def _export_player(painting, path):
    write_player(
        path,
        painting.canvas,
        painting.layers(),
        painting.actions[:, COLOR_COLUMNS],
        np.array(color_of(painting.background)),
        pathlib.Path(path).stem,
    )


def _export_steps(painting, path):
    write_sheets(path, painting.steps(min(_PAGES, max(1, len(painting)))))


def _export_picture(painting, path):
    painting.save_image(path)


def _export_animation(painting, path):
    painting.save_animation(path)


def _export_strokes(painting, path):
    painting.save(path)


_WRITERS = {
    ".svg": _export_svg,
    ".html": _export_player,
    ".gif": _export_animation,
    ".webp": _export_animation,
    ".mp4": _export_animation,
    ".pdf": _export_steps,
    ".png": _export_picture,
    ".jpg": _export_picture,
    ".jpeg": _export_picture,
    ".json": _export_strokes,
}


def check_export(path, transparent=False):
    """Say what is wrong with an export before time is spent on it.

    Args:
        path: str or path.
        transparent: bool, whether the ground is to be left out.

    Raises:
        DataError: for an ending that nothing is written for, for `.mp4`
            without ffmpeg, or for a transparent ground in another file than
            `.png`.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise DataError(
            f"A painting is exported as {', '.join(_WRITERS)}. Received: "
            f"{str(path)!r}."
        )
    if transparent and suffix != ".png":
        raise DataError(
            f"A transparent ground takes a .png file. Received: {str(path)!r}."
        )
    if suffix == ".mp4":
        find_ffmpeg()


def export(painting, path, transparent=False):
    """Write a painting in the format that a file's ending names.

    Args:
        painting: a `Painting`.
        path: str or path; see `Painting.export`.
        transparent: bool, for `.png`: whether to leave out the background.

    Raises:
        DataError: see `check_export`; or if it cannot be written.
    """
    check_export(path, transparent)
    if transparent:
        painting.save_image(path, transparent=True)
    else:
        _WRITERS[pathlib.Path(path).suffix.lower()](painting, path)
