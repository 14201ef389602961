import dataclasses
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import nbpainter
from nbpainter.actions import COLUMNS, make_straight
from nbpainter.engine.brush_file import find_brush
from nbpainter.errors import DataError
from nbpainter.painter import canvas as rendering


@pytest.fixture
def painting():
    actions = nbpainter.random_actions(30, seed=1)
    return nbpainter.Painting(actions, width=120, height=90, seed=5)


def test_a_saved_painting_draws_the_same_pixels(painting, tmp_path):
    path = tmp_path / "painting.json"
    painting.save(path)
    again = nbpainter.Painting.load(path)
    np.testing.assert_array_equal(again.actions, painting.actions)
    np.testing.assert_array_equal(again.render(), painting.canvas)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_the_stroke_file_is_for_people(painting, tmp_path):
    path = tmp_path / "painting.json"
    painting.save(path)
    content = json.loads(path.read_text())
    stroke = content["strokes"][3]
    assert set(stroke) == {
        *("start", "control", "end", "radius", "pressure", "color")
    }
    action = nbpainter.random_actions(30, seed=1)[3]
    radius = nbpainter.actions.brush_radius(action[1])
    assert stroke["radius"] == pytest.approx(radius, abs=1e-6)
    assert stroke["start"] == pytest.approx(action[[9, 10]], abs=1e-6)
    red = int(stroke["color"][1:3], 16) / 255
    assert red == pytest.approx(action[6], abs=0.002)


def test_laying_strokes_is_compositing_windows(generator):
    actions = nbpainter.random_actions(12, seed=2)
    canvas = np.ones((128, 128, 3), "float32")
    laid = rendering.lay_strokes(canvas, actions, generator)
    strokes = nbpainter.render_strokes(generator, actions, size=128)
    expected = nbpainter.composite(
        canvas, strokes[:, 0, 0, :3], strokes[..., 3]
    )
    # What lies out of a stroke's reach is less than a step of 8 bits.
    np.testing.assert_allclose(laid, expected, atol=1 / 255)
    assert (canvas == 1).all()


@pytest.mark.parametrize("seed", [None, 4])
def test_wide_brushes_are_drawn_small_and_enlarged(seed):
    generator = nbpainter.load_pretrained("generator_gan")
    actions = nbpainter.random_actions(4, seed=6)
    actions[:, nbpainter.actions.COLUMNS.size] = [0.7, 0.8, 0.9, 1.0]
    canvas = np.ones((256, 256, 3), "float32")
    laid = rendering.lay_strokes(canvas, actions, generator, seed)
    strokes = nbpainter.render_strokes(generator, actions, 256, seed)
    expected = nbpainter.composite(
        canvas, strokes[:, 0, 0, :3], strokes[..., 3]
    )
    difference = np.abs(laid - expected)
    assert difference.mean() < 0.002
    assert difference.max() < 0.05


def test_a_painting_spatters_by_its_seed(painting):
    again = nbpainter.Painting(painting.actions, 120, 90, seed=5)
    np.testing.assert_array_equal(again.canvas, painting.canvas)
    other = nbpainter.Painting(painting.actions, 120, 90, seed=6)
    assert np.abs(other.canvas - painting.canvas).max() > 0.1


def test_it_can_be_drawn_at_any_size(painting):
    small, large = painting.render(), painting.render(480)
    assert large.shape == (360, 480, 3)
    shrunk = large.reshape(90, 4, 120, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 0.01


@pytest.mark.engine
def test_a_replay_at_1024_is_the_replay_at_256_magnified(painting):
    small, large = painting.replay(256), painting.replay(1024)
    assert large.shape == (768, 1024, 3)
    shrunk = large.reshape(192, 4, 256, 4, 3).mean(axis=(1, 3))
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.99


@pytest.mark.engine
def test_the_replay_looks_like_the_painting(painting):
    replay = painting.replay()
    assert replay.shape == painting.canvas.shape
    assert float(nbpainter.psnr(replay, painting.canvas)) > 18
    np.testing.assert_array_equal(replay, painting.replay())
    assert not np.array_equal(replay, painting.replay(seed=6))


@pytest.mark.engine
@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0])
def test_tiny_dabs_leave_as_much_paint_as_the_engines(radius):
    # Strokes of many thousands are drawn with radii that no training saw.
    random = np.random.default_rng(0)
    places = np.indices((14, 14)).reshape(2, -1) / 14 + 1 / 28
    angle = random.uniform(0, 2 * np.pi, 14 * 14)
    actions = np.float32(make_straight(*places, angle, 8 / 512))
    actions[:, COLUMNS.size] = np.log(radius * 64 / 512) / 2
    actions[:, COLUMNS.color] = 0
    painting = nbpainter.Painting(actions, width=512, height=512)
    calm = rendering.lay_strokes(painting.blank(), actions, painting.models())
    drawn, calm, real = (
        np.sum(1.0 - picture)
        for picture in (painting.canvas, calm, painting.replay())
    )
    assert drawn == pytest.approx(real, rel=0.03)
    assert calm == pytest.approx(real, rel=0.1)


