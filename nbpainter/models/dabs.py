"""One random draw of a stroke: every dab of the brush, differentiably.

The formulas are those of libmypaint 1.6 (`mypaint-brush.c`, `brushmodes.c`
and `mypaint-tiled-surface.c`); the numbers in them are weights.
"""

from collections import namedtuple
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from nbpainter.actions import (
    COLUMNS,
    PRESSURE_SCALE,
    STROKE_SECONDS,
    WINDOW_SIZE,
    sampling_matrix,
)
from nbpainter.models.stroke_field import (
    KNOTS,
    NUM_KNOTS,
    add_weights,
    hat_basis,
    setting,
    setting_inputs,
)

NOISE_CHANNELS = 3
"""Random numbers of a dab: aside in x, aside in y, larger."""

_NUM_PIECES = 96  # Of even parameter, that a stroke is cut into.
_SPEED = 54.6  # Radii a second; below, a brush hardly feels the speed.
_USUAL_SPEED = 1.5  # Radii a second, of the usual stroke.
_TINY = 1e-12  # Keeps the gradient of a stroke of no length finite.

SMOOTHED = 3.0
"""Radius in pixels below which the engine smooths a dab."""

_PIXEL_RADIUS = np.pi**-0.5  # Of a disc as large as a pixel, in pixels.

START = {
    "log_ink": np.log(1.5),  # Opacity over pressure, times the count.
    "opacity_slope": 0.0,  # How the log of that grows with the pressure.
    "logit_hardness": -0.4,  # Of the part of a squared radius that is core.
    "hardness_slope": 0.0,  # How that grows with the pressure.
    "growth": 0.0,  # Log radius of a dab of a resting pen, in radii.
    "slowdown": 0.0,  # How that falls with the log of the speed.
    "log_spread": np.log(0.5),  # Offset's deviation at a pressure of 1.
    "log_spread_at_rest": np.log(0.2),  # The same at no pressure.
    "log_jitter": np.log(0.1),  # Standard deviation of the log radius.
    "log_count": np.log(3.0),  # Dabs a radius, and a dab's own radius.
}
"""What the weights of `DabField` start with. They know nothing of a brush."""


_CURVES = ("log_radius", "aside", "opacity", "hardness")
_NUMBERS = ("jitter", "per_radius", "per_basic_radius", "per_second")
_NUMBERS += ("basic_radius", "fade")


class Brush(namedtuple("Brush", [*_CURVES, *_NUMBERS, "slowdown"])):
    """What a brush file says of a dab; curves are values at `KNOTS`.

    Attributes:
        log_radius: float tensor `(NUM_KNOTS,)`, in radii of the stroke.
        aside: float tensor `(NUM_KNOTS,)`, standard deviation of the offset.
        opacity: float tensor `(NUM_KNOTS,)`, at the centre.
        hardness: float tensor `(NUM_KNOTS,)`, see `dab_profile`.
        jitter: float tensor, standard deviation of the log radius.
        per_radius: float tensor, dabs to a dab's own radius.
        per_basic_radius: float tensor, dabs to the basic radius.
        per_second: float tensor, dabs a second.
        basic_radius: float tensor, in radii of the stroke.
        fade: float tensor, pixels that an edge is wide, at least.
        slowdown: float tensor, how the log radius falls with the log of the
            speed.
    """


class Dabs(NamedTuple):
    """Dabs of several strokes in one row; all `(num_dabs,)`, in pixels.

    Attributes:
        stroke: int tensor, the index of the stroke that a dab belongs to.
        x: float tensor, of the centre.
        y: float tensor.
        radius: float tensor.
        opacity: float tensor in `[0, 1)`, at the centre.
        hardness: float tensor in `(0, 1)`, see `dab_profile`.
        times: float tensor, how many dabs it stands for.
    """

    stroke: tf.Tensor
    x: tf.Tensor
    y: tf.Tensor
    radius: tf.Tensor
    opacity: tf.Tensor
    hardness: tf.Tensor
    times: tf.Tensor


