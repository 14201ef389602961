"""The numbers that a lesson can turn, one frozen dataclass each.

The environment variable `NBPAINTER_SMOKE_TEST=1` makes every default as
small as it can be, so that tests run the whole of a notebook in seconds. No
other module reads the environment.
"""

import dataclasses
import os

SMOKE_TEST = os.environ.get("NBPAINTER_SMOKE_TEST") == "1"

# TensorFlow greets with a page of notices otherwise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _number(value, smoke):
    """A field with a default, and a smaller one for smoke tests."""
    return dataclasses.field(default=smoke if SMOKE_TEST else value)


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """Stage 1, training a generator on drawn strokes.

    Attributes:
        num_strokes: int, strokes to train on.
        num_test_strokes: int, strokes that training never sees.
        epochs: int, passes over the strokes.
        batch_size: int, strokes in one step.
        learning_rate: float, of Adam, at the start of a cosine decay.
        seed: int, of weights, of the strokes' order and of drawing.
        fc_num_features: int, units of the plain network's dense layer; the
            course's has 4096.
        fc_width: int, channels of its first convolution; the course's has
            512.
    """

    num_strokes: int = _number(20_000, 256)
    num_test_strokes: int = _number(2_000, 64)
    epochs: int = _number(4, 2)
    batch_size: int = 32
    learning_rate: float = 6e-3
    seed: int = 0
    fc_num_features: int = _number(512, 32)
    fc_width: int = _number(128, 16)


@dataclasses.dataclass(frozen=True)
class PaintConfig:
    """Stage 4, painting a photograph.

    Attributes:
        num_strokes: int, strokes of the painting.
        size: int, longer side of the painting in pixels.
        num_steps: int, gradient steps for each group of strokes.
        learning_rate: float, of Adam on the actions' logits.
        seed: int, where the strokes start.
    """

    num_strokes: int = _number(400, 12)
    size: int = _number(512, 64)
    num_steps: int = _number(100, 10)
    learning_rate: float = 0.1
    seed: int = 0
