"""Learn to draw brush strokes, then paint photographs with them.

The names below are loaded when they are first used: `import nbpainter` and
the command line answer before TensorFlow is there.
"""

import importlib
import os
import sys

__version__ = "0.1.0"

_HOMES = {
    "actions": ("ACTION_INDEX", "ACTION_NAMES", "random_actions"),
    "brush_training": (
        "compile_brush_generator",
        "start_brush_generator",
        "train_brush",
    ),
    "brushes": ("choose_brush", "list_brushes"),
    "callbacks": ("Checkpoints", "StopAfter", "StopOnNonFinite"),
    "canvas": ("composite",),
    "config": (
        "BrushConfig",
        "BrushLessonConfig",
        "BrushReportConfig",
        "DiscriminatorConfig",
        "GANConfig",
        "GeneratorConfig",
        "PaintConfig",
        "ReportConfig",
    ),
    "download": ("download_episodes",),
    "drawing": ("draw_episodes", "sample_episodes"),
    "episodes": (
        "Episodes",
        "StrokeBatches",
        "load_episodes",
        "on_white",
        "tiny_episodes",
        "to_rgba",
    ),
    "errors": ("DataError", "EngineError", "NBPainterError", "TrainingError"),
    "gan": ("GAN",),
    "inspection": ("inspect_episodes",),
    "judging": (
        "JudgedStrokes",
        "compile_discriminator",
        "find_suspicious",
        "generate_episodes",
        "measure_discriminator",
    ),
    "losses": ("FVU", "PerceptualLoss", "laplacian", "opacity_loss", "psnr"),
    "measures": ("measure_fvu", "measure_spread", "measure_texture"),
    "models": (
        "build_brush_generator",
        "build_discriminator",
        "build_fc_generator",
        "build_generator",
    ),
    "mypaint": ("draw_strokes",),
    "painter": ("paint",),
    "painting": ("Painting",),
    "pictures": ("load_photo",),
    "rendering": ("render_strokes",),
    "report": (
        "judge_generator",
        "measure_preset",
        "measure_reality_gap",
        "write_report",
    ),
    "store": ("open_episodes",),
    "training": (
        "add_noise_input",
        "compile_gan",
        "compile_generator",
        "train_discriminator",
        "train_gan",
        "train_generator",
    ),
    "weights": ("load_pretrained", "save_pretrained"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

_MODULES = (
    *_HOMES,
    *("dabs", "field", "libmypaint", "plotting", "stroke_file", "windows"),
    *("devices", "episode_files", "pixels", "rows", "budget", "descent"),
    *("exports", "player", "sheets", "stroke_layers", "svg"),
    *("paint_command", "palettes", "placing", "session"),
    *("brush_dabs", "brush_field", "brush_files", "brush_sheet"),
    *("brush_start", "runs"),
)

__all__ = sorted([*_HOME, "plotting"])


def __getattr__(name):
    if name in _HOME:
        return getattr(_load(_HOME[name]), name)
    if name in _MODULES:
        return _load(name)
    raise AttributeError(f"module 'nbpainter' has no attribute {name!r}")


def _load(module):
    """Import a module of ours, without TensorFlow's greeting.

    TensorFlow writes some lines to the process's standard error before any
    setting can silence them. Python's own errors still come through.
    """
    name = f"nbpainter.{module}"
    if name in sys.modules or "tensorflow" in sys.modules:
        return importlib.import_module(name)
    try:
        kept = os.dup(2)
    except OSError:  # There is no standard error.
        return importlib.import_module(name)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        return importlib.import_module(name)
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def __dir__():
    return __all__
