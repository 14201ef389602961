import numpy as np
import tensorflow as tf

import nbpainter
from nbpainter.actions import COLUMNS, random_actions
from nbpainter.models.stroke_field import (
    KNOTS,
    Gaussians,
    draw_gaussians,
    hat_basis,
)


def test_a_field_is_a_sum_of_gaussians():
    random = np.random.default_rng(0)
    x, y, *rest = random.uniform(0.1, 1, (5, 2, 3, 5)).astype("f4")
    variance_x, variance_y, mass = rest
    places = np.linspace(0, 1, 7, dtype="float32")
    maps = draw_gaussians(Gaussians(x[0], y[0], *rest), places, places)
    square = (places - x[0, ..., None, None]) ** 2
    square = square / variance_x[..., None, None]
    other = (places[:, None] - y[0, ..., None, None]) ** 2
    square = square + other / variance_y[..., None, None]
    each = mass[..., None, None] * np.exp(-0.5 * square)
    np.testing.assert_allclose(maps, each.sum(axis=2), rtol=1e-4, atol=1e-5)


def test_a_curve_of_the_pressure_is_straight_between_knots():
    pressure = np.linspace(0, KNOTS[-1], 50, dtype="float32")
    values = np.cos(5 * KNOTS).astype("float32")
    basis = np.asarray(hat_basis(tf.constant(pressure)))
    np.testing.assert_allclose(basis.sum(axis=-1), 1, atol=1e-6)
    expected = np.interp(pressure, KNOTS, values)
    np.testing.assert_allclose(basis @ values, expected, atol=1e-5)


def test_a_moved_window_shows_the_same_stroke(generator):
    action = random_actions(1, seed=4)
    whole = nbpainter.render_strokes(generator, action, size=128)[0, ..., 3]
    quarter = nbpainter.actions.move_actions(action, [-1.0, 0.0], 2.0)
    part = np.asarray(generator.opacity(quarter, 64))[0]
    np.testing.assert_allclose(part, whole[:64, 64:], atol=1e-4)


def test_turning_a_stroke_round_turns_its_picture(generator):
    action = random_actions(1, seed=8)
    turned = action.copy()
    for name in ("start", "control", "end"):
        x, y = nbpainter.actions.columns(f"{name}_x", f"{name}_y")
        turned[:, x], turned[:, y] = action[:, y], 1 - action[:, x]
    before = nbpainter.render_strokes(generator, action)[0]
    after = nbpainter.render_strokes(generator, turned)[0]
    np.testing.assert_allclose(np.rot90(before), after, atol=1e-4)


def test_a_stroke_without_length_or_pressure_has_finite_gradients(generator):
    actions = tf.Variable(np.full((2, 12), 0.5, "float32"))
    actions[1, nbpainter.ACTION_INDEX["start_pressure"]].assign(0.0)
    actions[1, nbpainter.ACTION_INDEX["end_pressure"]].assign(0.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(generator.opacity(actions))
    gradient = tape.gradient(loss, actions).numpy()
    assert np.isfinite(gradient).all()


def test_a_stroke_is_the_same_at_every_size(generator):
    actions = random_actions(20, seed=3)
    small = nbpainter.render_strokes(generator, actions)[..., 3]
    large = nbpainter.render_strokes(generator, actions, size=256)[..., 3]
    shrunk = large.reshape(20, 64, 4, 64, 4).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 0.005


def test_the_quarter_of_pixels_is_the_picture_s():
    generator = nbpainter.build_generator(num_nib=3, curves=True)
    actions = nbpainter.random_actions(2)
    actions[:, COLUMNS.pressure] = 0.5
    whole = np.array(generator.field(actions))
    even = (np.arange(0, 64, 2) + 0.5) / 64
    part = np.array(
        generator.field(actions, places=[even.astype("float32")] * 2)
    )
    np.testing.assert_allclose(part, whole[..., ::2, ::2], rtol=1e-4, atol=1e-6)
