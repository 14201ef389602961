"""Measure reading files of episodes: memory, strokes a second, first batch.

    python tests/benchmarks/bench_data.py --strokes 100000 --files 8

The files' strokes are drawn by the real engine: 2,500 of each file, repeated
in another order until the file is full (`--all` draws every one: 10 minutes
and more). A reading process says how much more memory it took than an empty
TensorFlow process. With the numbers above it needs 12 GB of disk and about 6
minutes.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

import nbpainter
from nbpainter.data.drawing import write_drawn_episodes

READER = """
import resource, sys, time
import nbpainter, tensorflow as tf
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
tf.constant(1.0) + 1
empty, started = peak(), time.perf_counter()
cache, *paths = sys.argv[1:]
episodes = nbpainter.open_episodes(paths, cache)
batches = nbpainter.StrokeBatches(episodes, 32, seed=0)
batches[0]
first = time.perf_counter() - started
rates = []
for _ in range(3):
    batches.on_epoch_begin()
    started, count = time.perf_counter(), min(1000, len(batches))
    for index in range(count):
        batches[index]
    rates.append(round(32 * count / (time.perf_counter() - started)))
# The same through Keras: a network of one weight takes what comes.
import keras, numpy as np
inputs = keras.Input((12,))
network = keras.Sequential([inputs, keras.layers.Dense(1)])
network.compile("sgd", loss=lambda y, x: tf.reduce_mean(x) + 0 * y[0, 0, 0, 0])
small = nbpainter.StrokeBatches(episodes, 32, seed=0, max_batches=1000)
started = time.perf_counter()
network.fit(small, verbose=0, shuffle=False)
fit = round(32 * len(small) / (time.perf_counter() - started))
print(f"{len(episodes)} strokes of {len(paths)} files: first batch after "
      f"{first:.2f} s, {rates} strokes/s, {fit} strokes/s in fit, peak memory "
      f"{empty} + {peak() - empty} MB")
"""


def write_file(path, num_strokes, seed):
    """Write a file of drawn strokes, repeated in another order."""
    drawn = nbpainter.draw_episodes(min(2_500, num_strokes), seed=seed)
    random = np.random.default_rng(seed)
    order = random.integers(len(drawn), size=num_strokes)
    shape = (num_strokes, *drawn.strokes.shape[1:])
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, True, 1) as archive:
        with archive.open("strokes.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for rows in np.array_split(order, -(-num_strokes // 1_000)):
                file.write(drawn.strokes[rows].data)
        with archive.open("actions.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, drawn.actions[order])


def read(name, cache, paths):
    """Read in a process of its own, and print what it says."""
    command = [sys.executable, "-c", READER, cache, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    print(f"{name}: {done.stdout.strip() or done.stderr}", flush=True)


def main():
    """Print a line for each way of reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--folder", help="default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        place = pathlib.Path(place)
        paths = [place / f"episodes_{k}.npz" for k in range(arguments.files)]
        started = time.perf_counter()
        for seed, path in enumerate(paths):
            if arguments.all:
                write_drawn_episodes(path, arguments.strokes, "dry_brush", seed)
            else:
                write_file(path, arguments.strokes, seed)
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in paths) / 1e6
        print(f"wrote {len(paths)} files, {size:.0f} MB, {seconds:.0f} s")
        cache = place / "cache"
        read("one file, never opened", cache, paths[:1])
        read("one file, again", cache, paths[:1])
        read("all files, seven never opened", cache, paths)
        read("all files, again", cache, paths)
        read("one file, at last", cache, paths[:1])


if __name__ == "__main__":
    main()
