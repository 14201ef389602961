"""The mean of all draws of a stroke, for any brush: curves of the pressure."""

import numpy as np
from keras import layers, ops

from nbpainter.actions import (
    ACTION_INDEX,
    PRESSURE_COLUMNS,
    PRESSURE_SCALE,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    curve_weights,
    pressure_weights,
)

NUM_KNOTS = 9
KNOTS = PRESSURE_SCALE * np.linspace(0, 1, NUM_KNOTS) ** 2
"""Knots of a curve of the pressure, from 0 to the largest: the lighter the
pen, the denser, because many brushes set in all at once."""

_STROKE_SECONDS = 10.0
_SPEED = 17.6  # Radii a second; slower than that hardly shows.
_TINY = 1e-12


def passed_knots(pressure):
    """How much of the way to its next knot a pressure has gone, for each.

    Args:
        pressure: float tensor of any shape.

    Returns:
        A float tensor `(*shape, NUM_KNOTS - 1)` in `[0, 1]`: a curve is its
        first value and its rises, each times its column of this.
    """
    knots = KNOTS.astype("float32")
    return ops.clip(
        (pressure[..., None] - knots[:-1]) / np.diff(knots), 0.0, 1.0
    )


class BrushField(layers.Layer):
    """Maps of how densely a stroke covers each pixel, for any brush.

    As in `StrokeField`, points of the curve are spread by Gaussians and
    every length counts in brush radii. But brushes differ in what pressure
    does, so the width and the mass of each map are curves of the pressure:
    straight lines between learned knots. Three things more are learned that
    brushes may have: dabs that come with time and not with the way, a width
    that falls with the pen's speed, and a path that lags behind the pen.

    A broad nib is a row of points across the path, all at one angle or, if
    it follows, at one angle to the path.

    Args:
        num_points: int, points of the curve. Default 96.
        num_maps: int, maps with curves of their own. Default 3.
        num_nib: int, points of the nib. Default 1, a round nib.
        nib_follows: bool, whether the nib turns with the path.
    """

    def __init__(
        self,
        num_points=96,
        num_maps=3,
        num_nib=1,
        nib_follows=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_points, self.num_maps = num_points, num_maps
        self.num_nib, self.nib_follows = num_nib, nib_follows
        edges = np.arange(num_points + 1) / num_points
        middles = (edges[1:] + edges[:-1]) / 2
        self._edge_weights = curve_weights(edges).T.astype("float32")
        self._point_weights = curve_weights(middles).T.astype("float32")
        self._pressure_weights = pressure_weights(middles).T.astype("float32")
        # Middles of pieces of equal length, and the ellipse's width there.
        self._nib = ((2 * np.arange(num_nib) + 1) / num_nib - 1).astype(
            "float32"
        )
        self._nib_width = np.sqrt(1 - self._nib**2)

    def build(self, input_shape):
        maps = (self.num_maps,)
        shapes = {
            "log_width": (*maps, NUM_KNOTS),
            "log_mass": (*maps, NUM_KNOTS),
            "log_mass_of_time": maps,
            "slowdown": maps,
            "log_lag": (),
            "log_haste": (),
        }
        if self.num_nib > 1:
            shapes |= {
                "nib_angle": (),
                "log_nib_ratio": (),
                "log_nib": (NUM_KNOTS,),
                "nib_slowdown": (),
            }
        start = {"log_mass_of_time": -3.0, "log_lag": -1.0, "log_haste": 3.0}
        for name, shape in shapes.items():
            weight = self.add_weight(
                shape=shape, initializer="zeros", name=name
            )
            weight.assign(np.full(shape, start.get(name, 0.0)))
            setattr(self, name, weight)

    def call(self, actions, size=WINDOW_SIZE, places=None):
        """Compute the maps.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int, height and width of the maps in pixels. Default 64.
            places: two float tensors, x and y of the pixels to compute, in
                `[0, 1]`. Default: all.

        Returns:
            A float tensor `(batch, size, size, num_maps)`, not negative.
        """
        radius = ops.exp(2 * actions[:, ACTION_INDEX["size"]]) / WINDOW_SIZE
        radius = radius[:, None]  # (batch, 1)
        x, y, steps_x, steps_y = (
            ops.take(actions, columns, axis=-1) @ weights
            for columns, weights in (
                (X_COLUMNS, self._point_weights),
                (Y_COLUMNS, self._point_weights),
                (X_COLUMNS, np.diff(self._edge_weights)),
                (Y_COLUMNS, np.diff(self._edge_weights)),
            )
        )  # (batch, points)
        # The small number keeps the gradient of a stroke of no length finite.
        length = ops.sqrt(steps_x**2 + steps_y**2 + _TINY)
        pressure = ops.take(actions, PRESSURE_COLUMNS, axis=-1)
        pressure = pressure @ self._pressure_weights
        x, y = self._lag(x, y, length / radius)
        # From here on (batch, maps, points).
        length, radius = length[:, None], radius[:, None]
        way = length / radius
        speed = way * (self.num_points / _STROKE_SECONDS / _SPEED)
        width = self._curves(self.log_width, pressure)
        width = ops.exp(
            width - self.slowdown[:, None] * ops.log(1 + speed)
        )  # In radii.
        mass = self._curves(self.log_mass, pressure)
        time = ops.exp(self.log_mass_of_time)[:, None] / self.num_points
        # A point stands for a piece of the curve, and a pixel for its square:
        # each adds the variance of a uniform variable.
        piece = (length**2 + size**-2.0) / 12
        spread = (radius * width) ** 2
        variance = spread + piece
        if self.num_nib > 1:
            way = self._way_of_nib(steps_x, steps_y)[:, None] / radius
        mass = ops.exp(mass) * (way + 10 * time) * radius**2 / variance
        x, y = x[:, None], y[:, None]
        if self.num_nib > 1:
            nib = self._curves(self.log_nib[None], pressure)
            nib = ops.exp(nib - self.nib_slowdown * ops.log(1 + speed))
            x, y, variance, mass = self._across(
                x, y, spread, piece, mass, radius * nib, steps_x, steps_y
            )
        if places is None:
            places = [(ops.arange(size, dtype="float32") + 0.5) / size] * 2
        scale = (-0.5 / variance)[..., None]
        along_x = ops.exp(scale * (places[0] - x[..., None]) ** 2)
        along_y = ops.exp(scale * (places[1] - y[..., None]) ** 2)
        return ops.einsum("bmpy,bmpx->byxm", along_y * mass[..., None], along_x)

    def _curves(self, tables, pressure):
        """Values of curves `(maps, knots)` at a pressure `(batch, points)`."""
        passed = passed_knots(pressure)  # (batch, points, knots - 1)
        rises = tables[:, 1:] - tables[:, :-1]
        rise = ops.einsum("bpk,mk->bmp", passed, rises)
        return tables[:, :1] + rise

    def _lag(self, x, y, way):
        """Let the path follow the pen, as over a spring.

        Some brushes do so with each dab, and dabs come with the way, which
        is in radii here, or with time.
        """
        way = way * ops.exp(-self.log_lag)
        way = way + ops.exp(self.log_haste) / self.num_points
        way = ops.cumsum(way, axis=-1)
        behind = way[:, :, None] - way[:, None, :]  # (batch, points, points)
        ahead = np.triu(np.ones((self.num_points,) * 2, "float32"), 1)
        share = ops.exp(-ops.relu(behind)) * (1 - ahead)
        # As if the pen had rested at the start.
        step = ops.concatenate(
            [ops.ones_like(way[:, :1]), 1 - ops.exp(way[:, :-1] - way[:, 1:])],
            axis=-1,
        )
        share = share * step[:, None, :]
        return (ops.einsum("bij,bj->bi", share, z) for z in (x, y))

    def _nib_direction(self, steps_x, steps_y):
        """Cosine and sine of the nib's angle, `(batch, points)`."""
        cos, sin = ops.cos(self.nib_angle), ops.sin(self.nib_angle)
        if not self.nib_follows:
            ones = ops.ones_like(steps_x)
            return cos * ones, sin * ones
        length = ops.sqrt(steps_x**2 + steps_y**2 + _TINY)
        ahead, aside = steps_x / length, steps_y / length
        return cos * ahead - sin * aside, sin * ahead + cos * aside

    def _way_of_nib(self, steps_x, steps_y):
        """How many dabs come: more where a thin nib moves broadside on."""
        cos, sin = self._nib_direction(steps_x, steps_y)
        along = cos * steps_x + sin * steps_y
        broadside = (cos * steps_y - sin * steps_x) * ops.exp(
            self.log_nib_ratio
        )
        return ops.sqrt(along**2 + broadside**2 + _TINY)

    def _across(self, x, y, spread, piece, mass, reach, steps_x, steps_y):
        """Put a row of points in each one's place: a broad nib."""
        cos, sin = (
            z[:, None, :, None] for z in self._nib_direction(steps_x, steps_y)
        )
        offset = reach[..., None] * self._nib
        count = self.num_points * self.num_nib
        shape = (-1, self.num_maps, count)
        ones = ops.ones_like(spread[..., None] * self._nib)
        return (
            ops.reshape(values * ones, shape)
            for values in (
                x[..., None] + offset * cos,
                y[..., None] + offset * sin,
                spread[..., None] * self._nib_width**2 + piece[..., None],
                mass[..., None] * self._nib_width / self.num_nib,
            )
        )
