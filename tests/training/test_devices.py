import json
import os
import subprocess
import sys

import numpy as np
import pytest

import nbpainter
from nbpainter.errors import DataError
from nbpainter.training import devices

PROGRAM = """
import json, sys, nbpainter
from nbpainter import config
from nbpainter.training import callbacks
from nbpainter.training import train as training
stage, folder, num_devices = sys.argv[1:]
small = dict(num_strokes=64, num_test_strokes=16, epochs=2)
settings = {
    "generator": config.GeneratorConfig(**small),
    "gan": config.GANConfig(
        **small, num_dabs=64, steps_per_epoch=2, warm_up_steps=1, batch_size=8
    ),
}[stage]
paths = [nbpainter.data.episodes.TINY_EPISODES]
train = getattr(training, f"train_{stage}")
model = train(folder, paths, settings, verbose=0, devices=int(num_devices))
if stage == "generator":
    weights = [w.numpy().tolist() for w in model.trainable_variables]
    print(json.dumps(weights))
"""


def _train(stage, folder, num_devices):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, stage, folder, str(num_devices)],
        env={**os.environ, "NBPAINTER_SMOKE_TEST": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_devices_learn_what_one_learns(tmp_path):
    found = [
        json.loads(_train("generator", tmp_path / str(n), n)) for n in (1, 2)
    ]
    for one, two in zip(*found):
        np.testing.assert_allclose(one, two, atol=1e-4)
    entry = nbpainter.models.presets.read_manifest(tmp_path / "2")
    assert entry["generator_pretrained"]["num_devices"] == 2


def test_both_networks_of_a_gan_train_on_two_devices(tmp_path):
    discriminator = nbpainter.build_discriminator()
    path = tmp_path / "discriminator_pretrained.weights.h5"
    nbpainter.save_pretrained(
        discriminator, path, "build_discriminator", {}, {}
    )
    _train("gan", tmp_path, 2)
    for name in ("generator_gan", "discriminator_gan"):
        trained = nbpainter.load_pretrained(tmp_path / f"{name}.weights.h5")
        assert all(np.isfinite(w.numpy()).all() for w in trained.weights)
    last = [w.numpy() for w in trained.trainable_weights]
    before = [w.numpy() for w in discriminator.trainable_weights]
    assert not any(np.array_equal(x, y) for x, y in zip(last, before))


def test_devices_that_are_not_there_are_named(generator):
    for count in (0, 1.5, 1000):
        with pytest.raises(DataError, match="`devices`"):
            devices.choose_strategy(count)
    with pytest.raises(DataError, match=r"devices|one device"):
        devices.choose_strategy(5)  # TensorFlow is in use here.


def test_an_unequal_share_is_refused(tmp_path):
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(DataError, match=r"32 strokes .* 3 devices"):
        devices.check_batch_size(Three(), 32)