@keras.saving.register_keras_serializable("nbpainter")
class DabField(layers.Layer):
    """How densely one draw of a stroke covers each pixel with paint.

    The brush sets dabs at even distances along the pen's path, moves each
    aside at random and makes it larger or smaller. A dab of hardness h is a
    sum of two paraboloids, as high as the pressure says. Each is drawn on the
    few pixels that it covers, and `opacity = 1 - exp(-density)`.

    All lengths count in brush radii, and the noise belongs to the dab: the
    same noise draws the same stroke at every size.

    Ten weights say what the brush is like, see `START`: logarithms and
    logits, so that no number changes its sign, and each so that it can be
    learned without the others.

    Args:
        curves: bool, whether the weights are instead all that a brush file
            says, with curves of the pressure. Nothing of it is trained.
            Default `False`.
    """

    def __init__(self, curves=False, **kwargs):
        super().__init__(**kwargs)
        self.curves = curves
        edges = np.arange(_NUM_PIECES + 1) / _NUM_PIECES
        self._samples = sampling_matrix(edges).astype("float32")

    def get_config(self):
        return {**super().get_config(), "curves": self.curves}

    def build(self, input_shape):
        if not self.curves:
            add_weights(self, **START)
            return
        values = dict.fromkeys(_CURVES, np.zeros(NUM_KNOTS))
        values |= dict.fromkeys(_NUMBERS, 0.0)
        add_weights(self, trainable=False, **values)

    def _brush(self):
        if self.curves:
            return Brush(*self.weights, slowdown=0.0)
        pressure, ones = np.float32(KNOTS), np.ones(NUM_KNOTS, "float32")
        # At half of the pressure the slope changes nothing.
        slope = self.opacity_slope * (pressure - PRESSURE_SCALE / 2)
        hardness = self.logit_hardness + self.hardness_slope * pressure
        count, rest = tf.exp(self.log_count), tf.exp(self.log_spread_at_rest)
        return Brush(
            log_radius=self.growth * ones,
            aside=rest + (tf.exp(self.log_spread) - rest) * pressure,
            opacity=pressure * tf.exp(self.log_ink - self.log_count + slope),
            hardness=tf.sigmoid(hardness),
            jitter=tf.exp(self.log_jitter),
            per_radius=count,
            per_basic_radius=count,
            per_second=0.0,
            basic_radius=1.0,
            fade=0.0,
            slowdown=self.slowdown,
        )

    def numbers(self):
        """Say what the brush is like, in the terms of a brush file.

        Returns:
            A dict of floats: `strength` and `strength_of_pressure`, of a
            straight line through opacity over pressure; `hardness`;
            `growth` and `slowdown` of the log radius; `spread`, the offset's
            standard deviation at a pressure of 1, and `spread_at_rest`, at
            none; `jitter`; and `count`, dabs to a radius.
        """
        brush, pressure = self._brush(), KNOTS[1:]
        ratio = np.asarray(brush.opacity)[1:] / pressure
        slope, strength = np.polyfit(pressure, ratio, 1)
        spread, rest = np.polyfit(KNOTS, brush.aside, 1)
        numbers = {
            "strength": strength,
            "strength_of_pressure": slope,
            "hardness": np.mean(brush.hardness),
            "growth": np.mean(brush.log_radius),
            "slowdown": brush.slowdown,
            "spread": rest + spread,
            "spread_at_rest": rest,
            "jitter": brush.jitter,
            "count": brush.per_radius,
        }
        return {name: float(value) for name, value in numbers.items()}

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
        dabs = self.place_dabs(actions, noise, size)
        return draw_dabs(dabs, tf.shape(actions)[0], size)

    def place_dabs(self, actions, noise, size):
        """Place the dabs of strokes. See `call`.

        Returns:
            `Dabs`.
        """
        brush = self._brush()
        path = tf.tensordot(actions, self._samples, axes=1)
        path = tf.transpose(path, [0, 2, 1])  # (batch, pieces + 1, x y p)
        steps = path[:, 1:] - path[:, :-1]
        step_x, step_y, _ = tf.unstack(steps, axis=-1)
        length = tf.sqrt(step_x**2 + step_y**2 + _TINY)
        radius = tf.exp(2 * actions[:, COLUMNS.size, None])
        radius = radius / WINDOW_SIZE  # (batch, 1)
        # The faster the pen, in radii a second, the smaller the dabs.
        speed = length * (_NUM_PIECES / STROKE_SECONDS) / radius
        fall = brush.slowdown * tf.math.log(1 + speed / _SPEED)
        middle = (path[:, 1:, 2] + path[:, :-1, 2]) / 2
        dab_radius = radius * tf.exp(_curve(brush.log_radius, middle) - fall)
        counts = length * (
            brush.per_radius / dab_radius
            + brush.per_basic_radius / (radius * brush.basic_radius)
        )
        counts += brush.per_second * (STROKE_SECONDS / _NUM_PIECES)

        # Of n dabs, dab i lies a part (i + 1/2) / n along.
        ends = tf.cumsum(counts, axis=-1)  # (batch, pieces)
        needed = ends[:, -1:]
        most = tf.cast(tf.shape(noise)[1], "float32")
        drawn = tf.minimum(needed, most)
        index = tf.range(most)
        place = tf.minimum((index + 0.5) / drawn, 1) * needed  # (batch, most)
        piece = tf.minimum(tf.searchsorted(ends, place), _NUM_PIECES - 1)
        exists = index < drawn

        def of_dab(values):  # From (batch, pieces, ...) to (num_dabs, ...).
            values = tf.gather(values, piece, batch_dims=1)
            return tf.boolean_mask(values, exists)

        left = (of_dab(ends) - place[exists]) / (of_dab(counts) + _TINY**0.5)
        passed = tf.clip_by_value(1 - left, 0, 1)[:, None]
        start, step = of_dab(path[:, :-1]), of_dab(steps)
        x, y, pressure = tf.unstack(start + passed * step, axis=-1)

        noise = _as_engine(noise[exists])
        aside_x, aside_y, larger = tf.unstack(noise, axis=-1)
        stroke = tf.where(exists)[:, 0]
        aside = _curve(brush.aside, pressure)
        aside *= tf.gather(radius[:, 0], stroke)
        opacity = tf.clip_by_value(_curve(brush.opacity, pressure), 0.0, 0.99)
        # A larger dab is thinner, a smaller one no denser.
        larger = tf.exp(brush.jitter * larger)
        opacity *= tf.minimum(1.0, larger**-2)
        # The last dab is faint, so the number of dabs has a gradient.
        opacity *= tf.clip_by_value(drawn - index, 0, 1)[exists]
        radius, hardness = _antialias(
            of_dab(dab_radius) * larger * size,
            _curve(brush.hardness, pressure),
            brush.fade,
        )
        return Dabs(
            stroke=tf.cast(stroke, "int32"),
            x=(x + aside * aside_x) * size,
            y=(y + aside * aside_y) * size,
            radius=radius,
            opacity=opacity,
            hardness=hardness,
            times=tf.gather((needed / drawn)[:, 0], stroke),
        )

    def start_from(self, settings):
        """Set the weights to the numbers of a brush file.

        Args:
            settings: dict, a brush file's JSON with its `radius_factor`.
        """
        base = settings["radius_factor"]
        growth = _with_speed(settings, "radius_logarithmic")
        growth -= settings["settings"]["radius_logarithmic"]["base_value"]
        per_radius = setting(settings, "dabs_per_actual_radius", 0.0, 2.0)
        per_basic_radius = setting(settings, "dabs_per_basic_radius", 0.0)
        opacity = _with_speed(settings, "opaque", 1.0)
        # A brush without a curve of its own has libmypaint's.
        multiply = setting(settings, "opaque_multiply", default=KNOTS)
        opacity = np.clip(opacity * multiply, 0, 1)
        # Some brushes say how opaque the whole stroke is, and not the dab.
        linear = setting(settings, "opaque_linearize", 0.0, 0.9)
        overlap = max(1.0, 2 * (per_radius + per_basic_radius))
        opacity = 1 - (1 - opacity) ** (1 / (1 + linear * (overlap - 1)))
        aside = np.clip(_with_speed(settings, "offset_by_random"), 0, None)
        hardness = np.clip(_with_speed(settings, "hardness", 0.8), 0, 1)
        brush = Brush(
            log_radius=np.log(base) + growth,
            aside=base * aside,
            opacity=opacity,
            hardness=hardness,
            jitter=setting(settings, "radius_by_random", 0.0),
            per_radius=per_radius,
            per_basic_radius=per_basic_radius,
            per_second=setting(settings, "dabs_per_second", 0.0),
            basic_radius=base,
            fade=setting(settings, "anti_aliasing", 0.0, 1.0),
            slowdown=0.0,
        )
        for weight, value in zip(self.weights, brush):
            weight.assign(value)


