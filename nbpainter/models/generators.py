"""Stroke generators: networks that turn actions into RGBA strokes.

Two kinds are here: ours, which is told the geometry and learns only the
brush, and the course's, which has to learn geometry from pixels.
"""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from nbpainter.actions import ACTION_NAMES, COLUMNS, WINDOW_SIZE, check_actions
from nbpainter.engine.brush_file import load_brush
from nbpainter.errors import DataError, check_count, check_size
from nbpainter.losses import FVU, opacity_loss
from nbpainter.models.dabs import NOISE_CHANNELS, DabField
from nbpainter.models.stroke_field import (
    StrokeField,
    add_weights,
    setting,
    setting_inputs,
)

_BATCH = 64  # Strokes of 64 pixels that are drawn at once.
_FAINT = 1e-3  # Densities below do not show in an opacity of 8 bits.
_FAINT_EDGE = 1e-4  # The same where paint ends at an edge.
_MOST = 16.0  # Logits beyond show nowhere.
_CLIPPED = 1e-4  # Opacities this near to 0 and 1 count as equal to it.
_NUM_DABS = 1536  # Of a brush's random draw, at most; many have fewer.
_FEW_DABS = 192  # The same where nothing is left to chance.


class StrokeGenerator(keras.Model):
    """What generators share: opacity is computed, colour is the action's.

    Attributes:
        noise_shape: `(num_dabs, 3)`, the shape of a stroke's noise, or `None`
            for a generator that draws only calm strokes.
        brush: str or dict, the brush that it has learned, see
            `nbpainter.engine.brush_file.load_brush`.
        reach: two floats, radii from the curve to where its last visible
            paint lies: at no pressure, and what a pressure of 1 adds.
    """

    # Of the dry brush: less than half a step of 8 bits is measured beyond
    # 1.2 radii at no pressure, 4.0 at full.
    reach = (1.5, 3.0)
    noise_shape = None
    brush = "dry_brush"

    def __setattr__(self, name, value):
        if name == "brush":
            # Keras would wrap a dict, which no other process could read.
            return object.__setattr__(self, name, value)
        return super().__setattr__(name, value)

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

    def logits(self, actions, size=WINDOW_SIZE, samples=None):
        """Compute the logits of the calm stroke's opacity, to optimise it.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int or int tensor, side of the pictures in pixels. Default
                64.
            samples: see `nbpainter.models.stroke_field.curve_samples`: fewer
                points of the curve are faster and less exact. A network
                without a stroke field ignores it.

        Returns:
            A float tensor `(batch, size, size)`.
        """
        opacity = self.opacity(actions, size)
        opacity = ops.clip(opacity, _CLIPPED, 1 - _CLIPPED)
        return ops.log(opacity) - ops.log(1 - opacity)

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
        color = ops.take(actions, COLUMNS.color, axis=-1)[:, None, None, :]
        color = color * ops.ones_like(opacity)
        return ops.concatenate([color, opacity], axis=-1)


