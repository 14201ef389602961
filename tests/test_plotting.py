import keras
import numpy as np
import pytest

import nbpainter
from nbpainter import plotting


@pytest.mark.parametrize("number", range(4))
def test_the_present_stage_alone_is_framed(number):
    names = ["generator", "discriminator", "gan", "paint_image"]
    axes = plotting.plot_stages(names[number]).axes
    assert [a.get_title().split()[1] for a in axes] == names
    framed = [a.spines["top"].get_visible() for a in axes]
    assert framed == [k == number for k in range(4)]
    for axis in axes:
        kinds = [text.get_text() for text in axis.texts]
        assert any("error" in text or "entropy" in text for text in kinds)


def test_steps_and_epochs_share_a_panel_with_reference_lines():
    history = {"loss": list(range(100, 0, -1)), "val_loss": [3, 2], "b": [1]}
    figure = plotting.plot_history(
        history, {"loss": {"floor": 0.5}}, log=["loss"], unit="step"
    )
    loss, other = figure.axes
    assert (loss.get_yscale(), other.get_yscale()) == ("log", "linear")
    curves = {line.get_label(): line for line in loss.lines}
    assert curves["held-out"].get_xdata().tolist() == [50, 100]
    assert set(curves["floor"].get_ydata()) == {0.5}
    # The running mean of five falling values is the middle's.
    mean = curves["training"].get_ydata()
    assert (mean[0], mean[99]) == (100, 3)


def test_the_steps_of_an_epoch_have_its_mean():
    keras.utils.set_random_seed(0)
    x = np.linspace(0, 1, 48, dtype="float32")[:, None]
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    steps = nbpainter.StepHistory()
    epochs = model.fit(
        *(x, x),
        batch_size=8,
        epochs=3,
        validation_data=(x, x),
        callbacks=[steps],
        verbose=0,
    ).history
    assert len(steps.history["loss"]) == 18
    means = np.reshape(steps.history["loss"], (3, 6)).mean(axis=1)
    np.testing.assert_allclose(means, epochs["loss"], rtol=1e-5)
    assert steps.history["val_loss"] == pytest.approx(epochs["val_loss"])


def test_a_bar_says_its_number():
    (axis,) = plotting.plot_bars({"a": 0.5, "b": 0.25}, "share").axes
    assert [text.get_text() for text in axis.texts] == ["0.500", "0.250"]


def test_windows_of_one_class_are_coloured_and_do_not_touch():
    photo = np.zeros((40, 60, 3))
    figure = plotting.plot_windows(photo, [(1, 5), (3, 20)])
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == [
        "1 x 1 windows, 5 strokes",
        "2 x 3 windows, 20 strokes",
    ]
    squares = figure.axes[1].patches
    assert [square.get_width() for square in squares] == 6 * [20]
    coloured = [s.get_xy() for s in squares if s.get_facecolor()[3] > 0]
    assert coloured == [(-0.5, -0.5), (39.5, -0.5)]
