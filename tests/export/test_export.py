import dataclasses
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

import nbpainter
from nbpainter import cli, export as exports
from nbpainter.actions import ACTION_INDEX, COLUMNS
from nbpainter.engine import libmypaint
from nbpainter.errors import DataError
from nbpainter.export import sheets, svg
from nbpainter.painter import canvas

HOSTILE = '<script>alert(1)</script>"&$x$__CONTENT__$CONTENT'


@pytest.fixture(scope="module")
def painting():
    actions = nbpainter.random_actions(24, seed=1)
    return nbpainter.Painting(
        actions, width=120, height=90, seed=5, background="#336699"
    )


def _paths(path):
    root = ElementTree.parse(path).getroot()
    return root, root.findall(".//{http://www.w3.org/2000/svg}path")


def test_svg_has_a_path_for_each_stroke(painting, tmp_path):
    painting.export(tmp_path / "painting.svg")
    root, paths = _paths(tmp_path / "painting.svg")
    assert root.get("viewBox") == "0 0 120 90"
    assert [path.get("id") for path in paths] == [
        f"stroke-{number}" for number in range(1, 25)
    ]
    for path, action in zip(paths, painting.actions):
        red = int(path.get("stroke")[1:3], 16) / 255
        assert red == pytest.approx(action[ACTION_INDEX["red"]], abs=1e-6)
        assert 0 < float(path.get("stroke-opacity")) < 1


def _stroke(start_pressure, end_pressure, away=0):
    action = np.full((1, 12), 0.5)
    action[0, nbpainter.actions.COLUMNS.x] = np.add([0.2, 0.5, 0.8], away)
    action[0, nbpainter.actions.COLUMNS.y] = [0.2, 0.7, 0.2]
    action[0, ACTION_INDEX["start_pressure"]] = start_pressure
    action[0, ACTION_INDEX["end_pressure"]] = end_pressure
    return nbpainter.Painting(action, 64, 64)


def test_the_path_passes_through_the_control_point():
    points, widths, opacities = svg.fit_paths(_stroke(0.9, 0.9))
    middle = (points[0, 0] + 2 * points[0, 1] + points[0, 2]) / 4
    np.testing.assert_allclose(middle, [0.5, 0.7], atol=0.05)
    assert 0.5 < opacities.item() < 1
    _, thinner, fainter = svg.fit_paths(_stroke(0.2, 0.2))
    assert thinner < 0.7 * widths
    assert fainter < opacities


def test_an_end_without_pressure_is_left_out():
    faint, full = svg.fit_paths(_stroke(0, 1))[0][0, [0, 2]]
    assert np.hypot(*(faint - [0.2, 0.2])) > np.hypot(*(full - [0.8, 0.2]))


def test_the_path_of_a_stroke_outside_is_not_seen():
    _, widths, opacities = svg.fit_paths(_stroke(1, 1, away=2))
    assert widths.item() > 0 == opacities.item()


def test_a_stroke_outside_whose_edge_is_seen_has_a_path():
    action = np.full(12, 0.5)
    action[nbpainter.actions.COLUMNS.x] = 2.0
    edge = np.full((4, 2), 0.5)
    _, width, opacity = svg.fit_path(action, 0, 98, edge, 100)
    assert width > 1.9
    assert opacity == pytest.approx(0.5)


def test_a_path_is_as_wide_as_the_paint():
    # Half opacity, 20 of 100 pixels wide, with round ends.
    action = np.full((1, 12), 0.5)
    action[0, nbpainter.actions.COLUMNS.x] = [0.2, 0.5, 0.8]
    y, x = np.indices((20, 80)) + 0.5
    bar = np.where(np.hypot(x - np.clip(x, 10, 70), y - 10) < 10, 0.5, 0)
    points, width, opacity = svg.fit_path(action[0], 40, 10, bar, 100)
    np.testing.assert_allclose(
        points, [[0.2, 0.5], [0.5, 0.5], [0.8, 0.5]], atol=0.06
    )
    assert width == pytest.approx(0.2, abs=0.03)
    assert opacity == pytest.approx(0.5, abs=0.05)


def test_a_transparent_picture_over_the_ground_is_the_canvas(painting):
    picture = painting.render(transparent=True)
    assert picture.shape == (90, 120, 4)
    alpha = picture[..., 3:]
    over = picture[..., :3] * alpha + painting.blank() * (1 - alpha)
    np.testing.assert_allclose(over, painting.canvas, atol=0.5 / 255)
    assert alpha.min() < 0.01
    assert alpha.max() > 0.9