@keras.saving.register_keras_serializable("nbpainter")
class FieldGenerator(StrokeGenerator):
    """A stroke field and a small network of the single pixel, or dabs.

    The calm stroke: the network sees only the field's maps at its own pixel
    (its layers are 1x1), so it draws at any size. A random draw: dabs.

    Args:
        As `build_generator`.
    """

    def __init__(
        self, hidden_units=(8, 8), num_dabs=0, edges=False, reach=None, **field
    ):
        super().__init__(name=field.pop("name", "generator"))
        self.brush = field.pop("brush", self.brush)
        self.field = StrokeField(**field)
        self.hidden = [layers.Dense(n, "relu") for n in hidden_units]
        self.logit = layers.Dense(2 if edges else 1)
        self.edges = edges
        if num_dabs:
            self.dabs = DabField(self.field.curves, self.field.lags)
            self.noise_shape = (num_dabs, NOISE_CHANNELS)
        if self.field.curves:
            settings = load_brush(self.brush)  # Fail now, not in a replay.
            if num_dabs:
                self.dabs.start_from(settings)
        if reach is not None:
            self.reach = (reach, 0.0)
        own = {"num_dabs": num_dabs, "edges": edges, "reach": reach}
        self._config = {"hidden_units": hidden_units, **own, **field}

    def get_config(self):
        return {"name": self.name, "brush": self.brush, **self._config}

    def build(self, input_shape):
        if self.edges:
            add_weights(self, log_softness=-1.0)
        self.field.build(input_shape)
        channels = self.field.num_maps + self.edges
        for layer in [*self.hidden, self.logit]:
            layer.build((None, channels))
            channels = layer.units
        if self.noise_shape:
            self.dabs.build(input_shape)
        self.built = True

    def opacity(self, actions, size=WINDOW_SIZE, noise=None):
        if noise is not None:
            return 1 - ops.exp(
                -self.dabs(actions, noise, size=size, field=self.field)
            )
        return ops.sigmoid(self.logits(actions, size))

    def logits(self, actions, size=WINDOW_SIZE, samples=None, places=None):
        maps = self.field(actions, size=size, samples=samples, places=places)
        if not self.edges:
            (logits,) = ops.unstack(self._see_pixels(ops.log(maps + _FAINT)), 1)
            return logits
        # Of the network's two outputs, one says how opaque the paint is, the
        # other how far inside of its edge a pixel lies. An edge is as wide as
        # some part of the radius, but never thinner than a pixel.
        radius = ops.exp(2 * actions[:, COLUMNS.size]) / WINDOW_SIZE
        pixel = ops.minimum(1 / (radius * ops.cast(size, "float32")), 1)
        pixel = pixel[:, None, None] * ops.ones_like(maps[0])
        maps = ops.log(maps + _FAINT_EDGE) / 3 + 1
        seen = self._see_pixels(ops.concatenate([maps, pixel[None]]))
        inside, opaque = ops.unstack(seen, 2)
        inside = inside / (pixel + ops.exp(self.log_softness))
        # The logit of sigmoid(inside) * sigmoid(opaque).
        seen = [ops.clip(z, -_MOST, _MOST) for z in (inside, opaque)]
        outside, clear = (ops.exp(-z) for z in seen)
        return -ops.log(outside + clear + outside * clear)

    def _see_pixels(self, features):
        """Apply the 1x1 layers to `(channels, batch, height, width)`.

        Channels come first: long rows are quicker to multiply with.
        """
        shape = ops.shape(features)
        features = ops.reshape(features, (shape[0], -1))
        for layer in [*self.hidden, self.logit]:
            features = tf.matmul(layer.kernel, features, transpose_a=True)
            features = layer.activation(features + layer.bias[:, None])
        return ops.reshape(features, (-1, *shape[1:]))

    def start_from(self, settings):
        """Set the weights to the numbers of a brush file.

        Args:
            settings: dict, see `choose_brush`.
        """
        self.field.start_from(settings)
        if self.noise_shape:
            self.dabs.start_from(settings)
        # Most pixels are blank; paint is opaque.
        self.logit.bias.assign([-1.0, 2.0][: self.logit.units])
        self.brush = settings

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
            logits = self.logits(actions, places=places)
            opacity = ops.sigmoid(logits)[..., None]
            fake = ops.concatenate([real[..., :3], opacity], axis=-1)
            loss = ops.mean(self.loss(real, fake))
            # Optimizers add the gradients of all devices.
            part = loss / tf.distribute.get_strategy().num_replicas_in_sync
        gradients = tape.gradient(part, self.trainable_variables)
        return loss, real, fake, gradients


@keras.saving.register_keras_serializable("nbpainter")
class FullyConnectedGenerator(StrokeGenerator):
    """The course's network. See `build_fc_generator`."""

    def __init__(self, num_features, width, name="fc_generator"):
        super().__init__(name=name)
        self.num_features, self.width = num_features, width
        convolve = functools.partial(
            layers.Conv2DTranspose, padding="same", use_bias=False
        )
        stages = [
            convolve(width, 4, padding="valid"),
            *(convolve(width >> k, 4, strides=2) for k in (1, 2, 3)),
            convolve(width >> 3, 3),
        ]
        network = [layers.Dense(num_features), layers.Reshape((1, 1, -1))]
        for stage in stages:
            network += [stage, layers.ReLU(), layers.BatchNormalization()]
        self.network = keras.Sequential([*network, convolve(1, 4, strides=2)])

    def get_config(self):
        own = {"num_features": self.num_features, "width": self.width}
        return {"name": self.name, **own}

    def build(self, input_shape):
        self.network.build(input_shape)
        self.built = True

    def opacity(self, actions, size=WINDOW_SIZE, noise=None):
        opacity = ops.sigmoid(self.network(actions))
        # TensorFlow's own takes a tensor as a size, too.
        opacity = tf.image.resize(opacity, (size, size), antialias=True)
        return opacity[..., 0]


