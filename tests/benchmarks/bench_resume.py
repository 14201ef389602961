"""Kill trainings, resume them, and compare the weights bit for bit.

    python tests/benchmarks/bench_resume.py [number]

Each of the runs, 20 by default, of `nbpainter train gan` with smoke settings is
killed with SIGKILL at a random moment after the start of training; one of them
while a checkpoint is being written, with its half-written file still there.
Twenty take about 15 minutes.
"""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

import nbpainter

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
EPOCHS = 6  # In place of two in the smoke settings.
NAMES = ("generator_gan", "discriminator_gan")
PROGRAM = f"""
import dataclasses, sys
from nbpainter import cli, config
from nbpainter.training import train as training
small = dataclasses.replace(config.GANConfig(), epochs={EPOCHS})
training.GANConfig = lambda: small
sys.exit(cli.main(sys.argv[1:]))
"""


def start(folder, *options):
    """Start a training in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, "train", "gan"]
    return subprocess.Popen(
        [*command, "--out", str(folder), *options],
        env={**os.environ, "NBPAINTER_SMOKE_TEST": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def weights(folder):
    """All numbers of both networks."""
    return [
        variable.numpy()
        for name in NAMES
        for variable in nbpainter.load_pretrained(
            folder / f"{name}.weights.h5"
        ).weights
    ]


def half_written(folder):
    """Files that a checkpoint is being written to."""
    return list(folder.glob("checkpoints/.*.part.checkpoint"))


def whole(folder):
    """Names of the checkpoints that are there."""
    return sorted(p.name for p in folder.glob("checkpoints/gan*.checkpoint"))


def kill(folder, seconds, while_writing):
    """Start a training and kill it; return what it left."""
    process = start(folder)
    if while_writing:
        # A first checkpoint is there, and a second one is half there.
        while process.poll() is None and not (
            whole(folder) and half_written(folder)
        ):
            time.sleep(0.0002)
    else:
        time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return whole(folder), len(half_written(folder))


def main():
    """Print one line for each run, and how many gave the same weights."""
    random.seed(0)
    same, written = 0, 0
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        started = time.perf_counter()
        assert start(place / "whole").wait() == 0
        seconds = time.perf_counter() - started
        expected = weights(place / "whole")
        for run in range(RUNS):
            folder = place / f"run{run}"
            moment = random.uniform(0.3, 0.95) * seconds
            found, half = kill(folder, moment, while_writing=run == 0)
            while all((folder / f"{n}.weights.h5").exists() for n in NAMES):
                # It was quicker than the first one: that was no kill.
                shutil.rmtree(folder)
                moment *= 0.8
                found, half = kill(folder, moment, while_writing=False)
            code = start(folder, "--resume").wait()
            got = weights(folder)
            equal = code == 0 and all(
                np.array_equal(x, y) for x, y in zip(expected, got)
            )
            same += equal
            written += half > 0
            print(
                f"run {run:2}: killed after {moment:5.1f} s, {found}, "
                f"{half} half-written: "
                f"{'same' if equal else 'DIFFERENT'}",
                flush=True,
            )
    print(f"{same} of {RUNS} the same, {written} killed while writing")


if __name__ == "__main__":
    main()
