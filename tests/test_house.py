"""The house stands as it was drawn: levels, names, docstrings, README."""

import ast
import doctest
import graphlib
import importlib
import inspect
import json
import pathlib
import re
import subprocess
import sys

import pytest

import nbpainter
import nbpainter.cli

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "nbpainter"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ["engine", "data", "models", "painter", "training", "export", "cli"]


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(path):
    """Modules of ours that a file imports when it is loaded."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                known = name in map(_name, MODULES)
                yield name if known else node.module


def _level(name):
    room = name.split(".")[1]
    return ROOMS.index(room) + 1 if room in ROOMS else 0


def test_imports_run_one_way_between_rooms_and_in_no_circle_inside_one():
    graph = {
        _name(p): set(_imports(p))
        for p in MODULES
        if p.parent != PACKAGE or p.stem != "__init__"
    }
    graph = {
        name: {i for i in found if i in graph} for name, found in graph.items()
    }
    for name, found in graph.items():
        for imported in found:
            assert _level(imported) <= _level(name), (name, imported)
    list(graphlib.TopologicalSorter(graph).static_order())  # Or CycleError.


# What a lesson asks for by name when it measures, trains on or paints.
ON_DEMAND = {
    *("StepHistory", "StopAfter", "StopOnNonFinite"),
    *("measure_fvu", "measure_texture"),
    *("train_brush", "judge_generator", "paint"),
}
WALLS = {
    "generator": {"painter", "training", "export"},
    "discriminator": {"painter", "training", "export"},
    "gan": {"painter", "training", "export"},
    "paint_image": {"training", "export"},
}


@pytest.mark.parametrize("lesson", WALLS)
def test_a_lesson_loads_no_room_behind_its_wall(lesson):
    """Its imports, and all names that it uses but those of `ON_DEMAND`."""
    path = ROOT / "notebooks" / f"{lesson}.ipynb"
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = "\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
    )
    imports = re.findall(r"^(?:from|import) nbpainter.*", code, re.M)
    names = set(re.findall(r"\bnbpainter\.(\w+)", code))
    lines = [*imports, *(f"nbpainter.{name}" for name in names - ON_DEMAND)]
    if lesson == "paint_image":
        lines += ["nbpainter.paint", "nbpainter.Painting([], 8, 8)"]
    lines.append("import sys; print(*sys.modules)")
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    rooms = {n.split(".")[1] for n in found if n.startswith("nbpainter.")}
    assert rooms >= {"models", "data"}
    assert not rooms & WALLS[lesson]


def test_a_painting_loads_no_network_when_it_is_made():
    code = (
        "import nbpainter; nbpainter.Painting([], 8, 8, generator='charcoal');"
        "from nbpainter.models import generators, presets;"
        "print(presets._load_once.cache_info().currsize)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["0"]


def test_only_config_reads_the_environment():
    for path in MODULES:
        if path.stem != "config":
            assert "environ.get" not in path.read_text("utf-8"), path
            assert "environ[" not in path.read_text("utf-8"), path


def test_only_figures_use_matplotlib():
    for path in MODULES:
        if path.stem not in ("plotting", "sheets"):
            assert "import matplotlib" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("name", nbpainter.__all__)
def test_public_names_are_documented(name):
    thing = getattr(nbpainter, name)
    if isinstance(thing, (tuple, dict)):
        return
    assert inspect.getdoc(thing), name
    if inspect.isfunction(thing) and inspect.signature(thing).parameters:
        assert "Args:" in thing.__doc__
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            if inspect.isfunction(value) and not member.startswith("_"):
                assert inspect.getdoc(getattr(thing, member)), member


@pytest.mark.parametrize("name", list(map(_name, MODULES)))
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_readme_names_what_exists():
    text = (ROOT / "README.md").read_text("utf-8")
    for link in re.findall(r"\]\((?!http|#)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    for picture in re.findall(r'src="(?!http)([^"]+)"', text):
        assert (ROOT / picture).exists(), picture
    assert "make paint" in text
    assert "make test" in text


def _readme_code(language=""):
    text = (ROOT / "README.md").read_text("utf-8")
    fences = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    return [code for name, code in fences if name == language]


def test_the_readme_commands_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [
        line.split("#")[0].split()
        for code in _readme_code()
        for line in code.splitlines()
    ]
    assert ["make", "test"] in commands
    for program, *arguments in commands:
        if program == "make":
            assert re.search(f"^{arguments[0]}:", makefile, re.M), arguments
        elif program == "nbpainter":
            nbpainter.cli.build_parser().parse_args(arguments)
        else:
            pytest.fail(f"Say how {program} is tested.")


def test_the_readme_python_names_exist():
    code = "\n".join(_readme_code("python"))
    owners = {"nbpainter": nbpainter, "painting": nbpainter.Painting}
    checked = 0
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = owners.get(node.value.id)
            assert owner is None or hasattr(owner, node.attr), node.attr
        if isinstance(node, ast.Call) and node.keywords:
            owner = owners[node.func.value.id]
            known = inspect.signature(getattr(owner, node.func.attr)).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(known)
            checked += 1
    assert checked >= 3


def test_the_manifest_says_what_the_readme_says():
    text = (ROOT / "README.md").read_text("utf-8")
    entry = nbpainter.read_manifest()["generator_pretrained"]
    assert f"{entry['fvu']:.3f}" in text
    assert str(entry["num_weights"]) in text


def test_the_table_of_brushes_says_what_the_manifest_says():
    text = (ROOT / "README.md").read_text("utf-8")
    manifest = nbpainter.read_manifest()
    path = ROOT / "models" / "report_generator_gan.json"
    figures = json.loads(path.read_text("utf-8"))
    num_weights = manifest["generator_gan"]["num_weights"]
    brushes = {"dry_brush": (num_weights, figures)} | {
        name: (entry["num_weights"], entry["report"])
        for name, entry in manifest.items()
        if entry.get("brush") == name
    }
    assert len(brushes) >= 9
    for name, (num_weights, figures) in brushes.items():
        told_apart = f"{figures['two_sample']:.1%}".replace("%", " %")
        cells = [name.replace("_", " "), str(num_weights)]
        cells += [f"{figures[key]:.3f}" for key in ("fvu", "fvu_floor")]
        cells += [f"{figures['texture']:.2f}", told_apart]
        cells += [f"{figures['reality_gap']:.2f} dB"]
        assert f"| {' | '.join(cells)} |" in text, name


def test_the_report_cards_say_what_the_readme_says():
    text = (ROOT / "README.md").read_text("utf-8")
    for name in ("generator_pretrained", "generator_gan"):
        path = ROOT / "models" / f"report_{name}.json"
        figures = json.loads(path.read_text("utf-8"))
        assert f"{figures['fvu']:.3f}" in text
        assert f"{figures['two_sample']:.1%}".replace("%", " %") in text
        texture = figures["texture_by_size"]
        assert ", ".join(f"{value:.3f}" for value in texture) in text
    assert f"{figures['spread']:.5f}" in text
    assert f"{figures['engine_spread']:.5f}" in text
    assert figures["two_sample"] < 0.65
    assert all(0.85 < value < 1.15 for value in texture)
    assert abs(figures["spread"] / figures["engine_spread"] - 1) < 0.2
    assert figures["fvu"] < 0.085
