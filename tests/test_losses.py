import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import nbpainter


def _stroke(opacity):
    return keras.ops.full((2, 4, 4, 4), opacity, dtype="float32")


def test_a_half_sure_guess_costs_ln_2():
    loss = nbpainter.opacity_loss(_stroke(1.0), _stroke(0.5))
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-5)


def test_the_loss_is_least_at_the_mean():
    losses = [
        float(nbpainter.opacity_loss(_stroke(0.3), _stroke(guess))[0])
        for guess in (0.2, 0.3, 0.4)
    ]
    assert losses[1] == min(losses)


def test_colour_is_not_compared():
    real, fake = np.zeros((1, 2, 2, 4)), np.ones((1, 2, 2, 4))
    real[..., 3] = fake[..., 3] = 1
    assert float(nbpainter.opacity_loss(real, fake)[0]) < 1e-5


def test_fvu_is_1_for_blank_and_0_for_perfect():
    metric = nbpainter.FVU()
    metric.update_state(_stroke(0.7), _stroke(0.0))
    assert float(metric.result()) == pytest.approx(1)
    metric.reset_state()
    metric.update_state(_stroke(0.7), _stroke(0.7))
    assert float(metric.result()) == pytest.approx(0)


@pytest.fixture(scope="module")
def perceptual():
    keras.utils.set_random_seed(0)
    return nbpainter.PerceptualLoss(weights=None)


def _pictures(seed):
    return np.random.default_rng(seed).random((2, 48, 64, 3), "float32")


def test_equal_pictures_have_no_perceptual_loss(perceptual):
    assert float(perceptual(_pictures(0), _pictures(0))) == 0


def test_the_perceptual_loss_is_its_formula(perceptual):
    """Gatys' Gram matrices and features, written out for VGG19 itself."""
    vgg19 = keras.applications.VGG19(include_top=False, weights=None)
    names = perceptual.layers
    extractor = perceptual.feature_extractor
    for layer in extractor.layers[1:]:
        vgg19.get_layer(layer.name).set_weights(layer.get_weights())
    real, fake = _pictures(0), _pictures(1)
    # Keras documents: RGB to BGR, less the means of ImageNet, 0 to 255.
    means = np.array([103.939, 116.779, 123.68], "float32")
    expected = 10 * np.mean((real - fake) ** 2, axis=(1, 2, 3))
    for name in names:
        part = keras.Model(vgg19.input, vgg19.get_layer(name).output)
        a, b = (
            np.asarray(part(255 * x[..., ::-1] - means), "float64")
            for x in (real, fake)
        )
        flat = [x.reshape(2, -1, x.shape[-1]) for x in (a, b)]
        grams = [x.transpose(0, 2, 1) @ x / x.shape[1] for x in flat]
        for y, z in (flat, grams):
            relative = ((y - z) ** 2).sum((1, 2)) / (y**2).sum((1, 2))
            expected += relative / len(names)
    np.testing.assert_allclose(perceptual.call(real, fake), expected, rtol=1e-4)


def test_the_perceptual_loss_reaches_every_pixel(perceptual):
    target = tf.constant(_pictures(0))
    picture = tf.Variable(_pictures(1))
    with tf.GradientTape() as tape:
        loss = perceptual(target, picture)
    gradient = tape.gradient(loss, picture).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(axis=-1) > 0).all()
    assert not perceptual.feature_extractor.trainable_weights
    nearer = picture - 1e-2 * gradient / np.abs(gradient).max()
    assert perceptual(target, nearer) < loss


def test_gram_matrices_forget_places(perceptual):
    features = _pictures(0)
    turned = features[:, ::-1, ::-1]
    np.testing.assert_allclose(
        nbpainter.losses.gram_matrix(features),
        nbpainter.losses.gram_matrix(turned),
        rtol=1e-5,
    )


def test_a_loss_can_be_kept_and_built_again(perceptual):
    again = nbpainter.PerceptualLoss.from_config(perceptual.get_config())
    assert again.layers == perceptual.layers
    assert again.pixel_weight == perceptual.pixel_weight


def test_without_network_one_sentence_says_what_to_do(tmp_path):
    """In a process of its own: Keras reads its folder when it is imported."""
    code = "import nbpainter; nbpainter.PerceptualLoss()"
    nowhere = "http://127.0.0.1:9"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            **{"KERAS_HOME": str(tmp_path), "https_proxy": nowhere},
        },
        capture_output=True,
        text=True,
    )
    assert "DataError: VGG19's weights could not be fetched" in ended.stderr
    assert not list(tmp_path.rglob("*.h5"))


def test_wrong_layers_and_files_are_named(tmp_path):
    with pytest.raises(nbpainter.DataError, match="no layer 'conv9'"):
        nbpainter.PerceptualLoss(weights=None, layers=["conv9"])
    with pytest.raises(nbpainter.DataError, match="Check the path"):
        nbpainter.PerceptualLoss(weights=str(tmp_path / "none.weights.h5"))
