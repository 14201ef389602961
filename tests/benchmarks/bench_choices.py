"""Measure budgets, resuming and palettes. Takes about fifteen minutes.

    python tests/benchmarks/bench_choices.py

The photographs are those of `bench_painting.py`, which see.
"""

import subprocess
import sys
import tempfile
import time

import numpy as np
from bench_paint import save
from bench_painting import centre, photographs

import nbpainter

NUM_STROKES, SIZE = 200, 128


def measure_resume():
    """Stop paintings after parts of their time; go on to the same number."""
    print(f"\n{NUM_STROKES} strokes, {SIZE} pixels: stopped and resumed, dB")
    print(f"{'photograph':14}{'whole':>7}   stopped (strokes) resumed")
    nbpainter.paint(np.ones((8, 8, 3)), 2, size=SIZE, verbose=0)  # Compile.
    losses = []
    for name, photo in photographs().items():
        photo = centre(photo, SIZE)
        started = time.perf_counter()
        whole = nbpainter.paint(photo, NUM_STROKES, size=SIZE, verbose=0)
        seconds = time.perf_counter() - started
        print(f"{name:14}{whole.figures['psnr']:7.2f}", end="")
        for share in (0.2, 0.5, 0.8):
            part = nbpainter.paint(
                *(photo, NUM_STROKES),
                size=SIZE,
                seconds=share * seconds,
                verbose=0,
            )
            resumed = nbpainter.paint(
                photo, NUM_STROKES, resume=part, verbose=0
            )
            losses.append(whole.figures["psnr"] - resumed.figures["psnr"])
            print(
                f"{part.figures['psnr']:9.2f} ({len(part):3})"
                f"{resumed.figures['psnr']:6.2f}",
                end="",
            )
        print(flush=True)
    print(f"lost by resuming: mean {np.mean(losses):.2f} dB, ", end="")
    print(f"at most {max(losses):.2f} dB, at least {min(losses):.2f} dB")


def measure_palette():
    """Paint with 8 colours of the painter's choice, and with any."""
    print("\n500 strokes, 256 pixels: any colours, 8 colours, dB")
    losses = []
    for name in ("coffee", "chelsea"):
        photo, decibels = centre(photographs()[name], 256), []
        for palette in (None, 8):
            painting = nbpainter.paint(
                photo, 500, size=256, palette=palette, verbose=0
            )
            decibels.append(painting.figures["psnr"])
        columns = nbpainter.actions.COLUMNS.color
        used = {
            nbpainter.images.to_hex(color)
            for color in painting.actions[:, columns]
        }
        assert used <= set(painting.palette)
        assert len(painting.palette) == 8
        losses.append(decibels[0] - decibels[1])
        print(f"{name:14}{decibels[0]:7.2f}{decibels[1]:7.2f}", flush=True)
    print(f"lost: mean {np.mean(losses):.2f} dB, at most {max(losses):.2f} dB")


def measure_seconds():
    """Ask for times: what the painting took, and the whole command."""
    print("\n512 pixels: seconds asked for, of the whole command, strokes")
    with tempfile.TemporaryDirectory() as folder:
        save(photographs()["coffee"] / 255, f"{folder}/photo.png")
        for seconds in (15, 30, 60):
            started = time.perf_counter()
            result = subprocess.run(
                [
                    *(sys.executable, "-m", "nbpainter.cli", "paint"),
                    *(f"{folder}/photo.png", "--seconds", str(seconds)),
                    *("--out", f"{folder}/out"),
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            passed = time.perf_counter() - started
            strokes = result.stdout.rstrip().split("\n")[-1].split(",")[0]
            print(f"{seconds:4}{passed:8.1f} s   {strokes}", flush=True)


if __name__ == "__main__":
    measure_seconds()
    measure_palette()
    measure_resume()
