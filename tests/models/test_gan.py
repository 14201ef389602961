import math

import keras
import numpy as np
import pytest

import nbpainter
from nbpainter.actions import COLUMNS, random_actions
from nbpainter.errors import DataError, TrainingError
from nbpainter.models.gan import round_like_files


@pytest.fixture(scope="module")
def spattering():
    return nbpainter.load_pretrained("generator_gan")


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


def test_strokes_are_rounded_as_in_a_file():
    actions = random_actions(5, seed=4)
    actions[4, COLUMNS.color] = 1.0  # White: nothing of it can be seen.
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
    config = nbpainter.GANConfig(steps_per_epoch=2)
    nbpainter.compile_gan(gan, config)
    return gan


def test_losses_at_logits_of_zero(gan):
    zeros = np.zeros(3, "float32")
    assert float(gan.d_loss(zeros, zeros)) == pytest.approx(2 * math.log(2))
    assert float(gan.g_loss(zeros)) == pytest.approx(math.log(2))


def test_the_anchor_punishes_mean_and_variance_but_not_spatter(gan):
    random = np.random.default_rng(0)
    shape = (64, 64, 64, 4)
    calm = np.full(shape, 0.5, "float32")

    def draw(spread, shift=0.0):
        return calm + random.normal(shift, spread, shape).astype("float32")

    real = draw(0.3)

    def loss(fake, other):
        return float(gan.anchor_loss(calm, real, fake, other))

    # What is left is chance in the real stroke; draws add none of theirs.
    least = loss(draw(0.3), draw(0.3))
    once = draw(0.3)
    assert 0 < least < 0.6 * loss(once, once)
    # Variances at four scales, over a half times a half.
    variances = (0.3**2 - 0.1**2) / 0.25 / np.float32([1, 2, 4, 8]) ** 2
    less = loss(draw(0.1), draw(0.1)) - least
    assert less == pytest.approx(np.mean(variances**2), rel=0.05)
    # A shift of the mean adds its square to each variance.
    shifted = loss(draw(0.3, 0.1), draw(0.3, 0.1)) - least
    expected = 0.1**2 + (0.1**2 / 0.25) ** 2
    assert shifted == pytest.approx(expected, rel=0.05)


def test_the_anchor_is_relative_to_the_real_spatter(gan, tiny):
    actions, real = nbpainter.StrokeBatches(tiny[:16], 16)[0]
    calm = np.asarray(gan.generator(actions))
    fake, other = (np.asarray(gan(actions)) for _ in range(2))
    # Half of the difference from the calm stroke is half of the spatter.
    half = [calm + (x - calm) / 2 for x in (real, fake, other)]
    absolute = gan.anchor_loss(calm, real, fake, other)
    assert abs(gan.anchor_loss(calm, *half)) < 0.3 * abs(absolute)
    gan.calibrate(actions, real)
    relative = float(gan.anchor_loss(calm, real, fake, other))
    gan.calibrate(actions, half[0])
    again = float(gan.anchor_loss(calm, *half))
    assert again == pytest.approx(relative, rel=1e-3)


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
