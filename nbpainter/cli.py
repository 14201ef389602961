"""The command line: `nbpainter paint / replay / draw / train / report`.

And for data at full size: `nbpainter download / inspect`.

Whatever a user can mend ends in one sentence on standard error and exit code
2. TensorFlow is imported by the commands that need it, when they need it.
"""

import argparse
import os
import pathlib
import signal
import sys
import threading
import time

import nbpainter
from nbpainter.config import BrushReportConfig, PaintConfig
from nbpainter.errors import DataError, EngineError, NBPainterError
from nbpainter.files import make_folder
from nbpainter.painter.choices import check_choices


def build_parser():
    """Return the `argparse.ArgumentParser` of the command line."""
    parser = argparse.ArgumentParser(
        prog="nbpainter",
        description="Paint photographs with learned MyPaint brush strokes.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )

    add_paint_command(commands)

    replay = commands.add_parser(
        "replay", help="draw a painting's strokes with the real MyPaint engine"
    )
    replay.add_argument("painting", metavar="painting.json")
    replay.add_argument("--size", type=int, metavar="PX", help="longer side")
    replay.add_argument("--out", metavar="FILE.png", default="mypaint.png")
    replay.add_argument(
        "--brush",
        metavar="NAME|FILE.myb",
        help="draw them with this one; default: the painting's own",
    )
    replay.set_defaults(run=_replay)

    export = commands.add_parser(
        "export", help="write a painting as SVG, HTML, PDF, animation or PNG"
    )
    export.add_argument("painting", metavar="painting.json")
    export.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="the ending decides: painting.svg painting.html steps.pdf",
    )
    export.add_argument(
        "--transparent",
        action="store_true",
        help="leave out the background of a .png",
    )
    export.set_defaults(run=_export)

    draw = commands.add_parser(
        "draw", help="draw episodes for training with the real MyPaint engine"
    )
    draw.add_argument("--strokes", type=int, metavar="N", required=True)
    draw.add_argument("--out", metavar="FILE.npz", required=True)
    draw.add_argument("--brush", metavar="NAME|FILE.myb", default="dry_brush")
    draw.add_argument("--seed", type=int, metavar="S", default=0)
    draw.set_defaults(run=_draw)

    download = commands.add_parser(
        "download", help="fetch files of the dataset from Kaggle"
    )
    download.add_argument(
        "index", type=int, nargs="+", metavar="N", help="0 to 77"
    )
    download.add_argument("--out", metavar="DIR", default="episodes")
    download.set_defaults(run=_download)

    inspect = commands.add_parser(
        "inspect", help="show a file of episodes and check its rows"
    )
    inspect.add_argument("file", metavar="FILE.npz")
    inspect.add_argument("--brush", metavar="NAME", default="dry_brush")
    inspect.add_argument(
        "--out", metavar="DIR", help="for the picture; default: beside FILE"
    )
    inspect.set_defaults(run=_inspect)

    train = commands.add_parser("train", help="train a network from zero")
    train.add_argument(
        "stage", choices=["generator", "discriminator", "gan", "brush"]
    )
    train.add_argument(
        "brush",
        metavar="BRUSH",
        nargs="?",
        help="after `brush`: a brush's name or a .myb file, to have a "
        "generator of its own",
    )
    train.add_argument(
        "--data",
        nargs="+",
        metavar="PATH",
        default=[],
        help="episodes files; default: strokes are drawn",
    )
    train.add_argument(
        "--out",
        metavar="DIR",
        default="trained",
        help="weights go there; those of earlier stages are taken from there",
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="go on from the newest checkpoint in DIR",
    )
    train.add_argument(
        "--devices",
        type=int,
        metavar="N",
        default=1,
        help="GPUs, or parts of the CPU, that share each batch",
    )
    train.set_defaults(run=_train)

    report = commands.add_parser(
        "report", help="measure a generator against the real brush"
    )
    which = report.add_mutually_exclusive_group()
    which.add_argument(
        "--preset",
        metavar="NAME",
        default="generator_gan",
        help="a shipped generator, or a .weights.h5 file",
    )
    which.add_argument(
        "--brush", metavar="NAME", help="the shipped generator of a brush"
    )
    report.add_argument(
        "--photo",
        nargs="+",
        metavar="PHOTO",
        default=[],
        help="photographs to paint for the reality gap; default: a sample",
    )
    report.add_argument("--out", metavar="DIR", default="report")
    report.set_defaults(run=_report)

    brushes = commands.add_parser(
        "brushes", help="list the brushes on this machine and try each"
    )
    brushes.add_argument(
        "group", nargs="?", metavar="WORD", help="only names with this in them"
    )
    brushes.add_argument("--out", metavar="FILE.png", default="brushes.png")
    brushes.set_defaults(run=_brushes)

    for command in commands.choices.values():
        command.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    return parser


