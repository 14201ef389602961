import math

import numpy as np
import pytest
import tensorflow as tf

import nbpainter
from nbpainter.actions import random_actions
from nbpainter.engine import libmypaint
from nbpainter.models.dabs import (
    DabField,
    _as_engine,
    dab_profile,
    pixels_of_boxes,
)


@pytest.fixture(scope="module")
def spattering():
    return nbpainter.load_pretrained("generator_gan")


def test_a_seed_is_one_draw(spattering):
    actions = random_actions(6, seed=0)
    draw = nbpainter.render_strokes(spattering, actions, seed=7)
    again = nbpainter.render_strokes(spattering, actions, seed=7)
    other = nbpainter.render_strokes(spattering, actions, seed=8)
    np.testing.assert_array_equal(draw, again)
    assert np.mean((draw - other)[..., 3] ** 2) > 1e-3
    # A stroke's noise is its own, whatever is drawn with it.
    first = nbpainter.render_strokes(spattering, actions[:2], seed=7)
    np.testing.assert_allclose(first, draw[:2], atol=1e-5)


def test_a_large_draw_is_the_small_one_magnified(spattering):
    actions = random_actions(10, seed=3)
    small = nbpainter.render_strokes(spattering, actions, seed=1)[..., 3]
    large = nbpainter.render_strokes(spattering, actions, 256, seed=1)[..., 3]
    other = nbpainter.render_strokes(spattering, actions, seed=2)[..., 3]
    shrunk = large.reshape(10, 64, 4, 64, 4).mean(axis=(2, 4))
    same, different = (np.mean((x - small) ** 2) for x in (shrunk, other))
    assert same < 0.05 * different


def test_the_mean_of_many_draws_is_the_calm_stroke(spattering):
    actions = random_actions(8, seed=5)
    draws = [
        nbpainter.render_strokes(spattering, actions, seed=s)[..., 3]
        for s in range(60)
    ]
    calm = nbpainter.render_strokes(spattering, actions)[..., 3]
    error = np.mean((np.mean(draws, axis=0) - calm) ** 2)
    assert error < 0.1 * np.mean((draws[0] - calm) ** 2)


def test_one_dab_is_two_paraboloids():
    # A stroke of no length, no offset: all dabs fall on the centre.
    field = DabField()
    field.build(None)
    for name in ("log_spread", "log_spread_at_rest", "log_jitter"):
        getattr(field, name).assign(-20.0)
    field.logit_hardness.assign(math.log(0.2 / 0.8))
    action = random_actions(1, seed=0)
    index = nbpainter.ACTION_INDEX
    for name in ("start", "control", "end"):
        action[0, index[f"{name}_x"]] = action[0, index[f"{name}_y"]] = 0.5
    action[0, index["size"]] = 1.0
    # 1e-6 of the side long, in radii; two sets of six dabs for each.
    density = field(action, tf.zeros((1, 1, 3)), size=65).numpy()[0]
    row = density[32, 32:] / density[32, 32]
    radius = 65 * math.exp(2) / 64
    square = (np.arange(33) / radius) ** 2
    outer, core = np.maximum(1 - square, 0), np.maximum(1 - square / 0.2, 0)
    expected = 0.25 * outer + 0.75 * core
    np.testing.assert_allclose(row, expected, atol=0.03)


def test_gradients_of_a_draw_are_finite(spattering):
    actions = random_actions(4, seed=2)
    actions[1, nbpainter.actions.COLUMNS.pressure] = 0
    actions[2] = 0.5
    variable = tf.Variable(actions)
    noise = tf.random.stateless_normal((4, 384, 3), [0, 1])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(spattering.opacity(variable, 32, noise) ** 2)
    gradient = tape.gradient(loss, variable).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0]).max() > 0


def test_the_shipped_spatter_has_the_real_texture(spattering, tiny):
    figures = nbpainter.measure_texture(spattering, tiny)
    assert all(0.85 < value < 1.15 for value in figures["texture_by_size"])


@pytest.mark.engine
def test_the_shipped_spatter_spreads_as_the_real_one(spattering):
    figures = nbpainter.measure_spread(spattering, random_actions(300, seed=9))
    ratio = figures["spread"] / figures["engine_spread"]
    assert 0.8 < ratio < 1.2


