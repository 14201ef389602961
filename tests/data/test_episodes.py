import io
import pickle
import sys
import zipfile

import keras
import numpy as np
import pytest

import nbpainter
from nbpainter.data import episodes
from nbpainter.data.drawing import write_drawn_episodes
from nbpainter.engine.brush import CHUNK_STROKES, draw_chunk
from nbpainter.errors import DataError


def test_the_tiny_slice_is_real_and_small(tiny):
    assert len(tiny) >= 256
    assert episodes.TINY_EPISODES.stat().st_size < 1_000_000
    assert tiny.actions.dtype == np.float32
    assert tiny.strokes.dtype == np.uint8
    assert tiny.strokes.shape[1:] == (64, 64, 3)


@pytest.mark.engine
def test_the_tiny_slice_can_be_drawn_again(tiny):
    drawn = nbpainter.draw_episodes(len(tiny), seed=2019)
    np.testing.assert_array_equal(drawn.actions, tiny.actions)
    # Other builds of the engine may round differently.
    assert np.mean(drawn.strokes != tiny.strokes) < 0.01


@pytest.mark.engine
def test_a_drawn_file_looks_like_the_datasets(tmp_path):
    path = tmp_path / "episodes_0.npz"
    write_drawn_episodes(path, 70, "dry_brush", seed=1)
    drawn = nbpainter.draw_episodes(70, seed=1)
    with np.load(path) as file:
        assert sorted(file.files) == ["actions", "strokes"]
        assert file["strokes"].dtype == np.uint8
        assert file["strokes"].shape == (70, 64, 64, 3)
        assert file["actions"].shape == (70, 12)
        np.testing.assert_array_equal(file["strokes"], drawn.strokes)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.engine
def test_many_processes_draw_what_one_draws(monkeypatch):
    count = CHUNK_STROKES + 40
    together = nbpainter.draw_episodes(count, seed=7)
    alone = [draw_chunk(count, "dry_brush", 7, chunk) for chunk in (0, 1)]
    np.testing.assert_array_equal(together.strokes, np.concatenate(alone))


@pytest.mark.engine
def test_the_brush_runs_on_from_stroke_to_stroke():
    action = nbpainter.random_actions(1, seed=3)
    strokes = nbpainter.draw_strokes(np.repeat(action, 2, axis=0))
    assert not np.array_equal(strokes[0], strokes[1])


def test_opacity_comes_back_from_the_picture_on_white(tiny):
    rgba = nbpainter.to_rgba(tiny.actions, tiny.strokes)
    pictures = nbpainter.on_white(rgba)
    error = np.abs(pictures - tiny.strokes / 255.0)
    assert error.mean() < 0.002
    assert error.max() < 0.02


def test_a_white_stroke_on_white_is_no_paint():
    actions = np.ones((1, 12), "float32")
    strokes = np.full((1, 64, 64, 3), 255, "uint8")
    rgba = nbpainter.to_rgba(actions, strokes)
    assert np.isfinite(rgba).all()
    assert not rgba[..., 3].any()


