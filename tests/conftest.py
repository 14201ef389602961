"""What tests share: the shipped generator, and whether the engine is there."""

import atexit
import os
import shutil
import signal
import tempfile
import time

import pytest

import nbpainter
from nbpainter.engine import libmypaint

# A shell's background jobs, and all that they start, would ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests side by side share the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

# Tests, and the processes that they start, unpack files into their own place.
os.environ["NBPAINTER_CACHE"] = tempfile.mkdtemp(prefix="nbpainter-cache-")
atexit.register(shutil.rmtree, os.environ["NBPAINTER_CACHE"], True)


def pytest_collection_modifyitems(items):
    if libmypaint.is_available():
        return
    skip = pytest.mark.skip(reason="libmypaint is not installed")
    for item in items:
        if "engine" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def generator():
    return nbpainter.load_pretrained("generator_pretrained")


@pytest.fixture(scope="session")
def tiny():
    return nbpainter.tiny_episodes()


@pytest.fixture
def kill_when():
    """Kill a process when it has written a file, or some seconds after."""

    def kill(process, folder, pattern, seconds=0.0):
        deadline = time.monotonic() + 120
        while not list(folder.glob(pattern)):
            assert time.monotonic() < deadline, f"no {pattern} in {folder}"
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
        process.wait(timeout=60)

    return kill