@pytest.mark.engine
def test_a_transparent_replay_over_the_ground_is_the_replay(painting):
    picture = painting.replay(transparent=True)
    alpha = picture[..., 3:]
    over = picture[..., :3] * alpha + painting.blank() * (1 - alpha)
    np.testing.assert_allclose(over, painting.replay(), atol=0.5 / 255)


def test_a_transparent_png_keeps_straight_colours(painting, tmp_path):
    path = tmp_path / "cutout.png"
    painting.save_image(path, transparent=True)
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        ground = Image.new("RGBA", image.size, painting.background)
        over = Image.alpha_composite(ground, image).convert("RGB")
    expected = np.asarray(nbpainter.images.to_image(painting.canvas), int)
    assert np.abs(np.asarray(over, int) - expected).max() <= 2
    with pytest.raises(DataError, match=r"\.png"):
        painting.save_image(tmp_path / "cutout.jpg", transparent=True)


def test_layers_keep_strokes_that_lie_outside(generator):
    actions = nbpainter.random_actions(4, seed=3)
    outside = nbpainter.actions.COLUMNS.x
    actions[np.ix_([0, 2], outside)] = 3.0
    layers = list(canvas.stroke_layers(actions, generator, 64, 64))
    assert [opacity.size > 0 for _, _, opacity in layers] == [
        *(False, True, False, True)
    ]
    empty = canvas.stroke_layers(actions[:0], generator, 64, 64)
    assert list(empty) == []


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_no_name_can_write_into_the_page(painting, tmp_path, suffix):
    name = HOSTILE.replace("/", "_")
    path = tmp_path / f"{name}{suffix}"
    dataclasses.replace(painting, brush=HOSTILE).export(path)
    text = path.read_text("utf-8")
    assert "<script>alert" not in text
    if suffix == ".svg":
        root, _ = _paths(path)
        assert root[0].text == name
    # The page asks no network for anything.
    assert not re.findall(r'(?:src|href)="(?!data:)', text)


def test_few_colours_stand_for_many():
    colors = nbpainter.random_actions(300, seed=2)[:, COLUMNS.color]
    few = sheets.few_colors(colors)
    assert 1 < len(np.unique(few, axis=0)) <= sheets.MAX_COLORS
    assert np.abs(few - colors).mean() < 0.15
    few = sheets.few_colors(np.repeat(colors[:7], 5, axis=0))
    assert len(np.unique(few, axis=0)) == 7
    np.testing.assert_allclose(
        few, np.repeat(colors[:7], 5, axis=0), atol=0.5 / 255 + 1e-6
    )


def test_steps_show_every_stroke_once(painting):
    figures = painting.steps(pages=3)
    assert len(figures) == 3
    labels = [
        int(text.get_text())
        for figure in figures
        for text in figure.axes[0].texts
    ]
    assert labels == list(range(1, 25))
    assert figures[0].get_size_inches()[0] > figures[0].get_size_inches()[1]
    with pytest.raises(DataError, match="pages"):
        painting.steps(pages=25)


def _said(figure):
    (legend,) = (axis.get_legend() for axis in figure.axes if axis.get_legend())
    return [text.get_text() for text in legend.get_texts()]


def test_a_page_of_many_strokes_has_no_numbers():
    painting = nbpainter.Painting(nbpainter.random_actions(32), 60, 40)
    for pages, numbered in ((1, 0), (2, 32)):
        figures = painting.steps(pages)
        numbers = [text for f in figures for text in f.axes[0].texts]
        assert len(numbers) == numbered


def test_sheets_show_the_colours_of_a_palette(painting):
    # More colours than are told apart without one.
    actions = nbpainter.random_actions(30, seed=4)
    free = nbpainter.Painting(actions, 60, 40)
    colors = [nbpainter.images.to_hex(a[COLUMNS.color]) for a in actions]
    chosen = nbpainter.Painting(actions, 60, 40, palette=colors)
    (figure,) = chosen.steps(1)
    shown = [said[:7] for said in _said(figure) if said.startswith("#")]
    assert sorted(shown) == sorted(colors)
    (figure,) = free.steps(1)
    shown = [said for said in _said(figure) if said.startswith("#")]
    assert len(shown) <= sheets.MAX_COLORS


def test_the_command_writes_what_the_endings_say(painting, tmp_path, capsys):
    painting.save(tmp_path / "painting.json")
    files = [tmp_path / name for name in ("a.svg", "b.html", "c.pdf", "d.webp")]
    arguments = ["export", str(tmp_path / "painting.json"), *map(str, files)]
    assert cli.main(arguments) == 0
    starts = [path.read_bytes()[:4] for path in files]
    assert starts == [b"<svg", b"<!do", b"%PDF", b"RIFF"]