def test_the_background_shows_where_nothing_is_painted():
    empty = nbpainter.Painting([], 20, 10, background="#336699")
    expected = np.array([0x33, 0x66, 0x99]) / 255
    np.testing.assert_allclose(empty.canvas[4, 7], expected, atol=1e-6)


def test_frames_grow_from_blank_to_finished(painting):
    frames = list(painting.frames(num_frames=6))
    assert len(frames) == 6
    assert (frames[0] == 1).all()
    np.testing.assert_array_equal(frames[-1], painting.canvas)
    half = nbpainter.Painting(painting.actions[:18], 120, 90, seed=5)
    np.testing.assert_allclose(frames[3], half.canvas, atol=1e-6)


def test_the_animation_is_written(painting, tmp_path):
    path = tmp_path / "painting.gif"
    painting.save_animation(path, num_frames=5, size=60)
    with Image.open(path) as image:
        assert image.n_frames == 5
        assert image.size == (60, 45)


def test_a_file_without_palette_is_of_any_colours(painting, tmp_path):
    path = tmp_path / "painting.json"
    painting.save(path)
    content = json.loads(path.read_text())
    del content["palette"]
    path.write_text(json.dumps(content))
    assert nbpainter.Painting.load(path).palette == []


def _changes():
    def stroke(**fields):
        return lambda content: content["strokes"][0].update(fields)

    def head(**fields):
        return lambda content: content.update(fields)

    def without(*names):
        def change(content):
            for name in names[:-1]:
                content = content[name]
            del content[names[-1]]

        return change

    yield "format", head(format="svg")
    yield "version", head(version=99)
    yield "width", head(width=0)
    yield "width", head(width="12")
    yield "height", without("height")
    yield "background", head(background="white")
    yield "seed", head(seed=-1)
    yield "strokes", head(strokes={})
    yield "strokes", without("strokes")
    yield "start", without("strokes", 0, "start")
    yield "start", stroke(start=[0.1])
    yield "end", stroke(end=[0.1, float("nan")])
    yield "control", stroke(control=[0.1, 50])
    yield "radius", stroke(radius=0)
    yield "radius", stroke(radius=True)
    yield "radius", stroke(radius=10**400)
    yield "width", head(width=10**6)
    yield "pressure", stroke(pressure=[0.5, 1.5])
    yield "color", stroke(color="#12345g")
    yield "palette", head(palette="#000000")
    yield "palette", head(palette=["black"])
    yield "palette", head(palette=[7])
    yield "color", head(palette=["#000000"])
    yield "figures", head(figures=[])
    yield "psnr", head(figures={"psnr": "high"})
    yield "planned", head(figures={"planned": 2.5})
    yield "ended", head(figures={"ended": "never"})
    yield "curve", head(figures={"curve": 5})
    yield "curve", head(figures={"curve": [[1, 2]]})
    yield "curve", head(figures={"curve": [[1, 2, "x"]]})
    yield "levels", head(figures={"levels": [-1]})
    yield "brush", head(brush=["charcoal", 7], generator=["charcoal"] * 2)
    yield "1 brushes, 1 generators", stroke(brush=1)
    yield "a generator for each", head(brush=["charcoal", "dry_brush"])
    yield "brushes", head(brush=[], generator=[])
    yield "brush", head(brush=["charcoal"] * 17, generator=["charcoal"] * 17)
    yield "stroke 1", lambda content: content["strokes"].insert(1, 7)


