"""Train and measure a generator for every brush of this machine that fits.

    python tests/benchmarks/bench_brushes.py [WORD] [--out FOLDER]

Only brushes with WORD in their names; all of Debian's `mypaint-brushes` take
about six hours on two cores. It can be stopped and started again: a brush
that has a row in the table is not trained again, and a training that was
killed goes on. Each brush is trained in a process of its own, so one that
fails leaves its last words in the table and not more. `NBPAINTER_SMOKE_TEST=1`
trains each for seconds: does every brush run through?
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import time

from nbpainter.engine.suitability import list_brushes

COLUMNS = ["brush", "weights", "fvu", "fvu_floor", "texture", "two_sample"]
COLUMNS += ["replay_loss", "seconds", "error"]


def run(log, *arguments):
    """A command of nbpainter; its output goes to the log."""
    command = [sys.executable, "-m", "nbpainter.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log.write(done.stdout + done.stderr)
    log.flush()
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])


def measure(brush, folder, log):
    """Train a brush's generator and measure it: a row of the table."""
    run(log, "train", "brush", brush, "--out", folder, "--resume")
    name = pathlib.Path(brush).stem
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    report = json.loads((folder / f"report_{name}.json").read_text("utf-8"))
    row = {name: report[name] for name in COLUMNS if name in report}
    row["weights"] = manifest[name]["num_weights"]
    return row | {"replay_loss": report["reality_gap"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--out", type=pathlib.Path, default="all_brushes")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    path, done = arguments.out / "brushes.csv", set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            done = {row["brush"] for row in csv.DictReader(file)}
    for brush in list_brushes(arguments.word):
        if brush["problem"] or brush["name"] in done:
            continue
        started, row = time.perf_counter(), {"brush": brush["name"]}
        folder = arguments.out / brush["name"].replace("/", "_")
        folder.mkdir(exist_ok=True)
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            try:
                row |= measure(brush["brush"], folder, log)
            except RuntimeError as error:
                row["error"] = str(error)
        row["seconds"] = round(time.perf_counter() - started)
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        print(", ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