@pytest.mark.engine
@pytest.mark.parametrize("ratio", [1.0, 4.0])
@pytest.mark.parametrize("radius", [1.3, 8.0])
def test_the_profile_of_a_dab_is_the_engine_s(radius, ratio):
    # One dab: a pen that comes down and hardly moves.
    surface = libmypaint.Surface(40, 40)
    settings = {
        "radius_logarithmic": np.log(radius),
        "hardness": 0.6,
        "opaque": 1.0,
        "opaque_multiply": 1.0,
        "opaque_linearize": 0.0,
        "anti_aliasing": 0.0,
        "dabs_per_actual_radius": 0.0,
        "dabs_per_basic_radius": 0.0,
        "dabs_per_second": 20.0,
        "elliptical_dab_ratio": ratio,
        "elliptical_dab_angle": 30.0,
    }
    library = libmypaint.load_library()
    brush = library.mypaint_brush_new()
    library.mypaint_brush_from_defaults(brush)
    for name, value in settings.items():
        index = library.mypaint_brush_setting_from_cname(name.encode())
        library.mypaint_brush_set_base_value(brush, index, float(value))
    library.mypaint_surface_begin_atomic(surface.handle)
    for seconds in (0.0, 0.01, 0.06):
        library.mypaint_brush_stroke_to(
            brush, surface.handle, 20.3, 19.8, 0.5, 0.0, 0.0, seconds
        )
    library.mypaint_surface_end_atomic(surface.handle, None)
    library.mypaint_brush_unref(brush)
    centres = np.arange(40, dtype="float32") + 0.5
    expected = dab_profile(
        centres[None] - 20.3,
        centres[:, None] - 19.8,
        tf.constant(radius),
        tf.constant(0.6),
        ratio,
        np.float32(np.cos(np.pi / 6)),
        np.float32(0.5),
    )
    drawn = surface.pixels()[..., 3]
    assert 0.5 / ratio**0.5 < drawn.max() <= 1
    np.testing.assert_allclose(drawn, expected, atol=0.01)


def test_every_pixel_of_a_box_is_listed_once():
    box, column, row = pixels_of_boxes(
        [3, 0, 7], [1, 5, 2], [2, 4, 0], [3, 1, 9]
    )
    assert len(box) == 2 * 3 + 4 * 1
    places = set(zip(*(np.asarray(x).tolist() for x in (box, column, row))))
    expected = {(0, x, y) for x in (3, 4) for y in (1, 2, 3)}
    assert places == expected | {(1, x, 5) for x in range(4)}


def test_a_brush_file_is_told_in_numbers():
    field = DabField(curves=True)
    field.build(None)
    field.start_from(nbpainter.load_brush("dry_brush"))
    numbers = field.numbers()
    expected = {
        "strength": 0.8,
        "strength_of_pressure": 0.2,
        "hardness": 0.2,
        # A straight line from 0.0429 at a log of the speed of 0 to -0.3 at 4,
        # read where the pen rests, and over the log of 1 + speed / e^4.
        "growth": 0.07698,
        "slowdown": 0.12805,
        "spread": 1.4,
        "spread_at_rest": 0.0,
        "jitter": 0.1,
        # Six to the radius, and six to that of a dab where the pen rests.
        "count": 6 + 6 / math.exp(numbers["growth"]),
    }
    for name, value in expected.items():
        assert numbers[name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.engine
def test_dabs_by_time_lie_at_both_ends_while_the_pen_comes_and_goes():
    # Before, a marker's strokes ended a tenth of a pixel too soon.
    action = random_actions(1, seed=0)
    index = nbpainter.ACTION_INDEX
    values = {"start_x": 0.2, "control_x": 0.5, "end_x": 0.8, "size": 0.5}
    values |= {f"{name}_y": 0.507 for name in ("start", "control", "end")}
    values |= {"start_pressure": 0.6, "end_pressure": 0.6}
    for name, value in values.items():
        action[:, index[name]] = value
    actions = np.repeat(action, 100, axis=0)
    real = nbpainter.draw_strokes(actions, brush="marker", seed=5)
    marker = nbpainter.load_pretrained("marker")
    drawn = nbpainter.render_strokes(marker, actions, seed=1)
    for end in (np.s_[:, 28:37, :20], np.s_[:, 28:37, 44:]):
        lengths = [np.sum(x[..., 3][end]) / 900 for x in (drawn, real)]
        assert lengths[0] == pytest.approx(lengths[1], abs=0.05)


def test_noise_is_as_heavy_as_four_uniforms():
    # Of the sum of four, a quantile q beyond 3 leaves (4 - q)**4 / 24.
    normal = np.array([0.5, 1.7320, 1.7321, 3.0, 4.0])
    left = np.array([math.erfc(z / 2**0.5) / 2 for z in normal])
    quantiles = (4 - (24 * left) ** 0.25 - 2) * 3**0.5
    found = np.asarray(_as_engine(tf.constant(normal)))
    np.testing.assert_allclose(found[1:], quantiles[1:], atol=1e-3)
    np.testing.assert_allclose(_as_engine(tf.constant(-normal)), -found)
    noise = _as_engine(tf.random.stateless_normal([200_000], seed=[1, 2]))
    assert np.std(noise) == pytest.approx(1, abs=0.01)
    assert np.max(np.abs(noise)) < 12**0.5


@pytest.mark.engine
def test_the_game_has_found_the_brush_from_strokes_alone(spattering):
    file = nbpainter.build_generator(num_dabs=1, curves=True).dabs
    file.start_from(nbpainter.load_brush("dry_brush"))
    found, right = spattering.dabs.numbers(), file.numbers()
    # A tenth, or 0.05 of what changes the logarithm of a radius, or is 0.
    near = ("growth", "slowdown", "spread_at_rest", "jitter")
    for name, value in right.items():
        bound = {"abs": 0.05} if name in near else {"rel": 0.1}
        assert found[name] == pytest.approx(value, **bound), name
