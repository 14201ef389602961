"""Write a painting as whatever the ending of a file's name asks for."""

from nbpainter.engine.libmypaint import load_library
from nbpainter.export import openraster, player, plotter, sheets, svg
from nbpainter.images import check_ending, find_ffmpeg
from nbpainter.painter.painting import Painting

_WRITERS = {
    ".svg": svg.write_svg,
    ".html": player.write_player,
    ".plot.svg": plotter.write_plot,
    ".pdf": sheets.write_sheets,
    ".ora": openraster.write_openraster,
    ".json": Painting.save,
    **dict.fromkeys((".gif", ".webp", ".mp4"), Painting.save_animation),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), Painting.save_image),
}


def check_export(path, transparent=False):
    """Say what is wrong with an export before time is spent on it.

    Args:
        path: str or path.
        transparent: bool, whether the ground is to be left out.

    Returns:
        The ending in small letters, such as `".svg"`.

    Raises:
        DataError: for an ending that nothing is written for, for `.mp4`
            without ffmpeg, or for a transparent ground in another file than
            `.png`.
        EngineError: for `.ora` without libmypaint.
    """
    ending = check_ending("An exported painting", path, _WRITERS)
    if transparent:
        check_ending("A transparent picture", path, [".png"])
    if ending == ".mp4":
        find_ffmpeg()
    if ending == ".ora":
        load_library()
    return ending


def export(painting, path, transparent=False, **plot):
    """Write a painting in the format that a file's ending names.

    Args:
        painting: a `Painting`.
        path: str or path; see `Painting.export`.
        transparent: bool, for `.png`: whether to leave out the background.
        **plot: for `.plot.svg`: see `write_plot`.

    Raises:
        DataError: see `check_export`; or if it cannot be written.
        EngineError: see `check_export`; or if libmypaint lacks a brush.
    """
    write = _WRITERS[check_export(path, transparent)]
    options = {"transparent": True} if transparent else {}
    write(painting, path, **options, **plot)
