"""The command `nbpainter paint`: one photograph or many, with all files."""

import os
import pathlib
import sys
import time

import nbpainter
from nbpainter.choices import check_choices
from nbpainter.config import PaintConfig
from nbpainter.errors import DataError, NBPainterError
from nbpainter.files import make_folder

_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Of the seconds that a whole command may take, for all but the painting:
_FILES_SHARE, _FILES_SECONDS = 0.15, 2.0


def add_paint_command(commands):
    """Add the command to the sub-parsers of the command line."""
    paint = commands.add_parser(
        "paint",
        help="paint photographs",
        description="Paint photographs. Ctrl-C ends with the painting as it "
        "is: all its files are written, and the exit code is 130.",
    )
    paint.add_argument(
        "photos",
        metavar="PHOTO",
        nargs="+",
        help="a picture file, or a folder of them",
    )
    paint.add_argument(
        "--strokes",
        type=int,
        metavar="N",
        help="default: 400, or as many as fit into --seconds",
    )
    paint.add_argument(
        "--size", type=int, metavar="PX", help="longer side; default: 512"
    )
    paint.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="end after about so long, with all files, for each photograph",
    )
    paint.add_argument("--seed", type=int, metavar="S", help="default: 0")
    paint.add_argument(
        "--palette",
        metavar="N|COLORS",
        help="paint with N colours that suit the photograph, or with those "
        "of a list: '#112233,#ffeecc'",
    )
    paint.add_argument(
        "--background", metavar="COLOR", help="'#rrggbb'; default: white"
    )
    paint.add_argument(
        "--mask", metavar="PICTURE", help="paint only where it is white"
    )
    paint.add_argument(
        "--resume",
        metavar="painting.json",
        help="go on with this painting, on the same photograph",
    )
    paint.add_argument(
        "--brush",
        metavar="NAME",
        help="one with a preset, or the .weights.h5 of `train brush`; "
        "default: dry_brush, or the one of the painting to resume",
    )
    paint.add_argument(
        "--export",
        nargs="+",
        metavar="ENDING",
        default=[],
        help="leave more files: svg html webp mp4 pdf",
    )
    paint.add_argument(
        "--out",
        metavar="DIR",
        default="painting",
        help="the files' folder; with several photographs, one folder in it "
        "for each",
    )
    paint.set_defaults(run=run_paint)
    return paint


def run_paint(arguments):
    """Paint all photographs of the command line.

    Args:
        arguments: `argparse.Namespace` of `add_paint_command`'s parser.

    Returns:
        130 after Ctrl-C, 2 if a photograph failed, else `None`.

    Raises:
        NBPainterError: if the only photograph fails.
    """
    if arguments.brush:
        nbpainter.weights.preset_of_brush(arguments.brush)
    for name in _exported(arguments):
        nbpainter.exports.check_export(name)  # Before minutes of painting.
    photos, several = _find_photos(arguments.photos)
    if several and arguments.resume:
        raise DataError(
            "--resume goes on with one painting: name its photograph alone. "
            f"Received: {len(photos)} photographs."
        )
    # Once for all photographs, and before there is a folder.
    check_choices(
        *(arguments.strokes, arguments.size, arguments.seed),
        *(arguments.seconds, _palette(arguments.palette)),
        arguments.background,
    )
    if not several:
        return 130 if _paint(photos[0], arguments.out, arguments) else None
    failed, taken = 0, set()
    for photo in photos:
        folder = _folder_of(photo, taken)
        print(f"{photo}:")
        try:
            if _paint(photo, pathlib.Path(arguments.out) / folder, arguments):
                return 130
        except NBPainterError as error:
            failed += 1
            print(f"nbpainter: {error}", file=sys.stderr)
    if failed:
        print(
            f"nbpainter: {failed} of {len(photos)} photographs failed.",
            file=sys.stderr,
        )
    return 2 if failed else None


def _find_photos(places):
    """All photographs, and whether they are or may be several."""
    photos = []
    for place in places:
        if not os.path.exists(place) and len(places) == 1:
            raise DataError(f"There is no photograph {place}. Check the path.")
        if os.path.isdir(place):
            found = sorted(
                path
                for path in pathlib.Path(place).iterdir()
                if path.suffix.lower() in _PHOTOS
                # macOS leaves "._name.jpg" beside each "name.jpg".
                and not path.name.startswith(".")
            )
            if not found:
                raise DataError(
                    f"There is no photograph in the folder {place}: none ends "
                    f"in {', '.join(_PHOTOS)}."
                )
            photos += found
        else:
            photos.append(pathlib.Path(place))
    return photos, len(photos) > 1 or os.path.isdir(places[0])


def _folder_of(photo, taken):
    """A folder's name for a photograph that no other one has."""
    name, number = photo.stem, 1
    while name in taken:
        number += 1
        name = f"{photo.stem}-{number}"
    taken.add(name)
    return name


def _paint(photo, folder, arguments):
    """Paint one photograph; return whether Ctrl-C ended it."""
    started = time.perf_counter()
    size, brush = arguments.size, arguments.brush
    if not arguments.resume:
        size = PaintConfig.size if size is None else size
        nbpainter.load_photo(photo, size)  # Before a folder is made.
    folder = make_folder(folder)
    paint = nbpainter.paint  # Loads TensorFlow, which takes seconds as well.
    seconds = arguments.seconds
    if seconds is not None and seconds > 0:
        seconds = seconds * (1 - _FILES_SHARE) - _FILES_SECONDS
        seconds = max(0.1, seconds - (time.perf_counter() - started))
    painting = paint(
        photo,
        num_strokes=arguments.strokes,
        size=size,
        seed=arguments.seed,
        generator=brush and nbpainter.weights.preset_of_brush(brush),
        num_steps=PaintConfig().num_steps,
        seconds=seconds,
        palette=_palette(arguments.palette),
        background=arguments.background,
        mask=arguments.mask,
        resume=arguments.resume,
    )
    _write(painting, folder, _exported(arguments))
    return painting.figures["ended"] == "interrupt"


def _palette(text):
    """The argument of `paint` that a text stands for."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return [color.strip() for color in text.split(",")]


def _exported(arguments):
    """Names of the files that are asked for beside the usual ones."""
    endings = [end.lstrip(".") for end in arguments.export]
    for ending in endings:
        if not ending.isalnum():
            raise DataError(
                f"--export takes endings, such as svg. Received: {ending!r}."
            )
    return [f"painting.{ending}" for ending in endings]


def _write(painting, folder, exported):
    """Write all files of a painting, and say so."""
    painting.save(folder / "painting.json")
    painting.save_image(folder / "painting.png")
    longer = max(painting.width, painting.height)
    painting.save_animation(folder / "painting.gif", size=min(512, longer))
    written = ["painting.png", "painting.gif", "painting.json"]
    if nbpainter.libmypaint.is_available():
        nbpainter.pictures.save_picture(
            painting.replay(), folder / "mypaint.png"
        )
        written.append("mypaint.png")
    for name in exported:
        painting.export(folder / name)
        written.append(name)
    figures = painting.figures
    print(
        f"{figures['num_strokes']} strokes, {figures['psnr']:.2f} dB, "
        f"{figures['seconds']:.0f} s. In {folder}: {', '.join(written)}."
    )
