import keras
import numpy as np
import pytest
import tensorflow as tf

import nbpainter
from nbpainter.actions import COLUMNS, random_actions
from nbpainter.engine.brush import CHUNK_STROKES
from nbpainter.engine.brush_file import load_brush
from nbpainter.models.stroke_field import curve_samples


def test_published_sizes():
    assert nbpainter.build_generator().count_params() == 130
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
    np.testing.assert_allclose(color, actions[:, COLUMNS.color], atol=1e-6)


def test_strokes_in_a_batch_do_not_influence_each_other(generator):
    actions = random_actions(6, seed=0)
    together = nbpainter.render_strokes(generator, actions)
    alone = nbpainter.render_strokes(generator, actions[2:3])
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)


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


def test_logits_are_the_opacity_s_and_fewer_points_are_nearly_as_good(
    generator,
):
    actions = random_actions(50, seed=2)
    exact = np.asarray(generator.opacity(actions, 32))
    assert exact.shape == (50, 32, 32)
    logits = np.asarray(generator.logits(actions, tf.constant(32)))
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), exact, atol=1e-5)
    few = generator.logits(actions, 32, tf.constant(curve_samples(24)))
    few = 1 / (1 + np.exp(-np.asarray(few)))
    assert 0 < np.sum((few - exact) ** 2) < 0.02 * np.sum(exact**2)


def test_the_plain_network_has_logits_of_every_size():
    network = nbpainter.build_fc_generator(num_features=32, width=16)
    actions = random_actions(2)
    logits = np.asarray(network.logits(actions, tf.constant(16)))
    expected = np.asarray(network.opacity(actions, 16))
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=1e-5)


def test_a_brush_s_generator_starts_with_its_file_s_numbers():
    kinds = {}
    for name in ("charcoal", "kabura", "calligraphy"):
        settings = load_brush(name)
        arguments = nbpainter.brush_arguments(settings)
        generator = nbpainter.build_generator(**arguments)
        generator.start_from(settings)
        assert generator.noise_shape[1] == 3
        assert np.isfinite(generator.opacity(random_actions(3))).all()
        field = generator.field
        kinds[name] = generator.edges, field.lags, field.num_nib > 1
        assert generator.brush == settings
        # Keras's own dicts drag the model along, and other processes fail.
        assert type(generator.brush) is dict
    assert kinds == {
        "charcoal": (False, False, False),
        "kabura": (True, True, False),
        "calligraphy": (True, True, True),
    }


@pytest.mark.engine
def test_other_processes_draw_with_a_generator_s_own_brush():
    settings = load_brush("charcoal")
    generator = nbpainter.build_generator(**nbpainter.brush_arguments(settings))
    generator.start_from(settings)
    ours = nbpainter.draw_episodes(CHUNK_STROKES + 5, generator.brush, seed=1)
    assert len(ours) == CHUNK_STROKES + 5


@pytest.mark.engine
@pytest.mark.parametrize("name", ["kabura", "calligraphy", "marker"])
def test_dabs_of_a_brush_file_are_those_of_the_engine(name):
    """Without any training: the formulas and the file's numbers alone."""
    settings = load_brush(name)
    generator = nbpainter.build_generator(**nbpainter.brush_arguments(settings))
    generator.start_from(settings)
    fresh = nbpainter.draw_episodes(100, name, seed=41)
    real = nbpainter.to_rgba(fresh.actions, fresh.strokes)[..., 3]
    drawn = nbpainter.render_strokes(generator, fresh.actions, seed=0)[..., 3]
    assert np.sum((drawn - real) ** 2) < 0.01 * np.sum(real**2)
    texture = nbpainter.measure_texture(generator, fresh)["texture"]
    assert 0.95 < texture < 1.05
