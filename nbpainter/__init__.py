"""Learn to draw brush strokes, then paint photographs with them.

Public names, listed in `__init__.pyi`, and modules are loaded when they are
first used: `import nbpainter` and the command line answer before TensorFlow
is there.
"""

import os

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# TensorFlow reads this when it is loaded, and prints pages of notices else.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
