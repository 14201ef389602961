import concurrent.futures
import json
import os
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

import nbpainter
from nbpainter.errors import DataError
from nbpainter.files import sha256
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


def _enter(path, **changes):
    """Change a manifest so that it fits weights that were changed."""
    manifest = path.with_name("manifest.json")
    content = json.loads(manifest.read_text())
    content["mine"] |= {"sha256": sha256(path), **changes}
    manifest.write_text(json.dumps(content))


def _outside(file):
    del file["field/vars/0"]
    place = [(str(file.attrs["outside"]), 0, 400)]
    file["field/vars"].create_dataset("0", (2, 5), "f4", external=place)


def _linked(file):
    del file["field"]
    file["field"] = h5py.ExternalLink(file.attrs["outside"], "field")


def _large(file):
    del file["field/vars/0"]
    file["field/vars"].create_dataset("0", (2**40,), "f4", chunks=(1024,))


def _not_a_number(file):
    file["field/vars/0"][...] = np.nan


def _shorter(file):
    del file["field"]


@pytest.mark.parametrize(
    "change", [_outside, _linked, _large, _not_a_number, _shorter]
)
def test_weights_with_a_fitting_checksum_may_still_be_refused(saved, change):
    path, _ = saved
    with h5py.File(path, "r+") as file:
        file.attrs["outside"] = str(path.with_name("outside.h5"))
        change(file)
    _enter(path)
    with pytest.raises(DataError, match="mine") as caught:
        nbpainter.load_pretrained(path)
    assert "\n" not in str(caught.value)
    reason = {_outside: "another file", _linked: "another file"}
    assert reason.get(change, "cannot be loaded") in str(caught.value)


@pytest.mark.parametrize("num_bytes", [0, 1, 1000, 5000])
def test_what_is_no_hdf5_is_refused(saved, num_bytes):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:num_bytes])
    _enter(path)
    with pytest.raises(DataError, match="cannot be loaded"):
        nbpainter.load_pretrained(path)


@pytest.mark.parametrize(
    "content",
    [
        "[[1, 2]]",
        '{"mine": 1}',
        '{"mine": {}}',
        "[" * 100_000,
        '{"mine": ' * 100_000,
        "[" + "9" * 5000 + "]",
        "\ud800",
    ],
)
def test_a_manifest_that_is_none_is_refused(content, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(content, "utf-8", "surrogatepass")
    with pytest.raises(DataError, match="cannot be read") as caught:
        weights.read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [{"num_dabs": 10**9}, {"num_maps": -1}, {"hidden_units": [10**6]}],
)
def test_no_manifest_asks_for_a_network_without_bounds(saved, arguments):
    path, _ = saved
    _enter(path, arguments=arguments)
    with pytest.raises(DataError, match="manifest"):
        nbpainter.load_pretrained(path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_pipe_is_no_file_of_weights(saved):
    path, _ = saved
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="not a file"):
        nbpainter.load_pretrained(path)


def test_many_enter_one_manifest(saved):
    path, _ = saved
    paths = [path.with_name(f"mine{n}.weights.h5") for n in range(20)]
    entry = weights.read_manifest(path.parent)["mine"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda p: weights.enter_facts(p, entry, True), paths))
    assert len(weights.read_manifest(path.parent)) == 21


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_full_disk_is_said_again_and_again(tmp_path):
    """A limit on the size of files stands for the disk."""
    code = (
        "import resource, sys, nbpainter\n"
        "model = nbpainter.build_generator()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "for _ in range(3):\n"
        "    try:\n"
        "        nbpainter.save_pretrained(model, sys.argv[1],\n"
        "            'build_generator', {}, {})\n"
        "    except nbpainter.DataError as error:\n"
        "        print(error)\n"
    )
    path = tmp_path / "mine.weights.h5"
    result = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert len(said) == 3
    assert all("make room" in line for line in said)
    assert not list(tmp_path.glob("*mine*"))
