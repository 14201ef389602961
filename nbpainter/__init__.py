"""Learn to draw brush strokes, then paint photographs with them.

Public names, listed in `__init__.pyi`, and modules are loaded when they are
first used: `import nbpainter` and the command line answer before TensorFlow
is there.
"""

import os

__version__ = "0.1.0"

# TensorFlow reads this when it is loaded, and prints pages of notices else.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def __getattr__(name):
    """Read the stub when a name is first asked for; then it answers itself."""
    import lazy_loader

    attached = lazy_loader.attach_stub(__name__, __file__)
    globals().update(zip(("__getattr__", "__dir__", "__all__"), attached))
    return globals().get(name) or globals()["__getattr__"](name)
