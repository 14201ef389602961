import json

import keras
import numpy as np
import pytest

import nbpainter
from nbpainter.errors import DataError
from nbpainter.models import presets as weights


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "mine.weights.h5"
    model = nbpainter.build_generator(num_maps=2)
    arguments = {"num_maps": 2}
    nbpainter.save_pretrained(
        model, path, "build_generator", arguments, {"fvu": 1.0}
    )
    return path, model


def test_saved_weights_come_back(saved):
    path, model = saved
    again = nbpainter.load_pretrained(path)
    actions = nbpainter.random_actions(2)
    np.testing.assert_array_equal(again(actions), model(actions))
    assert not again.trainable_weights


def test_shipped_weights_are_small_and_listed():
    entry = weights.read_manifest()["generator_pretrained"]
    assert entry["num_weights"] <= 60_000
    assert entry["fvu"] <= 0.075
    assert entry["fvu_by_size"][0] <= 0.12


def test_a_flipped_bit_is_found(saved):
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="SHA-256") as caught:
        nbpainter.load_pretrained(path)
    assert str(caught.value).count("Get the file") == 1


def test_unknown_names_are_named(saved):
    path, _ = saved
    with pytest.raises(DataError, match="nosuch"):
        nbpainter.load_pretrained("nosuch")
    with pytest.raises(DataError, match="other"):
        nbpainter.load_pretrained(path.with_name("other.weights.h5"))
    path.unlink()
    with pytest.raises(DataError, match="mine"):
        nbpainter.load_pretrained(path)


@pytest.mark.parametrize(
    "change", [{"builder": "eval"}, {"arguments": {"nosuch": 1}}]
)
def test_a_manifest_runs_no_code_of_its_own(saved, change):
    path, _ = saved
    manifest = path.with_name("manifest.json")
    content = json.loads(manifest.read_text())
    content["mine"].update(change)
    manifest.write_text(json.dumps(content))
    with pytest.raises(DataError, match="mine"):
        nbpainter.load_pretrained(path)


@pytest.mark.parametrize("bad", ["", "no/where/generator_pretrained", None, 5])
def test_what_is_no_name_is_no_preset(bad):
    with pytest.raises(DataError, match=r"no weights|cannot be read"):
        nbpainter.load_pretrained(bad)


def test_weights_that_were_trained_again_draw_anew(saved):
    path, model = saved
    first = weights.load_generator(path)
    assert weights.load_generator(str(path)) is first
    for weight in model.weights:
        weight.assign(weight + 0.1)
    nbpainter.save_pretrained(
        model, path, "build_generator", {"num_maps": 2}, {}
    )
    again = weights.load_generator(path)
    actions = nbpainter.random_actions(2)
    np.testing.assert_array_equal(again(actions), model(actions))
    assert not np.array_equal(again(actions), first(actions))


@pytest.mark.parametrize(
    "name", ["generator_gan", "charcoal", "calligraphy", "discriminator_gan"]
)
def test_networks_are_saved_and_loaded_by_keras(name, tmp_path):
    model = nbpainter.load_pretrained(name)
    model.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    inputs = nbpainter.random_actions(2)
    if name == "discriminator_gan":
        inputs = [np.ones((2, 64, 64, 4), "float32")] * 2
    np.testing.assert_array_equal(model(inputs), again(inputs))
    if name != "discriminator_gan":
        assert again.brush == model.brush
        assert again.reach == model.reach
        assert again.noise_shape == model.noise_shape
