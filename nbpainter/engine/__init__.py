"""The real brush: libmypaint, brushes, brush files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["brush", "brush_file", "libmypaint", "suitability"]
)
