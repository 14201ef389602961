"""Work is spread over processes and clusters; any of them may be lost."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest
from PIL import Image

import nbpainter
from nbpainter import cli
from nbpainter.errors import NBPainterError
from nbpainter.parallel import on_cluster, spread

NUM_PHOTOS = joblib.cpu_count() + 2  # More than are painted at once.
SMALL = ["--strokes", "4", "--size", "160", "--focus", "none"]


def _process(_):
    time.sleep(0.5)  # So that each process gets some.
    return os.getpid(), os.environ["TF_NUM_INTRAOP_THREADS"]


def _die(number):
    if number:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


KEEP_TWO = """
import os, time
from nbpainter.parallel import spread
workers = spread(os.getpid, [(), ()], 1e6)
print(*workers, flush=True)
time.sleep(60)
"""


def _is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name == "nt", reason="there, to ask would end it")
def test_processes_end_with_the_one_that_they_work_for():
    parent = subprocess.Popen(
        [sys.executable, "-c", KEEP_TWO], stdout=subprocess.PIPE, text=True
    )
    workers = set(map(int, parent.stdout.readline().split()))
    assert all(map(_is_running, workers))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while any(map(_is_running, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_is_running, workers))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(NUM_PHOTOS):
        noise = np.random.default_rng(number).integers(0, 256, (5, 6, 3))
        picture = Image.fromarray(noise.astype("uint8")).resize((60, 50))
        picture.save(folder / f"photo{number}.png")
    return folder


def _strokes(folder):
    paintings = sorted(folder.glob("*/painting.json"))
    return [nbpainter.Painting.load(path).actions for path in paintings]


def _command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "nbpainter.cli", *map(str, arguments)],
        env={**os.environ, "NBPAINTER_SMOKE_TEST": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def test_each_process_has_its_share_of_the_threads():
    found = list(spread(_process, [(n,) for n in range(8)], 1))
    num_processes = len({process for process, _ in found})
    assert num_processes == min(8, joblib.cpu_count())
    assert {int(n) for _, n in found} == {joblib.cpu_count() // num_processes}


def test_what_does_not_fit_into_memory_is_done_one_after_the_other():
    assert list(spread(os.getpid, [(), ()], 1e15)) == 2 * [os.getpid()]


def test_a_process_that_dies_is_said_in_a_sentence():
    with pytest.raises(NBPainterError, match="start again"):
        list(spread(_die, [(0,), (1,), (0,)], 1))


def test_photographs_side_by_side_are_as_one_after_the_other(photos, tmp_path):
    out = tmp_path / "together"
    arguments = ["paint", str(photos), *SMALL, "--out", str(out)]
    assert cli.main(arguments) == 0
    together = _strokes(out)
    assert len(together) == NUM_PHOTOS
    for photo, strokes in zip(sorted(photos.iterdir()), together):
        alone = nbpainter.paint(photo, 4, size=160, focus="none", verbose=0)
        np.testing.assert_array_equal(strokes, alone.actions)


def test_ctrl_c_keeps_what_is_painted_and_leaves_no_process(photos, tmp_path):
    command = ["paint", photos, "--strokes", "60", "--size", "64"]
    command += ["--out", tmp_path / "out"]
    process = _command(*command, start_new_session=True)
    assert f"1 of {NUM_PHOTOS}" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    found = len(_strokes(tmp_path / "out"))
    assert 1 <= found < NUM_PHOTOS
    deadline = time.monotonic() + 10
    while _is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _is_alive(process.pid)


def _is_alive(group):
    """Does a process of this group still run?"""
    states = [p.read_text().rpartition(")")[2] for p in _stats()]
    fields = [state.split() for state in states]
    return any(int(f[2]) == group and f[0] != "Z" for f in fields)


def _stats():
    return [p for p in pathlib.Path("/proc").glob("[0-9]*/stat") if p.exists()]


def test_without_a_scheduler_one_sentence_says_so():
    with (
        pytest.raises(NBPainterError, match="No Dask cluster at nonsense"),
        on_cluster("nonsense"),
    ):
        pass


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers on loopback: address, processes."""
    pytest.importorskip("distributed", reason="make cluster-test has it")
    dask = [sys.executable, "-m", "distributed.cli"]
    log = (tmp_path / "dask.txt").open("w+")
    places = {"stdout": log, "stderr": log, "cwd": tmp_path}
    scheduler = subprocess.Popen(
        [*dask[:2], f"{dask[2]}.dask_scheduler", "--host", "127.0.0.1"]
        + ["--port", "0", "--no-dashboard"],
        **places,
    )
    processes = [scheduler]
    try:
        address = None
        while not address:
            assert scheduler.poll() is None
            text = (tmp_path / "dask.txt").read_text()
            address = re.search(r"tcp://127\.0\.0\.1:\d+", text)
            time.sleep(0.1)
        worker = [*dask[:2], f"{dask[2]}.dask_worker", address[0]]
        worker += ["--nthreads", "1", "--no-dashboard"]
        processes += [subprocess.Popen(worker, **places) for _ in range(2)]
        yield address[0], processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
        log.close()


def test_a_cluster_that_loses_a_worker_paints_all(cluster, photos, tmp_path):
    address, (_, first, _) = cluster
    out = tmp_path / "out"
    paint = ["paint", "photos", *SMALL, "--out", "out", "--cluster", address]
    process = _command(*paint, cwd=tmp_path)
    assert f"1 of {NUM_PHOTOS}" in process.stdout.readline()
    first.kill()
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 0, said
    for strokes, photo in zip(_strokes(out), sorted(photos.iterdir())):
        alone = nbpainter.paint(photo, 4, size=160, focus="none", verbose=0)
        np.testing.assert_array_equal(strokes, alone.actions)


@pytest.mark.engine
def test_a_cluster_draws_the_same_strokes(cluster, tmp_path):
    number = 3000
    draw = ["draw", "--strokes", number, "--out", tmp_path / "strokes.npz"]
    process = _command(*draw, "--cluster", cluster[0])
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    drawn = nbpainter.load_episodes(tmp_path / "strokes.npz")
    expected = nbpainter.draw_episodes(number)
    np.testing.assert_array_equal(drawn.strokes, expected.strokes)
