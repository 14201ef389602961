"""One random draw of a stroke: every dab of the brush, differentiably.

The formulas are those of libmypaint 1.6 (`mypaint-brush.c`, `brushmodes.c`
and `mypaint-tiled-surface.c`); the numbers in them are weights.
"""

import numpy as np
import tensorflow as tf
from keras import layers

from nbpainter.actions import (
    ACTION_INDEX,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    curve_weights,
    pressure_weights,
)

NOISE_CHANNELS = 3
"""Random numbers of a dab: aside in x, aside in y, larger."""

_NUM_PIECES = 96
_TAILS = 1 / 80  # How much shorter than the normal's the engine's tails are.
_SMOOTHED = 3.0  # Radius in pixels below which the engine smooths a dab,
_DISC = np.pi**-0.5  # and the radius of a disc as large as a pixel.
_STROKE_SECONDS = 10.0
_SPEED = 54.6  # Radii a second; below, a brush hardly feels the speed.
_TINY = 1e-12

# What the weights start with.
BRUSH = {
    "strength": 0.8,  # Opacity of a dab over pressure,
    "strength_of_pressure": 0.2,  # and how that grows with pressure.
    "hardness": 0.2,  # Square of the part of the radius that is core.
    "growth": 0.043,  # Log radius of a dab of a resting pen, in radii,
    "slowdown": 0.0,  # and how it falls with the log of the speed.
    "spread": 1.4,  # Standard deviation of the offset over pressure.
    "jitter": 0.1,  # Standard deviation of the log radius.
    "log_count": np.log(6.0),  # Dabs a radius, and a dab's own radius.
}


