"""The networks: stroke generators and the discriminator.

A generator turns actions into RGBA strokes. Two are here: ours, which is told
the geometry and learns only the brush, and the course's, which has to learn
geometry from pixels.
"""

import keras
import tensorflow as tf
from keras import layers, ops

from nbpainter.actions import (
    ACTION_INDEX,
    ACTION_NAMES,
    COLOR_COLUMNS,
    WINDOW_SIZE,
)
from nbpainter.brush_dabs import BrushDabs
from nbpainter.brush_field import BrushField
from nbpainter.dabs import NOISE_CHANNELS, DabField
from nbpainter.field import StrokeField
from nbpainter.losses import laplacian

_LOG_FLOOR = 1e-3  # Densities below do not show in an opacity of 8 bits.
# The same where paint ends at an edge; and what keeps opacities from 0 and 1.
_FAINT = 1e-4


class StrokeGenerator(keras.Model):
    """What generators share: opacity is computed, colour is the action's.

    Attributes:
        noise_shape: `(num_dabs, 3)`, the shape of a stroke's noise, or `None`
            for a generator that draws only calm strokes.
        brush: str or dict, the brush that it has learned, see
            `nbpainter.brush_files.load_brush`.
        reach: two floats, radii from the curve to where its last visible
            paint lies: at no pressure, and what a pressure of 1 adds.
    """

    # Of the dry brush: less than half a step of 8 bits is measured beyond
    # 1.2 radii at no pressure, 4.0 at full.
    reach = (1.5, 3.0)
    noise_shape = None
    brush = "dry_brush"

    def opacity(self, actions, size=WINDOW_SIZE, noise=None):
        """Compute the opacity of strokes.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int, side of the pictures in pixels. Default 64.
            noise: float tensor `(batch, *noise_shape)`, standard normal, for
                one random draw. Default: the calm stroke, the mean of all.

        Returns:
            A float tensor `(batch, size, size)` in `[0, 1]`.
        """
        raise NotImplementedError

    def sketch(self, actions, size, nodes):
        """Compute the calm stroke quickly and roughly, to optimise it.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int tensor of no dimension, side in pixels.
            nodes: see `curve_nodes`.

        Returns:
            A float tensor `(batch, size * size)`, logits of the opacity.
        """
        opacity = tf.clip_by_value(self.opacity(actions), _FAINT, 1 - _FAINT)
        opacity = tf.image.resize(
            opacity[..., None], [size, size], antialias=True
        )
        opacity = tf.reshape(opacity, [tf.shape(actions)[0], size * size])
        return tf.math.log(opacity) - tf.math.log(1 - opacity)

    def call(self, actions, size=WINDOW_SIZE, noise=None):
        """Draw strokes.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int, side of the pictures in pixels. Default 64.
            noise: see `opacity`.

        Returns:
            A float tensor `(batch, size, size, 4)`: RGBA in `[0, 1]`,
            straight alpha.
        """
        opacity = self.opacity(actions, size, noise)[..., None]
        color = ops.take(actions, COLOR_COLUMNS, axis=-1)[:, None, None, :]
        color = color * ops.ones_like(opacity)
        return ops.concatenate([color, opacity], axis=-1)


class FieldGenerator(StrokeGenerator):
    """A stroke field and a small network of the single pixel, or dabs.

    The calm stroke: the network sees only the field's maps at its own pixel
    (its layers are 1x1), so it draws at any size. A random draw: dabs. See
    `build_generator`.
    """

    def __init__(self, field, hidden_units, dabs, num_dabs):
        super().__init__(name="generator")
        self.field = field
        self.hidden = [layers.Dense(n, "relu") for n in hidden_units]
        self.logit = layers.Dense(1)
        if num_dabs:
            self.dabs = dabs
            self.noise_shape = (num_dabs, NOISE_CHANNELS)

    def build(self, input_shape):
        self.field.build(input_shape)
        channels = self._num_features()
        for layer in [*self.hidden, self.logit]:
            layer.build((None, channels))
            channels = layer.units
        if self.noise_shape:
            self.dabs.build(input_shape)
        self.built = True

    def opacity(self, actions, size=WINDOW_SIZE, noise=None):
        if noise is not None:
            return 1 - ops.exp(-self.dabs(actions, noise, size=size))
        return ops.sigmoid(self._logit(self._features(actions, size)))

    def _logit(self, features):
        for layer in self.hidden:
            features = layer(features)
        return self.logit(features)[..., 0]

    def _num_features(self):
        return self.field.num_maps

    def _features(self, actions, size):
        return ops.log(self.field(actions, size=size) + _LOG_FLOOR)

    def sketch(self, actions, size, nodes):
        maps = self.field.sketch(actions, size, nodes)
        # Features first: long rows are quicker to multiply with than short.
        features = tf.reshape(
            tf.math.log(maps + _LOG_FLOOR), [self.field.num_maps, -1]
        )
        for layer in [*self.hidden, self.logit]:
            features = tf.matmul(layer.kernel, features, transpose_a=True)
            features += layer.bias[:, None]
            if layer is not self.logit:
                features = tf.nn.relu(features)
        return tf.reshape(features, [tf.shape(actions)[0], size * size])


