"""Execute the lessons at full settings; compare values with their text.

    python tests/benchmarks/bench_lessons.py --seeds 0 1 2 --out lessons

About half an hour for each seed. A lesson's tables "For comparison" have rows
| `name` | what it is | low to high |, and its cells print "name: value".
Prints each value with its range and leaves the executed notebooks, their
figures as PNG files and `values.json` in the folder. Ends with 1 if a value is
missing or out of its range. Needs the extra `html`, which can execute
notebooks.
"""

import argparse
import base64
import json
import pathlib
import re
import sys
import time

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "notebooks"
LESSONS = ("generator", "discriminator", "gan", "paint_image")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_ROW = re.compile(
    rf"^\| `([^`\n]+)` \|[^|\n]*\| ({_NUMBER}) to ({_NUMBER})[^|\n]*\|$", re.M
)
_PRINTED = re.compile(rf"^([^:\n]+): ({_NUMBER})", re.M)


def read_ranges(notebook):
    """The values of a lesson's tables: a dict from names to (low, high)."""
    return {
        name.replace(r"\|", "|"): (float(low), float(high))
        for cell in notebook.cells
        if cell.cell_type == "markdown" and "For comparison" in cell.source
        for name, low, high in _ROW.findall(cell.source)
    }


def execute(lesson, seed, folder):
    """Run a lesson in a folder; return its notebook and the minutes."""
    notebook = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)
    changed = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, found = re.subn(
                r"(?m)^seed = 0(?=  # @param)",
                f"seed = {seed}",
                cell.source,
            )
            changed += found
    assert changed == 1, f"{lesson}: {changed} cells set the seed"
    started = time.perf_counter()
    try:
        ExecutePreprocessor(timeout=3600).preprocess(
            notebook, {"metadata": {"path": str(folder)}}
        )
    finally:
        keep(notebook, folder / f"{lesson}.ipynb")
    return notebook, (time.perf_counter() - started) / 60


def keep(notebook, path):
    """Write an executed notebook, and its figures beside it."""
    nbformat.write(notebook, path)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = base64.b64decode(output.data["image/png"])
                figure = path.with_name(f"{path.stem}_{number:02d}.png")
                figure.write_bytes(picture)


def printed_values(notebook):
    """What the cells of an executed notebook print as `name: value`."""
    text = "\n".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stdout"
    )
    return {name: float(value) for name, value in _PRINTED.findall(text)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", default=LESSONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=pathlib.Path, default="lessons")
    arguments = parser.parse_args()
    values, wrong = {}, []
    for seed in arguments.seeds:
        folder = arguments.out / f"seed_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for lesson in arguments.lessons:
            notebook, minutes = execute(lesson, seed, folder)
            found, ranges = printed_values(notebook), read_ranges(notebook)
            values.setdefault(lesson, {})[seed] = {"minutes": minutes, **found}
            print(f"\n{lesson}, seed {seed}: {minutes:.1f} minutes")
            for name, (low, high) in ranges.items():
                value = found.get(name)
                is_right = value is not None and low <= value <= high
                note = "" if is_right else "   <- not in the range"
                print(f"  {name:32}{value!s:>10}   {low:g} to {high:g}{note}")
                if not is_right:
                    wrong.append(f"{lesson} {seed} {name}")
            sys.stdout.flush()
            text = json.dumps(values, indent=2) + "\n"
            (arguments.out / "values.json").write_text(text, "utf-8")
    print("\nall in range" if not wrong else f"\nout of range: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
