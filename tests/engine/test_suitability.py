import copy
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import nbpainter
from nbpainter import cli
from nbpainter.engine import (
    brush as mypaint,
    brush_file as brush_files,
    suitability as brushes,
)
from nbpainter.errors import DataError, EngineError
from nbpainter.files import sha256
from nbpainter.models import generators, presets as weights
from nbpainter.training.metrics import measure_fvu

SHIPPED = [path.stem for path in brush_files.shipped_brushes()]


def _changed(**values):
    """The dry brush with other base values, as a brush nobody has judged."""
    settings = copy.deepcopy(brush_files.load_brush("dry_brush"))
    del settings["radius_factor"]
    for name, value in values.items():
        entry = settings["settings"].setdefault(name, {"inputs": {}})
        entry["base_value"] = value
    return settings


@pytest.fixture
def collection(tmp_path, monkeypatch):
    """A home with brushes of two groups."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".local/share/mypaint/brushes"
    for group in ("mine", "yours"):
        (folder / group).mkdir(parents=True)
        path = folder / group / "twig.myb"
        path.write_text(json.dumps(_changed()))
    (folder / "mine" / "leaf.myb").write_text(json.dumps(_changed()))
    return folder


def test_brushes_are_found_by_name_group_and_path(collection):
    leaf = collection / "mine" / "leaf.myb"
    for name in ("leaf", "mine/leaf", leaf, str(leaf)):
        assert brush_files.find_brush(name) == leaf
    with pytest.raises(EngineError, match="mine/twig, yours/twig"):
        brush_files.find_brush("twig")
    with pytest.raises(EngineError, match="no brush 'branch'"):
        brush_files.find_brush("branch")
    with pytest.raises(EngineError, match="Check the path"):
        brush_files.find_brush("nowhere/branch.myb")


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        '{"version": 2, "settings": {}}',
        '{"version": 3, "settings": {}}',
        '{"version": 3, "settings": {"opaque": {"base_value": "x"}}}',
        '{"version": 3, "settings": {}, "radius_factor": -1}',
    ],
)
def test_what_is_no_brush_is_refused(content, tmp_path):
    path = tmp_path / "brush.myb"
    path.write_text(content)
    with pytest.raises(EngineError, match="not a MyPaint brush file"):
        brush_files.load_brush(path)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"opaque": 0.0}, "next to nothing"),
        ({"eraser": 1.0}, "next to nothing"),
        ({"lock_alpha": 1.0}, "next to nothing"),
        ({"change_color_h": 0.02}, "changes its colour"),
        ({"eraser": 0.5}, "it erases"),
        ({"smudge": 0.7, "smudge_length": 0.3}, "it smudges"),
        ({"smudge": 0.2, "smudge_length": 0.9}, "it smudges"),
        ({"offset_angle": 1.0}, "beside the pen's path"),
    ],
)
def test_brushes_that_do_not_fit_are_refused(change, reason):
    settings = _changed(**change)
    if "opaque" in change:
        settings["settings"]["opaque"]["inputs"] = {}
    with pytest.raises(EngineError, match=reason) as caught:
        brushes.choose_brush(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("offset", "value"), [("offset_x", 0.7), ("offset_y", -0.7)]
)
def test_a_brush_that_draws_beside_the_path_is_refused(offset, value, tmp_path):
    settings = copy.deepcopy(brush_files.load_brush("charcoal"))
    settings["settings"][offset] = {"base_value": value, "inputs": {}}
    path = tmp_path / "beside.myb"
    path.write_text(json.dumps(settings))
    assert brushes.find_problem(settings).endswith("beside the pen's path")
    del settings["radius_factor"]
    path.write_text(json.dumps(settings))
    assert cli.main(["train", "brush", str(path), "--out", str(tmp_path)]) == 2


@pytest.mark.engine
def test_a_brush_that_fits_gets_its_width():
    assert brushes.choose_brush("dry_brush")["radius_factor"] == 1
    usual = brushes.choose_brush(_changed())["radius_factor"]
    assert 0.9 < usual < 1.1
    wide = _changed()
    points = wide["settings"]["offset_by_random"]["inputs"]["pressure"]
    points[1][1] *= 3
    factor = brushes.choose_brush(wide)["radius_factor"]
    assert factor < 0.6 * usual


@pytest.mark.engine
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_brushes_fit_and_are_as_wide_as_others(name):
    settings = brush_files.load_brush(name)
    bare = {k: v for k, v in settings.items() if k != "radius_factor"}
    factor = mypaint.measure_radius_factor(bare)
    assert factor == pytest.approx(settings["radius_factor"], rel=0.1)
    assert brushes.find_problem(settings) is None


@pytest.mark.engine
@pytest.mark.parametrize("name", ["calligraphy", "charcoal", "kabura"])
def test_strokes_look_alike_at_every_size(name):
    actions = nbpainter.random_actions(40, seed=3)
    small = nbpainter.draw_strokes(actions, brush=name)[..., 3]
    large = nbpainter.draw_strokes(actions, 256, brush=name)[..., 3]
    large = large.reshape(40, 64, 4, 64, 4).mean(axis=(2, 4))
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.97


@pytest.mark.engine
def test_episodes_of_a_brush_of_ones_own(tmp_path):
    settings = brush_files.load_brush("kabura")
    path = tmp_path / "mine.myb"
    path.write_text(json.dumps(settings))
    drawn = [
        nbpainter.draw_episodes(4, brush=brush).strokes
        for brush in ("kabura", settings, path, "dry_brush")
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[3])


def test_a_painting_keeps_its_brush(tmp_path):
    actions = nbpainter.random_actions(3)
    settings = _changed()
    for brush in ("charcoal", settings):
        painting = nbpainter.Painting(actions, 40, 30, brush=brush)
        painting.save(tmp_path / "painting.json")
        again = nbpainter.Painting.load(tmp_path / "painting.json")
        assert again.brush == brush
    content = json.loads((tmp_path / "painting.json").read_text())
    content["brush"] = {"version": 3}
    (tmp_path / "painting.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="brush"):
        nbpainter.Painting.load(tmp_path / "painting.json")


@pytest.mark.engine
def test_a_replay_uses_the_brush():
    painting = nbpainter.Painting(
        nbpainter.random_actions(3), 64, 64, generator="kabura"
    )
    assert painting.brush == "kabura"
    replay = painting.replay()
    other = painting.replay(brush="dry_brush")
    assert np.mean((replay - painting.canvas) ** 2) < 0.5 * np.mean(
        (other - painting.canvas) ** 2
    )


def test_the_manifest_has_the_figures_of_every_brush():
    """On fresh strokes: no training saw them, and nothing was tuned on them."""
    manifest = weights.read_manifest()
    entries = {n: e for n, e in manifest.items() if e.get("brush") == n}
    assert set(entries) == set(SHIPPED) - {"dry_brush"}
    assert len(entries) >= 8
    for name, entry in entries.items():
        settings = brush_files.load_brush(name)
        assert entry["radius_factor"] == settings["radius_factor"]
        figures = entry["report"]
        assert figures["seed"] != entry["config"]["seed"]
        assert figures["num_strokes"] >= 1000
        assert figures["fvu"] <= 1.5 * figures["fvu_floor"] + 0.02, name
        assert figures["reality_gap"] <= 2.0, name
        assert 0.45 < figures["two_sample"] <= 1, name


def test_the_weights_are_the_manifest_s_and_small():
    folder = weights._presets()
    files = {path.name: path for path in folder.glob("*.h5")}
    manifest = weights.read_manifest()
    assert set(files) == {f"{name}.weights.h5" for name in manifest}
    for name, entry in manifest.items():
        assert sha256(files[f"{name}.weights.h5"]) == entry["sha256"], name
    assert sum(path.stat().st_size for path in files.values()) < 2_000_000


@pytest.mark.engine
def test_training_a_brush(collection, tmp_path, monkeypatch, capsys):
    config = nbpainter.GeneratorConfig(
        num_strokes=64, num_test_strokes=16, epochs=1
    )
    path = nbpainter.train_brush(tmp_path / "out", "leaf", config, verbose=0)
    generator = nbpainter.load_pretrained(path)
    assert generator.brush["radius_factor"] == pytest.approx(1, rel=0.1)
    entry = weights.read_manifest(path.parent)["leaf"]
    assert entry["num_weights"] == generator.count_params()
    assert weights.preset_of_brush(str(path)) == str(path)


_TRAIN_BRUSH = """
import sys, nbpainter
config = nbpainter.GeneratorConfig(
    num_strokes=64, num_test_strokes=16, epochs=30
)
resume = sys.argv[2:] == ["--resume"]
nbpainter.train_brush(sys.argv[1], "kabura", config, resume, verbose=0)
"""


@pytest.mark.engine
def test_a_killed_brush_resumes_to_the_same_bits(tmp_path, kill_when):
    def train(*arguments):
        return subprocess.Popen(
            [sys.executable, "-c", _TRAIN_BRUSH, *arguments]
        )

    whole, killed = str(tmp_path / "whole"), str(tmp_path / "killed")
    checkpoint = "killed/checkpoints/brush_kabura-*-0000[3-9]*"
    kill_when(train(killed), tmp_path, checkpoint)
    assert not (tmp_path / "killed/kabura.weights.h5").exists()
    assert list(tmp_path.glob("killed/checkpoints/brush_kabura-*"))
    runs = train(whole), train(killed, "--resume")
    assert [process.wait(timeout=300) for process in runs] == [0, 0]
    one, other = (
        nbpainter.load_pretrained(f"{folder}/kabura.weights.h5").weights
        for folder in (whole, killed)
    )
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not (tmp_path / "killed/checkpoints").exists()


@pytest.mark.engine
def test_draws_of_other_dabs_than_the_brush_s_are_not_kept():
    generator = nbpainter.load_pretrained("charcoal")
    episodes = nbpainter.draw_episodes(60, "charcoal", seed=5)
    fvu = weights.read_manifest()["charcoal"]["fvu"]
    assert measure_fvu(generator, episodes, seed=0)["fvu"] < 2.5 * fvu
    other = copy.deepcopy(nbpainter.load_brush("charcoal"))
    other["settings"]["dabs_per_actual_radius"]["base_value"] *= 0.1
    generator.dabs.start_from(other)
    assert measure_fvu(generator, episodes, seed=0)["fvu"] > 2.5 * fvu


def test_a_brush_without_a_preset_is_refused():
    with pytest.raises(DataError, match=r"nbpainter train brush classic/pen"):
        weights.preset_of_brush("classic/pen")


@pytest.mark.engine
def test_the_list_of_brushes(collection, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert cli.main(["brushes", "leaf", "--out", str(out)]) == 0
    assert re.search(r"mine/leaf +fits", capsys.readouterr().out)
    assert out.stat().st_size > 1000
    assert cli.main(["brushes", "no-such", "--out", str(out)]) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "brush"], "wants a brush"),
        (["train", "gan", "charcoal"], "no other training"),
        (["train", "brush", "charcoal", "--data", "x"], "leave out --data"),
        (["train", "brush", "no-such-brush"], "There is no brush"),
        (["draw", "--strokes", "1", "--out", "x.npz", "--brush", "x.myb"], "x"),
        (["report", "--brush", "no-such-brush"], "no trained generator"),
    ],
)
def test_wrong_commands_are_one_sentence(arguments, sentence, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("elliptical_dab_ratio", {"pressure": [[0, -9], [1, 0]]}),
        ("dabs_per_second", {"pressure": [[0, -200], [1, 5]]}),
        ("slow_tracking_per_dab", {"pressure": [[0, -9], [1, 5]]}),
        ("opaque_linearize", {"pressure": [[0, -2], [1, 0]]}),
        ("opaque", {"speed1": [[0, 0], [0, 1], [0, 1]]}),
        ("radius_logarithmic", None),
    ],
)
def test_a_generator_starts_with_finite_numbers(name, curve):
    settings = copy.deepcopy(brush_files.load_brush("dry_brush"))
    settings["settings"].pop(name, None)
    if curve:
        entry = {"base_value": 1.0, "inputs": curve}
        settings["settings"][name] = entry
    brush_files.check_brush(settings, "it")
    arguments = generators.brush_arguments(settings)
    generator = generators.build_generator(**arguments)
    generator.start_from(settings)
    assert all(np.isfinite(w).all() for w in generator.get_weights())
