"""The networks: stroke generators and the discriminator.

A generator turns actions into RGBA strokes. Two are here: ours, which is told
the geometry and learns only the brush, and the course's, which has to learn
geometry from pixels.
"""

import keras
import numpy as np
from keras import layers, ops

from nbpainter.actions import (
    ACTION_INDEX,
    ACTION_NAMES,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    curve_weights,
    pressure_weights,
)

_DABS_PER_RADIUS = 12.0  # Of the dataset's brush; sets the density's unit.
_LOG_FLOOR = 1e-3  # Densities below do not show in an opacity of 8 bits.


class StrokeField(layers.Layer):
    """Maps of how densely a stroke covers each pixel with paint.

    A brush sets soft dabs along the pen's path, each moved aside at random.
    Averaged over chance, that is a density: points of the curve, each spread
    by a Gaussian. Its variance is `radius^2 (a^2 + (b p)^2)`, with the brush
    radius, the pressure `p` and two learned numbers for the dab's own
    softness and for the random offset that grows with pressure. Its mass
    is the arc length in radii times a learned parabola of the pressure. A
    Gaussian is a product of a function of x and one of y, so a map is one
    small matrix product.

    All lengths count in brush radii: a stroke looks the same at every size.

    Args:
        num_points: int, points of the curve. Default 96.
        num_maps: int, maps with widths and masses of their own. Default 3.
    """

    def __init__(self, num_points=96, num_maps=3, **kwargs):
        super().__init__(**kwargs)
        self.num_points, self.num_maps = num_points, num_maps
        edges = np.arange(num_points + 1) / num_points
        middles = (edges[1:] + edges[:-1]) / 2
        self._edge_weights = curve_weights(edges).T.astype("float32")
        self._point_weights = curve_weights(middles).T.astype("float32")
        self._pressure_weights = pressure_weights(middles).T.astype("float32")

    def build(self, input_shape):
        shape, steps = (self.num_maps,), np.linspace(0, 1, self.num_maps)
        values = {
            "log_width": np.log(0.3 + 0.4 * steps),
            "spread": 1.1 * steps,
            "mass": np.full(shape, 0.5),
            "mass_of_pressure": np.full(shape, 1.0),
        }
        for name, value in values.items():
            weight = self.add_weight(
                shape=shape, initializer="zeros", name=name
            )
            weight.assign(value)
            setattr(self, name, weight)

    def call(self, actions, size=WINDOW_SIZE):
        """Compute the maps.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int, height and width of the maps in pixels. Default 64.

        Returns:
            A float tensor `(batch, size, size, num_maps)`, not negative: the
            expected number of dabs' worth of paint at each pixel.
        """
        points_x = ops.take(actions, X_COLUMNS, axis=-1)  # (batch, 3)
        points_y = ops.take(actions, Y_COLUMNS, axis=-1)
        pressures = ops.take(actions, PRESSURE_COLUMNS, axis=-1)
        radius = ops.exp(2 * actions[:, ACTION_INDEX["size"]]) / WINDOW_SIZE
        radius = radius[:, None, None]  # (batch, 1, 1)

        steps_x = ops.diff(points_x @ self._edge_weights, axis=-1)
        steps_y = ops.diff(points_y @ self._edge_weights, axis=-1)
        # The small number keeps the gradient of a stroke of no length finite.
        length = ops.sqrt(steps_x**2 + steps_y**2 + 1e-12)[:, None, :]
        pressure = (pressures @ self._pressure_weights)[:, None, :]

        width, spread = ops.exp(self.log_width), self.spread
        variance = radius**2 * (
            width[:, None] ** 2 + (spread[:, None] * pressure) ** 2
        )
        # A point stands for a piece of the curve, and a pixel for its square:
        # each adds the variance of a uniform variable.
        variance = variance + (length**2 + size**-2.0) / 12
        mass = self.mass[:, None] + self.mass_of_pressure[:, None] * pressure
        mass = _DABS_PER_RADIUS * mass * pressure * length / radius
        mass = mass * radius**2 / (2 * variance)

        pixels = (ops.arange(size, dtype="float32") + 0.5) / size
        scale = (-0.5 / variance)[..., None]  # (batch, maps, points, 1)
        x = (points_x @ self._point_weights)[:, None, :, None]
        y = (points_y @ self._point_weights)[:, None, :, None]
        along_x = ops.exp(scale * (pixels - x) ** 2)
        along_y = ops.exp(scale * (pixels - y) ** 2) * mass[..., None]
        maps = ops.einsum("bmpy,bmpx->byxm", along_y, along_x)
        return ops.relu(maps)


class StrokeGenerator(keras.Model):
    """What generators share: opacity is computed, colour is the action's."""

    def opacity(self, actions, size=WINDOW_SIZE):
        """Compute the opacity of strokes.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int, side of the pictures in pixels. Default 64.

        Returns:
            A float tensor `(batch, size, size)` in `[0, 1]`.
        """
        raise NotImplementedError

    def call(self, actions, size=WINDOW_SIZE):
        """Draw strokes.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int, side of the pictures in pixels. Default 64.

        Returns:
            A float tensor `(batch, size, size, 4)`: RGBA in `[0, 1]`,
            straight alpha.
        """
        opacity = self.opacity(actions, size)[..., None]
        color = ops.take(actions, COLOR_COLUMNS, axis=-1)[:, None, None, :]
        color = color * ops.ones_like(opacity)
        return ops.concatenate([color, opacity], axis=-1)


class FieldGenerator(StrokeGenerator):
    """A stroke field and a small network of the single pixel.

    The network sees only the maps at its own pixel (its layers are 1x1), so
    it draws at any size. See `build_generator`.
    """

    def __init__(self, num_points, num_maps, hidden_units):
        super().__init__(name="generator")
        self.field = StrokeField(num_points, num_maps)
        self.hidden = [layers.Dense(n, "relu") for n in hidden_units]
        self.logit = layers.Dense(1)

    def build(self, input_shape):
        self.field.build(input_shape)
        channels = self.field.num_maps
        for layer in [*self.hidden, self.logit]:
            layer.build((None, channels))
            channels = layer.units
        self.built = True

    def opacity(self, actions, size=WINDOW_SIZE):
        features = ops.log(self.field(actions, size=size) + _LOG_FLOOR)
        for layer in self.hidden:
            features = layer(features)
        return ops.sigmoid(self.logit(features)[..., 0])


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

    def opacity(self, actions, size=WINDOW_SIZE):
        opacity = ops.sigmoid(self.network(actions))
        if size != WINDOW_SIZE:
            opacity = ops.image.resize(opacity, (size, size), antialias=True)
        return opacity[..., 0]


def build_generator(num_points=96, num_maps=3, hidden_units=(8, 8)):
    """Build the stroke generator: geometry given, brush learned.

    Args:
        num_points: int, points of the curve in the stroke field. Default 96.
        num_maps: int, maps of the stroke field. Default 3.
        hidden_units: sequence of ints, widths of the 1x1 layers.

    Returns:
        A `keras.Model` from actions `(batch, 12)` to RGBA strokes
        `(batch, 64, 64, 4)`; call it with `size=` for other sizes. Its
        defaults have 125 weights.

    Example:

    >>> build_generator().count_params()
    125
    """
    generator = FieldGenerator(num_points, num_maps, hidden_units)
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
