"""Learn to draw brush strokes, then paint photographs with them.

The names below are loaded when they are first used: `import nbpainter` and
the command line answer before TensorFlow is there.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "actions": ("ACTION_INDEX", "ACTION_NAMES", "random_actions"),
    "canvas": ("composite",),
    "config": ("GeneratorConfig", "PaintConfig"),
    "episodes": (
        "Episodes",
        "StrokeBatches",
        "draw_episodes",
        "load_episodes",
        "on_white",
        "tiny_episodes",
        "to_rgba",
    ),
    "errors": ("DataError", "EngineError", "NBPainterError"),
    "losses": ("FVU", "opacity_loss", "psnr"),
    "models": ("build_fc_generator", "build_generator"),
    "mypaint": ("draw_strokes",),
    "painter": ("paint",),
    "painting": ("Painting", "render_strokes"),
    "pictures": ("load_photo",),
    "weights": ("load_pretrained", "save_pretrained"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, "plotting"])


def __getattr__(name):
    if name in _HOME:
        module = importlib.import_module(f"nbpainter.{_HOME[name]}")
        return getattr(module, name)
    if name in _HOMES or name == "plotting":
        return importlib.import_module(f"nbpainter.{name}")
    raise AttributeError(f"module 'nbpainter' has no attribute {name!r}")


def __dir__():
    return __all__
