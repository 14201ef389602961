import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import nbpainter
from nbpainter.actions import COLOR_COLUMNS, random_actions
from nbpainter.errors import DataError, TrainingError
from nbpainter.models.dabs import DabField
from nbpainter.models.gan import round_like_files


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


def test_the_calm_stroke_is_the_pretrained_one(spattering, generator):
    actions = random_actions(4, seed=1)
    np.testing.assert_allclose(
        nbpainter.render_strokes(spattering, actions),
        nbpainter.render_strokes(generator, actions),
        atol=1e-6,
    )


def test_a_calm_generator_says_that_it_has_no_noise(generator):
    with pytest.raises(DataError, match="no noise input"):
        nbpainter.render_strokes(generator, random_actions(1), seed=0)
    with pytest.raises(DataError, match="num_dabs"):
        nbpainter.GAN(generator, nbpainter.build_discriminator(width=2))


def test_one_dab_is_two_paraboloids():
    # A stroke of no length, no offset: all dabs fall on the centre.
    field = DabField()
    field.build(None)
    for name in ("spread", "jitter", "growth", "slowdown"):
        getattr(field, name).assign(0.0)
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
    actions[1, nbpainter.actions.PRESSURE_COLUMNS] = 0
    actions[2] = 0.5
    variable = tf.Variable(actions)
    noise = tf.random.stateless_normal((4, 384, 3), [0, 1])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(spattering.opacity(variable, 32, noise) ** 2)
    gradient = tape.gradient(loss, variable).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0]).max() > 0


def test_strokes_are_rounded_as_in_a_file():
    actions = random_actions(5, seed=4)
    actions[4, COLOR_COLUMNS] = 1.0  # White: nothing of it can be seen.
    keras.utils.set_random_seed(0)
    strokes = nbpainter.build_generator()(actions)
    file = np.rint(255 * nbpainter.on_white(strokes)).astype("uint8")
    expected = nbpainter.to_rgba(actions, file)
    rounded = np.asarray(round_like_files(actions, strokes))
    difference = np.abs(rounded - expected)
    # What lies halfway between two steps may be rounded either way.
    assert np.mean(difference > 1e-5) < 1e-3
    assert difference.max() < 0.02
    assert (rounded[4, ..., 3] == 0).all()


@pytest.fixture
def gan():
    keras.utils.set_random_seed(0)
    generator = nbpainter.build_generator(num_dabs=64)
    gan = nbpainter.GAN(generator, nbpainter.build_discriminator(width=4))
    config = nbpainter.GANConfig(epochs=1, steps_per_epoch=2, warm_up_steps=1)
    nbpainter.compile_gan(gan, config)
    return gan


def test_losses_at_logits_of_zero(gan):
    zeros = np.zeros(3, "float32")
    assert float(gan.d_loss(zeros, zeros)) == pytest.approx(2 * math.log(2))
    assert float(gan.g_loss(zeros)) == pytest.approx(math.log(2))


def test_the_anchor_does_not_punish_spatter(gan):
    random = np.random.default_rng(0)
    shape = (64, 64, 64, 4)
    real = np.full(shape, 0.5, "float32")
    fake, other = (
        real + random.normal(0, 0.3, shape).astype("float32") for _ in range(2)
    )
    assert abs(float(gan.anchor_loss(real, fake, other))) < 1e-4
    shifted = float(gan.anchor_loss(real, fake + 0.1, other + 0.1))
    assert shifted == pytest.approx(0.01, rel=0.1)


def test_a_step_moves_what_it_should(gan, tiny):
    before = [v.numpy() for v in gan.generator.weights]
    judge = [v.numpy() for v in gan.discriminator.trainable_variables]
    batches = nbpainter.StrokeBatches(tiny[:16], 8, seed=0)
    history = gan.fit(batches, epochs=1, verbose=0).history
    assert set(history) == {"d_loss", "g_loss", "anchor", "accuracy"}
    after = [v.numpy() for v in gan.generator.weights]
    names = [v.path for v in gan.generator.weights]
    moved = {n for n, x, y in zip(names, before, after) if not (x == y).all()}
    assert moved
    assert all("dab" in name for name in moved)
    later = [v.numpy() for v in gan.discriminator.trainable_variables]
    assert all((x != y).any() for x, y in zip(judge, later))


def test_training_stops_on_any_number_that_is_not_finite(gan, tiny):
    gan.discriminator.layers[-1].bias.assign([float("nan")])
    batches = nbpainter.StrokeBatches(tiny[:16], 8, seed=0)
    with pytest.raises(TrainingError, match="d_loss"):
        gan.fit(
            batches,
            callbacks=[nbpainter.StopOnNonFinite()],
            verbose=0,
        )


def test_a_discriminator_learns_to_tell_calm_from_real(generator, tiny):
    keras.utils.set_random_seed(0)
    fake = nbpainter.generate_episodes(generator, len(tiny), seed=5)
    train = nbpainter.JudgedStrokes(tiny[:320], fake[:320], generator, 32, 0)
    test = nbpainter.JudgedStrokes(tiny[320:], fake[320:], generator, 32)
    judge = nbpainter.build_discriminator()
    nbpainter.compile_discriminator(judge, 1e-3, 60)
    judge.fit(train, epochs=3, verbose=0)
    figures = nbpainter.measure_discriminator(judge, test)
    assert figures["accuracy"] > 0.9
    maps = nbpainter.find_suspicious(judge, *(x[:3] for x in test[0][0]))
    assert maps.shape == (3, 64, 64, 3)
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_calibration_of_a_judge_that_knows_nothing(tiny, generator):
    judge = nbpainter.build_discriminator(width=2)
    judge.layers[-1].kernel.assign(np.zeros((64, 1)))
    batches = nbpainter.JudgedStrokes(tiny[:8], tiny[8:16], generator, 16)
    figures = nbpainter.measure_discriminator(judge, batches)
    assert figures == {
        "accuracy": 0.5,
        "calibration_error": 0.0,
        "calibration": [[0.5, 0.5, 16]],
    }


def test_the_shipped_judges_know_real_strokes(tiny, generator):
    judge = nbpainter.load_pretrained("discriminator_pretrained")
    fake = nbpainter.generate_episodes(generator, 100, seed=3)
    batches = nbpainter.JudgedStrokes(tiny[:100], fake, generator, 50)
    assert nbpainter.measure_discriminator(judge, batches)["accuracy"] > 0.95
    final = nbpainter.load_pretrained("discriminator_gan")
    assert final.count_params() == judge.count_params() == 78_705


def test_the_shipped_spatter_has_the_real_texture(spattering, tiny):
    figures = nbpainter.measure_texture(spattering, tiny)
    assert all(0.85 < value < 1.15 for value in figures["texture_by_size"])


@pytest.mark.engine
def test_the_shipped_spatter_spreads_as_the_real_one(spattering):
    figures = nbpainter.measure_spread(spattering, random_actions(300, seed=9))
    ratio = figures["spread"] / figures["engine_spread"]
    assert 0.8 < ratio < 1.2
