"""The mean of all draws of a stroke: a field of paint along the curve."""

import numpy as np
import tensorflow as tf
from keras import layers, ops

from nbpainter.actions import (
    ACTION_INDEX,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    curve_weights,
    pressure_weights,
)

_DABS_PER_RADIUS = 12.0  # Of the dataset's brush; sets the density's unit.


def curve_nodes(num_points):
    """Weights that cut a stroke into pieces of even parameter.

    Args:
        num_points: int, how many pieces.

    Returns:
        Three float32 arrays: `(3, num_points + 1)`, weights of the pieces'
        ends in the three points of a stroke; `(3, num_points)`, of their
        middles; `(2, num_points)`, of the pressures there.
    """
    ends = np.arange(num_points + 1) / num_points
    middles = (ends[1:] + ends[:-1]) / 2
    weights = curve_weights(ends), curve_weights(middles)
    weights = *weights, pressure_weights(middles)
    return [np.float32(array.T) for array in weights]


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
        (
            self._edge_weights,
            self._point_weights,
            self._pressure_weights,
        ) = curve_nodes(num_points)

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

    def sketch(self, actions, size, nodes):
        """Compute the maps faster: fewer points, and less exactly.

        A Gaussian's exponent is a parabola of the pixel's place, so all
        exponents are one matrix product. Rounding leaves errors below 0.001.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int or int tensor, side of the maps in pixels.
            nodes: see `curve_nodes`.

        Returns:
            A float tensor `(num_maps, batch, size, size)`.
        """
        edge_weights, point_weights, pressure_weights = nodes
        size = tf.cast(size, "float32")
        points_x = tf.gather(actions, X_COLUMNS, axis=-1) - 0.5
        points_y = tf.gather(actions, Y_COLUMNS, axis=-1) - 0.5
        pressures = tf.gather(actions, PRESSURE_COLUMNS, axis=-1)
        radius = tf.exp(2 * actions[:, ACTION_INDEX["size"], None])
        radius = radius / WINDOW_SIZE  # (batch, 1)
        ends_x, ends_y = points_x @ edge_weights, points_y @ edge_weights
        squared = (ends_x[:, 1:] - ends_x[:, :-1]) ** 2
        squared += (ends_y[:, 1:] - ends_y[:, :-1]) ** 2 + 1e-12
        pressure = pressures @ pressure_weights  # (batch, points)

        width, spread = tf.exp(self.log_width), tf.convert_to_tensor(self.spread)
        variance = width[:, None, None] ** 2
        variance += (spread[:, None, None] * pressure) ** 2
        variance *= radius**2
        variance += (squared + size**-2.0) / 12  # (maps, batch, points)
        mass = tf.convert_to_tensor(self.mass_of_pressure)[:, None, None]
        mass = tf.convert_to_tensor(self.mass)[:, None, None] + mass * pressure
        mass *= _DABS_PER_RADIUS * pressure * tf.sqrt(squared) * radius
        mass /= 2 * variance

        scale = -0.5 / variance
        pixels = (tf.range(size) + 0.5) / size - 0.5
        powers = tf.stack([pixels**2, pixels, tf.ones_like(pixels)])

        def along(points):
            x = points @ point_weights
            parabolas = tf.stack([scale, -2 * scale * x, scale * x**2], -1)
            return tf.exp(tf.tensordot(parabolas, powers, 1))

        rows = along(points_y) * mass[..., None]
        # (maps, batch, points, size)
        maps = tf.matmul(rows, along(points_x), transpose_a=True)
        return tf.nn.relu(maps)
