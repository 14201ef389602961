"""The networks: generators, discriminator, GAN, and their weights."""

import lazy_loader

_MODULES = [
    "brush_dabs",
    "brush_field",
    "brush_start",
    "dabs",
    "discriminator",
    "gan",
    "generators",
    "presets",
    "stroke_field",
]

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, _MODULES)