def build_generator(
    hidden_units=(8, 8), num_dabs=0, edges=False, reach=None, **field
):
    """Build a stroke generator: geometry given, brush learned.

    The defaults are those of the lessons' dry brush. What other brushes have
    beside that is an argument; `brush_arguments` chooses them for a brush.

    Args:
        hidden_units: sequence of ints, widths of the 1x1 layers.
        num_dabs: int, dabs of a random draw, at most; 1,536 are enough for
            every texture. Default 0: no noise input, only calm strokes.
        edges: bool, whether paint can end at a sharp edge, as wide as a part
            of the radius, but never thinner than a pixel. Default `False`.
        reach: float, radii from the curve to the last visible paint.
            Default: the dry brush's.
        **field: `num_points`, `num_maps`, `curves`, `lags`, `num_nib` and
            `nib_follows`, see `StrokeField`. Dabs have curves where the
            field has.

    Returns:
        A `keras.Model` from actions `(batch, 12)` to RGBA strokes
        `(batch, 64, 64, 4)`; call it with `size=` for other sizes and with
        `noise=` for a random draw. Its defaults have 130 weights; the noise
        input has 9 more.

    Example:

    >>> build_generator().count_params()
    130
    """
    generator = FieldGenerator(hidden_units, num_dabs, edges, reach, **field)
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


def render_strokes(generator, actions, size=WINDOW_SIZE, seed=None):
    """Draw strokes with a generator, each on its own.

    Args:
        generator: a model of `build_generator` or `load_pretrained`.
        actions: float array `(n, 12)` in `[0, 1]`.
        size: int, side of the pictures in pixels. Default 64.
        seed: `None` for the calm stroke, the mean over chance. An int for
            one random draw, which takes a generator with a noise input; the
            same seed draws the same strokes, at every size.

    Returns:
        A float32 array `(n, size, size, 4)`: RGBA in `[0, 1]`, straight
        alpha.

    Raises:
        DataError: for actions of another shape or out of range, a bad size,
            or a seed for a generator without a noise input.

    Example:

    >>> from nbpainter.models.generators import build_generator
    >>> strokes = render_strokes(build_generator(), np.full((2, 12), 0.5))
    >>> strokes.shape
    (2, 64, 64, 4)
    """
    actions = check_actions(actions)
    size = check_size(size)
    if seed is not None:
        seed = check_count("seed", seed, 0, 2**32 - 1)
        if generator.noise_shape is None:
            raise DataError(
                f"{generator.name!r} has no noise input and draws only calm "
                f"strokes: leave out `seed`. Received: seed={seed!r}."
            )
    # Dabs take memory for every pixel that they cover.
    at_once = max(1, min(_BATCH, _BATCH * WINDOW_SIZE**2 // size**2))
    strokes = []
    for start in range(0, len(actions), at_once):
        batch = actions[start : start + at_once]
        noise = None
        if seed is not None:
            which = range(start, start + len(batch))
            noise = np.stack([stroke_noise(generator, seed, k) for k in which])
        drawn = generator(batch, size=size, noise=noise)
        strokes.append(keras.ops.convert_to_numpy(drawn))
    return np.concatenate(strokes)


def stroke_noise(generator, seed, stroke):
    """The noise of the stroke of that number in a draw of that seed."""
    random = np.random.default_rng([seed, stroke])
    return random.standard_normal(generator.noise_shape, "float32")


def compile_generator(generator, config, num_strokes):
    """Prepare a generator for `fit` on `StrokeBatches`.

    Args:
        generator: a model of `build_generator` or `build_fc_generator`.
        config: `GeneratorConfig`.
        num_strokes: int, strokes of an epoch; sets the learning rate's
            decay.
    """
    num_steps = max(1, num_strokes // config.batch_size) * config.epochs
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, num_steps
    )
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
    optimizer.build(generator.trainable_variables)
    generator.compile(optimizer, loss=opacity_loss, metrics=[FVU()])


def brush_arguments(settings):
    """Choose the arguments of `build_generator` for a brush.

    Each gets a noise input, which draws its dabs, also where nothing is left
    to chance.

    Args:
        settings: dict, a brush file's JSON.

    Returns:
        A dict of keyword arguments.
    """
    names = ("slow_tracking_per_dab", "offset_by_random", "radius_by_random")
    lag, spread, jitter = (np.max(setting(settings, name)) for name in names)
    hardness = np.max(setting(settings, "hardness", default=0.8))
    arguments = {
        "curves": True,
        "lags": bool(lag > 0),
        # Where dabs are soft or strewn, paint fades out.
        "edges": bool(hardness > 0.4 and spread < 0.3),
        "num_dabs": _NUM_DABS if max(spread, jitter) > 0 else _FEW_DABS,
    }
    ratio = setting(settings, "elliptical_dab_ratio", 0.0, 1.0)
    if ratio > 1.5:
        arguments["num_nib"] = int(np.clip(round(1.8 * ratio), 4, 10))
        arguments["num_points"] = 64
        angle = setting_inputs(settings, "elliptical_dab_angle")
        arguments["nib_follows"] = "direction" in angle
    return arguments
