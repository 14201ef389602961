"""Open a painting's layers in Krita and GIMP, and compare with the replay.

    python tests/benchmarks/bench_studio.py painting.json

Both run on a screen of their own (Debian's `xvfb`); what is not installed is
left out. GIMP 2.10 opens OpenRaster only where it still has Python 2. MyPaint's
loader is asked in `tests/export/test_openraster.py`. Takes a minute.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np
from PIL import Image

import nbpainter

# GIMP blends in linear light, unless a layer's mode is a "legacy" one.
GIMP = """
import gi
gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio

def file(name):
    return Gio.File.new_for_path(name)

quiet = Gimp.RunMode.NONINTERACTIVE
image = Gimp.file_load(quiet, file("painting.ora"))
names = [layer.get_name() for layer in image.get_layers()]
Gimp.file_save(quiet, image, file("gimp.png"), None)
for layer in image.get_layers():
    layer.set_mode(Gimp.LayerMode.NORMAL_LEGACY)
Gimp.file_save(quiet, image, file("gimp-legacy.png"), None)
open("gimp.txt", "w").write(str(names))
"""
COMMANDS = {
    "gimp": ["-i", "--batch-interpreter=python-fu-eval", "-b", GIMP, "--quit"],
    "krita": ["--export", "--export-filename", "krita.png", "painting.ora"],
}


def run(folder, *command):
    """Run a program without a screen, its settings in the folder."""
    subprocess.run(
        ["xvfb-run", "-a", *command],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        timeout=300,
        check=False,
    )


def main(path):
    painting = nbpainter.Painting.load(path)
    replay = painting.replay() * 255
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        started = time.perf_counter()
        painting.export(folder / "painting.ora")
        seconds = time.perf_counter() - started
        megabytes = (folder / "painting.ora").stat().st_size / 1e6
        print(f"{len(painting)} strokes, {seconds:.1f} s, {megabytes:.1f} MB")
        for program, arguments in COMMANDS.items():
            if shutil.which(program) and shutil.which("xvfb-run"):
                run(folder, program, *arguments)
        if (folder / "krita.png").exists():
            arguments = ["--export", "--export-filename", "a.kra"]
            run(folder, "krita", *arguments, "painting.ora")
            with zipfile.ZipFile(folder / "a.kra") as archive:
                layers = archive.read("maindoc.xml").count(b"<layer ")
            print(f"krita: {layers} layers")
        if (folder / "gimp.txt").exists():
            print(f"gimp: layers {(folder / 'gimp.txt').read_text()}")
        for path in sorted(folder.glob("*.png")):
            with Image.open(path) as image:
                error = np.abs(np.asarray(image.convert("RGB")) - replay)
            print(
                f"{path.name}: {image.width} x {image.height}, error at most "
                f"{error.max():.2f} of 255, mean {error.mean():.2f}"
            )


if __name__ == "__main__":
    main(sys.argv[1])
