"""Strokes to learn from: drawn here, read from files, or fetched."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["cache", "drawing", "episodes", "kaggle"]
)
