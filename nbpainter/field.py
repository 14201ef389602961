"""The mean of all draws of a stroke: a field of paint along the curve."""

import numpy as np
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
