import keras
import numpy as np
import pytest

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
