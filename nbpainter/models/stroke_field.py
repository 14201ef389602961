"""The mean of all draws of a stroke: a field of paint along the curve.

A brush sets soft dabs along the pen's path, each moved aside at random.
Averaged over chance, that is a density: points of the curve, each spread by
Gaussians. All lengths count in brush radii, so the field has no fixed
resolution. Only the brush is learned; the geometry is given.
"""

from collections import namedtuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from nbpainter.actions import (
    COLUMNS,
    PRESSURE_SCALE,
    STROKE_SECONDS,
    WINDOW_SIZE,
    sampling_matrix,
)

NUM_KNOTS = 9
KNOTS = PRESSURE_SCALE * np.linspace(0, 1, NUM_KNOTS) ** 2
"""Knots of a curve of the pressure, from 0 to the largest: the lighter the
pen, the denser, because many brushes set in all at once."""

_DABS_PER_RADIUS = 12.0  # Of the dataset's brush; sets the density's unit.
_SPEED = 17.6  # Radii a second; slower than that hardly shows.
_SMALL = np.array([1, 1.5, 2, 3, 4])
"""Knots of a curve of the brush's radius, in pixels: the engine smooths dabs
of less than three. At the last knot and beyond the curve is 0."""
STEP = 0.01
"""Part of a stroke between two events of the pen: there are 100."""

# The pen comes down along a tenth of a radius, or the first step. (The
# dataset's, along a quarter of a pixel; a painting's, mostly along the step.)
_PEN_DOWN = 0.1
_TINY = 1e-12  # Keeps the gradient of a stroke of no length finite.


_PATH = "step_x step_y x y pressure length speed seconds radius"


class Path(namedtuple("Path", _PATH)):
    """Pieces of even parameter that strokes are cut into.

    Attributes:
        step_x: float tensor `(batch, points)`, from end to end of a piece.
        step_y: float tensor `(batch, points)`.
        x: float tensor `(batch, points)`, of the middle of a piece.
        y: float tensor `(batch, points)`.
        pressure: float tensor `(batch, points)`, of the pen there.
        length: float tensor `(batch, points)`, of a piece.
        speed: float tensor `(batch, points)`, of the pen, in radii a second.
        seconds: float tensor `(batch, points)`, that a piece takes.
        radius: float tensor `(batch, 1)`, of the brush.
    """


class Gaussians(namedtuple("Gaussians", "x y variance_x variance_y mass")):
    """Gaussians, all of shapes that broadcast to the variances'.

    Attributes:
        x: float tensor, where the centre lies.
        y: float tensor.
        variance_x: float tensor `(num_maps, batch, points)`.
        variance_y: float tensor `(num_maps, batch, points)`.
        mass: float tensor, the value at the centre.
    """


def _per_map(values):
    """Weights `(num_maps,)` for maps `(num_maps, batch, points)`."""
    return values[:, None, None]


def curve_samples(num_points):
    """A matrix from actions to samples along their curves.

    Args:
        num_points: int, pieces of even parameter that a stroke is cut into.

    Returns:
        A float32 array `(12, 5, num_points)`: how far each piece goes in x
        and in y, x and y of its middle, and the pressure there.

    Example:

    >>> curve_samples(16).shape
    (12, 5, 16)
    """
    edges = np.arange(num_points + 1) / num_points
    steps = np.diff(sampling_matrix(edges)[:, :2])
    middles = sampling_matrix((edges[1:] + edges[:-1]) / 2)
    return np.concatenate([steps, middles], axis=1).astype("float32")


def trace_path(actions, samples, lags=False):
    """Sample the paths of strokes.

    Args:
        actions: float tensor `(batch, 12)`.
        samples: see `curve_samples`.
        lags: bool, whether the brush is behind the pen: it has hardly moved
            when the pen has come down. Default `False`.

    Returns:
        A `Path`.
    """
    values = ops.unstack(ops.tensordot(actions, samples, axes=1), 5, axis=1)
    *values, pressure = values
    length = ops.sqrt(values[0] ** 2 + values[1] ** 2 + _TINY)
    radius = ops.exp(2 * actions[:, COLUMNS.size, None]) / WINDOW_SIZE
    if not lags:
        # While the pen comes down, the pressure is half in the mean.
        step = STEP * ops.cast(ops.shape(length)[1], "float32")
        share = ops.minimum(_PEN_DOWN * radius / length[:, :1], step)
        first = pressure[:, :1] * (1 - share / 2)
        pressure = ops.concatenate([first, pressure[:, 1:]], axis=1)
    num_points = ops.cast(ops.shape(length)[1], "float32")
    seconds = STROKE_SECONDS / num_points * ops.ones_like(length)
    speed = length / radius / seconds
    return Path(*values, pressure, length, speed, seconds, radius)