class DabField(layers.Layer):
    """How densely one draw of a stroke covers each pixel with paint.

    The brush sets dabs at even distances along the pen's path, moves each
    aside at random and makes it larger or smaller. A dab of hardness h is a
    sum of two paraboloids, as high as the pressure says. Each is drawn on the
    few pixels that it covers, and `opacity = 1 - exp(-density)`.

    All lengths count in brush radii, and the noise belongs to the dab: the
    same noise draws the same stroke at every size.

    Eight weights say what the brush is like. They start with the numbers of
    the brush's own file, `dry_brush.myb`, except for the two of speed, which
    start with none.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        edges = np.arange(_NUM_PIECES + 1) / _NUM_PIECES
        self._curve = curve_weights(edges).T.astype("float32")
        self._pressure = pressure_weights(edges).T.astype("float32")

    def build(self, input_shape):
        for name, value in BRUSH.items():
            weight = self.add_weight(shape=(), initializer="zeros", name=name)
            weight.assign(value)
            setattr(self, name, weight)

    def call(self, actions, noise, size=WINDOW_SIZE):
        """Draw dabs.

        Args:
            actions: float tensor `(batch, 12)`.
            noise: float tensor `(batch, num_dabs, 3)`, standard normal.
                A stroke that needs more dabs gets so many, each standing for
                several: 1,024 are enough for 97 % of random strokes.
            size: int, height and width of the maps in pixels. Default 64.

        Returns:
            A float tensor `(batch, size, size)`, not negative.
        """
        x = tf.gather(actions, X_COLUMNS, axis=-1) @ self._curve
        y = tf.gather(actions, Y_COLUMNS, axis=-1) @ self._curve
        p = tf.gather(actions, PRESSURE_COLUMNS, axis=-1) @ self._pressure
        path = tf.stack([x, y, p], axis=-1)  # (batch, pieces + 1, 3)
        steps = path[:, 1:] - path[:, :-1]
        radius = tf.exp(2 * actions[:, ACTION_INDEX["size"], None])
        radius = radius / WINDOW_SIZE  # (batch, 1)
        # The small number keeps the gradient of a stroke of no length finite.
        length = tf.sqrt(steps[..., 0] ** 2 + steps[..., 1] ** 2 + _TINY)
        own, counts = self._dabs_along(path, length, radius)

        # Dab i of n lies a part (i + 1/2) / n along.
        ends = tf.cumsum(counts, axis=-1)
        most = tf.shape(noise)[1]
        total, index = ends[:, -1], tf.range(tf.cast(most, "float32"))
        drawn = tf.minimum(total, tf.cast(most, "float32"))
        exists = tf.where(index < drawn[:, None])  # (all dabs, 2)
        stroke, index = exists[:, 0], tf.cast(exists[:, 1], "float32")
        total, drawn = tf.gather(total, stroke), tf.gather(drawn, stroke)
        place = tf.minimum((index + 0.5) / drawn, 1) * total
        # The piece of the curve: a binary search in all strokes at once.
        apart = 1e6 * tf.range(tf.shape(ends)[0], dtype="float64")
        piece = tf.searchsorted(
            tf.reshape(tf.cast(ends, "float64") + apart[:, None], [-1]),
            tf.cast(place, "float64") + tf.gather(apart, stroke),
            out_type="int64",
        )
        piece = tf.minimum(piece, (stroke + 1) * _NUM_PIECES - 1)
        ends, counts, first, steps, own = (
            tf.gather(tf.reshape(values, [-1, *values.shape[2:]]), piece)
            for values in (ends, counts, path[:, :-1], steps, own)
        )
        passed = 1 - (ends - place) / (counts + _TINY**0.5)
        at = first + tf.clip_by_value(passed, 0, 1)[:, None] * steps

        noise = tf.gather_nd(noise, exists)  # (all dabs, 3)
        noise -= _TAILS * (noise**3 - 3 * noise)
        aside, opacity, hardness = self._dab_at(at[:, 2])
        aside = aside * tf.gather(radius[:, 0], stroke)
        centre = at[:, :2] + aside[:, None] * noise[:, :2]
        # A larger dab is thinner, a smaller one no denser. The last dab is
        # faint, so the number of dabs has a gradient.
        larger = tf.exp(self.jitter * noise[:, 2])
        opacity *= tf.minimum(1.0, larger**-2)
        opacity *= tf.clip_by_value(drawn - index, 0, 1)
        dabs = [*tf.unstack(centre * size, axis=-1), own * larger * size]
        dabs = tf.stack([*dabs, opacity, total / drawn], axis=-1)
        return self._draw(
            tf.cast(stroke, "int32"), dabs, hardness, tf.shape(actions)[0], size
        )

    def _dabs_along(self, path, length, radius):
        """Radius and number of the dabs on each piece, `(batch, pieces)`."""
        # The faster the pen, in radii a second, the smaller the dabs.
        speed = length * (_NUM_PIECES / _STROKE_SECONDS) / radius
        own = self.growth - self.slowdown * tf.math.log(1 + speed / _SPEED)
        own = radius * tf.exp(own)
        return own, tf.exp(self.log_count) * length * (1 / radius + 1 / own)

    def _dab_at(self, pressure):
        """How far aside a dab goes, its opacity, and its hardness."""
        opacity = self.strength + self.strength_of_pressure * pressure
        opacity = tf.clip_by_value(pressure * opacity, 0.0, 0.99)
        return self.spread * pressure, opacity, self.hardness

    def _draw(self, stroke, dabs, hardness, batch, size):
        """Draw dabs on the pixels in their reach.

        Args:
            stroke: int tensor `(all dabs,)`, whose they are.
            dabs: float tensor `(all dabs, 5)`: x, y, radius (pixels),
                opacity, and how many dabs each stands for.
            hardness: float tensor, of all dabs or `(all dabs,)` of each.
            batch: int, strokes.
            size: int, pixels.
        """
        x, y, radius = tf.unstack(dabs[:, :3], axis=-1)
        reach = tf.where(radius < _SMOOTHED, radius + 0.71, radius)
        low, high = (
            tf.cast(tf.clip_by_value(tf.math.ceil(v - 0.5), 0, size), "int32")
            for v in (
                tf.stack([x - reach, y - reach]),
                tf.stack([x + reach, y + reach]),
            )
        )
        (left, top), (width, height) = tf.unstack(low), tf.unstack(high - low)
        first = tf.cumsum(width * height, exclusive=True)
        # From here on, a row is a pixel of a dab.
        dab = tf.repeat(tf.range(tf.shape(x)[0]), width * height)
        boxes = tf.stack([left, top, width, first, stroke], axis=-1)
        left, top, width, first, stroke = tf.unstack(
            tf.gather(boxes, dab), axis=-1
        )
        x, y, radius, opacity, times = tf.unstack(tf.gather(dabs, dab), axis=-1)
        nth = tf.range(tf.shape(dab)[0]) - first
        column, row = left + nth % width, top + nth // width
        dx = tf.abs(tf.cast(column, "float32") + 0.5 - x)
        dy = tf.abs(tf.cast(row, "float32") + 0.5 - y)
        # The engine's smoothing: a near and a far point of the pixel.
        rest = tf.where((dx < 0.5) & (dy < 0.5), 0.0, dy**2)
        beside = tf.nn.relu(dx - 0.5)
        near = (beside**2 + rest) / radius**2
        far = ((beside + _DISC) ** 2 + rest) / radius**2
        smooth = tf.where(
            far < tf.nn.relu(1 - 1 / radius) ** 2,
            (near + far) / 2,
            1 - (1 - near) / (1 + far - near),
        )
        square = tf.where(
            radius < _SMOOTHED, smooth, (dx**2 + dy**2) / radius**2
        )
        core = hardness
        if core.shape.rank:
            core = tf.gather(core, dab)
        shape = core / (1 - core) * tf.nn.relu(1 - square)
        shape += (1 - 2 * core) / (1 - core) * tf.nn.relu(1 - square / core)
        # Opacities compose: 1 - product of (1 - opacity).
        density = tf.math.unsorted_segment_sum(
            -times * tf.math.log(1 - opacity * shape),
            (stroke * size + row) * size + column,
            batch * size * size,
        )
        return tf.reshape(density, [batch, size, size])
