import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import nbpainter
from nbpainter.errors import DataError, TrainingError


def _variables():
    return [
        keras.Variable(np.arange(6, dtype="float32").reshape(2, 3)),
        keras.Variable(np.uint32(7), dtype="uint32"),
    ]


@pytest.fixture
def written(tmp_path):
    """Checkpoints of three epochs, in which a variable counts them."""
    variables = _variables()
    checkpoints = nbpainter.Checkpoints(tmp_path, "x", {"a": 1}, variables)
    for epoch in range(3):
        variables[0].assign(np.full((2, 3), epoch + 1, "float32"))
        checkpoints.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1)})
    return tmp_path


def _restore(folder, recipe=None):
    variables = _variables()
    checkpoints = nbpainter.Checkpoints(
        folder, "x", recipe or {"a": 1}, variables
    )
    return checkpoints.restore(), variables, checkpoints


def test_the_newest_checkpoint_comes_back(written):
    epoch, variables, checkpoints = _restore(written)
    assert epoch == 3
    assert (variables[0].numpy() == 3).all()
    assert int(variables[1].numpy()) == 7
    assert checkpoints.history == {"loss": [1.0, 0.5, 1 / 3]}
    assert len(os.listdir(written)) == 2


def _flip(content, place):
    """One bit of one byte, another one for each place."""
    content = bytearray(content)
    content[place] ^= 1 << place % 8
    return bytes(content)


def test_a_damaged_checkpoint_falls_back(written, caplog):
    newest = sorted(written.iterdir())[-1]
    content = newest.read_bytes()
    numbers = np.full((2, 3), 3, "float32").tobytes()
    head = "recipe".encode("utf-32-le")
    for place in (0, content.index(numbers), content.index(head)):
        caplog.clear()
        newest.write_bytes(_flip(content, place))
        epoch, variables, _ = _restore(written)
        assert epoch == 2
        assert (variables[0].numpy() == 2).all()
        assert newest.name in caplog.text
        assert "damaged" in caplog.text


def test_no_flipped_bit_is_believed(written, caplog):
    newest = sorted(written.iterdir())[-1]
    content = newest.read_bytes()
    for place in range(len(content)):
        caplog.clear()
        newest.write_bytes(_flip(content, place))
        epoch, variables, checkpoints = _restore(written)
        # Some bytes of a zip file say nothing; then all is as it was.
        assert epoch == (2 if "damaged" in caplog.text else 3), place
        assert (variables[0].numpy() == epoch).all(), place
        assert int(variables[1].numpy()) == 7, place
        assert len(checkpoints.history["loss"]) == epoch, place


def test_cut_off_and_empty_checkpoints_fall_back(written):
    newest, before = sorted(written.iterdir())[::-1]
    newest.write_bytes(newest.read_bytes()[:100])
    assert _restore(written)[0] == 2
    before.write_bytes(b"")
    assert _restore(written)[0] == 0


def test_a_checkpoint_of_another_training_is_refused(written):
    with pytest.raises(DataError, match="other data or settings"):
        _restore(written, {"a": 2})


def test_weights_that_are_not_finite_are_not_kept(tmp_path):
    variables = _variables()
    checkpoints = nbpainter.Checkpoints(tmp_path, "x", {}, variables)
    variables[0].assign(np.full((2, 3), np.nan))
    with pytest.raises(TrainingError, match="not finite"):
        checkpoints.save(1)
    assert os.listdir(tmp_path) == []


def test_cleared_is_empty(written):
    code = (
        "import os, sys; from nbpainter.files import written_whole\n"
        "with written_whole(sys.argv[1]) as file: os._exit(0)"
    )
    path = written / "x.checkpoint"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert any(".part" in name for name in os.listdir(written))
    _restore(written)[2].clear()
    assert not written.exists()


def _train(stage, folder, *options):
    environment = {**os.environ, "NBPAINTER_SMOKE_TEST": "1"}
    command = [sys.executable, "-m", "nbpainter.cli", "train", stage]
    return subprocess.Popen(
        [*command, "--out", str(folder), *options],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.engine
def test_a_killed_gan_resumes_to_the_same_bits(tmp_path, kill_when):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    in_one_go = _train("gan", whole)
    kill_when(_train("gan", killed), killed, "checkpoints/gan-*-00001.*")
    assert not (killed / "generator_gan.weights.h5").exists()
    assert _train("gan", killed, "--resume").wait(timeout=300) == 0
    assert in_one_go.wait(timeout=300) == 0
    for name in ("generator_gan", "discriminator_gan"):
        weights = [
            nbpainter.load_pretrained(folder / f"{name}.weights.h5").weights
            for folder in (whole, killed)
        ]
        for one, other in zip(*weights):
            np.testing.assert_array_equal(one, other)
    assert not (killed / "checkpoints").exists()


def test_a_training_leaves_the_checkpoints_of_others(tmp_path):
    variables = [keras.Variable([1.0])]
    trainings = [
        nbpainter.Checkpoints(
            tmp_path / "checkpoints", stage, {"seed": seed}, variables
        )
        for stage, seed in (("one", 0), ("two", 0), ("one", 1))
    ]
    for epoch, training in enumerate(trainings, 1):
        training.save(epoch)
    left = tmp_path / "checkpoints" / ".0.part.checkpoint"
    left.touch()  # Another training is about to move it to its place.
    trainings[0].clear()
    assert left.exists()
    assert [training.restore() for training in trainings[1:]] == [2, 3]
    changed = nbpainter.Checkpoints(
        tmp_path / "checkpoints", "two", {"seed": 1}, variables
    )
    with pytest.raises(DataError, match="other data or settings"):
        changed.restore()