def hat_basis(places, knots=KNOTS):
    """The piecewise-linear basis of a curve, of the pressure by default.

    Args:
        places: float tensor of any shape.
        knots: float array `(num_knots,)`, rising. Default: `KNOTS`.

    Returns:
        A float tensor `(*shape, num_knots)` in `[0, 1]` that sums to 1. Times
        a curve's values at the knots it is the curve's value.
    """
    knots = knots.astype("float32")
    ramps = (places[..., None] - knots[:-1]) / np.diff(knots)
    ramps = ops.clip(ramps, 0.0, 1.0)  # From each knot to the next.
    ones = ops.ones_like(ramps[..., :1])
    ramps = ops.concatenate([ones, ramps, 0 * ones], axis=-1)
    return ramps[..., :-1] - ramps[..., 1:]


def track(path, passed):
    """Low-pass filter of the pen's path: MyPaint's slow tracking.

    Some brushes lag by the dab and some by the second. The pen has rested at
    the start.

    Args:
        path: `Path`, of the pen.
        passed: float tensor `(batch, points)`, what passes during a piece: the
            kernel is exponential in it.

    Returns:
        A `Path`, of the brush.
    """
    passed = ops.cumsum(passed, axis=-1)
    behind = passed[:, :, None] - passed[:, None, :]
    kernel = ops.tril(ops.exp(-ops.relu(behind)))
    gain = 1 - ops.exp(passed[:, :-1] - passed[:, 1:])
    gain = ops.concatenate([ops.ones_like(gain[:, :1]), gain], axis=-1)
    kernel = kernel * gain[:, None, :]  # (batch, points, points)
    pen = ops.stack([path.x, path.y], axis=-1)
    x, y = ops.unstack(ops.matmul(kernel, pen), 2, axis=-1)
    return path._replace(x=x, y=y)


def draw_gaussians(gaussians, columns, rows):
    """Sum Gaussians over the points of a stroke.

    A Gaussian is one of x times one of y. So the sum over the points, at all
    pixels, is a product of two matrices.

    Args:
        gaussians: `Gaussians`.
        columns: float tensor `(width,)`, x of the pixels.
        rows: float tensor `(height,)`, y of the pixels.

    Returns:
        A float tensor `(num_maps, batch, height, width)`.
    """
    x, y, variance_x, variance_y, mass = gaussians
    across = _gauss(variance_x, x, columns) * mass[..., None]
    # `keras.ops` has no product with a transposed matrix, which is quicker.
    return tf.matmul(_gauss(variance_y, y, rows), across, transpose_a=True)


def _gauss(variance, centre, places):
    """Gaussians at places, `(num_maps, batch, points, places)`.

    The root of the exponent is linear in the place, `[s, -s c] . [p, 1]`: a
    matrix product, whose gradient takes fewer passes than a difference's.
    """
    steepness = ops.sqrt(0.5 / variance)
    terms = ops.stack([steepness, -steepness * centre], axis=-1)
    powers = ops.stack([places, ops.ones_like(places)])
    return ops.exp(-ops.square(ops.matmul(terms, powers)))


def add_weights(layer, trainable=True, **values):
    """Give a layer weights that start with these values.

    Args:
        layer: `keras.Layer`.
        trainable: bool, whether they are learned. Default `True`.
        **values: float or float array, for each name.
    """
    for name, value in values.items():
        weight = layer.add_weight(
            np.shape(value), "zeros", trainable=trainable, name=name
        )
        weight.assign(value)
        setattr(layer, name, weight)


