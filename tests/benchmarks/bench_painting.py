"""Measure what the README says of painting. Takes about fifteen minutes.

    python tests/benchmarks/bench_painting.py

The photographs are scikit-image's and matplotlib's. The painter's numbers were
chosen on others, but for the rounds of a single window (50 strokes), which
were chosen on these. Times are seconds inside Python, after the import, and
include the compilation of the first painting.
"""

import time

import matplotlib
import numpy as np
from PIL import Image, ImageOps
from skimage import data

import nbpainter
from nbpainter.painter.canvas import lay_strokes
from nbpainter.painter.windows import plan_levels

SEEDS = (0, 1)


def photographs():
    """Return five photographs by name."""
    hopper = f"{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg"
    return {
        "astronaut": data.astronaut(),
        "chelsea": data.chelsea(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
        "grace_hopper": np.asarray(Image.open(hopper)),
    }


def centre(photo, size):
    """Crop the central square of a photograph and shrink it."""
    image = Image.fromarray(photo)
    square = ImageOps.fit(image, (min(image.size),) * 2)
    return nbpainter.load_photo(square, size)


def border_ratio(painting, target):
    """Error along borders of the finest windows over that elsewhere."""
    error = np.mean((painting.canvas - target) ** 2, axis=-1)
    side = len(target)
    cells = plan_levels(len(painting), side, side)[-1][0]
    place = np.arange(side) % (side / cells)
    near = (place < 2) | (place >= side / cells - 2)
    border = near[:, None] | near
    return error[border].mean() / error[~border].mean()


def measure(names, num_strokes, size, generator):
    """Paint photographs and print one row for each."""
    print(f"\n{num_strokes} strokes, {size} x {size} pixels, {generator}")
    print(
        f"{'photograph':14}{'seed':>5}{'dB':>8}{'calm':>9}{'MyPaint':>9}"
        f"{'seconds':>9}"
    )
    model = nbpainter.load_pretrained(generator)
    rows = []
    for name in names:
        target = centre(photographs()[name], size)
        for seed in SEEDS:
            started = time.perf_counter()
            painting = nbpainter.paint(
                target,
                num_strokes,
                size=size,
                generator=generator,
                seed=seed,
                focus="none",
                verbose=0,
            )
            seconds = time.perf_counter() - started
            canvas = float(nbpainter.psnr(painting.canvas, target))
            calm = lay_strokes(painting.blank(), painting.actions, model)
            calm = float(nbpainter.psnr(calm, target))
            replays = [
                float(nbpainter.psnr(painting.replay(seed=s), target))
                for s in range(3)
            ]
            row = canvas, calm, np.mean(replays), seconds
            rows.append(row)
            line = "".join(f"{value:9.2f}" for value in row)
            extra = ""
            if size >= 256:
                extra = f"  borders {border_ratio(painting, target):.2f}"
            print(f"{name:14}{seed:5}{line[1:]}{extra}", flush=True)
    mean = np.mean(rows, axis=0)
    slowest = max(row[3] for row in rows)
    print(
        f"mean {mean[0]:.2f} dB, replayed {mean[2]:.2f} dB, gap "
        f"{mean[0] - mean[2]:.2f} dB (of calm strokes "
        f"{mean[1] - mean[2]:.2f} dB), {mean[3]:.1f} s, slowest {slowest:.1f} s"
    )


if __name__ == "__main__":
    for preset in ("generator_pretrained", "generator_gan"):
        measure(photographs(), 50, 64, preset)
        measure(["coffee", "chelsea"], 500, 256, preset)
