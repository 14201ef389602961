import errno
import os
import pathlib
import shutil
import subprocess
import sys

import damage
import numpy as np
import pytest

import nbpainter
from nbpainter.data import cache as store
from nbpainter.errors import DataError

UNPACK = (
    "import sys; from nbpainter.data import cache; cache.unpack(*sys.argv[1:])"
)


@pytest.fixture
def files(tmp_path, tiny):
    """Three files of different kinds, and the episodes that they hold."""
    rgba = np.concatenate(
        [tiny.strokes[100:150], np.full((50, 64, 64, 1), 255, "uint8")], -1
    )
    paths = [tmp_path / f"{name}.npz" for name in "abc"]
    paths[0].write_bytes(damage.npz_bytes(tiny[:100]))
    np.savez(paths[1], actions=tiny.actions[100:150], strokes=rgba)
    actions = tiny.actions[150:].astype("float64")
    np.savez(paths[2], actions=actions, strokes=tiny.strokes[150:])
    return paths


def test_many_files_are_one_array(files, tmp_path, tiny):
    opened = nbpainter.open_episodes(files, tmp_path / "cache")
    assert len(opened) == len(tiny)
    for name in ("actions", "strokes"):
        rows, expected = getattr(opened, name), getattr(tiny, name)
        assert rows.shape == expected.shape
        assert rows.dtype == expected.dtype
        np.testing.assert_array_equal(rows, expected)
        for index in (0, -1, 120, [399, 0, 99, 100, 100], np.s_[7:300:50]):
            np.testing.assert_array_equal(rows[index], expected[index])
        part = rows[90:-200]
        np.testing.assert_array_equal(part[[0, -1]], expected[90:-200][[0, -1]])
        assert isinstance(part[20:30], nbpainter.data.cache.Rows)
        with pytest.raises(IndexError):
            rows[400]
    np.testing.assert_array_equal(
        opened[-20:].load().strokes, tiny.strokes[-20:]
    )


def test_batches_are_the_same_from_disk_and_from_memory(files, tmp_path, tiny):
    opened = nbpainter.open_episodes(files, tmp_path / "cache")
    pair = [nbpainter.StrokeBatches(x, 64, seed=5) for x in (opened, tiny)]
    for epoch in (0, 3):
        for batches in pair:
            batches.start_at(epoch)
            batches.on_epoch_begin()
        for one, other in zip(*([b[i] for i in (0, 5)] for b in pair)):
            for x, y in zip(one, other):
                np.testing.assert_array_equal(x, y)


