"""Losses, and the figures that they are judged by."""

import keras
from keras import ops

_EPSILON = 1e-6


@keras.saving.register_keras_serializable("nbpainter")
def opacity_loss(real_strokes, fake_strokes):
    """Binary cross-entropy of the opacity.

    Four of five pixels of a stroke's picture are blank: a mean absolute
    error is content with a blank picture, cross-entropy is not. The colour
    is the action's own, so only the opacity is compared.

    Args:
        real_strokes: float tensor `(batch, height, width, 4)`, RGBA.
        fake_strokes: float tensor `(batch, height, width, 4)`, RGBA.

    Returns:
        A float tensor `(batch,)`.
    """
    real, fake = real_strokes[..., 3], fake_strokes[..., 3]
    fake = ops.clip(fake, _EPSILON, 1 - _EPSILON)
    loss = -real * ops.log(fake) - (1 - real) * ops.log(1 - fake)
    return ops.mean(loss, axis=(1, 2))


class FVU(keras.metrics.Metric):
    """Fraction of variance unexplained: squared error over that of blank.

    1 is what a blank picture scores, 0 a perfect one. Two draws of the same
    action by the real dry brush differ by about 0.105, so no repeatable
    stroke can do better than half of that.
    """

    def __init__(self, name="fvu", **kwargs):
        super().__init__(name=name, **kwargs)
        self.error = self.add_weight(name="error", initializer="zeros")
        self.energy = self.add_weight(name="energy", initializer="zeros")

    def update_state(self, real_strokes, fake_strokes, sample_weight=None):
        real, fake = real_strokes[..., 3], fake_strokes[..., 3]
        self.error.assign_add(ops.sum((real - fake) ** 2))
        self.energy.assign_add(ops.sum(real**2))

    def result(self):
        return self.error / ops.maximum(self.energy, _EPSILON)


def psnr(picture, reference):
    """Peak signal-to-noise ratio of two pictures in decibels.

    Args:
        picture: float array or tensor, values in `[0, 1]`.
        reference: float array or tensor of the same shape.

    Returns:
        A float tensor of no dimension: `-10 log10(mean squared error)`.

    Example:

    >>> round(float(psnr(ops.zeros((2, 2, 3)), ops.full((2, 2, 3), 0.1))), 2)
    20.0
    """
    error = ops.mean((ops.cast(picture, "float32") - reference) ** 2)
    return -10 * ops.log(ops.maximum(error, 1e-10)) / ops.log(10.0)


def laplacian(opacity):
    """Four times a pixel less its four neighbours; blank outside.

    Args:
        opacity: float tensor `(batch, height, width)`.

    Returns:
        A float tensor of the same shape.
    """
    padded = ops.pad(opacity, ((0, 0), (1, 1), (1, 1)))
    beside = padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    beside = beside + padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1]
    return 4 * opacity - beside
