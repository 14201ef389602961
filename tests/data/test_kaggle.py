"""The real clients of Kaggle against a small server of our own."""

import importlib.util
import io
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from kaggle_server import LICENCE, KaggleServer

import nbpainter
from nbpainter.errors import DataError

CLIENTS = [
    pytest.param(
        "kagglehub",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("kagglehub") is None,
            reason="kagglehub is not installed",
        ),
    ),
    "kaggle",
]
NAME = "episodes_3.npz"


@pytest.fixture
def server(tiny):
    # Clients write a megabyte at a time: less would never be half there.
    file = io.BytesIO()
    np.savez(file, actions=tiny.actions, strokes=tiny.strokes)
    with KaggleServer({NAME: file.getvalue()}) as server:
        yield server


def _run(server, client, folder, index=3, token=True, **changes):
    return subprocess.run(
        server.command(client, str(index), "--out", str(folder / "out")),
        env={**server.environment(folder, token), **changes},
        capture_output=True,
        text=True,
        timeout=100,
    )


def _sentence(done):
    assert done.returncode == 2, done.stderr
    lines = [x for x in done.stderr.splitlines() if x.startswith("nbpainter: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    return lines[0]


def _check_whole(server, folder):
    assert set(os.listdir(folder / "out")) - {".lock"} == {NAME}
    assert (folder / "out" / NAME).read_bytes() == server.files[NAME]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_arrives_whole_and_only_once(client, server, tmp_path):
    for _ in range(2):
        done = _run(server, client, tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"Licence, as the page says: {LICENCE}." in done.stdout
        _check_whole(server, tmp_path)
    assert server.starts == [0]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_broken_download_goes_on(client, server, tmp_path):
    # kaggle tries again by itself; kagglehub is started again.
    server.cuts = [2_500_000]
    done = _run(server, client, tmp_path)
    if client == "kagglehub":
        assert "Run the same command again" in _sentence(done)
        assert not (tmp_path / "out" / NAME).exists()
        done = _run(server, client, tmp_path)
    assert done.returncode == 0, done.stderr
    _check_whole(server, tmp_path)
    assert max(server.starts) >= 2**20


@pytest.mark.parametrize("client", CLIENTS)
def test_a_killed_download_is_never_taken_for_whole(client, server, tmp_path):
    server.pause = 0.02
    process = subprocess.Popen(
        server.command(client, "3", "--out", str(tmp_path / "out")),
        env=server.environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        if server.starts:
            break
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert not (tmp_path / "out" / NAME).exists()
    server.pause = 0.0
    assert _run(server, client, tmp_path).returncode == 0
    _check_whole(server, tmp_path)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_bit_is_noticed(client, server, tmp_path):
    server.flips = 1
    assert _run(server, client, tmp_path).returncode == 0
    _check_whole(server, tmp_path)
    server.flips = 2
    (tmp_path / "out" / NAME).write_bytes(b"damaged")
    assert "damaged" in _sentence(_run(server, client, tmp_path))


@pytest.mark.parametrize("client", CLIENTS)
def test_what_cannot_be_had_is_said_in_one_sentence(client, server, tmp_path):
    assert "(404)" in _sentence(_run(server, client, tmp_path, index=4))
    server.status = 403
    assert "(403)" in _sentence(_run(server, client, tmp_path))
    server.status = 503
    assert "(503)" in _sentence(_run(server, client, tmp_path))
    nowhere = {"http_proxy": "http://127.0.0.1:9"}
    assert "network" in _sentence(_run(server, client, tmp_path, **nowhere))
    server.status, server.needs_token = 200, True
    stranger = _run(server, client, tmp_path, token=False)
    assert "pip install kagglehub" in _sentence(stranger)
    assert not list((tmp_path / "out").glob("*.npz"))


def test_a_full_disk_is_named(server, tmp_path):
    command = server.command("kagglehub", "3", "--out", str(tmp_path / "out"))
    if importlib.util.find_spec("kagglehub") is None:
        pytest.skip("kagglehub is not installed")
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (9**6, 9**6))"
    command[2] = f"{limit}\n{command[2]}"
    done = subprocess.run(
        command,
        env=server.environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Make room" in _sentence(done)


def test_wrong_numbers_are_named(tmp_path):
    for index in (-1, 78, 2.5, "3"):
        with pytest.raises(DataError, match="`index`"):
            nbpainter.download_episodes([np.int64(1), index], tmp_path)
