"""One random draw of a stroke: every dab of the brush, differentiably.

The formulas are those of libmypaint 1.6 (`mypaint-brush.c`, `brushmodes.c`
and `mypaint-tiled-surface.c`); the numbers in them are weights, or a file's.
"""

import functools
from collections import namedtuple

import numpy as np
import tensorflow as tf
from keras import layers

from nbpainter.actions import (
    PRESSURE_SCALE,
    STROKE_SECONDS,
    WINDOW_SIZE,
)
from nbpainter.models.stroke_field import (
    KNOTS,
    STEP,
    Path,
    add_weights,
    curve_samples,
    hat_basis,
    pressure_curve,
    setting,
    setting_inputs,
    trace_path,
    track,
)

NOISE_CHANNELS = 3
"""Random numbers of a dab: aside in x, aside in y, larger."""

_NUM_PIECES = 96  # Of even parameter, that a stroke is cut into.
_NUM_RESTS = 4  # Pieces of the pen's coming down, and of its going up.
_REST = 1e-3  # Their length, relative to the next piece's.
_PRESSURES = np.linspace(0, PRESSURE_SCALE, 65)
"""Knots of a brush file's curves of the pressure."""

_SPEED = 54.6  # Radii a second; below, a brush hardly feels the speed.
_SPEEDS = np.array([0, 0.25, 0.5, 1, 2, 4, 8, 16, 32])
"""Knots of a curve of the speed, in radii a second."""

_TINY = 1e-12  # Keeps the gradient of a stroke of no length finite.

SMOOTHED = 3.0
"""Radius in pixels below which the engine smooths a dab."""

_PIXEL_RADIUS = np.pi**-0.5  # Of a disc as large as a pixel, in pixels.

START = {
    # Opacity over pressure, times hardness, count and the square of the radius.
    "log_ink": np.log(1.2),
    "opacity_slope": 0.0,  # How the log of that grows with the pressure.
    "logit_hardness": -0.4,  # Of the part of a squared radius that is core.
    "growth": 0.0,  # Log radius of a dab of a resting pen, in radii.
    "slowdown": 0.0,  # How that falls with the log of the speed.
    "log_spread": np.log(0.5),  # Offset's deviation at a pressure of 1.
    "log_spread_at_rest": np.log(0.2),  # The same at no pressure.
    "log_jitter": np.log(0.3),  # Standard deviation of the log radius.
    "log_count": np.log(6.0),  # Dabs along a radius of way.
}
"""What the weights of `DabField` start with. They know nothing of a brush."""


_SETTINGS = ("radius_logarithmic", "offset_by_random", "opaque", "hardness")

_FIELDS = (
    "log_radius aside opacity hardness jitter per_radius per_basic_radius "
    "per_second basic_radius fade of_speed lag slowdown"
)
_DEFAULTS = (0.0, 1.0, 0.0, None, None, 0.0)  # From `per_second` on.


class Brush(namedtuple("Brush", _FIELDS, defaults=_DEFAULTS)):
    """What a brush is like; curves are values at knots of the pressure.

    Attributes:
        log_radius: float tensor `(num_knots,)`, in radii of the stroke.
        aside: float tensor `(num_knots,)`, standard deviation of the offset.
        opacity: float tensor `(num_knots,)`, at the centre.
        hardness: float tensor `(num_knots,)`, see `dab_profile`.
        jitter: float tensor, standard deviation of the log radius.
        per_radius: float tensor, dabs to a dab's own radius.
        per_basic_radius: float tensor, dabs to the basic radius.
        per_second: float tensor, dabs a second.
        basic_radius: float tensor, in radii of the stroke.
        fade: float tensor, pixels that an edge is wide, at least.
        of_speed: float tensor `(4, len(_SPEEDS))`, what the speed adds to the
            four curves.
        lag: float tensor `(len(_SPEEDS),)`, dabs that the brush is behind the
            pen, at each speed; `None` if it is not.
        slowdown: float tensor, how the log radius falls with the log of the
            speed.
    """


_DABS = "stroke x y radius opacity hardness times nib"