def test_a_file_is_unpacked_once_and_again_when_it_changes(
    files, tmp_path, tiny
):
    cache = tmp_path / "cache"
    entry = store.unpack(files[0], cache)
    before = entry.stat().st_ino
    assert store.unpack(str(files[0]), cache) == entry
    assert entry.stat().st_ino == before
    content = bytearray(files[0].read_bytes())
    content[len(content) // 2] ^= 1
    files[0].write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz"):
        store.unpack(files[0], cache)
    files[0].write_bytes(damage.npz_bytes(tiny[50:90]))
    assert len(nbpainter.open_episodes(files[0], cache)) == 40
    assert len(list(cache.glob("a-*"))) == 1


def test_a_damaged_cache_is_mended(files, tmp_path, tiny):
    cache = tmp_path / "cache"
    for name in ("strokes.npy", "actions.npy"):
        entry = store.unpack(files[0], cache)
        content = (entry / name).read_bytes()
        (entry / name).write_bytes(content[: len(content) // 2])
        opened = nbpainter.open_episodes(files[0], cache)
        np.testing.assert_array_equal(opened.strokes, tiny.strokes[:100])
    digest = nbpainter.files.sha256(files[0])
    assert store.stored_sha256(files[0], cache) == digest


def test_members_of_two_files_are_refused(tmp_path, tiny):
    path = tmp_path / "mixed.npz"
    for actions in (tiny.actions[200:], np.roll(tiny.actions[:200], 3, axis=1)):
        np.savez(path, actions=actions, strokes=tiny.strokes[:200])
        with pytest.raises(DataError, match=r"mixed\.npz.*other colours"):
            nbpainter.open_episodes(path, tmp_path / "cache")


def test_room_is_checked_first(files, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=9))
    with pytest.raises(DataError, match=r"a\.npz.*needs 0\.1 GB.*Make room"):
        store.unpack(files[0], cache)
    assert set(os.listdir(cache)) <= {".lock"}


def test_a_disk_that_gets_full_is_named(files, tmp_path):
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (9**6, 9**6))"
    done = subprocess.run(
        [sys.executable, "-c", f"{limit}\n{UNPACK}", files[0], tmp_path / "c"],
        capture_output=True,
        text=True,
    )
    assert "DataError" in done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    assert set(os.listdir(tmp_path / "c")) <= {".lock"}


def test_damaged_files_give_true_data_or_one_sentence(tmp_path, tiny):
    outcomes = [
        outcome
        for _, outcome, seconds in damage.try_variants(
            60, tmp_path, tiny[:80], tiny[80:160]
        )
        if seconds < 10 or outcome == "slow"
    ]
    assert len(outcomes) == 60
    assert set(outcomes) == {"refused", "true"}
    assert outcomes.count("refused") > 45


def test_a_killed_unpacking_is_never_taken_for_whole(tmp_path, tiny, kill_when):
    path, cache = tmp_path / "big.npz", tmp_path / "cache"
    rows = np.arange(20_000) % len(tiny)
    path.write_bytes(damage.npz_bytes(tiny[rows], compressed=False))
    for seconds in (0.02, 0.1):
        process = subprocess.Popen([sys.executable, "-c", UNPACK, path, cache])
        kill_when(process, cache, ".*.part/strokes.npy", seconds)
        assert list(cache.glob(".*.part"))
        assert not list(cache.glob("big-*"))
    opened = nbpainter.open_episodes(path, cache)
    np.testing.assert_array_equal(
        opened.strokes[[0, -1]], tiny.strokes[rows[[0, -1]]]
    )
    assert not list(cache.glob(".*.part"))


def test_the_cache_is_chosen_by_the_environment():
    chosen = pathlib.Path(os.environ["NBPAINTER_CACHE"])
    assert nbpainter.config.cache_folder() == chosen


READ = (
    "import sys; from nbpainter.data import cache\n"
    "for folder in sys.argv[2:]:\n"
    "    opened = cache.open_episodes(sys.argv[1], folder).load()\n"
    "    print(cache.stored_sha256(sys.argv[1], folder),\n"
    "        opened.actions.sum(), opened.strokes.sum(dtype=int))"
)


def _damage(path, kind):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if kind == "flipped":
        content[middle] ^= 1
    elif kind == "zeroed":
        content[middle:] = bytes(len(content) - middle)
    else:
        del content[middle:]
    path.write_bytes(content)


def test_the_cache_is_not_believed(files, tmp_path):
    """A new process compares checksums, and unpacks anew in doubt."""
    command = [sys.executable, "-c", READ, files[0]]
    whole, folders = tmp_path / "whole", []
    before = subprocess.check_output([*command, whole], text=True)
    for kind in ("flipped", "zeroed", "cut"):
        for name in ("actions.npy", "strokes.npy", "sha256"):
            folders.append(tmp_path / f"{kind}-{name}")
            shutil.copytree(whole, folders[-1])
            _damage(*folders[-1].glob(f"*/{name}"), kind)
    after = subprocess.check_output([*command, *folders], text=True)
    assert after == len(folders) * before


def test_a_folder_of_nobody_is_no_cache(files, monkeypatch):
    monkeypatch.setenv("NBPAINTER_CACHE", "~nosuchuser/x")
    with pytest.raises(DataError, match="nosuchuser"):
        nbpainter.open_episodes(files)


@pytest.mark.parametrize(
    "read", [nbpainter.open_episodes, nbpainter.load_episodes]
)
def test_what_never_ends_is_no_file_of_episodes(read, tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "pipe.npz", "/dev/zero", tmp_path):
        with pytest.raises(DataError, match="not a file"):
            read(path)
