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

import nbpainter
from nbpainter.config import BrushReportConfig
from nbpainter.errors import DataError, NBPainterError
from nbpainter.paint_command import add_paint_command


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
    brush = arguments.brush and nbpainter.brushes.choose_brush(arguments.brush)
    picture = painting.replay(arguments.size, brush=brush)
    nbpainter.pictures.save_picture(picture, arguments.out)
    print(f"{len(painting)} strokes drawn by MyPaint: {arguments.out}.")


def _export(arguments):
    for path in arguments.files:
        nbpainter.exports.check_export(path, arguments.transparent)
    painting = nbpainter.Painting.load(arguments.painting)
    for path in arguments.files:
        painting.export(path, arguments.transparent)
    print(f"{len(painting)} strokes: {', '.join(arguments.files)}.")


def _draw(arguments):
    path = pathlib.Path(arguments.out)
    brush = nbpainter.brushes.choose_brush(arguments.brush)
    nbpainter.drawing.write_drawn_episodes(
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
    print("\n".join(nbpainter.inspection.inspection_lines(figures)))


def _brushes(arguments):
    nbpainter.brush_sheet.print_brushes(arguments.group, arguments.out)


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
    entry = nbpainter.weights.read_manifest(arguments.out)[name]
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
    figures = nbpainter.report.write_report(
        path, arguments.out, config=BrushReportConfig(), enter=True, verbose=1
    )
    print("\n".join(nbpainter.report.report_lines(figures)))
    print(f"Paint with it: nbpainter paint PHOTO --brush {path}")


def _report(arguments):
    preset = arguments.preset
    if arguments.brush:
        preset = nbpainter.weights.preset_of_brush(arguments.brush)
    figures = nbpainter.report.write_report(
        preset, arguments.out, arguments.photo, verbose=1
    )
    print("\n".join(nbpainter.report.report_lines(figures)))
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


if __name__ == "__main__":
    sys.exit(main())
