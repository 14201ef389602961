"""Strokes over strokes: paintings, and how they are found."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "canvas",
        "coarse_to_fine",
        "optimizer",
        "painting",
        "stroke_file",
        "windows",
    ],
)
