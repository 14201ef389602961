"""The trainings are fed from files, and go on where they stopped."""

import numpy as np
import pytest

import nbpainter
from nbpainter.training import run as runs, train as training


@pytest.fixture
def paths(tmp_path, tiny):
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path, part in zip(paths, (tiny[:60], tiny[60:150])):
        np.savez(path, actions=part.actions, strokes=part.strokes)
    return paths


def _weights(model):
    return [variable.numpy() for variable in model.weights]


def test_a_stopped_training_of_two_files_goes_on(paths, tmp_path, monkeypatch):
    config = nbpainter.GeneratorConfig(
        num_strokes=100, num_test_strokes=20, epochs=2
    )
    whole = training.train_generator(
        tmp_path / "whole", paths, config, False, 0
    )
    entry = nbpainter.read_manifest(tmp_path / "whole")
    data = entry["generator_pretrained"]["data"]
    assert data == {str(path): nbpainter.files.sha256(path) for path in paths}

    class Stop(runs.Checkpoints):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(runs, "Checkpoints", Stop)
        with pytest.raises(KeyboardInterrupt):
            training.train_generator(folder, paths, config, False, 0)
    resumed = training.train_generator(folder, paths, config, True, 0)
    for one, other in zip(_weights(whole), _weights(resumed)):
        np.testing.assert_array_equal(one, other)


def test_few_generated_strokes_serve_many_real_ones(paths, tmp_path, generator):
    real = nbpainter.open_episodes(paths, tmp_path / "cache")
    fake = nbpainter.generate_episodes(generator, 20)
    judged = nbpainter.JudgedStrokes(real, fake, generator, 16, seed=0)
    assert len(judged) == 150 // 8
    (strokes, calm), labels = judged[len(judged) - 1]
    assert strokes.shape == calm.shape == (16, 64, 64, 4)
    assert labels[:, 0].tolist() == [1] * 8 + [0] * 8
