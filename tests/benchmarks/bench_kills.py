"""Kill downloads, unpackings, drawings and paintings at random moments.

    python tests/benchmarks/bench_kills.py [number]

After each SIGKILL no file with the final name may be there unless it is
whole, and the next run must end with the right bytes and leave nothing else.
The number, 15 by default, is that of the kills of each kind; of paintings,
which also write exports, it is twice as many. Needs kagglehub and libmypaint;
takes about 20 minutes. Trainings are killed by `bench_resume.py`.
"""

import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image
from skimage import data

import nbpainter
from nbpainter.data.cache import unpack

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "data"))
import damage
from kaggle_server import KaggleServer

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
NAME = "episodes_3.npz"
UNPACK = (
    "import sys; from nbpainter.data import cache; cache.unpack(*sys.argv[1:])"
)


def run(command, environment=None, seconds=None):
    """Run a command, or kill it after some seconds; return its code."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()


def kill_downloads(place, content):
    """Return how many of the runs were right, and how many broken off."""
    right = broken = 0
    with KaggleServer({NAME: content}) as server:
        server.pause = 0.005
        for index in range(RUNS):
            client = ("kagglehub", "kaggle")[index % 2]
            out = place / f"download{index}"
            command = server.command(client, "3", "--out", str(out))
            environment = server.environment(place)
            moment = random.uniform(0.3, 3.5)
            code = run(command, environment, moment)
            found, left = out / NAME, out.rglob(".download/**/*.npz")
            sizes = [path.stat().st_size for path in left]
            whole = not found.exists() or found.read_bytes() == content
            again = run(command, environment)
            same = again == 0 and found.read_bytes() == content
            clean = not (out / ".download").exists()
            right += whole and same and clean
            broken += code == -signal.SIGKILL
            print(
                f"{client}, {moment:.2f} s, exit {code}, bytes left "
                f"{sizes}: {'right' if same else 'WRONG'}",
                flush=True,
            )
    return right, broken


def kill_unpackings(place, episodes, path):
    """Return how many of the runs were right, and how many broken off."""
    right = broken = 0
    command = [sys.executable, "-c", UNPACK, path]
    started = time.perf_counter()
    unpack(path, place / "first")
    seconds = time.perf_counter() - started
    for index in range(RUNS):
        cache = place / f"cache{index}"
        process = subprocess.Popen([*command, cache])
        while process.poll() is None and not list(cache.glob(".*.part")):
            time.sleep(0.001)
        moment = random.uniform(0, seconds)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        code = process.wait()
        left = len(list(cache.glob(".*.part")))
        opened = nbpainter.open_episodes(path, cache)
        same = all(
            np.array_equal(getattr(opened, name), getattr(episodes, name))
            for name in ("actions", "strokes")
        )
        clean = not list(cache.glob(".*.part"))
        right += same and clean
        broken += code == -signal.SIGKILL
        print(
            f"unpacking, {moment:.2f} s, exit {code}, half-done {left}: "
            f"{'right' if same and clean else 'WRONG'}",
            flush=True,
        )
    return right, broken


def files(folder):
    """What is in a folder: a dict from names to bytes."""
    paths = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder): p.read_bytes() for p in paths}


def kill_commands(place, runs, *arguments):
    """Return how many runs were right, how many there were, and were killed.

    There are as many as it takes to kill `runs` of them: some end before. The
    command's files must not depend on when it runs, but for what
    `painting.json` says of seconds.
    """
    command = [sys.executable, "-m", "nbpainter.cli", *arguments, "--out"]
    (place / "whole").mkdir(parents=True)
    started = time.perf_counter()
    assert run([*command, str(place / "whole" / "out.npz")]) == 0
    seconds = time.perf_counter() - started
    whole = files(place / "whole")
    right = broken = number = 0
    while broken < runs:
        folder = place / f"killed{number}"
        number += 1
        folder.mkdir()
        moment = random.uniform(0.4 * seconds, seconds)
        code = run([*command, str(folder / "out.npz")], seconds=moment)
        found = {
            n: b for n, b in files(folder).items() if ".part" not in n.name
        }
        half = [
            n for n, b in found.items() if not same_file(n, b, whole.get(n))
        ]
        again = run([*command, str(folder / "out.npz")])
        after = files(folder)
        same = again == 0 and after.keys() == whole.keys()
        same = same and all(same_file(n, b, whole[n]) for n, b in after.items())
        right += same and not half
        broken += code == -signal.SIGKILL
        print(
            f"{arguments[0]}, {moment:.2f} s, exit {code}, whole files "
            f"{len(found)}, half {half}: {'right' if same else 'WRONG'}",
            flush=True,
        )
    return right, number, broken


def same_file(name, one, other):
    """Are two contents of a file equal, but for the seconds it took?"""
    if name.suffix != ".json":
        return one == other
    strokes = [json.loads(content)["strokes"] for content in (one, other)]
    return strokes[0] == strokes[1]


def main():
    """Print one line for each run."""
    random.seed(0)
    tiny = nbpainter.tiny_episodes()
    rows = np.random.default_rng(0).integers(len(tiny), size=8_000)
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        content = damage.npz_bytes(tiny[rows[:1_000]], compressed=False)
        right, broken = kill_downloads(place, content)
        print(f"{right} of {RUNS} downloads right, {broken} killed")
        path = place / "big.npz"
        path.write_bytes(damage.npz_bytes(tiny[rows], compressed=False))
        right, broken = kill_unpackings(place, tiny[rows], path)
        print(f"{right} of {RUNS} unpackings right, {broken} killed")
        draw = ["draw", "--strokes", "20000"]
        runs = kill_commands(place / "draw", RUNS, *draw)
        print("{} of {} drawings right, {} killed".format(*runs))
        photo = place / "photo.png"
        Image.fromarray(data.coffee()).resize((96, 64)).save(photo)
        paint = ["paint", str(photo), "--strokes", "12", "--size", "64"]
        paint += ["--focus", "none", "--export", "svg", "ora", "webp"]
        runs = kill_commands(place / "paint", 2 * RUNS, *paint)
        print("{} of {} paintings right, {} killed".format(*runs))


if __name__ == "__main__":
    main()
