"""Static checks of the notebooks; nbval executes them."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def _repository(root):
    text = (root / "pyproject.toml").read_text("utf-8")
    return re.search('^Repository = "https://github.com/(.*)"', text, re.M)[1]


def _first_cell(path):
    cells = nbformat.read(path, as_version=4).cells
    return next(cell.source for cell in cells if cell.cell_type == "code")


def test_the_lessons_are_there():
    names = ["discriminator", "gan", "generator", "paint_image"]
    assert [path.stem for path in NOTEBOOKS] == names


def test_nbval_collects_all_four():
    """A run that finds no notebook would pass as well."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    listed = subprocess.run(
        [*command, "--nbval-lax", "--nbval-current-env", str(FOLDER)],
        capture_output=True,
        text=True,
        cwd=FOLDER.parent,
    ).stdout
    found = set(re.findall(r"notebooks/(\w+)\.ipynb::", listed))
    assert found == {path.stem for path in NOTEBOOKS}, listed


def test_the_first_cell_is_the_same_in_all():
    assert len({_first_cell(path) for path in NOTEBOOKS}) == 1
    address = f'address = "https://github.com/{_repository(ROOT)}"'
    assert address in _first_cell(NOTEBOOKS[0])


# As on a machine without the package: what lies beside is not seen either.
_WITHOUT_PACKAGE = """
import os, sys
from IPython.core.interactiveshell import InteractiveShell
package = "nbpainter/__init__.py"
sys.path = [p for p in sys.path if not os.path.exists(os.path.join(p, package))]
result = InteractiveShell.instance().run_cell(sys.argv[1])
sys.exit(str(result.error_in_exec) if result.error_in_exec else 0)
"""


def test_the_first_cell_stops_with_one_sentence(tmp_path):
    # Git may not use the network, so that the address cannot be reached.
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PACKAGE, _first_cell(NOTEBOOKS[0])],
        env=os.environ | {"GIT_ALLOW_PROTOCOL": "none"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    source = f"git+https://github.com/{_repository(ROOT)}"
    assert f"it is taken from {source}" in run.stdout
    assert run.returncode == 1
    said = run.stderr.strip().splitlines()[-1]
    assert said.startswith("nbpainter could not be installed: ")


def test_the_first_cell_finds_the_package(tmp_path):
    code = "from IPython.core.interactiveshell import InteractiveShell; import"
    code += " sys; InteractiveShell.instance().run_cell(sys.argv[1])"
    run = subprocess.run(
        [sys.executable, "-c", code, _first_cell(NOTEBOOKS[0])],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (run.returncode, run.stdout) == (0, "")


def test_make_address_rewrites_badges_and_cells(tmp_path):
    names = ["Makefile", "pyproject.toml", "README.md", "docs/set_address.py"]
    names += [f"notebooks/{path.name}" for path in NOTEBOOKS]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    old = _repository(ROOT)
    command = ["make", "-s", "address", f"PYTHON={sys.executable}"]
    subprocess.run([*command, "REPO=ann/brush.es"], cwd=tmp_path, check=True)
    assert _repository(tmp_path) == "ann/brush.es"
    for name in {*names} - {"Makefile", "docs/set_address.py"}:
        text = (tmp_path / name).read_text("utf-8")
        expected = (ROOT / name).read_text("utf-8")
        assert text == expected.replace(
            f"github/{old}", "github/ann/brush.es"
        ).replace(f"github.com/{old}", "github.com/ann/brush.es")
        assert "ann/brush.es" in text, name
    refused = subprocess.run([*command, "REPO="], cwd=tmp_path, check=False)
    assert refused.returncode != 0


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return nbformat.read(path, as_version=4).cells


@pytest.fixture
def code(cells):
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_it_is_stripped_and_small(path, cells):
    assert path.stat().st_size <= 60_000
    for cell in cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_badge_opens_this_notebook(path, cells):
    place = f"github/{_repository(ROOT)}/blob/main/notebooks/{path.name})"
    assert place in cells[0].source


def test_it_opens_with_title_minutes_and_what_it_is_about(cells):
    assert "\n# " in cells[0].source
    assert "minutes" in cells[0].source
    questions = ("What goes in", "What comes out", "What is minimised")
    for question in (*questions, "How you know that it worked"):
        assert f"| {question} |" in cells[1].source
    assert "| symbol | code | shape | meaning |" in cells[1].source


def test_it_has_the_parts_of_a_lesson(cells):
    text = "\n".join(cell.source for cell in cells)
    for part in ("Look at", "by hand", "heck", "ave", "Exercises", "Summary"):
        assert re.search(f"^## .*{part}", text, re.MULTILINE), part
    assert "For comparison:" in text
    assert "**References.**" in cells[-1].source


def test_it_runs_on_any_python_kernel(path):
    metadata = nbformat.read(path, as_version=4).metadata
    assert metadata.kernelspec.name == "python3"
    assert metadata.language_info.name == "python"


def test_its_numbers_are_in_one_cell(code):
    """Settings come from a config; only the first cell asks where it is."""
    forms = [source for source in code if "@param" in source]
    assert "Config(seed=seed" in forms[0]
    conditional = [s for s in code if re.search("^if ", s, re.M)]
    assert conditional == code[:1]


def test_nothing_is_said_to_be_easy(cells):
    for cell in cells:
        if cell.cell_type == "markdown":
            words = re.findall(r"[a-z]+", cell.source.lower())
            for word in ("just", "simply", "easily", "obviously"):
                assert word not in words, cell.source


def test_cells_are_short(code):
    lengths = sorted(source.count("\n") + 1 for source in code)
    assert lengths[-1] <= 25
    assert 3 <= lengths[len(lengths) // 2] <= 7


def test_headings_are_in_sentence_case(cells):
    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        for line in cell.source.splitlines():
            if line.startswith("#"):
                words = line.lstrip("# ").split()[1:]
                allowed = {"MyPaint", "Bezier", "VGG19", "GAN"}
                assert all(w.islower() or w in allowed for w in words), line


def test_nothing_of_one_machine_is_in_it(path, code):
    text = "\n".join(code)
    for word in ("/home/", "/content/", "drive.mount", "/Users/", "SMOKE"):
        assert word not in text, word
    assert [s for s in code if "pip install" in s] == code[:1]


def test_it_checks_itself(code):
    assert any("assert " in source for source in code)


def test_one_exercise_is_graded_by_running_a_cell(cells):
    """As nbgrader has it: the value of the locked cell is its points."""
    graded = [cell for cell in cells if "nbgrader" in cell.metadata]
    answer, points = (cell.metadata.nbgrader for cell in graded)
    assert cells.index(graded[1]) == cells.index(graded[0]) + 1
    assert (answer.solution, answer.grade, answer.locked) == (
        True,
        False,
        False,
    )
    assert (points.solution, points.grade, points.locked) == (False, True, True)
    assert points.grade_id == f"{answer.grade_id}-points"
    assert "return None  # Your lines." in graded[0].source
    last = graded[1].source.splitlines()[-1]
    assert last.startswith(f"{points.points} * int(yours is not None and ")
