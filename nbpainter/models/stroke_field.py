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
    """A matrix from actions to what is needed along their curves.

    Args:
        num_points: int, pieces of even parameter that a stroke is cut into.

    Returns:
        A float32 array `(12, 5 * num_points)`: how far each piece goes in x
        and in y, x and y of its middle, and the pressure there.
    """
    ends = np.arange(num_points + 1) / num_points
    middles = (ends[1:] + ends[:-1]) / 2
    steps = np.diff(curve_weights(ends), axis=0)
    points = curve_weights(middles)
    nodes = np.zeros((len(ACTION_INDEX), 5, num_points), "float32")
    for part, (rows, weights) in enumerate(
        (
            (X_COLUMNS, steps),
            (Y_COLUMNS, steps),
            (X_COLUMNS, points),
            (Y_COLUMNS, points),
            (PRESSURE_COLUMNS, pressure_weights(middles)),
        )
    ):
        nodes[rows, part] = weights.T
    return nodes.reshape(len(ACTION_INDEX), -1)


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
        size = tf.cast(size, "float32")
        along = tf.reshape(actions @ nodes, [tf.shape(actions)[0], 5, -1])
        step_x, step_y, x, y, pressure = tf.unstack(along, axis=1)
        radius = tf.exp(2 * actions[:, ACTION_INDEX["size"], None])
        radius = radius / WINDOW_SIZE  # (batch, 1)
        squared = (
            tf.square(step_x) + tf.square(step_y) + 1e-12
        )  # (batch, points)

        width, spread, mass, mass_of_pressure = (
            tf.reshape(weight, [-1, 1, 1])
            for weight in (
                tf.exp(2 * self.log_width),
                tf.square(self.spread),
                _DABS_PER_RADIUS / 2 * self.mass,
                _DABS_PER_RADIUS / 2 * self.mass_of_pressure,
            )
        )
        variance = (width + spread * tf.square(pressure)) * tf.square(radius)
        variance += (squared + size**-2.0) / 12  # (maps, batch, points)
        mass += mass_of_pressure * pressure
        mass *= pressure * radius * tf.sqrt(squared) / variance

        scale = -0.5 / variance
        pixels = (tf.range(size) + 0.5) / size - 0.5
        powers = tf.stack([pixels**2, pixels, tf.ones_like(pixels)])
        at = tf.stack([x - 0.5, y - 0.5])[:, None]  # (2, 1, batch, points)
        pull = scale * at
        terms = tf.stack([scale + tf.zeros_like(at), -2 * pull, pull * at], -1)
        shape = tf.concat([tf.shape(terms)[:-1], tf.shape(pixels)], 0)
        # (2, maps, batch, points, size)
        along = tf.exp(
            tf.reshape(tf.matmul(tf.reshape(terms, [-1, 3]), powers), shape)
        )
        along_x, along_y = tf.unstack(along)
        along_y *= mass[..., None]
        return tf.nn.relu(tf.matmul(along_y, along_x, transpose_a=True))
