"""Losses, and the figures that they are judged by."""

import socket

import keras
from keras import ops

from nbpainter.errors import DataError

_EPSILON = 1e-6
_PATIENCE = 20.0  # Seconds that a silent server gets.


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


@keras.saving.register_keras_serializable("nbpainter")
class PerceptualLoss(keras.losses.Loss):
    """Compares pictures by what a trained network sees in them.

    Three terms are added up. Each is 0 for equal pictures:

    - pixels: the mean squared error;
    - features: the squared error of the activations of some layers of VGG19,
      over the squared activations of the real picture, mean over layers. A
      feature says *what* is *where*;
    - Gram matrices: the same for the products of all pairs of channels,
      averaged over places. They say which textures are there, not where.

    Since both are relative errors, weights of layers as different as the
    third and the fifth block's need no tuning.

    Args:
        weights: `"imagenet"` (fetched once by Keras, 80 MB), `None` for
            random ones, or the path of a weights file. Default
            `"imagenet"`.
        layers: tuple of str, names of layers of VGG19. Default: the last
            convolutions before the third, fourth and fifth pooling.
        pixel_weight: float, of the first term. Default 10.
        feature_weight: float, of the second term. Default 1.
        gram_weight: float, of the third term. Default 1.

    Raises:
        DataError: if the weights cannot be had, or a layer does not exist.

    Example:

    >>> loss = PerceptualLoss(weights=None)
    >>> picture = keras.random.uniform((1, 64, 64, 3), seed=0)
    >>> float(loss(picture, picture))
    0.0

    Reference:

    - [Gatys et al., 2016](https://doi.org/10.1109/CVPR.2016.265) (Gram
      matrices); [Johnson et al., 2016](https://arxiv.org/abs/1603.08155);
      [Simonyan and Zisserman, 2014](https://arxiv.org/abs/1409.1556) (VGG19).
    """

    def __init__(
        self,
        weights="imagenet",
        layers=("block3_conv4", "block4_conv4", "block5_conv4"),
        pixel_weight=10.0,
        feature_weight=1.0,
        gram_weight=1.0,
        name="perceptual_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.weights, self.layers = weights, tuple(layers)
        self.pixel_weight = pixel_weight
        self.feature_weight = feature_weight
        self.gram_weight = gram_weight
        self.feature_extractor = _vgg19(weights, self.layers)

    def features(self, pictures):
        """Look at pictures with VGG19.

        Args:
            pictures: float tensor `(batch, height, width, 3)`, RGB in
                `[0, 1]`, both sides 32 pixels or more.

        Returns:
            A list of float tensors `(batch, rows, columns, channels)`, one
            for each of `layers`.
        """
        pictures = ops.cast(pictures, "float32")
        prepared = keras.applications.vgg19.preprocess_input(255 * pictures)
        return self.feature_extractor(prepared, training=False)

    def call(self, y_true, y_pred):
        """Compare pictures.

        Args:
            y_true: float tensor `(batch, height, width, 3)`, RGB in
                `[0, 1]`: the real ones.
            y_pred: float tensor of the same shape.

        Returns:
            A float tensor `(batch,)`.
        """
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        pixels = ops.mean((y_true - y_pred) ** 2, axis=(1, 2, 3))
        total = self.pixel_weight * pixels
        share = 1 / len(self.layers)
        for real, fake in zip(self.features(y_true), self.features(y_pred)):
            error = _relative_error(real, fake)
            total += share * self.feature_weight * error
            error = _relative_error(gram_matrix(real), gram_matrix(fake))
            total += share * self.gram_weight * error
        return total

    def get_config(self):
        """Return the arguments that make the same loss again."""
        names = ("weights", "layers", "pixel_weight", "feature_weight")
        own = {name: getattr(self, name) for name in (*names, "gram_weight")}
        return {**super().get_config(), **own}


def gram_matrix(features):
    """Products of all pairs of channels, averaged over places.

    Args:
        features: float tensor `(batch, rows, columns, channels)`.

    Returns:
        A float tensor `(batch, channels, channels)`.

    Reference:

    - [Gatys et al., 2016](https://doi.org/10.1109/CVPR.2016.265), eq. 3.
    """
    num_places = features.shape[1] * features.shape[2]
    products = ops.einsum("bijc,bijd->bcd", features, features)
    return products / num_places


def _relative_error(real, fake):
    axes = tuple(range(1, len(real.shape)))
    error = ops.sum((real - fake) ** 2, axis=axes)
    return error / ops.maximum(ops.sum(real**2, axis=axes), _EPSILON)


def _vgg19(weights, layers):
    """VGG19 up to some layers, or one sentence."""
    timeout = socket.getdefaulttimeout()
    try:
        # Keras would wait for a silent server for ever.
        socket.setdefaulttimeout(_PATIENCE)
        vgg19 = keras.applications.VGG19(include_top=False, weights=weights)
    except (Exception, SystemExit) as error:  # Keras raises a bare Exception.
        problem = f"{weights!r} holds no weights of VGG19. Check the path."
        if weights == "imagenet":
            problem = (
                "VGG19's weights could not be fetched: connect to the network "
                "once (80 MB, kept by Keras), or compare pixels."
            )
        raise DataError(problem) from error
    finally:
        socket.setdefaulttimeout(timeout)
    outputs = {layer.name: layer.output for layer in vgg19.layers}
    for name in set(layers).difference(outputs):
        raise DataError(f"VGG19 has no layer {name!r}: {', '.join(outputs)}.")
    extractor = keras.Model(vgg19.input, [outputs[name] for name in layers])
    extractor.trainable = False
    return extractor
