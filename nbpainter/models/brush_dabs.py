"""One random draw of a stroke of any brush: the dabs of its own file."""

import tensorflow as tf

from nbpainter.models.brush_field import NUM_KNOTS, passed_knots
from nbpainter.models.dabs import DabField

_PARTS_OF_SECOND = 10.0  # A stroke takes so many seconds.
_TINY = 1e-6


class BrushDabs(DabField):
    """How densely one draw of a stroke of any brush covers each pixel.

    As in `DabField`, but radius, offset, opacity and hardness of a dab are
    curves of the pressure, as in a brush file, and dabs may come with time.
    The numbers are the file's own: nothing is trained.
    """

    def build(self, input_shape):
        curves = ("log_radius", "aside", "opacity", "hardness")
        shapes = dict.fromkeys(curves, (NUM_KNOTS,))
        scalars = ("jitter", "per_radius", "per_basic_radius", "per_second")
        shapes |= dict.fromkeys((*scalars, "basic_radius", "fade"), ())
        for name, shape in shapes.items():
            weight = self.add_weight(
                shape=shape, initializer="zeros", name=name, trainable=False
            )
            setattr(self, name, weight)

    def _at(self, curve, pressure):
        rises = passed_knots(pressure) * (curve[1:] - curve[:-1])
        return curve[0] + tf.reduce_sum(rises, axis=-1)

    def _dabs_along(self, path, length, radius):
        pressure = (path[:, 1:, 2] + path[:, :-1, 2]) / 2
        own = radius * tf.exp(self._at(self.log_radius, pressure))
        pieces = tf.cast(tf.shape(length)[1], "float32")
        counts = length * (
            self.per_radius / own
            + self.per_basic_radius / (radius * self.basic_radius)
        )
        return own, counts + self.per_second * _PARTS_OF_SECOND / pieces

    def _dab_at(self, pressure):
        return (
            self._at(self.aside, pressure),
            tf.clip_by_value(self._at(self.opacity, pressure), 0.0, 0.99),
            self._at(self.hardness, pressure),
        )

    def _draw(self, stroke, dabs, hardness, batch, size):
        # The engine lets no edge be thinner than some part of a pixel.
        x, y, radius, opacity, times = tf.unstack(dabs, axis=-1)
        half = radius * (1 + hardness) / 2
        softer = (half - self.fade / 2) / (half + self.fade / 2)
        softer = tf.clip_by_value(softer, 0.0, 0.98)
        thin = radius * (1 - hardness) < self.fade
        radius = tf.where(thin, self.fade / (1 - softer + _TINY), radius)
        hardness = tf.clip_by_value(
            tf.where(thin, softer, hardness), 0.01, 0.98
        )
        dabs = tf.stack([x, y, radius, opacity, times], axis=-1)
        return super()._draw(stroke, dabs, hardness, batch, size)
