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
from nbpainter.config import PaintConfig
from nbpainter.errors import DataError, EngineError, NBPainterError, check_size
from nbpainter.files import make_folder

# Prints what the package says; an error of the output is not caught.
_PRINTER = logging.Handler()
_PRINTER.emit = lambda record: print(record.getMessage(), flush=True)
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Of the seconds that a whole command may take, what the files need: a part of
# them, and a constant.
_FILES_PART, _FILES_SECONDS = 0.15, 2.0
_VGG19 = (
    "VGG19 looks on: it fetches 80 MB once, and takes 1.4 GB of memory and "
    "about two minutes for 400 strokes."
)
# Memory that a process takes to paint.
_PAINT_BYTES = 1.3e9
_METRICS = ("fvu", "texture", "accuracy", "calibration_error")


def build_parser():
    """Return the `argparse.ArgumentParser` of the command line.

    Each command is described where it is run: in the docstring of `_NAME`.
    """
    parser = argparse.ArgumentParser(
        prog="nbpainter",
        description="Paint photographs with learned MyPaint brush strokes.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )
    for run in _COMMANDS:
        prose, _, usages = inspect.getdoc(run).partition("\n\nArgs:\n")
        summary, _, more = prose.partition("\n\n")
        command = commands.add_parser(
            run.__name__.removeprefix("_"),
            help=summary[0].lower() + summary[1:-1],
            description=more and f"{summary} {more}",
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.set_defaults(run=run)
        for usage in re.split(r"\n(?! {5})", usages):
            _add_argument(command, *usage.split(": ", 1))
    return parser


def _add_argument(parser, usage, help=None):
    """Add an argument to a command.

    Args:
        parser: `argparse.ArgumentParser`, of the command.
        usage: str, as on a manual's page: a name and its `METAVAR`; also
            `METAVAR=DEFAULT`, `METAVAR!` for an option that must be given,
            `METAVAR...` for one or more, `[METAVAR]` for at most one and
            `{THIS,THAT}` for a choice. An option without any is a switch.
        help: str. Default: none.
    """
    name, _, usage = usage.strip().partition(" ")
    usage, _, default = usage.partition("=")
    metavar = usage.strip("[].!")
    settings = {"metavar": metavar, "type": _TYPES.get(metavar)}
    settings |= _MARKS.get(usage[-1:], {"default": default or None})
    if not usage:
        settings = {"action": "store_true"}
    elif usage.startswith("{"):
        settings["choices"] = usage.strip("{}").split(",")
    parser.add_argument(name, help=help, **settings)


def _palette(text):
    """The argument of `paint` that a text stands for."""
    is_number = text.lstrip("-").isdecimal()
    return int(text) if is_number else re.split(r"\s*,\s*", text.strip())


_MARKS = {
    ".": {"nargs": "+", "default": []},
    "!": {"required": True},
    "]": {"nargs": "?"},
}
_TYPES = {"N": int, "PX": int, "S": float, "MM": float, "N|COLORS": _palette}


# What a user can mend, the narrower error first.
_SENTENCES = {
    NBPainterError: "{}",
    MemoryError: "There is not enough memory. Choose a smaller size.",
    BrokenPipeError: "The output was cut off. Redirect it to a file.",
    OSError: "{}. Check the path and the room on the disk.",
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
    terminated = threading.Event()

    def terminate(*_):
        """Leave; what is half-written is taken away on the way out."""
        terminated.set()
        sys.exit(143)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminate)
    with contextlib.suppress(AttributeError):  # A notebook's has none.
        # Names of files may hold what the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    logger = logging.getLogger("nbpainter")
    logger.addHandler(_PRINTER)
    logger.setLevel(logging.INFO)
    arguments = build_parser().parse_args(arguments)
    try:
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        _complain("stopped.")
        return 130
    except Exception as error:
        if terminated.is_set():  # A library made another error of it.
            return 143
        if not isinstance(error, tuple(_SENTENCES)):
            raise
        _complain(_sentence(error))
        return 2


def _sentence(error):
    """What a user reads of an error that can be mended."""
    sentences = [s for k, s in _SENTENCES.items() if isinstance(error, k)]
    return sentences[0].format(error)


def _complain(sentence):
    """Say on one line of standard error what is wrong, if there is room."""
    with contextlib.suppress(OSError):
        line = " ".join(sentence.splitlines())
        print(f"\nnbpainter: {line}", file=sys.stderr, flush=True)


def _load(module):
    """Import a module of ours that may need TensorFlow, quietly.

    TensorFlow greets with some lines from C++ when it is imported, before any
    setting can silence them: standard error is hidden meanwhile.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # There may be no standard error.
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        return importlib.import_module(f"nbpainter.{module}")


def _paint(arguments):
    """Paint photographs.

    Ctrl-C ends with the painting as it is: all its files are written, and the
    exit code is 130. Several photographs are painted side by side, as many as
    this machine has cores and memory for; then Ctrl-C leaves out those under
    way, and --skip-existing goes on with them.

    Args:
        photos PHOTO...: a picture file, or a folder of them
        --strokes N: default: 400, or as many as fit into --seconds
        --size PX: longer side; default: 512
        --seconds S: end after about so long, with all files, for each
            photograph
        --seed N: default: 0
        --palette N|COLORS: paint with N colours that suit the photograph, or
            with those of a list: '#112233,#ffeecc'
        --background COLOR: '#rrggbb'; default: white
        --mask PICTURE: paint only where it is white
        --focus PICTURE|faces|none: paint with more care where it is bright, or
            where faces are; default: faces, if `mtcnn` is installed
        --loss {pixels,vgg19}=pixels: what all strokes are moved to minimise
            in the end: squared error, or what a network sees
        --resume painting.json: go on with this painting, on the same
            photograph
        --brush NAME|NAMES: one with a preset, or the .weights.h5 of `train
            brush`; of several, such as acrylic,pencil, the first paints the
            large strokes and the last the details; default: dry_brush, or
            those of the painting to resume
        --skip-existing: leave out photographs whose files are all there
        --cluster ADDRESS: paint several photographs on a Dask cluster, such as
            tcp://127.0.0.1:8786, that sees the same files
        --export ENDING...: leave more files: svg plot.svg html webp mp4 pdf
            ora
        --curve: leave curve.png: decibels against strokes and seconds
        --out DIR=painting: the files' folder; with several photographs, one
            folder in it for each
    """
    started = time.perf_counter()
    # What holds for all photographs is checked once, before there is a folder.
    exported = [f"painting.{e.lstrip('.')}" for e in arguments.export]
    for ending, name in zip(arguments.export, exported):
        if name.lower() != f"painting{_load('export').check_export(name)}":
            raise DataError(f"--export takes endings (svg), not {ending!r}.")
    photos = _find_photos(arguments.photos)
    several = len(photos) > 1 or os.path.isdir(arguments.photos[0])
    if several and arguments.resume:
        raise DataError(
            "--resume goes on with one painting: name its photograph alone. "
            f"Received: {len(photos)} photographs."
        )
    brush = arguments.brush
    if brush is not None:
        find = _load("models.presets").preset_of_brush
        brush = [find(name) for name in brush.split(",")]
        brush = brush if len(brush) > 1 else brush[0]
    names = ("size", "seed", "seconds", "palette", "background")
    choices = {name: getattr(arguments, name) for name in names}
    choices["num_strokes"] = arguments.strokes
    _load("painter.coarse_to_fine").check_choices(**choices)
    choices |= {"mask": arguments.mask, "resume": arguments.resume}
    choices |= {"focus": arguments.focus, "generator": brush}
    num_bytes = _PAINT_BYTES
    if arguments.loss == "vgg19":
        print(_VGG19, flush=True)
        choices["loss"], num_bytes = arguments.loss, 2 * _PAINT_BYTES
    out, jobs = pathlib.Path(arguments.out), []
    for name, photo in photos.items():
        folder = out / name if several else out
        files = map(folder.joinpath, _file_names(exported, arguments.curve))
        if arguments.skip_existing and all(file.exists() for file in files):
            print(f"{photo}: painted already, in {folder}.")
        else:
            jobs.append((photo, folder, choices, exported, arguments.curve))
    if several:
        jobs = [(os.getcwd(), *job) for job in jobs]
        return _paint_all(jobs, num_bytes, arguments.cluster)
    if not jobs:
        return 0
    line, interrupted = _paint_one(*jobs[0], started)
    print(line)
    return 130 * interrupted


def _paint_all(jobs, num_bytes, cluster):
    """Paint several photographs: 130 after Ctrl-C, else 0."""
    parallel, started = _load("parallel"), time.perf_counter()
    failed = 0
    with parallel.on_cluster(cluster):
        painted = parallel.spread(_try_painting, jobs, num_bytes)
        for done, (line, interrupted) in enumerate(painted, 1):
            passed = time.perf_counter() - started
            left = passed / done * (len(jobs) - done)
            line = f"{done} of {len(jobs)}, {left / 60:.0f} min left: {line}"
            (_complain if interrupted is None else print)(line)
            failed += interrupted is None
            if interrupted:
                return 130
    if failed:
        raise DataError(f"{failed} of {len(jobs)} photographs failed.")


def _try_painting(place, photo, *arguments):
    """As `_paint_one`; an error becomes its sentence, and `None`."""
    os.chdir(place)  # A cluster's workers were started elsewhere.
    try:
        return _paint_one(photo, *arguments, verbose=0)
    except tuple(_SENTENCES) as error:
        sentence = _sentence(error)
        named = str(photo) in sentence
        return sentence if named else f"{photo}: {sentence}", None


def _find_photos(places):
    """Photographs, each by a name for its folder that no other one has."""
    photos = {}
    for place in map(pathlib.Path, places):
        if not place.exists() and len(places) == 1:
            raise DataError(f"There is no photograph {place}. Check the path.")
        inside = [place]
        if place.is_dir():
            # macOS leaves "._name.jpg" beside each "name.jpg".
            inside = sorted(place.glob("[!.]*"))
            inside = [p for p in inside if p.suffix.lower() in _PHOTOS]
        if not inside:
            raise DataError(
                f"There is no photograph in the folder {place}: none ends "
                f"in {', '.join(_PHOTOS)}."
            )
        for photo in inside:
            name, number = photo.stem, 1
            while name in photos:
                number += 1
                name = f"{photo.stem}-{number}"
            photos[name] = photo
    return photos


def _paint_one(
    photo, folder, choices, exported, curve, started=None, verbose=1
):
    """Paint a photograph: what is to be said, and whether Ctrl-C ended it."""
    started = time.perf_counter() if started is None else started
    _load("painter.coarse_to_fine")
    if not choices["resume"]:  # Before a folder is made.
        photo = nbpainter.load_photo(photo, choices["size"] or PaintConfig.size)
    folder = make_folder(folder)
    if "loss" in choices:
        choices = choices | {"loss": nbpainter.PerceptualLoss()}
    if choices["seconds"] is not None:
        seconds = choices["seconds"] * (1 - _FILES_PART) - _FILES_SECONDS
        seconds = max(0.1, seconds - (time.perf_counter() - started))
        choices = choices | {"seconds": seconds}
    painting = nbpainter.paint(photo, **choices, verbose=verbose)
    held = []  # Ctrl-C waits: the files are promised.
    with _load("parallel").on_interrupt(lambda *_: held.append(True)):
        line = _write_painting(painting, folder, exported, curve)
    return line, bool(held) or painting.figures["ended"] == "interrupt"


def _file_names(exported, curve):
    """Names of the files that a painting leaves."""
    names = ["painting.png", "painting.gif", "painting.json"]
    if _load("engine.libmypaint").is_available():
        names.append("mypaint.png")
    return names + ["curve.png"] * curve + exported


def _write_painting(painting, folder, exported, curve):
    """Write a painting's files and return the line that says so."""
    painting.save(folder / "painting.json")
    painting.save_image(folder / "painting.png")
    longer = max(painting.width, painting.height)
    painting.save_animation(folder / "painting.gif", size=min(512, longer))
    written = _file_names(exported, curve)
    if "mypaint.png" in written:
        nbpainter.images.save_image(painting.replay(), folder / "mypaint.png")
    for name in exported:
        painting.export(folder / name)
    figures = painting.figures
    if curve:
        figure = nbpainter.plotting.plot_curves({"": figures["curve"]})
        nbpainter.plotting.save_figure(figure, folder / "curve.png")
    return (
        f"{figures['num_strokes']} strokes, {figures['psnr']:.2f} dB, "
        f"{figures['seconds']:.0f} s. In {folder}: {', '.join(written)}."
    )


def _check_picture(path):
    """Check the ending of a picture's file before time is spent on it."""
    check_ending = nbpainter.images.check_ending
    check_ending("A picture", path, nbpainter.images.ENDINGS)


def _replay(arguments):
    """Draw a painting's strokes with the real MyPaint engine.

    Args:
        painting painting.json
        --size PX: longer side
        --out FILE.png=mypaint.png
        --brush NAME|FILE.myb: draw them with this one; default: the painting's
            own
    """
    _check_picture(arguments.out)
    painting = _load("painter.painting").Painting.load(arguments.painting)
    brush = arguments.brush
    if brush is not None:
        brush = nbpainter.choose_brush(brush)
    picture = painting.replay(arguments.size, brush=brush)
    nbpainter.images.save_image(picture, arguments.out)
    print(f"{len(painting)} strokes drawn by MyPaint: {arguments.out}.")


def _export(arguments):
    """Write a painting as SVG, HTML, PDF, layers, animation or PNG.

    Args:
        painting painting.json
        files FILE...: the ending decides: painting.svg painting.html steps.pdf
            painting.ora, or painting.plot.svg for a pen plotter
        --transparent: leave out the background of a .png
        --paper PAPER=A4: of a .plot.svg: A3, A4, A5, letter, or millimetres
            such as 200x300
        --pen MM=0.5: of a .plot.svg: how wide the pens draw
    """
    check, transparent = _load("export").check_export, arguments.transparent
    endings = [check(path, transparent) for path in arguments.files]
    plot = {"paper": arguments.paper, "pen": arguments.pen}
    painting = _load("painter.painting").Painting.load(arguments.painting)
    for path, ending in zip(arguments.files, endings):
        options = plot if ending == ".plot.svg" else {}
        painting.export(path, transparent, **options)
    print(f"{len(painting)} strokes: {', '.join(arguments.files)}.")


def _draw(arguments):
    """Draw episodes for training with the real MyPaint engine.

    Args:
        --strokes N!
        --out FILE.npz!
        --brush NAME|FILE.myb=dry_brush
        --seed N=0
        --cluster ADDRESS: draw on a Dask cluster, see `paint`
    """
    path, brush = arguments.out, nbpainter.choose_brush(arguments.brush)
    with _load("parallel").on_cluster(arguments.cluster):
        _load("data.drawing").write_drawn_episodes(
            path, arguments.strokes, brush, arguments.seed, verbose=1
        )
    megabytes = os.path.getsize(path) / 1e6
    print(f"{arguments.strokes} strokes in {path}, {megabytes:.1f} MB.")


def _download(arguments):
    """Fetch files of the dataset from Kaggle.

    Args:
        index N...: 0 to 77
        --out DIR=episodes
    """
    paths = nbpainter.download_episodes(arguments.index, arguments.out)
    print(f"Whole and checked: {', '.join(map(str, paths))}.")


def _inspect(arguments):
    """Show a file of episodes and check its rows.

    Args:
        file FILE.npz
        --brush NAME=dry_brush
        --out DIR: for the picture; default: beside FILE
    """
    inspection = _load("data.drawing")
    metrics = inspection.inspect_episodes(
        arguments.file, arguments.out, arguments.brush
    )
    print("\n".join(inspection.inspection_lines(metrics)))


def _brushes(arguments):
    """List the brushes on this machine and try each.

    Args:
        group [WORD]: only names with this in them
        --out FILE.png=brushes.png
    """
    suitability, plotting = _load("engine.suitability"), nbpainter.plotting
    _check_picture(arguments.out)
    samples, num_fitting = {}, 0
    for row in suitability.list_brushes(arguments.group or ""):
        name, problem = row["name"], row["problem"]
        print(f"{name:32} {problem or 'fits'}", flush=True)
        if row["settings"]:
            title = f"({name})" if problem else name
            samples[title] = suitability.draw_sample(row["settings"])
            num_fitting += not problem
    if not samples:
        raise EngineError(f"No brush has {arguments.group!r} in its name.")
    figure = plotting.plot_pictures(samples, num_columns=6)
    plotting.save_figure(figure, arguments.out)
    print(f"{num_fitting} of {len(samples)} fit. Samples: {arguments.out}.")
    if not suitability.brush_file.installed_brushes():
        print("More: sudo apt-get install mypaint-brushes")


def _train(arguments):
    """Train a network from zero.

    Args:
        stage {generator,discriminator,gan,brush}
        brush [BRUSH]: after `brush`: a brush's name or a .myb file, to have a
            generator of its own
        --data PATH...: episodes files; default: strokes are drawn
        --out DIR=trained: weights go there; those of earlier stages are taken
            from there
        --resume: go on from the newest checkpoint in DIR
    """
    stage, brush, out = arguments.stage, arguments.brush, arguments.out
    if bool(brush) != (stage == "brush"):
        raise DataError(
            "`nbpainter train brush` wants a brush of `nbpainter brushes`, "
            f"and no other training takes one. Received: {brush!r}."
        )
    if brush and arguments.data:
        raise DataError(
            "`nbpainter train brush` draws its own strokes: leave out --data."
        )
    train = getattr(_load("training.train"), f"train_{stage}")
    trained = train(out, brush or arguments.data, resume=arguments.resume)
    if brush:
        _print_report(trained, out, enter=True)
        print(f"Paint with it: nbpainter paint PHOTO --brush {trained}")
        return
    name = "generator_gan" if stage == "gan" else f"{stage}_pretrained"
    entry = nbpainter.read_manifest(out)[name]
    metrics = [f"{key} {entry[key]:.4f}" for key in _METRICS if key in entry]
    print(
        f"{', '.join(metrics)} on {entry['num_test_strokes']} unseen strokes, "
        f"{entry['num_weights']} weights, {entry['seconds']} s. In {out}."
    )


def _report(arguments):
    """Measure a generator against the real brush.

    Args:
        --preset NAME: a shipped generator, or a .weights.h5 file; default:
            generator_gan
        --brush NAME: instead of --preset: the shipped generator of a brush
        --photo PHOTO...: photographs to paint for the reality gap; default: a
            sample
        --size PX=64: side of the strokes that are measured
        --out DIR=report
    """
    preset, brush = arguments.preset or "generator_gan", arguments.brush
    if brush is not None and arguments.preset:
        raise DataError("--brush stands for a --preset: give one of them.")
    if brush is not None:
        preset = _load("models.presets").preset_of_brush(brush)
    config = nbpainter.ReportConfig(stroke_size=check_size(arguments.size))
    _print_report(preset, arguments.out, arguments.photo, config=config)
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


if __name__ == "__main__":
    # Other processes find what they run by the module's own name.
    sys.exit(importlib.import_module("nbpainter.cli").main())