class Dabs(namedtuple("Dabs", _DABS)):
    """Dabs of several strokes in one row; all `(num_dabs,)`, in pixels.

    Attributes:
        stroke: int tensor, the index of the stroke that a dab belongs to.
        x: float tensor, of the centre.
        y: float tensor.
        radius: float tensor.
        opacity: float tensor in `[0, 1)`, at the centre.
        hardness: float tensor in `(0, 1)`, see `dab_profile`.
        times: float tensor, how many dabs it stands for.
        nib: list of three float tensors, its length over its width, and
            cosine and sine of its angle; empty if all are round.
    """


class DabField(layers.Layer):
    """How densely one draw of a stroke covers each pixel with paint.

    The brush sets dabs at even distances along the pen's path, moves each
    aside at random and makes it larger or smaller. A dab of hardness h is a
    sum of two paraboloids, as high as the pressure says. Each is drawn on the
    few pixels that it covers, and `opacity = 1 - exp(-density)`.

    All lengths count in brush radii, and the noise belongs to the dab: the
    same noise draws the same stroke at every size.

    Nine weights say what the brush is like, see `START`: logarithms and
    logits, so that no number changes its sign, and each so that it can be
    learned without the others.

    Args:
        curves: bool, whether dabs have instead all that a brush file says,
            see `start_from`. There are no weights then. Default `False`.
        lags: bool, whether a brush file's dabs lag behind the pen. Default
            `False`.
    """

    def __init__(self, curves=False, lags=False, **kwargs):
        super().__init__(**kwargs)
        self.curves, self.lags = curves, lags
        self._samples = curve_samples(_NUM_PIECES)
        self._knots = _PRESSURES if curves else KNOTS

    def build(self, input_shape):
        if not self.curves:
            add_weights(self, **START)

    def _brush(self):
        if self.curves:
            return self._file
        pressure, ones = np.float32(KNOTS), np.ones(len(KNOTS), "float32")
        hardness = tf.sigmoid(self.logit_hardness)
        # A dab holds as much paint as opacity, hardness and squared radius say.
        # The slope counts from -1 at no pressure to 1 at full.
        slope = self.opacity_slope * (pressure / (PRESSURE_SCALE / 2) - 1)
        ink = self.log_ink + slope - self.log_count - 2 * self.growth
        count, rest = tf.exp(self.log_count), tf.exp(self.log_spread_at_rest)
        return Brush(
            log_radius=self.growth * ones,
            aside=rest + (tf.exp(self.log_spread) - rest) * pressure,
            opacity=pressure * tf.exp(ink) / hardness,
            hardness=hardness * ones,
            jitter=tf.exp(self.log_jitter),
            per_radius=0.0,
            per_basic_radius=count,
            slowdown=self.slowdown,
        )

    def numbers(self):
        """Say what the brush is like, in the terms of a brush file.

        Returns:
            A dict of floats: `strength` and `strength_of_pressure`, of a
            straight line through opacity over pressure; `hardness`;
            `growth` and `slowdown` of the log radius; `spread`, the offset's
            standard deviation at a pressure of 1, and `spread_at_rest`, at
            none; `jitter`; and `count`, dabs along a radius of way.
        """
        brush, pressure = self._brush(), self._knots[1:]
        growth, slowdown = np.mean(brush.log_radius), brush.slowdown
        if brush.of_speed is not None:
            known = np.log1p(_SPEEDS / _SPEED)
            slope, at_rest = np.polyfit(known, brush.of_speed[0], 1)
            growth, slowdown = growth + at_rest, -slope
        ratio = np.asarray(brush.opacity)[1:] / pressure
        slope, strength = np.polyfit(pressure, ratio, 1, w=pressure)
        spread, rest = np.polyfit(self._knots, brush.aside, 1)
        count = float(brush.per_radius) / np.exp(growth)
        count += float(brush.per_basic_radius)
        numbers = {
            "strength": strength,
            "strength_of_pressure": slope,
            "hardness": np.mean(brush.hardness),
            "growth": growth,
            "slowdown": slowdown,
            "spread": rest + spread,
            "spread_at_rest": rest,
            "jitter": brush.jitter,
            "count": count,
        }
        return {name: float(value) for name, value in numbers.items()}

    def call(self, actions, noise, size=WINDOW_SIZE, field=None):
        """Draw dabs.

        Args:
            actions: float tensor `(batch, 12)`.
            noise: float tensor `(batch, num_dabs, 3)`, standard normal.
                A stroke that needs more dabs gets so many, each standing for
                several: 1,024 are enough for 97 % of random strokes.
            size: int, height and width of the maps in pixels. Default 64.
            field: `StrokeField`, whose nib it is. Default: dabs are round.

        Returns:
            A float tensor `(batch, size, size)`, not negative.
        """
        brush = self._brush()
        path = trace_path(actions, self._samples, self.lags)
        if self.curves:
            path = _rest_at_ends(path)
        length = path.length if field is None else field.arc_length(path)
        # The faster the pen, in radii a second, the smaller the dabs.
        fall = brush.slowdown * tf.math.log(1 + path.speed / _SPEED)
        curves = hat_basis(path.pressure, self._knots)
        curves = curves @ tf.stack(brush[:4], axis=-1)
        if brush.of_speed is not None:
            of_speed = tf.transpose(brush.of_speed)
            curves += hat_basis(path.speed, _SPEEDS) @ of_speed
        log_radius, aside, opacity, hardness = tf.unstack(curves, axis=-1)
        dab_radius = path.radius * tf.exp(log_radius - fall)
        counts = length * (
            brush.per_radius / dab_radius
            + brush.per_basic_radius / (path.radius * brush.basic_radius)
        )
        counts += brush.per_second * path.seconds

        # Of n dabs, dab i lies a part (i + 1/2) / n along.
        ends = tf.cumsum(counts, axis=-1)  # (batch, pieces)
        needed = ends[:, -1:]
        most = tf.cast(tf.shape(noise)[1], "float32")
        drawn = tf.minimum(needed, most)
        index = tf.range(most)
        place = tf.minimum((index + 0.5) / drawn, 1) * needed  # (batch, most)
        last = tf.shape(ends)[1] - 1
        piece = tf.minimum(tf.searchsorted(ends, place), last)
        exists = index < drawn

        if brush.lag is not None:
            lag = tf.linalg.matvec(hat_basis(path.speed, _SPEEDS), brush.lag)
            path = track(path, counts / (tf.nn.relu(lag) + 1e-3))
        aside = path.radius * tf.nn.relu(aside)
        opacity = tf.clip_by_value(opacity, 0.0, 0.99)
        hardness = tf.clip_by_value(hardness, 0.0, 1.0)
        of_piece = [ends, counts, path.x, path.y, path.step_x, path.step_y]
        of_piece += [aside, opacity, dab_radius, hardness]
        if field is not None and field.num_nib > 1:
            of_piece += field.nib_direction(path)
        stroke = tf.cast(tf.where(exists)[:, 0], "int32")
        # From (batch, pieces, values) to rows of dabs.
        rows = tf.stack([stroke, piece[exists]], axis=-1)
        of_dab = tf.gather_nd(tf.stack(of_piece, axis=-1), rows)
        ends, counts, x, y, *of_dab = tf.unstack(of_dab, axis=-1)
        step_x, step_y, aside, opacity, dab_radius, hardness, *nib = of_dab
        if nib:
            nib = [tf.exp(field.log_nib_ratio) * tf.ones_like(x), *nib]

        left = (ends - place[exists]) / (counts + _TINY**0.5)
        passed = 0.5 - tf.clip_by_value(left, 0, 1)  # The middle of a piece.
        aside_x, aside_y, larger = tf.unstack(_as_engine(noise[exists]), 3, -1)
        # A larger dab is thinner, a smaller one no denser.
        larger = tf.exp(brush.jitter * larger)
        opacity *= tf.minimum(1.0, larger**-2)
        # The last dab is faint, so the number of dabs has a gradient.
        opacity *= tf.clip_by_value(drawn - index, 0, 1)[exists]
        radius, hardness = _antialias(
            dab_radius * larger * size, hardness, brush.fade
        )
        dabs = Dabs(
            stroke=stroke,
            x=(x + passed * step_x + aside * aside_x) * size,
            y=(y + passed * step_y + aside * aside_y) * size,
            radius=radius,
            opacity=opacity,
            hardness=hardness,
            times=tf.gather((needed / drawn)[:, 0], stroke),
            nib=nib,
        )
        return draw_dabs(dabs, tf.shape(actions)[0], size)

    def start_from(self, settings):
        """Have the numbers of a brush file.

        Args:
            settings: dict, a brush file's JSON with its `radius_factor`.
        """
        base, pressure = settings["radius_factor"], _PRESSURES
        curve = functools.partial(setting, settings, pressure=pressure)
        growth = pressure_curve(settings, "radius_logarithmic", pressure)
        per_radius = setting(settings, "dabs_per_actual_radius", 0.0, 2.0)
        per_basic_radius = setting(settings, "dabs_per_basic_radius", 0.0)
        opacity = curve("opaque", default=1.0)
        # A brush without a curve of its own has libmypaint's.
        multiply = curve("opaque_multiply", default=pressure)
        opacity = np.clip(opacity * multiply, 0, 1)
        # Some brushes say how opaque the whole stroke is, and not the dab.
        linear = setting(settings, "opaque_linearize", 0.0, 0.9).clip(0)
        overlap = max(1.0, 2 * (per_radius + per_basic_radius))
        opacity = 1 - (1 - opacity) ** (1 / (1 + linear * (overlap - 1)))
        speed = _SPEEDS / base
        of_speed = [_speed_curve(settings, n, speed) for n in _SETTINGS]
        of_speed[1] *= base
        of_speed[2] *= np.mean(multiply)
        lag = _speed_curve(settings, "slow_tracking_per_dab", speed)
        lag += setting(settings, "slow_tracking_per_dab", 0.0)
        brush = Brush(
            log_radius=np.log(base) + growth,
            aside=base * curve("offset_by_random"),
            opacity=opacity,
            hardness=curve("hardness", default=0.8),
            jitter=setting(settings, "radius_by_random", 0.0),
            per_radius=per_radius,
            per_basic_radius=per_basic_radius,
            per_second=setting(settings, "dabs_per_second", 0.0),
            basic_radius=base,
            fade=setting(settings, "anti_aliasing", 0.0, 1.0),
            of_speed=np.stack(of_speed),
            lag=lag if self.lags else None,
        )
        arrays = (x if x is None else np.float32(x) for x in brush)
        self._file = Brush(*arrays)


