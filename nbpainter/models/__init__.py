"""The networks: generators, discriminator, GAN, and their weights."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["dabs", "discriminator", "gan", "generators", "presets", "stroke_field"],
)
