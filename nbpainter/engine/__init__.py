"""The real brush: libmypaint, brushes, brush files."""

import lazy_loader

_MODULES = ["brush", "brush_file", "brush_sheet", "libmypaint", "suitability"]

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, _MODULES)
