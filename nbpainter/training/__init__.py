"""Trainings that can be resumed, and what their networks are worth."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, ["metrics", "report", "run", "train"]
)
