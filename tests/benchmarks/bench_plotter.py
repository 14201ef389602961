"""Measure plots of 400 strokes in 8 colours. Takes about five minutes.

    python tests/benchmarks/bench_plotter.py

The photographs are those of `bench_painting.py`. A plot is read by vpype, and
its lines drawn with the pen's width on A4, 8 pixels a millimetre: `fine` is the
correlation with the painting's brightness at that size, `seen` at the
painting's own.
"""

import pathlib
import sys
import tempfile
import time

from bench_painting import photographs

import nbpainter

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "export"))
import test_plotter

if __name__ == "__main__":
    path = pathlib.Path(tempfile.mkdtemp(), "painting.plot.svg")
    print(
        f"{'photograph':14}{'fine':>7}{'seen':>7}{'metres':>8}{'travel':>8}"
        f"{'lines':>8}{'pens':>6}{'seconds':>9}"
    )
    for name, photo in photographs().items():
        painting = nbpainter.paint(
            photo, 400, palette=8, focus="none", verbose=0
        )
        started = time.perf_counter()
        painting.export(path)
        seconds = time.perf_counter() - started
        plot = test_plotter.read(path)
        fine, seen = test_plotter.correlate(plot, painting)
        num_lines = sum(map(len, plot.lines))
        print(
            f"{name:14}{fine:7.2f}{seen:7.2f}{plot.drawn / 1000:8.0f}"
            f"{plot.travel / plot.drawn:8.2f}{num_lines:8}"
            f"{len(plot.colors):6}{seconds:9.1f}",
            flush=True,
        )
