"""Strokes to learn from: drawn here, read from files, or fetched."""

import lazy_loader

_MODULES = [
    "cache",
    "drawing",
    "episode_files",
    "episodes",
    "inspection",
    "kaggle",
    "pixels",
    "rows",
]

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, _MODULES)
