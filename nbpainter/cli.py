"""The command line: `nbpainter paint / replay / export / train / report ...`.

Whatever a user can mend ends in one sentence on standard error and exit code
2. TensorFlow is imported by the commands that need it, when they need it.
"""

import argparse
import contextlib
import importlib
import inspect
import logging
import os
import pathlib
import re
import signal
import sys
import threading
import time

import nbpainter
from nbpainter.config import BrushReportConfig, PaintConfig
from nbpainter.errors import DataError, EngineError, NBPainterError
from nbpainter.files import make_folder


class _Printer(logging.Handler):
    """Prints what the package says; an error of the output is not caught."""

    def emit(self, record):
        print(record.getMessage(), flush=True)


_PRINTER = _Printer()
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Of the seconds that a whole command may take, what the files need: a part of
# them, and a constant.
_FILES_PART, _FILES_SECONDS = 0.15, 2.0
_METRICS = {
    "fvu": "FVU",
    "texture": "texture",
    "accuracy": "accuracy",
    "calibration_error": "calibration error",
}


def build_parser():
    """Return the `argparse.ArgumentParser` of the command line."""
    parser = argparse.ArgumentParser(
        prog="nbpainter",
        description="Paint photographs with learned MyPaint brush strokes.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )
    for run in _COMMANDS:
        summary, _, manual = inspect.getdoc(run).partition("\n\n")
        command = commands.add_parser(
            run.__name__.lstrip("_"),
            help=summary,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.set_defaults(run=run)
        for line in re.sub("\n +", " ", manual).splitlines():
            usage, _, text = line.partition(": ")
            if usage == "description":
                command.description = text
            elif usage.startswith("either "):
                either = command.add_mutually_exclusive_group()
                _add_argument(either, usage.removeprefix("either "), text)
            elif usage.startswith("or "):
                _add_argument(either, usage.removeprefix("or "), text)
            else:
                _add_argument(command, usage.rstrip(":"), text)
    return parser


def _add_argument(parser, usage, text):
    """Add an argument, as a line of a command's docstring says.

    Args:
        parser: `argparse.ArgumentParser`.
        usage: str, as on a manual's page: a name and its `METAVAR`; also
            `METAVAR=DEFAULT`, `METAVAR!` if it must be given, `METAVAR...`
            for one or more of them, `[METAVAR]` for at most one and
            `{THIS,THAT}` for a choice. An option without any is a switch.
        text: str, its help; may be empty.
    """
    name, _, metavar = usage.partition(" ")
    metavar, _, default = metavar.partition("=")
    settings = {"help": text or None, "action": "store_true"}
    if metavar:
        settings |= {"action": "store", "type": _TYPES.get(name)}
        settings["metavar"] = metavar.strip("[]!.")
    if metavar.endswith("..."):
        settings |= {"nargs": "+", "default": []}
    elif metavar.startswith("["):
        settings["nargs"] = "?"
    elif metavar.startswith("{"):
        settings["choices"] = metavar.strip("{}").split(",")
    elif metavar.endswith("!"):
        settings["required"] = True
    elif default:
        settings["default"] = default
    parser.add_argument(name, **settings)


def _palette(text):
    """The argument of `paint` that a text stands for."""
    try:
        return int(text)
    except ValueError:
        return [color.strip() for color in text.split(",")]


_TYPES = {
    "index": int,
    "--palette": _palette,
    "--seconds": float,
    "--seed": int,
    "--size": int,
    "--strokes": int,
}


def main(arguments=None):
    """Run a command.

    Args:
        arguments: list of str. Default: the command line's.

    Returns:
        0; 2 after a sentence on standard error; 130 after Ctrl-C.
    """
    if sys.stdout is None:  # Closed by the caller; Keras needs one.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if threading.current_thread() is threading.main_thread():
        # What is half-written is taken away on the way out.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logger = logging.getLogger("nbpainter")
    logger.addHandler(_PRINTER)
    logger.setLevel(logging.INFO)
    arguments = build_parser().parse_args(arguments)
    try:
        return arguments.run(arguments) or 0
    except NBPainterError as error:
        problem = str(error)
    except MemoryError:
        problem = "There is not enough memory. Choose a smaller size."
    except BrokenPipeError:
        problem = "The output was cut off by the reader. Redirect it to a file."
    except OSError as error:
        problem = f"{error}. Check the path and the room on the disk."
    except KeyboardInterrupt:
        print("\nnbpainter: stopped.", file=sys.stderr)
        return 130
    print(f"\nnbpainter: {problem}", file=sys.stderr)
    return 2


@contextlib.contextmanager
def quiet_stderr():
    """Hide what is written to standard error, by libraries in C++ as well.

    TensorFlow greets with some lines when it is imported, before any setting
    can silence them.
    """
    try:
        kept = os.dup(2)
    except OSError:  # There is no standard error.
        yield
        return
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _load(module):
    """Import a module of ours that may need TensorFlow."""
    with quiet_stderr():
        return importlib.import_module(f"nbpainter.{module}")


def _paint(arguments):
    """paint photographs

    description: Paint photographs. Ctrl-C ends with the painting as it is: all
        its files are written, and the exit code is 130.
    photos PHOTO...: a picture file, or a folder of them
    --strokes N: default: 400, or as many as fit into --seconds
    --size PX: longer side; default: 512
    --seconds S: end after about so long, with all files, for each photograph
    --seed S: default: 0
    --palette N|COLORS: paint with N colours that suit the photograph, or with
        those of a list: '#112233,#ffeecc'
    --background COLOR: '#rrggbb'; default: white
    --mask PICTURE: paint only where it is white
    --resume painting.json: go on with this painting, on the same photograph
    --brush NAME: one with a preset, or the .weights.h5 of `train brush`;
        default: dry_brush, or the one of the painting to resume
    --export ENDING...: leave more files: svg html webp mp4 pdf
    --out DIR=painting: the files' folder; with several photographs, one folder
        in it for each
    """
    started = time.perf_counter()
    # What holds for all photographs is checked once, before there is a folder.
    exported = [_exported(ending) for ending in arguments.export]
    photos, several = _find_photos(arguments.photos)
    if several and arguments.resume:
        raise DataError(
            "--resume goes on with one painting: name its photograph alone. "
            f"Received: {len(photos)} photographs."
        )
    brush = arguments.brush
    if brush:
        brush = _load("models.presets").preset_of_brush(brush)
    choices = {
        "num_strokes": arguments.strokes,
        "size": arguments.size,
        "seed": arguments.seed,
        "seconds": arguments.seconds,
        "palette": arguments.palette,
        "background": arguments.background,
    }
    _load("painter.coarse_to_fine").check_choices(**choices)
    if choices["size"] is None and not arguments.resume:
        choices["size"] = PaintConfig.size
    choices |= {
        "generator": brush,
        "num_steps": PaintConfig.num_steps,
        "mask": arguments.mask,
        "resume": arguments.resume,
    }
    out = pathlib.Path(arguments.out)
    if not several:
        return _paint_one(photos[0], out, started, choices, exported)
    failed, taken = 0, set()
    for photo in photos:
        print(f"{photo}:")
        try:
            folder = out / _folder_of(photo, taken)
            if _paint_one(photo, folder, started, choices, exported):
                return 130
        except NBPainterError as error:
            failed += 1
            print(f"nbpainter: {error}", file=sys.stderr)
        started = time.perf_counter()
    if failed:
        print(
            f"nbpainter: {failed} of {len(photos)} photographs failed.",
            file=sys.stderr,
        )
    return 2 if failed else 0


def _exported(ending):
    """Name of a file that is asked for beside the usual ones."""
    ending = ending.lstrip(".")
    if not ending.isalnum():
        raise DataError(
            f"--export takes endings, such as svg. Received: {ending!r}."
        )
    _load("export").check_export(f"painting.{ending}")
    return f"painting.{ending}"


def _find_photos(places):
    """All photographs, and whether they are or may be several."""
    photos = []
    for place in map(pathlib.Path, places):
        if not place.exists() and len(places) == 1:
            raise DataError(f"There is no photograph {place}. Check the path.")
        if not place.is_dir():
            photos.append(place)
            continue
        # macOS leaves "._name.jpg" beside each "name.jpg".
        found = sorted(
            path
            for path in place.iterdir()
            if path.suffix.lower() in _PHOTOS and path.name[0] != "."
        )
        if not found:
            raise DataError(
                f"There is no photograph in the folder {place}: none ends "
                f"in {', '.join(_PHOTOS)}."
            )
        photos += found
    return photos, len(photos) > 1 or os.path.isdir(places[0])


def _folder_of(photo, taken):
    """A folder's name for a photograph that no other one has."""
    name, number = photo.stem, 1
    while name in taken:
        number += 1
        name = f"{photo.stem}-{number}"
    taken.add(name)
    return name


def _paint_one(photo, folder, started, choices, exported):
    """Paint one photograph and write its files: 130 after Ctrl-C, else 0."""
    if not choices["resume"]:  # Before a folder is made.
        photo = nbpainter.load_photo(photo, choices["size"])
    folder = make_folder(folder)
    paint = _load("painter.coarse_to_fine").paint
    if choices["seconds"] is not None:
        seconds = choices["seconds"] * (1 - _FILES_PART) - _FILES_SECONDS
        seconds = max(0.1, seconds - (time.perf_counter() - started))
        choices = choices | {"seconds": seconds}
    painting = paint(photo, **choices)
    painting.save(folder / "painting.json")
    painting.save_image(folder / "painting.png")
    longer = max(painting.width, painting.height)
    painting.save_animation(folder / "painting.gif", size=min(512, longer))
    written = ["painting.png", "painting.gif", "painting.json"]
    if nbpainter.engine.libmypaint.is_available():
        nbpainter.images.save_image(painting.replay(), folder / "mypaint.png")
        written.append("mypaint.png")
    for name in exported:
        painting.export(folder / name)
        written.append(name)
    figures = painting.figures
    print(
        f"{figures['num_strokes']} strokes, {figures['psnr']:.2f} dB, "
        f"{figures['seconds']:.0f} s. In {folder}: {', '.join(written)}."
    )
    return 130 if figures["ended"] == "interrupt" else 0


def _replay(arguments):
    """draw a painting's strokes with the real MyPaint engine

    painting painting.json:
    --size PX: longer side
    --out FILE.png=mypaint.png:
    --brush NAME|FILE.myb: draw them with this one; default: the painting's own
    """
    painting = _load("painter.painting").Painting.load(arguments.painting)
    brush = arguments.brush and nbpainter.choose_brush(arguments.brush)
    picture = painting.replay(arguments.size, brush=brush)
    nbpainter.images.save_image(picture, arguments.out)
    print(f"{len(painting)} strokes drawn by MyPaint: {arguments.out}.")


def _export(arguments):
    """write a painting as SVG, HTML, PDF, animation or PNG

    painting painting.json:
    files FILE...: the ending decides: painting.svg painting.html steps.pdf
    --transparent: leave out the background of a .png
    """
    for path in arguments.files:
        _load("export").check_export(path, arguments.transparent)
    painting = _load("painter.painting").Painting.load(arguments.painting)
    for path in arguments.files:
        painting.export(path, arguments.transparent)
    print(f"{len(painting)} strokes: {', '.join(arguments.files)}.")


def _draw(arguments):
    """draw episodes for training with the real MyPaint engine

    --strokes N!:
    --out FILE.npz!:
    --brush NAME|FILE.myb=dry_brush:
    --seed S=0:
    """
    path = pathlib.Path(arguments.out)
    brush = nbpainter.choose_brush(arguments.brush)
    _load("data.drawing").write_drawn_episodes(
        path, arguments.strokes, brush, arguments.seed, verbose=1
    )
    megabytes = path.stat().st_size / 1e6
    print(f"{arguments.strokes} strokes in {path}, {megabytes:.1f} MB.")


def _download(arguments):
    """fetch files of the dataset from Kaggle

    index N...: 0 to 77
    --out DIR=episodes:
    """
    paths = nbpainter.download_episodes(arguments.index, arguments.out)
    print(f"Whole and checked: {', '.join(map(str, paths))}.")


def _inspect(arguments):
    """show a file of episodes and check its rows

    file FILE.npz:
    --brush NAME=dry_brush:
    --out DIR: for the picture; default: beside FILE
    """
    inspection = _load("data.drawing")
    metrics = inspection.inspect_episodes(
        arguments.file, arguments.out, arguments.brush
    )
    print("\n".join(inspection.inspection_lines(metrics)))


def _brushes(arguments):
    """list the brushes on this machine and try each

    group [WORD]: only names with this in them
    --out FILE.png=brushes.png:
    """
    suitability, plotting = nbpainter.engine.suitability, nbpainter.plotting
    rows = []
    for row in suitability.list_brushes(arguments.group or ""):
        print(f"{row['name']:32} {row['problem'] or 'fits'}", flush=True)
        if row["settings"]:
            rows.append(row)
    if not rows:
        raise EngineError(f"No brush has {arguments.group!r} in its name.")
    fitting = [row["problem"] is None for row in rows]
    figure = plotting.plot_brushes(
        [suitability.draw_sample(row["settings"]) for row in rows],
        [row["name"] for row in rows],
        fitting,
    )
    plotting.save_figure(figure, arguments.out)
    print(
        f"{sum(fitting)} of {len(rows)} fit. A picture of each: "
        f"{arguments.out}."
    )
    if not nbpainter.engine.brush_file.installed_brushes():
        print("More: sudo apt-get install mypaint-brushes")


def _train(arguments):
    """train a network from zero

    stage {generator,discriminator,gan,brush}:
    brush [BRUSH]: after `brush`: a brush's name or a .myb file, to have a
        generator of its own
    --data PATH...: episodes files; default: strokes are drawn
    --out DIR=trained: weights go there; those of earlier stages are taken from
        there
    --resume: go on from the newest checkpoint in DIR
    """
    if arguments.stage == "brush":
        return _train_brush(arguments)
    if arguments.brush:
        raise DataError(
            f"{arguments.brush!r} is one word too many: only `nbpainter train "
            "brush` takes a brush."
        )
    train = getattr(_load("training.train"), f"train_{arguments.stage}")
    train(arguments.out, arguments.data, resume=arguments.resume)
    name = f"{arguments.stage}_pretrained"
    if arguments.stage == "gan":
        name = "generator_gan"
    entry = nbpainter.read_manifest(arguments.out)[name]
    metrics = ", ".join(
        f"{label} {entry[metric]:.4f}"
        for metric, label in _METRICS.items()
        if metric in entry
    )
    print(
        f"{metrics} on {entry['num_test_strokes']} unseen strokes, "
        f"{entry['num_weights']} weights, {entry['seconds']} s. In "
        f"{arguments.out}."
    )


def _train_brush(arguments):
    if not arguments.brush:
        raise DataError(
            "Say which brush: `nbpainter train brush charcoal`. `nbpainter "
            "brushes` lists them."
        )
    if arguments.data:
        raise DataError(
            "`nbpainter train brush` draws its own strokes: leave out --data."
        )
    path = _load("training.train").train_brush(
        arguments.out, arguments.brush, resume=arguments.resume
    )
    _print_report(path, arguments.out, config=BrushReportConfig(), enter=True)
    print(f"Paint with it: nbpainter paint PHOTO --brush {path}")


def _report(arguments):
    """measure a generator against the real brush

    either --preset NAME=generator_gan: a shipped generator, or a .weights.h5
        file
    or --brush NAME: the shipped generator of a brush
    --photo PHOTO...: photographs to paint for the reality gap; default: a
        sample
    --out DIR=report:
    """
    preset = arguments.preset
    if arguments.brush:
        preset = _load("models.presets").preset_of_brush(arguments.brush)
    _print_report(preset, arguments.out, arguments.photo)
    print(f"The same as JSON and as a picture: in {arguments.out}.")


def _print_report(*arguments, **options):
    report = _load("training.report")
    metrics = report.write_report(*arguments, verbose=1, **options)
    print("\n".join(report.report_lines(metrics)))


_COMMANDS = (
    _paint,
    _replay,
    _export,
    _draw,
    _download,
    _inspect,
    _train,
    _report,
    _brushes,
)
"""Each function's docstring is its command's page of the manual."""


if __name__ == "__main__":
    sys.exit(main())
