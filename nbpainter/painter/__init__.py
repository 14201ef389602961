"""Strokes over strokes: paintings, and how they are found."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "budget",
        "canvas",
        "choices",
        "coarse_to_fine",
        "optimizer",
        "painting",
        "placing",
        "rendering",
        "session",
        "stroke_file",
        "stroke_layers",
        "windows",
    ],
)