@keras.saving.register_keras_serializable("nbpainter")
class StrokeField(layers.Layer):
    """Maps of how densely a stroke covers each pixel with paint.

    A map's Gaussians have a width and a mass that depend on the pressure: for
    the lesson's brush linearly, twelve weights for three maps. Five more learn
    what the engine's smoothing makes of small dabs: they are wider, and hold
    more paint or less. What other brushes have beside that is an argument.

    A broad nib is a row of points across the path, all at one angle or, if
    it follows, at one angle to the path.

    Args:
        num_points: int, points of the curve. Default 96.
        num_maps: int, maps with widths and masses of their own. Default 3.
        curves: bool, whether width and mass are curves of the pressure,
            straight lines between learned knots. They may then also fall with
            the pen's speed, and paint may come with time. Default `False`.
        lags: bool, whether the path lags behind the pen. Default `False`.
        num_nib: int, points of the nib. Default 1, a round nib.
        nib_follows: bool, whether the nib turns with the path. Default
            `False`.
    """

    def __init__(
        self,
        num_points=96,
        num_maps=3,
        curves=False,
        lags=False,
        num_nib=1,
        nib_follows=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_points, self.num_maps = num_points, num_maps
        self.curves, self.lags = curves, lags
        self.num_nib, self.nib_follows = num_nib, nib_follows
        self._samples = curve_samples(num_points)

    def build(self, input_shape):
        steps = np.linspace(0, 1, self.num_maps)
        if self.curves:
            knots = np.zeros((self.num_maps, NUM_KNOTS))
            add_weights(
                self,
                log_width=knots,
                log_mass=knots,
                log_mass_of_time=0 * steps - 3,
                slowdown=0 * steps,
            )
        else:
            add_weights(
                self,
                log_width=np.log(0.3 + 0.4 * steps),
                spread=1.1 * steps,
                mass=0 * steps + 0.5,
                mass_of_pressure=0 * steps + 1,
                log_small_mass=0 * _SMALL[:-1],
                log_smoothing=-2.0,
            )
        if self.lags:
            add_weights(self, log_tracking_length=-1.0, log_tracking_rate=3.0)
        if self.num_nib > 1:
            add_weights(
                self,
                nib_angle=0.0,
                log_nib_ratio=0.0,
                log_nib=np.zeros(NUM_KNOTS),
                nib_slowdown=0.0,
            )
            # The file knows it; strokes tell it only roughly.
            self.log_nib_ratio.trainable = False

    def call(self, actions, size=WINDOW_SIZE, samples=None, places=None):
        """Compute the maps.

        Args:
            actions: float tensor `(batch, 12)`.
            size: int or int tensor, height and width of the maps in pixels.
                Default 64.
            samples: see `curve_samples`, for another number of points: fewer
                are faster and less exact. Default: the layer's own.
            places: two float tensors, x and y of the pixels to compute, in
                `[0, 1]`. Default: all.

        Returns:
            A float tensor `(num_maps, batch, size, size)`, not negative: the
            expected number of dabs' worth of paint at each pixel.
        """
        size = ops.cast(size, "float32")
        samples = self._samples if samples is None else samples
        path = trace_path(actions, samples, self.lags)
        # A point stands for a piece of the curve, and a pixel for its square:
        # in x and in y, each adds the variance of a uniform variable.
        piece = [(s**2 + size**-2.0) / 12 for s in (path.step_x, path.step_y)]
        gaussians = self._spread_paint(path, piece, 1 / size)
        columns, rows = places or [(ops.arange(size) + 0.5) / size] * 2
        return ops.relu(draw_gaussians(gaussians, columns, rows))

    def _spread_paint(self, path, piece, pixel):
        """Spread the paint of a path by Gaussians.

        Args:
            path: `Path`.
            piece: two float tensors `(batch, points)`, the variances in x
                and y of a piece of the curve and of a pixel, to be added.
            pixel: float or float tensor, side of a pixel.

        Returns:
            `Gaussians`.
        """
        if self.lags:
            passed = path.length / path.radius
            passed = passed * ops.exp(-self.log_tracking_length)
            rate = ops.exp(self.log_tracking_rate) / STROKE_SECONDS
            path = track(path, passed + rate * path.seconds)
        log_speed = ops.log(1 + path.speed / _SPEED)
        dabs = self.arc_length(path) / path.radius  # Of a piece, in radii.
        if self.curves:
            basis = hat_basis(path.pressure)  # (batch, points, knots)
            log_width = ops.einsum("mk,bpk->mbp", self.log_width, basis)
            log_width = log_width - _per_map(self.slowdown) * log_speed
            variance = ops.exp(2 * log_width)
            mass = ops.exp(ops.einsum("mk,bpk->mbp", self.log_mass, basis))
            of_time = ops.exp(_per_map(self.log_mass_of_time))
            dabs = dabs + of_time * path.seconds
        else:
            spread = _per_map(self.spread) * path.pressure
            variance = ops.exp(2 * _per_map(self.log_width)) + spread**2
            # A dab is blurred by a pixel or so, but no more than its radius.
            radius = path.radius / pixel
            blur = ops.minimum(1, 1 / radius) ** 2
            variance = variance + ops.exp(self.log_smoothing) * blur
            mass = _per_map(self.mass_of_pressure) * path.pressure
            mass = (_per_map(self.mass) + mass) * path.pressure
            basis = hat_basis(radius, _SMALL)[..., :-1]
            small = ops.exp(ops.matmul(basis, self.log_small_mass))
            mass = _DABS_PER_RADIUS / 2 * mass * small
        spread = path.radius**2 * variance  # (num_maps, batch, points)
        variances = [spread + part for part in piece]
        # Each dab is thinned out by the area that it is spread on.
        area = ops.sqrt(variances[0] * variances[1])
        mass = mass * dabs * path.radius**2 / area
        if self.num_nib == 1:
            return Gaussians(path.x, path.y, *variances, mass)
        nib = ops.matmul(hat_basis(path.pressure), self.log_nib)
        nib = path.radius * ops.exp(nib - self.nib_slowdown * log_speed)
        return self._broad_nib(path, nib, spread, piece, mass)

    def nib_direction(self, path):
        """Cosine and sine of the nib's angle, `(batch, points)`."""
        cos, sin = ops.cos(self.nib_angle), ops.sin(self.nib_angle)
        if not self.nib_follows:
            ones = ops.ones_like(path.x)
            return cos * ones, sin * ones
        ahead, aside = path.step_x / path.length, path.step_y / path.length
        return cos * ahead - sin * aside, sin * ahead + cos * aside

    def arc_length(self, path):
        """As libmypaint measures it: a thin nib sets more dabs broadside."""
        if self.num_nib == 1:
            return path.length
        cos, sin = self.nib_direction(path)
        along = cos * path.step_x + sin * path.step_y
        broadside = cos * path.step_y - sin * path.step_x
        broadside = broadside * ops.exp(self.log_nib_ratio)
        return ops.sqrt(along**2 + broadside**2 + _TINY)

    def _broad_nib(self, path, nib, spread, piece, mass):
        """Put a row of Gaussians across the path in each point's place."""
        # Middles of pieces of equal length, and an ellipse's width there.
        middles = (2 * np.arange(self.num_nib) + 1) / self.num_nib - 1
        middles = middles.astype("float32")
        width = np.sqrt(1 - middles**2)
        cos, sin = self.nib_direction(path)
        row = Gaussians(
            x=path.x[..., None] + (nib * cos)[..., None] * middles,
            y=path.y[..., None] + (nib * sin)[..., None] * middles,
            variance_x=spread[..., None] * width**2 + piece[0][..., None],
            variance_y=spread[..., None] * width**2 + piece[1][..., None],
            mass=mass[..., None] * width / self.num_nib,
        )  # (..., batch, points, num_nib)
        return Gaussians(
            *(ops.reshape(each, (*ops.shape(each)[:-2], -1)) for each in row)
        )

    def start_from(self, settings):
        """Set the weights to the numbers of a brush file.

        Args:
            settings: dict, a brush file's JSON with its `radius_factor`.
        """
        base = settings["radius_factor"]
        dab = base * np.exp(pressure_curve(settings, "radius_logarithmic"))
        ratio = setting(settings, "elliptical_dab_ratio", 0.0, 1.0).clip(1)
        spread = base * setting(settings, "offset_by_random")
        steps = np.linspace(0, 1, self.num_maps)[:, None]
        if ratio > 1.5:
            width = (0.5 + steps) * dab / ratio
        else:
            width = (0.25 + 0.35 * steps) * dab
        width = np.hypot(width, steps * spread)
        self.log_width.assign(np.log(np.clip(width, 0.05, 10.0)))
        opaque = setting(settings, "opaque", default=1.0)
        opaque = opaque * setting(settings, "opaque_multiply")
        mass = 10 * (np.clip(opaque, 0, 2) + 0.02) * dab**2 / ratio
        self.log_mass.assign(np.log(mass / np.clip(width, 0.3, None)))
        if self.lags:
            dabs = setting(settings, "dabs_per_actual_radius", 0.0, 2.0)
            dabs += setting(settings, "dabs_per_basic_radius", 0.0)
            lag = setting(settings, "slow_tracking_per_dab", 0.0).clip(0) + 0.1
            self.log_tracking_length.assign(np.log(base * lag / max(1.0, dabs)))
            per_second = setting(settings, "dabs_per_second", 0.0).clip(0)
            self.log_tracking_rate.assign(np.log((1 + 10 * per_second) / lag))
        if self.num_nib > 1:
            angle = setting(settings, "elliptical_dab_angle", 0.0, 90.0)
            self.nib_angle.assign(np.deg2rad(angle))
            self.log_nib_ratio.assign(np.log(ratio))
            self.log_nib.assign(np.log(dab))


def setting(settings, name, pressure=KNOTS, default=0.0):
    """Value of a brush's setting at each pressure.

    Args:
        settings: dict, a brush file's JSON.
        name: str, such as `"opaque"`.
        pressure: float array, pen pressures. Default: `KNOTS`.
        default: float or float array, if the file does not have it.

    Returns:
        A float array with the shape of `pressure`: the base value and the
        curve of the pressure.
    """
    base = settings["settings"].get(name, {}).get("base_value", default)
    base = np.asarray(base, "float64")
    return base + pressure_curve(settings, name, pressure)


def pressure_curve(settings, name, pressure=KNOTS):
    """What the pen's pressure adds to a setting. See `setting`."""
    points = setting_inputs(settings, name).get("pressure") or [(0, 0)]
    return np.interp(pressure, *np.transpose(points))


def setting_inputs(settings, name):
    """The curves of a brush's setting: a dict from inputs to points."""
    return settings["settings"].get(name, {}).get("inputs", {})