_WRITE_WITHOUT_ROOM = """
import json, os, resource, sys
from nbpainter import cli
_, limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limit))
files = sys.argv[2:]
codes = [cli.main(["export", sys.argv[1], file]) for file in files]
print(json.dumps([codes, os.listdir(".")]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits to set")
def test_a_file_without_room_is_not_written_by_half(painting, tmp_path):
    strokes = tmp_path / "painting.json"
    painting.save(strokes)
    (tmp_path / "out").mkdir()
    endings = [
        "svg",
        "plot.svg",
        "html",
        "pdf",
        "gif",
        "webp",
        "png",
        "jpg",
        "json",
    ]
    endings += ["mp4"] if shutil.which("ffmpeg") else []
    endings += ["ora"] if libmypaint.is_available() else []
    result = subprocess.run(
        [sys.executable, "-c", _WRITE_WITHOUT_ROOM, str(strokes)]
        + [f"a.{ending}" for ending in endings],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
    )
    codes, left = json.loads(result.stdout)
    assert codes == [2] * len(endings), result.stderr
    assert left == []
    said = [line for line in result.stderr.split("\n") if "nbpainter:" in line]
    assert len(said) == len(endings)
    for ending, line in zip(endings, said):
        assert f"a.{ending}" in line or ending == "mp4"
    assert "Traceback" not in result.stderr


def test_paint_exports_all_endings(tmp_path):
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    Image.new("RGB", (40, 30), "teal").save(photo)
    endings = ["svg", "plot.svg", "html", "webp", "pdf", "jpeg", ".png"]
    endings += ["mp4"] if shutil.which("ffmpeg") else []
    endings += ["ora"] if libmypaint.is_available() else []
    arguments = ["paint", str(photo), "--strokes", "2", "--size", "40"]
    arguments += ["--out", str(out), "--export", *endings]
    assert cli.main(arguments) == 0
    painting = nbpainter.Painting.load(out / "painting.json")
    assert len(_paths(out / "painting.svg")[1]) == len(painting) == 2
    for ending in ("webp", "jpeg", "png"):
        with Image.open(out / f"painting.{ending}") as image:
            assert image.size == (40, 30)
    assert (out / "painting.pdf").read_bytes()[:4] == b"%PDF"
    assert (out / "painting.html").read_bytes()[:9] == b"<!doctype"
    found = {path.name for path in out.iterdir()}
    assert {f"painting.{ending.lstrip('.')}" for ending in endings} <= found


@pytest.mark.parametrize(
    "ending", ["bmp", "a/b.svg", "art.svg", "a.plot.svg", ""]
)
def test_bad_endings_are_refused_before_painting(tmp_path, capsys, ending):
    arguments = ["paint", "photo.png", "--export", ending]
    assert cli.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "export" in error
    assert ending in error
    assert not (tmp_path / "out").exists()


def test_strokes_outside_the_picture_are_steps_too():
    actions = nbpainter.random_actions(6, seed=1)
    actions[:4, nbpainter.actions.COLUMNS.x] += 2
    painting = nbpainter.Painting(actions, 30, 20)
    frames = list(painting.frames(7))
    assert len(frames) == 7
    np.testing.assert_array_equal(frames[4], painting.blank())
    np.testing.assert_array_equal(frames[6], painting.canvas)
    assert len(painting.steps(6)) == 6


def test_without_strokes_there_are_no_steps(tmp_path):
    empty = nbpainter.Painting([], 30, 20)
    for write in (empty.steps, lambda: empty.export(tmp_path / "a.pdf")):
        with pytest.raises(DataError, match="without strokes"):
            write()
    empty.export(tmp_path / "a.html")
    empty.export(tmp_path / "a.svg")


@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        ("a.bmp", [], ".svg, .html"),
        ("a.svg", ["--transparent"], ".png"),
        ("missing/a.svg", [], "cannot be written"),
        ("missing/a.pdf", [], "cannot be written"),
    ],
)
def test_a_bad_export_is_one_sentence(tmp_path, capsys, file, options, said):
    strokes = tmp_path / "painting.json"
    nbpainter.Painting(nbpainter.random_actions(2), 40, 30).save(strokes)
    arguments = ["export", str(strokes), str(tmp_path / file), *options]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")
def test_mp4(painting, tmp_path):
    painting.save_animation(tmp_path / "a.mp4", num_frames=4)
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_mp4_without_ffmpeg_is_refused_before_painting(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="ffmpeg"):
        exports.check_export("a.mp4")
