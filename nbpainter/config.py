"""The numbers that a lesson can turn, one frozen dataclass each.

The environment variable `NBPAINTER_SMOKE_TEST=1` makes every default as
small as it can be, so that tests run the whole of a notebook in seconds. No
other module reads the environment.
"""

import dataclasses
import os
import pathlib

import platformdirs

from nbpainter.errors import DataError

SMOKE_TEST = os.environ.get("NBPAINTER_SMOKE_TEST") == "1"


def cache_folder():
    """Return the folder where unpacked episodes are kept.

    It is `NBPAINTER_CACHE` of the environment, else the user's usual one:
    `~/.cache/nbpainter` on Linux.

    Returns:
        A `pathlib.Path`.

    Raises:
        DataError: for the folder of a user that there is not.
    """
    usual = platformdirs.user_cache_path("nbpainter")
    chosen = os.environ.get("NBPAINTER_CACHE") or usual
    try:
        return pathlib.Path(chosen).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"NBPAINTER_CACHE names nobody's folder: {chosen}. Choose another."
        ) from error


def _number(value, smoke):
    """A field with a default, and a smaller one for smoke tests."""
    return dataclasses.field(default=smoke if SMOKE_TEST else value)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """What all trainings have; a stage adds its own.

    Attributes:
        num_strokes: int, real strokes to train on.
        num_test_strokes: int, strokes that training never sees.
        epochs: int, passes over the strokes; after each a checkpoint is
            written.
        batch_size: int, strokes in one step.
        learning_rate: float, of Adam, at the start of a cosine decay. The GAN
            has two, of names of their own.
        seed: int, of weights and noise, of the strokes' order and of drawing.
    """

    num_strokes: int = _number(10_000, 256)
    num_test_strokes: int = _number(2_000, 64)
    epochs: int = _number(8, 2)
    batch_size: int = 32
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class GeneratorConfig(TrainingConfig):
    """Stage 1, training a generator of any brush on drawn strokes.

    Attributes:
        fc_num_features: int, units of the plain network's dense layer; the
            course's has 4096.
        fc_width: int, channels of its first convolution; the course's has
            512.
    """

    learning_rate: float = 8e-3
    fc_num_features: int = _number(512, 32)
    fc_width: int = _number(128, 16)


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig(TrainingConfig):
    """Stage 2, training a discriminator against a frozen generator.

    There are as many generated strokes as real ones, and half of each batch
    is real.
    """

    num_strokes: int = _number(8_000, 128)
    num_test_strokes: int = _number(1_000, 64)
    epochs: int = 2
    batch_size: int = _number(64, 16)
    learning_rate: float = 1e-3


@dataclasses.dataclass(frozen=True)
class GANConfig(TrainingConfig):
    """Stage 3, generator against discriminator.

    A batch has `batch_size` real strokes, and as many generated ones.

    Attributes:
        num_dabs: int, dabs of a random draw, at most.
        steps_per_epoch: int, steps of both networks.
        warm_up_steps: int, steps in which the generator minimises the anchor
            alone.
        g_learning_rate: float, of Adam on the generator's noise input; it
            falls to 15 %.
        d_learning_rate: float, of Adam on the discriminator.
        anchor: float, weight of the anchor, see `GAN`.
    """

    num_strokes: int = _number(20_000, 256)
    epochs: int = _number(28, 2)
    num_dabs: int = _number(1536, 256)
    batch_size: int = _number(16, 8)
    steps_per_epoch: int = _number(100, 4)
    warm_up_steps: int = _number(600, 2)
    g_learning_rate: float = 1e-2
    d_learning_rate: float = 1e-3
    anchor: float = 3.0


@dataclasses.dataclass(frozen=True)
class ReportConfig(DiscriminatorConfig):
    """The report card of a generator.

    The rest is of the two-sample test, which trains a discriminator.

    Attributes:
        num_strokes: int, fresh strokes for error, texture and spread.
        num_judged: int, real strokes that the two-sample test trains on,
            and as many generated.
        num_test_strokes: int, of each kind, that it is tested on.
        num_painted: int, strokes of the painting for the reality gap.
        size: int, longer side of that painting in pixels.
        stroke_size: int, side in pixels that strokes are drawn at; the larger
            they are, the fewer of them.
        seed: int, of drawing; apart from all seeds of training.
    """

    num_strokes: int = _number(2_000, 100)
    num_judged: int = _number(8_000, 128)
    epochs: int = _number(3, 1)
    num_painted: int = _number(50, 5)
    size: int = 64
    stroke_size: int = 64
    seed: int = 90_000_049


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

    @property
    def portrait_strokes(self):
        """Strokes of the lesson's portrait, which shall show a face."""
        return 5 * self.num_strokes // 2
