"""Time painting: a whole `nbpainter paint`, its parts, and the bars.

    python tests/benchmarks/bench_paint.py [--large]

Each figure comes from a process of its own, as a user would start it. The
photographs are scikit-image's and matplotlib's; the painter's numbers were
chosen on others. `--large` adds 4,000 strokes at 2048 pixels. Takes about
eight minutes on 2 quiet cores.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from bench_painting import centre, photographs

PARTS = """
import json, resource, sys, time
started = time.perf_counter()
parts = {}

def part(name):
    global started
    now = time.perf_counter()
    parts[name], started = now - started, now

import nbpainter
from nbpainter.engine import libmypaint
from nbpainter.models.presets import load_generator
from nbpainter.painter.optimizer import optimizer_of
part("import")
model = load_generator("generator_gan")
part("load")
optimizer_of(model)._graph(False, False).get_concrete_function()
part("compile")
photo, strokes, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
painted = nbpainter.paint(photo, strokes, size=size, verbose=0)
part("paint")
for count, seconds, decibels in painted.figures["curve"]:
    print(f"    {count:6} strokes {seconds:7.1f} s {decibels:6.2f} dB")
painted.render()
part("render")
painted.save_animation(sys.argv[4] + "/painting.gif", size=min(512, size))
part("GIF")
if libmypaint.is_available():
    painted.replay()
    part("replay")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"parts": parts, "psnr": painted.figures["psnr"],
                  "peak": peak}))
"""


def run_parts(photo, num_strokes, size):
    """Paint in a fresh process; return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "photo.npy.png")
        save(photo, path)
        arguments = [path, num_strokes, size, folder]
        result = subprocess.run(
            [sys.executable, "-c", PARTS, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    *curve, last = result.stdout.strip().split("\n")
    figures = json.loads(last)
    parts = figures["parts"]
    # Compiled before or not: a user waits for it in any case.
    figures["inside"] = parts["load"] + parts["compile"] + parts["paint"]
    return figures, curve


def save(photo, path):
    """Write a photograph for another process."""
    from nbpainter.images import save_image

    save_image(np.asarray(photo, "float32"), path)


def run_command(photo, num_strokes, size):
    """Time a whole `nbpainter paint`."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "photo.png")
        save(photo, path)
        started = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-m", "nbpainter.cli", "paint", str(path)),
                *("--strokes", str(num_strokes), "--size", str(size)),
                *("--out", f"{folder}/out"),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - started


def measure(title, names, num_strokes, size):
    """Print one row for each photograph, and the mean."""
    print(f"\n{title}")
    rows = []
    for name in names:
        photo = centre(photographs()[name], size)
        figures, curve = run_parts(photo, num_strokes, size)
        rows.append((figures["psnr"], figures["inside"], figures["peak"]))
        parts = figures["parts"].items()
        shown = ", ".join(f"{part} {value:.1f}" for part, value in parts)
        print(f"{name:14}{rows[-1][0]:7.2f} dB{rows[-1][1]:7.1f} s: {shown}")
        if len(names) == 1:
            print("\n".join(curve))
    mean, slowest = np.mean(rows, axis=0), np.max(rows, axis=0)
    print(
        f"mean {mean[0]:.2f} dB, {mean[1]:.1f} s, slowest {slowest[1]:.1f} s, "
        f"at most {slowest[2]:.2f} GB",
        flush=True,
    )


if __name__ == "__main__":
    measure("50 strokes, 64 pixels", photographs(), 50, 64)
    measure("500 strokes, 256 pixels", ["coffee", "chelsea"], 500, 256)
    measure("1000 strokes, 512 pixels", ["coffee"], 1000, 512)
    measure("2000 strokes, 512 pixels", ["coffee"], 2000, 512)
    seconds = run_command(photographs()["coffee"] / 255, 400, 512)
    print(f"\nnbpainter paint, 400 strokes, 512 pixels: {seconds:.1f} s")
    if "--large" in sys.argv:
        measure("4000 strokes, 2048 pixels", ["coffee"], 4000, 2048)