def test_batches_cover_all_strokes_in_another_order_each_epoch(tiny):
    batches = nbpainter.StrokeBatches(tiny, batch_size=100, seed=0)
    first = np.concatenate([batches[i][0] for i in range(len(batches))])
    batches.on_epoch_begin()
    second = np.concatenate([batches[i][0] for i in range(len(batches))])
    assert not np.array_equal(first, second)
    for epoch in (first, second):
        assert {a.tobytes() for a in epoch} == {
            a.tobytes() for a in tiny.actions
        }


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's doing")
def test_a_training_keeps_freed_memory_for_its_next_step(tiny):
    import resource

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss=lambda _, predicted: keras.ops.mean(predicted))
    model.fit(nbpainter.StrokeBatches(tiny, 64, seed=0), verbose=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(2**18)  # 2 MB, which are 512 pages.
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert after - before < 2000


def test_max_strokes_reads_the_first(tiny):
    some = nbpainter.load_episodes(episodes.TINY_EPISODES, max_strokes=7)
    np.testing.assert_array_equal(some.strokes, tiny.strokes[:7])


def test_rgba_strokes_are_laid_on_white(tmp_path, tiny):
    path = tmp_path / "rgba.npz"
    strokes = np.zeros((3, 64, 64, 4), "uint8")
    strokes[..., 0] = 200
    strokes[1, ..., 3] = 255
    strokes[2, ..., 3] = 51
    np.savez_compressed(path, strokes=strokes, actions=tiny.actions[:3])
    loaded = nbpainter.load_episodes(path).strokes[:, 0, 0]
    assert loaded.tolist() == [[255, 255, 255], [200, 0, 0], [244, 204, 204]]


def _npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def _good():
    return {
        "strokes": np.full((4, 64, 64, 3), 255, "uint8"),
        "actions": nbpainter.random_actions(4),
    }


def _lying_header(path):
    """A header that claims 11 TiB of strokes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, shape, kind in (
            ("strokes", (10**9, 64, 64, 3), "|u1"),
            ("actions", (10**9, 12), "<f4"),
        ):
            header = {"descr": kind, "fortran_order": False, "shape": shape}
            buffer = io.BytesIO()
            np.lib.format.write_array_header_1_0(buffer, header)
            archive.writestr(f"{name}.npy", buffer.getvalue() + b"\0" * 100)


def _bad_files(folder):
    whole = episodes.TINY_EPISODES.read_bytes()
    good = _good()

    def write(name, content):
        path = folder / f"{name}.npz"
        path.write_bytes(content)
        return path

    yield write("empty", b"")
    yield write("html", b"<!DOCTYPE html><html>403 Forbidden</html>")
    yield write("pickled", pickle.dumps(good))
    yield write("truncated", whole[: len(whole) // 2])
    yield write("headless", whole[1000:])
    yield folder / "missing.npz"
    yield folder
    path = folder / "lying.npz"
    _lying_header(path)
    yield path
    yield _npz(folder / "one_key.npz", strokes=good["strokes"])
    for name, changes in {
        "eleven": {"actions": good["actions"][:, :11]},
        "shorter": {"actions": good["actions"][:3]},
        "objects": {"actions": np.array([[None] * 12] * 4)},
        "integers": {"actions": good["actions"].astype("int64")},
        "nan": {"actions": good["actions"] * np.nan},
        "large": {"actions": good["actions"] + 1},
        "floats": {"strokes": good["strokes"] / 255},
        "small": {"strokes": good["strokes"][:, :32]},
        "grey": {"strokes": good["strokes"][..., 0]},
        "none": {"strokes": good["strokes"][:0], "actions": np.zeros((0, 12))},
    }.items():
        yield _npz(folder / f"{name}.npz", **{**good, **changes})


def test_every_bad_file_ends_in_one_sentence_that_names_it(tmp_path):
    paths = list(_bad_files(tmp_path))
    assert len(paths) == 19
    for path in paths:
        with pytest.raises(DataError) as caught:
            nbpainter.load_episodes(path)
        message = str(caught.value)
        assert str(path) in message
        assert "\n" not in message
        assert len(message) < 400


def test_flipped_bits_never_give_other_strokes(tmp_path, tiny):
    whole = bytearray(episodes.TINY_EPISODES.read_bytes())
    random = np.random.default_rng(0)
    path = tmp_path / "flipped.npz"
    messages = []
    for _ in range(40):
        flipped = whole.copy()
        flipped[random.integers(len(flipped))] ^= 1 << random.integers(8)
        path.write_bytes(flipped)
        try:
            loaded = nbpainter.load_episodes(path)
        except DataError as error:
            messages.append(str(error))
        else:
            np.testing.assert_array_equal(loaded.strokes, tiny.strokes)
            np.testing.assert_array_equal(loaded.actions, tiny.actions)
    assert len(messages) > 30
    assert all(str(path) in message for message in messages)


def test_a_flipped_bit_in_a_header_is_named(tmp_path):
    path = tmp_path / "plain.npz"
    np.savez(path, **_good())
    whole = path.read_bytes()
    place = whole.index(b"'shape': (")
    for offset in range(20):
        flipped = bytearray(whole)
        flipped[place + offset] ^= 1 << 6
        path.write_bytes(flipped)
        with pytest.raises(DataError, match=r"plain\.npz"):
            nbpainter.load_episodes(path)


@pytest.mark.parametrize("count", [0, -3, 2.5, True, "3", 10**13])
def test_no_strokes_cannot_be_drawn(count):
    with pytest.raises(DataError, match="num_strokes"):
        nbpainter.draw_episodes(count)


def test_rows_that_belong_to_others_are_refused(tmp_path, tiny):
    path = tmp_path / "mixed.npz"
    np.savez(path, actions=tiny.actions[::-1], strokes=tiny.strokes)
    with pytest.raises(DataError, match="other colours"):
        nbpainter.load_episodes(path)
