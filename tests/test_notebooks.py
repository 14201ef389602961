"""Static checks of the notebooks; nbval executes them."""

import pathlib

import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_the_lessons_are_there():
    names = ["discriminator", "gan", "generator", "paint_image"]
    assert [path.stem for path in NOTEBOOKS] == names


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


def test_the_first_cell_has_a_title_and_the_minutes(cells):
    assert "\n# " in cells[0].source
    assert "minutes" in cells[0].source


def test_cells_are_short(code):
    lengths = sorted(source.count("\n") + 1 for source in code)
    assert lengths[-1] <= 25
    assert 1 <= lengths[len(lengths) // 2] <= 7
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