@pytest.mark.parametrize(("name", "change"), list(_changes()))
def test_every_bad_field_is_named(painting, tmp_path, name, change):
    path = tmp_path / "painting.json"
    painting.save(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        nbpainter.Painting.load(path)
    assert name in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_painting_of_some_strokes_is_one(painting):
    few = dataclasses.replace(painting, actions=painting.actions[:7])
    assert len(few) == len(few.which) == len(few.level) == 7
    assert len(list(few.layers())) == 7


def test_each_stroke_has_its_brush(painting, tmp_path):
    names = ["charcoal", "generator_gan"]
    which = np.arange(30) % 2
    mixed = dataclasses.replace(
        painting, generator=names, brush=None, which=which
    )
    assert mixed.brush == ["charcoal", "dry_brush"]
    mixed.save(tmp_path / "mixed.json")
    again = nbpainter.Painting.load(tmp_path / "mixed.json")
    assert again.brush == mixed.brush
    np.testing.assert_array_equal(again.which, which)
    np.testing.assert_array_equal(again.canvas, mixed.canvas)
    layers = [list(p.layers()) for p in (painting, mixed)]
    same = [
        a[:2] == b[:2] and a[2].shape == b[2].shape and np.allclose(a[2], b[2])
        for a, b in zip(*layers)
    ]
    assert same == which.astype(bool).tolist()
    content = json.loads((tmp_path / "mixed.json").read_text())
    assert [stroke["brush"] for stroke in content["strokes"]] == which.tolist()


@pytest.mark.parametrize(
    ("counts", "last"),
    [([10, 0, 20], 2), ([10, 20], 1), ([10, 10], 0), ([], 0)],
)
def test_levels_are_those_of_all_strokes_or_none(painting, counts, last):
    leveled = dataclasses.replace(painting, figures={"levels": counts})
    assert len(leveled.level) == 30
    assert leveled.level[-1] == last
    # A stranger's file may name as many as there are strokes.
    actions = np.full((60, 12), 0.5)
    many = nbpainter.Painting(actions, 9, 9, figures={"levels": [1] * 60})
    assert not many.level.any()


@pytest.mark.engine
def test_a_replay_takes_each_strokes_brush(painting):
    names = ["charcoal", "generator_gan"]
    late = dataclasses.replace(
        painting, generator=names, brush=None, which=np.arange(30) > 28
    )
    alone = dataclasses.replace(late, which=None)
    changed = np.abs(late.replay() - alone.replay()).max(axis=2) > 0.01
    (_, _, opacity) = list(late.layers())[-1]
    assert 0 < changed.mean() < 2 * np.mean(opacity > 0.01) + 0.2
    np.testing.assert_array_equal(late.replay(brush="charcoal"), alone.replay())


@pytest.mark.parametrize("content", ["", "[]", "{", "\0", "[" * 100_000])
def test_what_is_no_stroke_file_is_named(tmp_path, content):
    path = tmp_path / "painting.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"painting\.json"):
        nbpainter.Painting.load(path)


@pytest.mark.parametrize(
    ("name", "value", "received"),
    [
        ("background", "white", "white"),
        ("background", (255, 0, 0), "255"),
        ("width", None, "None"),
        ("height", 0, "0"),
        ("brush", 7, "int"),
        ("actions", np.zeros((2, 11)), "11"),
        ("which", [0, 1], "place in their list"),
        ("which", [0, 1, 0], "places for 3 of 2 strokes"),
        ("actions", np.full((2, 12), np.nan), "NaN"),
    ],
)
def test_what_no_file_could_keep_is_no_painting(name, value, received):
    fields = {"actions": np.full((2, 12), 0.5), "width": 8, "height": 8}
    with pytest.raises(nbpainter.errors.NBPainterError) as caught:
        nbpainter.Painting(**{**fields, name: value})
    assert received in str(caught.value)


def test_a_brush_by_path_is_kept_with_its_content(tmp_path):
    path = find_brush("charcoal")
    painting = nbpainter.Painting([], np.int64(8), 8, brush=path)
    painting.save(tmp_path / "painting.json")
    again = nbpainter.Painting.load(tmp_path / "painting.json")
    assert again.brush == nbpainter.load_brush("charcoal")


def test_an_animation_has_a_longest_time(painting, tmp_path):
    for ending in ("gif", "webp", "mp4"):
        with pytest.raises(DataError, match="seconds"):
            painting.save_animation(tmp_path / f"a.{ending}", seconds=1e9)


def _stroke_file(path, **changes):
    nbpainter.Painting([], 8, 8).save(path)
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(content))
    return path


STROKE = {
    "start": [0, 0],
    "control": [0, 0],
    "end": [0, 0],
    "radius": 0.1,
    "pressure": [0, 0],
    "color": "#000000",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"palette": ["#000000"] * 257},
        {"strokes": [STROKE] * 100_001},
        {"strokes": [[]] * 1_000_000},
        {"figures": {"curve": [[]] * 1_000_000}},
        {"generator": "x" * 64_000_000},
    ],
)
def test_the_limits_hold_for_files(changes, tmp_path):
    path = _stroke_file(tmp_path / "painting.json", **changes)
    started = time.process_time()
    with pytest.raises(DataError, match="no stroke file"):
        nbpainter.Painting.load(path)
    assert time.process_time() - started < 10


def test_many_colours_take_no_minutes(tmp_path):
    colors = [f"#{number:06x}" for number in range(30_000)]
    strokes = [STROKE | {"color": color} for color in colors]
    path = _stroke_file(tmp_path / "painting.json", strokes=strokes)
    started = time.process_time()
    assert len(nbpainter.Painting.load(path)) == 30_000
    assert time.process_time() - started < 10


@pytest.mark.skipif(sys.platform != "linux", reason="not known there")
def test_a_picture_that_is_too_large_takes_no_memory():
    """What is left is less than what it needs: a limit on the process."""
    code = (
        "import nbpainter, nbpainter.painter.painting as painting;"
        "painting._PIXEL_BYTES = 10**9;"
        "nbpainter.Painting([], 16384, 16384).blank()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert "MemoryError" in result.stderr


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[[1]]", "{}", "\0", "1e999"]
)
def test_what_is_no_stroke_file_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "painting.json"
    path.write_text(content)
    with pytest.raises(DataError, match="no stroke file") as caught:
        nbpainter.Painting.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_pipe_is_no_stroke_file(tmp_path):
    os.mkfifo(tmp_path / "painting.json")
    with pytest.raises(DataError, match="not a file"):
        nbpainter.Painting.load(tmp_path / "painting.json")