class BrushGenerator(FieldGenerator):
    """A generator for any brush. See `build_brush_generator`.

    Of the network's two outputs, one says how opaque the paint is, the other
    how far inside of its edge a pixel lies. An edge is as wide as some part
    of the radius, but never thinner than a pixel.
    """

    def __init__(self, field, hidden_units, dabs, num_dabs):
        super().__init__(field, hidden_units, dabs, num_dabs)
        self.logit = layers.Dense(2)

    def build(self, input_shape):
        self.log_softness = self.add_weight(
            shape=(), initializer="zeros", name="log_softness"
        )
        self.log_softness.assign(-1.0)
        super().build(input_shape)

    def _num_features(self):
        return self.field.num_maps + 1

    def _logit(self, features):
        pixel = features[..., -1]
        for layer in self.hidden:
            features = layer(features)
        inside, opaque = ops.unstack(self.logit(features), axis=-1)
        inside = inside / (pixel + ops.exp(self.log_softness))
        # The logit of sigmoid(inside) * sigmoid(opaque).
        return -ops.logsumexp(
            ops.stack([-inside, -opaque, -inside - opaque]), axis=0
        )

    def train_step(self, data):
        """One step on a quarter of the pixels, each time another one.

        The network sees single pixels, so any of them are as good; and
        neighbours have little to add.
        """
        actions, real = data[:2]
        part = self.optimizer.iterations % 4
        loss, real, fake, gradients = self._learn(actions, real, part)
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
        return self.compute_metrics(actions, real, fake)

    # Keras compiles nothing where operations are made deterministic; XLA's
    # are so on the CPU, and take half the time.
    @tf.function(jit_compile=True)
    def _learn(self, actions, real, part):
        row, column = part // 2, part % 2
        size = WINDOW_SIZE
        real = ops.reshape(real, (-1, size // 2, 2, size // 2, 2, 4))
        real = ops.take(ops.take(real, row, axis=2), column, axis=3)
        even = ops.arange(0, size, 2, dtype="float32") + 0.5
        places = [(even + ops.cast(z, "float32")) / size for z in (column, row)]
        with tf.GradientTape() as tape:
            logit = self._logit(self._features(actions, size, places))
            opacity = ops.sigmoid(logit)[..., None]
            fake = ops.concatenate([real[..., :3], opacity], axis=-1)
            loss = ops.mean(self.loss(real, fake))
        gradients = tape.gradient(loss, self.trainable_variables)
        return loss, real, fake, gradients

    def _features(self, actions, size, places=None):
        field = self.field(actions, size=size, places=places)
        maps = ops.log(field + _FAINT) / 3 + 1
        # A hard edge is a pixel wide, however large the brush.
        radius = ops.exp(2 * actions[:, ACTION_INDEX["size"]]) / WINDOW_SIZE
        pixel = ops.minimum(1 / (radius * size), 1)[:, None, None, None]
        return ops.concatenate(
            [maps, pixel * ops.ones_like(maps[..., :1])], axis=-1
        )

    def sketch(self, actions, size, nodes):
        features = self._features(actions, tf.cast(size, "float32"))
        return tf.reshape(self._logit(features), [-1, size * size])


class FullyConnectedGenerator(StrokeGenerator):
    """The course's network. See `build_fc_generator`."""

    def __init__(self, num_features, width):
        super().__init__(name="fc_generator")
        stages = [layers.Dense(num_features), layers.Reshape((1, 1, -1))]
        for stage in range(4):
            stages += [
                layers.Conv2DTranspose(
                    width >> stage,
                    4,
                    strides=2 if stage else 1,
                    padding="same" if stage else "valid",
                    activation="relu",
                    use_bias=False,
                ),
                layers.BatchNormalization(),
            ]
        stages += [
            layers.Conv2DTranspose(
                width >> 3, 3, padding="same", activation="relu", use_bias=False
            ),
            layers.BatchNormalization(),
            layers.Conv2DTranspose(
                1, 4, strides=2, padding="same", use_bias=False
            ),
        ]
        self.network = keras.Sequential(stages)

    def build(self, input_shape):
        self.network.build(input_shape)
        self.built = True

    def opacity(self, actions, size=WINDOW_SIZE, noise=None):
        opacity = ops.sigmoid(self.network(actions))
        if size != WINDOW_SIZE:
            opacity = ops.image.resize(opacity, (size, size), antialias=True)
        return opacity[..., 0]


def build_generator(num_points=96, num_maps=3, hidden_units=(8, 8), num_dabs=0):
    """Build the stroke generator: geometry given, brush learned.

    Args:
        num_points: int, points of the curve in the stroke field. Default 96.
        num_maps: int, maps of the stroke field. Default 3.
        hidden_units: sequence of ints, widths of the 1x1 layers.
        num_dabs: int, dabs of a random draw, at most; 1,536 are enough for
            every texture. Default 0: no noise input, only calm strokes.

    Returns:
        A `keras.Model` from actions `(batch, 12)` to RGBA strokes
        `(batch, 64, 64, 4)`; call it with `size=` for other sizes and with
        `noise=` for a random draw. Its defaults have 125 weights; the noise
        input has 8 more.

    Example:

    >>> build_generator().count_params()
    125
    """
    field = StrokeField(num_points, num_maps)
    generator = FieldGenerator(field, hidden_units, DabField(), num_dabs)
    generator.build((None, len(ACTION_NAMES)))
    return generator


def build_brush_generator(
    num_points=96,
    num_maps=3,
    num_nib=1,
    nib_follows=False,
    hidden_units=(16, 16),
    num_dabs=0,
    reach=6.0,
):
    """Build a stroke generator for any MyPaint brush.

    As `build_generator`, on a field that has curves of the pressure where
    that has numbers, and can have a broad nib and a path that lags behind.
    The 1x1 layers also see how large a pixel is in radii.

    Args:
        num_points: int, see `BrushField`.
        num_maps: int, see `BrushField`.
        num_nib: int, see `BrushField`.
        nib_follows: bool, see `BrushField`.
        hidden_units: sequence of ints, widths of the 1x1 layers.
        num_dabs: int, see `build_generator`. The dabs are `BrushDabs`, for
            brushes with a round nib.
        reach: float, radii from the curve to the last visible paint.

    Returns:
        A `keras.Model` as `build_generator` returns it. Its defaults have
        449 weights.

    Example:

    >>> build_brush_generator().count_params()
    449
    """
    field = BrushField(num_points, num_maps, num_nib, nib_follows)
    generator = BrushGenerator(field, hidden_units, BrushDabs(), num_dabs)
    generator.reach = (reach, 0.0)
    generator.build((None, len(ACTION_NAMES)))
    return generator


def build_fc_generator(num_features=4096, width=512):
    """Build the course's generator: one dense layer, then a CNN.

    It has to learn from pixels where a stroke lies. Its output is the
    opacity alone (the course's: RGB), so colour is as exact as in
    `build_generator`; other sizes than 64 are its 64 pixels, resized.

    Args:
        num_features: int, units of the dense layer. The course's: 4096.
        width: int, channels of the first transposed convolution, halved by
            each of the next three. The course's: 512.

    Returns:
        A `keras.Model` from actions `(batch, 12)` to RGBA strokes
        `(batch, 64, 64, 4)`. Its defaults have 36.4 million weights.

    Example:

    >>> build_fc_generator().count_params()
    36402176
    """
    generator = FullyConnectedGenerator(num_features, width)
    generator.build((None, len(ACTION_NAMES)))
    return generator


class Details(layers.Layer):
    """What a discriminator looks at, from RGBA strokes.

    Three channels: the opacity; how it differs from the calm stroke's; and
    its Laplacian, which shows the grain. Colour is exact in real and
    generated strokes alike.
    """

    def call(self, strokes, calm_strokes):
        opacity, calm = strokes[..., 3], calm_strokes[..., 3]
        return ops.stack(
            [opacity, 2 * (opacity - calm), laplacian(opacity)], axis=-1
        )


def build_discriminator(width=16):
    """Build the discriminator: is a stroke drawn by the real brush?

    It sees the stroke beside the calm stroke of the same action, and so
    knows what was asked for: with twelve numbers it would first have to learn
    what they mean. Grain has no place of its own, so the features of a CNN of
    five layers are pooled over the picture: their mean and their largest
    value.

    Args:
        width: int, channels of the first layer; the last has four times as
            many. Default 16.

    Returns:
        A `keras.Model` from two RGBA pictures of strokes, `[strokes,
        calm_strokes]`, both `(batch, 64, 64, 4)`, to logits `(batch, 1)`,
        high for real. Its defaults have 78,705 weights.

    Example:

    >>> build_discriminator().output_shape
    (None, 1)
    """
    shape = (WINDOW_SIZE, WINDOW_SIZE, 4)
    strokes = keras.Input(shape, name="strokes")
    calm_strokes = keras.Input(shape, name="calm_strokes")
    x = Details(name="details")(strokes, calm_strokes)
    for factor, stride in ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2)):
        x = layers.Conv2D(
            width * factor, 3, stride, padding="same", use_bias=False
        )(x)
        # Trainings are short: the moving averages must keep up.
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Identity(name="features")(x)  # (batch, 8, 8, 4 width)
    mean = layers.Rescaling(4.0)(layers.GlobalAveragePooling2D()(x))
    x = layers.Concatenate()([mean, layers.GlobalMaxPooling2D()(x)])
    x = layers.LeakyReLU(0.2)(layers.Dense(64)(x))
    logits = layers.Dense(1, name="logits")(x)
    return keras.Model([strokes, calm_strokes], logits, name="discriminator")
