"""Train and measure a generator for every brush of this machine that fits.

    python tests/benchmarks/bench_brushes.py [WORD] [--out FOLDER]
        [--cluster ADDRESS]

Only brushes with WORD in their names; as many at once as there are cores, or
on a Dask cluster whose workers see FOLDER. It can be stopped and started
again: a brush that has a row in the table is not trained again, and a training
that was killed goes on. Each brush is trained in a process of its own, so one
that fails leaves its last words in the table and not more.
`NBPAINTER_SMOKE_TEST=1` trains each for seconds: does every brush run through?
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import time

from nbpainter.engine.suitability import list_brushes
from nbpainter.parallel import on_cluster, spread

COLUMNS = ["brush", "weights", "fvu", "fvu_floor", "texture", "two_sample"]
COLUMNS += ["replay_loss", "seconds", "error"]
MEMORY = 2e9  # Bytes of a training.


def run(log, *arguments):
    """A command of nbpainter; its output goes to the log."""
    command = [sys.executable, "-m", "nbpainter.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log.write(done.stdout + done.stderr)
    log.flush()
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])


def measure(brush, folder, log):
    """Train a brush's generator and measure it: values of its row."""
    run(log, "train", "brush", brush, "--out", folder, "--resume")
    name = pathlib.Path(brush).stem
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    report = json.loads((folder / f"report_{name}.json").read_text("utf-8"))
    row = {name: report[name] for name in COLUMNS if name in report}
    row["weights"] = manifest[name]["num_weights"]
    return row | {"replay_loss": report["reality_gap"]}


def try_brush(name, brush, folder):
    """A brush's row of the table, whatever happens."""
    started, row = time.perf_counter(), {"brush": name}
    folder.mkdir(exist_ok=True)
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        try:
            row |= measure(brush, folder, log)
        except RuntimeError as error:
            row["error"] = str(error)
    return row | {"seconds": round(time.perf_counter() - started)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--out", type=pathlib.Path, default="all_brushes")
    parser.add_argument("--cluster")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    out.mkdir(exist_ok=True)
    path, done = out / "brushes.csv", set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            done = {row["brush"] for row in csv.DictReader(file)}
    jobs = [
        (brush["name"], brush["brush"], out / brush["name"].replace("/", "_"))
        for brush in list_brushes(arguments.word)
        if not brush["problem"] and brush["name"] not in done
    ]
    with on_cluster(arguments.cluster):
        for row in spread(try_brush, jobs, MEMORY):
            is_new = not path.exists()
            with path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
            print(", ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
