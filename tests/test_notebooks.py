"""Static checks of the notebooks; nbval executes them."""

import pathlib
import re
import subprocess
import sys

import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


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
    assert path.stat().st_size < 40_000
    for cell in cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_badge_opens_this_notebook(path, cells):
    assert f"/blob/main/notebooks/{path.name})" in cells[0].source


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
    """Settings come from a config; only Colab's cell depends on anything."""
    forms = [source for source in code if "@param" in source]
    assert "Config(seed=seed)" in forms[0]
    assert [source for source in code if re.search("^if ", source, re.M)] == [
        source for source in code if "google.colab" in source
    ]


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
    assert sum(lengths) <= 200


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
    installs = [source for source in code if "pip install" in source]
    assert len(installs) == 1
    assert "google.colab" in installs[0]


def test_it_checks_itself(code):
    assert any("assert " in source for source in code)