def _replay(arguments):
    painting = nbpainter.Painting.load(arguments.painting)
    brush = arguments.brush and nbpainter.engine.suitability.choose_brush(
        arguments.brush
    )
    picture = painting.replay(arguments.size, brush=brush)
    nbpainter.images.save_image(picture, arguments.out)
    print(f"{len(painting)} strokes drawn by MyPaint: {arguments.out}.")


def _export(arguments):
    for path in arguments.files:
        nbpainter.export.check_export(path, arguments.transparent)
    painting = nbpainter.Painting.load(arguments.painting)
    for path in arguments.files:
        painting.export(path, arguments.transparent)
    print(f"{len(painting)} strokes: {', '.join(arguments.files)}.")


def _draw(arguments):
    path = pathlib.Path(arguments.out)
    brush = nbpainter.engine.suitability.choose_brush(arguments.brush)
    nbpainter.data.drawing.write_drawn_episodes(
        path, arguments.strokes, brush, arguments.seed, verbose=1
    )
    megabytes = path.stat().st_size / 1e6
    print(f"{arguments.strokes} strokes in {path}, {megabytes:.1f} MB.")


def _download(arguments):
    paths = nbpainter.download_episodes(arguments.index, arguments.out)
    print(f"Whole and checked: {', '.join(map(str, paths))}.")


def _inspect(arguments):
    figures = nbpainter.inspect_episodes(
        arguments.file, arguments.out, arguments.brush
    )
    print("\n".join(nbpainter.data.drawing.inspection_lines(figures)))


def _brushes(arguments):
    rows, samples, word = [], [], arguments.group or ""
    for row in nbpainter.engine.suitability.list_brushes(word):
        print(f"{row['name']:32} {row['problem'] or 'fits'}", flush=True)
        if row["settings"]:
            rows.append(row)
            sample = nbpainter.engine.suitability.draw_sample(row["settings"])
            samples.append(sample)
    if not rows:
        raise EngineError(f"No brush has {word!r} in its name.")
    names = [row["name"] for row in rows]
    fits = [row["problem"] is None for row in rows]
    figure = nbpainter.plotting.plot_brushes(samples, names, fits)
    nbpainter.plotting.save_figure(figure, arguments.out)
    print(
        f"{sum(fits)} of {len(rows)} fit. A picture of each: {arguments.out}."
    )
    if not nbpainter.engine.brush_file.installed_brushes():
        print("More: sudo apt-get install mypaint-brushes")


def _train(arguments):
    if arguments.stage == "brush":
        return _train_brush(arguments)
    if arguments.brush:
        raise DataError(
            f"{arguments.brush!r} is one word too many: only `nbpainter train "
            "brush` takes a brush."
        )
    train = {
        "generator": nbpainter.train_generator,
        "discriminator": nbpainter.train_discriminator,
        "gan": nbpainter.train_gan,
    }[arguments.stage]
    train(
        arguments.out,
        arguments.data,
        resume=arguments.resume,
        devices=arguments.devices,
    )
    name = {"gan": "generator_gan"}.get(
        arguments.stage, f"{arguments.stage}_pretrained"
    )
    entry = nbpainter.models.presets.read_manifest(arguments.out)[name]
    shown = ", ".join(
        f"{label} {entry[name]:.4f}"
        for name, label in (
            ("fvu", "FVU"),
            ("texture", "texture"),
            ("accuracy", "accuracy"),
            ("calibration_error", "calibration error"),
        )
        if name in entry
    )
    print(
        f"{shown} on {entry['num_test_strokes']} unseen strokes, "
        f"{entry['num_weights']} weights, {entry['seconds']} s. In "
        f"{arguments.out}."
    )


def _train_brush(arguments):
    if not arguments.brush:
        raise DataError(
            "Say which brush: `nbpainter train brush charcoal`. `nbpainter "
            "brushes` lists them."
        )
    if arguments.data or arguments.devices != 1:
        raise DataError(
            "`nbpainter train brush` draws its own strokes on one device: "
            "leave out --data and --devices."
        )
    path = nbpainter.train_brush(
        arguments.out, arguments.brush, resume=arguments.resume
    )
    figures = nbpainter.training.report.write_report(
        path, arguments.out, config=BrushReportConfig(), enter=True, verbose=1
    )
    print("\n".join(nbpainter.training.report.report_lines(figures)))
    print(f"Paint with it: nbpainter paint PHOTO --brush {path}")


def _report(arguments):
    preset = arguments.preset
    if arguments.brush:
        preset = nbpainter.models.presets.preset_of_brush(arguments.brush)
    figures = nbpainter.training.report.write_report(
        preset, arguments.out, arguments.photo, verbose=1
    )
    print("\n".join(nbpainter.training.report.report_lines(figures)))
    print(f"The same as JSON and as a picture: in {arguments.out}.")


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
        nbpainter.models.presets.preset_of_brush(arguments.brush)
    for name in _exported(arguments):
        nbpainter.export.check_export(name)  # Before minutes of painting.
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
        generator=brush and nbpainter.models.presets.preset_of_brush(brush),
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


if __name__ == "__main__":
    sys.exit(main())
