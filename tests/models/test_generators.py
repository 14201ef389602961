import keras
import numpy as np
import pytest

import nbpainter
from nbpainter.actions import COLOR_COLUMNS, random_actions


def test_published_sizes():
    assert nbpainter.build_generator().count_params() == 125
    # 36,404,224 with three output channels instead of one.
    assert nbpainter.build_fc_generator().count_params() == 36_402_176


@pytest.mark.parametrize(
    "build",
    [
        nbpainter.build_generator,
        lambda: nbpainter.build_fc_generator(num_features=32, width=16),
    ],
)
@pytest.mark.parametrize("size", [64, 16, 100])
def test_strokes_are_rgba_in_range_and_in_colour(build, size):
    actions = random_actions(3, seed=0)
    strokes = np.asarray(build()(actions, size=size))
    assert strokes.shape == (3, size, size, 4)
    assert strokes.min() >= 0
    assert strokes.max() <= 1
    color = strokes[:, size // 2, 0, :3]
    np.testing.assert_allclose(color, actions[:, COLOR_COLUMNS], atol=1e-6)


def test_strokes_in_a_batch_do_not_influence_each_other(generator):
    actions = random_actions(6, seed=0)
    together = nbpainter.render_strokes(generator, actions)
    alone = nbpainter.render_strokes(generator, actions[2:3])
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)


def test_a_stroke_is_the_same_at_every_size(generator):
    actions = random_actions(20, seed=3)
    small = nbpainter.render_strokes(generator, actions)[..., 3]
    large = nbpainter.render_strokes(generator, actions, size=256)[..., 3]
    shrunk = large.reshape(20, 64, 4, 64, 4).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 0.005


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
    import tensorflow as tf

    actions = tf.Variable(np.full((2, 12), 0.5, "float32"))
    actions[1, nbpainter.ACTION_INDEX["start_pressure"]].assign(0.0)
    actions[1, nbpainter.ACTION_INDEX["end_pressure"]].assign(0.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(generator.opacity(actions))
    gradient = tape.gradient(loss, actions).numpy()
    assert np.isfinite(gradient).all()


def test_training_lowers_the_loss_on_real_strokes(tiny):
    keras.utils.set_random_seed(0)
    generator = nbpainter.build_generator()
    config = nbpainter.GeneratorConfig(epochs=3)
    nbpainter.compile_generator(generator, config, len(tiny))
    batches = nbpainter.StrokeBatches(tiny, seed=0)
    history = generator.fit(batches, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert nbpainter.measure_fvu(generator, tiny)["fvu"] < 0.5


def test_the_shipped_generator_draws_like_the_real_brush(generator, tiny):
    # The tiny slice has a seed of its own: no training saw it.
    figures = nbpainter.measure_fvu(generator, tiny)
    assert figures["fvu"] < 0.075
    assert figures["fvu_by_size"][0] < 0.12