def _antialias(radius, hardness, fade):
    """Radius in pixels and hardness of dabs as the engine draws them.

    It lets no edge be thinner than some part of a pixel.
    """
    half = radius * (1 + hardness) / 2
    softer = (half - fade / 2) / (half + fade / 2)
    softer = tf.clip_by_value(softer, 0.0, 0.98)
    thin = radius * (1 - hardness) < fade
    radius = tf.where(thin, fade / (1 - softer + 1e-6), radius)
    hardness = tf.where(thin, softer, hardness)
    return radius, tf.clip_by_value(hardness, 0.01, 0.98)


def draw_dabs(dabs, batch, size):
    """Draw dabs on the pixels in their reach.

    Args:
        dabs: `Dabs`.
        batch: int or int tensor, strokes.
        size: int, height and width of a stroke's map in pixels.

    Returns:
        A float tensor `(batch, size, size)`: minus the log of the product of
        `1 - opacity` over all dabs.
    """
    reach = tf.where(dabs.radius < SMOOTHED, dabs.radius + 0.71, dabs.radius)

    def first_pixel(edge):  # Whose centre is not before the edge.
        edge = tf.clip_by_value(tf.math.ceil(edge - 0.5), 0, size)
        return tf.cast(edge, "int32")

    left, top = first_pixel(dabs.x - reach), first_pixel(dabs.y - reach)
    width = first_pixel(dabs.x + reach) - left
    height = first_pixel(dabs.y + reach) - top
    dab, column, row = pixels_of_boxes(left, top, width, height)
    # From here on, a row is a pixel of a dab.
    stroke = tf.gather(dabs.stroke, dab)
    values = tf.gather(tf.stack(dabs[1:], axis=-1), dab)
    x, y, radius, opacity, hardness, times = tf.unstack(values, axis=-1)
    opacity *= dab_profile(
        tf.cast(column, "float32") + 0.5 - x,
        tf.cast(row, "float32") + 0.5 - y,
        radius,
        hardness,
    )
    density = tf.math.unsorted_segment_sum(
        -times * tf.math.log(1 - opacity),
        (stroke * size + row) * size + column,
        batch * size * size,
    )
    return tf.reshape(density, [batch, size, size])