def _rest_at_ends(path):
    """Add pieces of hardly any length for what the pen does at both ends.

    At the start, its pressure rises for a tenth of a second; at the end it
    falls as long. A brush that sets dabs by time sets some there.
    """
    rising = (np.arange(_NUM_RESTS, dtype="float32") + 0.5) / _NUM_RESTS
    ones = np.ones_like(rising)

    def extend(values, first=ones, last=ones, beyond=0.0):
        beyond = beyond * tf.ones_like(values)
        first = (values[:, :1] - beyond[:, :1]) * first
        last = (values[:, -1:] + beyond[:, -1:]) * last
        return tf.concat([first, values, last], axis=1)

    # So short that only the direction is left.
    shrink = functools.partial(extend, first=_REST * ones, last=_REST * ones)
    rest = STEP * STROKE_SECONDS / _NUM_RESTS
    rests = tf.fill([tf.shape(path.x)[0], _NUM_RESTS], rest)
    return Path(
        step_x=shrink(path.step_x),
        step_y=shrink(path.step_y),
        x=extend(path.x, beyond=path.step_x / 2),
        y=extend(path.y, beyond=path.step_y / 2),
        pressure=extend(path.pressure, rising, rising[::-1]),
        length=shrink(path.length),
        speed=extend(path.speed),
        seconds=tf.concat([rests, path.seconds, rests], axis=1),
        radius=path.radius,
    )


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
    values = tf.stack([*dabs[1:-1], *dabs.nib], axis=-1)
    values = tf.unstack(tf.gather(values, dab), axis=-1)
    x, y, radius, opacity, hardness, times, *nib = values
    opacity *= dab_profile(
        tf.cast(column, "float32") + 0.5 - x,
        tf.cast(row, "float32") + 0.5 - y,
        radius,
        hardness,
        *nib,
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


def dab_profile(dx, dy, radius, hardness, ratio=1.0, cos=0.0, sin=1.0):
    """How opaque a dab is at a pixel, from 0 to 1.

    Of the squared distance from the centre, in radii, the profile is two
    straight lines that meet at the hardness: paraboloids. Small dabs are
    smoothed, by a near and a far point of the pixel.

    Args:
        dx: float tensor, from the dab's centre to the pixel's, in pixels.
        dy: float tensor.
        radius: float tensor, in pixels.
        hardness: float tensor in `(0, 1)`.
        ratio: float tensor, the length of an ellipse over its width.
            Default: a round dab.
        cos: float tensor, cosine of its long axis' angle.
        sin: float tensor, sine of it.

    Returns:
        A float tensor.

    Reference:

    - libmypaint 1.6, `mypaint-tiled-surface.c`: `calculate_rr_antialiased`,
      `calculate_opa`.
    """
    # A round dab's long axis is the y axis, as in the engine.
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    square = (along**2 + (ratio * across) ** 2) / radius**2
    # The engine takes this for the side of the axis that a pixel lies on.
    beyond = _PIXEL_RADIUS * tf.sign(across + 2 * cos * sin)
    # The pixel's point that is next to the long axis.
    x = tf.clip_by_value(along * cos, dx - 0.5, dx + 0.5)
    y = tf.clip_by_value(along * sin, dy - 0.5, dy + 0.5)
    outside = (tf.abs(dx) >= 0.5) | (tf.abs(dy) >= 0.5)
    outside = tf.cast(outside, x.dtype)
    along = outside * (x * cos + y * sin)
    across = outside * (y * cos - x * sin)
    near = (along**2 + (ratio * across) ** 2) / radius**2
    far = (along**2 + (ratio * (across + beyond)) ** 2) / radius**2
    smooth = tf.where(
        far < tf.nn.relu(1 - 1 / radius) ** 2 / ratio,
        (near + far) / 2,
        1 - (1 - near) / (1 + far - near),
    )
    square = tf.where(radius < SMOOTHED, smooth, square)
    outer = hardness / (1 - hardness) * tf.nn.relu(1 - square)
    core = (1 - 2 * hardness) / (1 - hardness)
    return outer + core * tf.nn.relu(1 - square / hardness)


def _as_engine(noise):
    """Normal noise to what libmypaint's `rand_gauss` adds up: four uniforms.

    Their density beyond the root of 3 is a cube, so quantiles there are a
    fourth root. Within it they have an excess kurtosis of -0.3: the cubic
    term of Cornish and Fisher's expansion is 0.3 / 24.
    """
    inner = noise - 0.3 / 24 * (noise**3 - 3 * noise)
    beyond = tf.math.erfc(tf.abs(noise) / 2**0.5) / 2
    outer = tf.sign(noise) * 3**0.5 * (2 - (24 * beyond) ** 0.25)
    return tf.where(tf.abs(noise) < 3**0.5, inner, outer)


def _speed_curve(settings, name, speed):
    """What the pen's speed, in radii a second, adds to a setting."""
    total = np.zeros(len(speed))
    for source in ("speed1", "speed2"):
        points = setting_inputs(settings, name).get(source)
        if points:
            grown = np.exp(setting(settings, f"{source}_gamma", 0.0, 4.0))
            # libmypaint's mapping of the speed, and its curves go on beyond
            # their ends.
            slope = 0.015 * (45 + grown)
            place = slope * np.log((grown + speed) / (45 + grown)) + 0.5
            x, y = np.transpose(points)
            k = np.clip(np.searchsorted(x, place), 1, len(x) - 1)
            rise = (y[k] - y[k - 1]) / np.maximum(x[k] - x[k - 1], 1e-6)
            total += y[k] + rise * (place - x[k])
    return total