def pixels_of_boxes(left, top, width, height):
    """List the pixels of boxes, box by box and row by row.

    Args:
        left: int tensor `(num_boxes,)`, first column.
        top: int tensor `(num_boxes,)`, first row.
        width: int tensor `(num_boxes,)`, may be 0.
        height: int tensor `(num_boxes,)`, may be 0.

    Returns:
        Three int tensors `(num_pixels,)`: the box, the column and the row.

    Example:

    >>> box, column, row = pixels_of_boxes([3, 5], [0, 7], [2, 1], [1, 2])
    >>> box.numpy().tolist(), column.numpy().tolist(), row.numpy().tolist()
    ([0, 0, 1, 1], [3, 4, 5, 5], [0, 0, 7, 8])
    """
    counts = tf.multiply(width, height)
    box = tf.repeat(tf.range(tf.size(counts)), counts)
    first = tf.cumsum(counts, exclusive=True)
    boxes = tf.stack([left, top, width, first], axis=-1)
    left, top, width, first = tf.unstack(tf.gather(boxes, box), axis=-1)
    index = tf.range(tf.size(box)) - first
    return box, left + index % width, top + index // width


def dab_profile(dx, dy, radius, hardness):
    """How opaque a round dab is at a pixel, from 0 to 1.

    Of the squared distance from the centre, in radii, the profile is two
    straight lines that meet at the hardness: paraboloids. Small dabs are
    smoothed, by a near and a far point of the pixel.

    Args:
        dx: float tensor, from the dab's centre to the pixel's, in pixels.
        dy: float tensor.
        radius: float tensor, in pixels.
        hardness: float tensor in `(0, 1)`.

    Returns:
        A float tensor.

    Reference:

    - libmypaint 1.6, `mypaint-tiled-surface.c`: `calculate_rr_antialiased`,
      `calculate_opa`.
    """
    dx, dy = tf.abs(dx), tf.abs(dy)
    rest = tf.where((dx < 0.5) & (dy < 0.5), 0.0, dy**2)
    beside = tf.nn.relu(dx - 0.5)
    near = (beside**2 + rest) / radius**2
    far = ((beside + _PIXEL_RADIUS) ** 2 + rest) / radius**2
    smooth = tf.where(
        far < tf.nn.relu(1 - 1 / radius) ** 2,
        (near + far) / 2,
        1 - (1 - near) / (1 + far - near),
    )
    square = (dx**2 + dy**2) / radius**2
    square = tf.where(radius < SMOOTHED, smooth, square)
    outer = hardness / (1 - hardness) * tf.nn.relu(1 - square)
    core = (1 - 2 * hardness) / (1 - hardness)
    return outer + core * tf.nn.relu(1 - square / hardness)


def _as_engine(noise):
    # libmypaint's rand_gauss adds four uniforms, whose excess kurtosis is
    # -0.3: the cubic term of Cornish and Fisher's expansion is 0.3 / 24.
    return noise - 0.3 / 24 * (noise**3 - 3 * noise)


def _curve(table, pressure):
    """A curve's values `(NUM_KNOTS,)` at the knots, at some pressures."""
    return tf.linalg.matvec(hat_basis(pressure), table)


def _with_speed(settings, name, default=0.0):
    """As `setting`, with what the usual speed of the pen adds to it."""
    total = setting(settings, name, default=default)
    for source in ("speed1", "speed2"):
        points = setting_inputs(settings, name).get(source)
        if points:
            grown = np.exp(setting(settings, f"{source}_gamma", 0.0, 4.0))
            # libmypaint's mapping of the speed, in radii a second.
            slope = 0.015 * (45 + grown)
            x = slope * np.log((grown + _USUAL_SPEED) / (45 + grown)) + 0.5
            (x0, y0), (x1, y1) = points[:2]
            total = total + y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return total
