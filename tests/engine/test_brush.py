import copy
import json
import subprocess
import sys

import numpy as np
import pytest

import nbpainter
from nbpainter import cli
from nbpainter.actions import COLUMNS, random_actions
from nbpainter.engine import brush as mypaint, brush_file, libmypaint

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def strokes():
    return mypaint.draw_strokes(random_actions(40, seed=5))


def test_the_same_seed_gives_the_same_pixels(strokes):
    again = mypaint.draw_strokes(random_actions(40, seed=5))
    np.testing.assert_array_equal(strokes, again)


def test_another_seed_spatters_differently_about_the_same_stroke(strokes):
    other = mypaint.draw_strokes(random_actions(40, seed=5), seed=1)
    difference = np.mean((strokes - other)[..., 3] ** 2)
    # Two draws of the dataset's brush differ by 0.0059, blank scores 0.056.
    assert 0.003 < difference < 0.010
    assert np.mean(strokes[..., 3] ** 2) > 0.04


@pytest.mark.parametrize("size", [128, 256])
def test_a_stroke_is_the_same_at_every_size(strokes, size):
    large = mypaint.draw_strokes(random_actions(40, seed=5), size=size)
    step = size // 64
    shrunk = large[..., 3].reshape(40, 64, step, 64, step).mean(axis=(2, 4))
    small = strokes[..., 3]
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.995
    assert 0.95 < shrunk.sum() / small.sum() < 1.05


def test_a_stroke_has_its_actions_colour_and_place(strokes):
    actions = random_actions(40, seed=5)
    np.testing.assert_allclose(
        strokes[:, 0, 0, :3], actions[:, COLUMNS.color], atol=1e-6
    )
    curve = nbpainter.actions.curve_weights(np.linspace(0, 1, 200)).T
    radii = nbpainter.actions.brush_radius(
        actions[:, nbpainter.actions.COLUMNS.size]
    )
    pixels = (np.arange(64) + 0.5) / 64
    for action, stroke, radius in zip(actions, strokes, radii):
        x = action[nbpainter.actions.COLUMNS.x] @ curve
        y = action[nbpainter.actions.COLUMNS.y] @ curve
        distance = np.hypot(
            pixels[None, :, None] - x, pixels[:, None, None] - y
        ).min(axis=-1)
        opacity = stroke[..., 3]
        near = opacity[distance < 4.5 * radius + 1 / 64].sum()
        assert near > 0.99 * opacity.sum()
        assert opacity[distance < radius].mean() > 0.2 * opacity.max()


def test_drawing_on_a_painted_surface_is_compositing():
    actions = random_actions(6, seed=2)
    surface, brush = libmypaint.Surface(64, 64), mypaint.Brush(seed=3)
    for action in actions:
        brush.draw(surface, action)
    drawn = surface.pixels()
    strokes = mypaint.draw_strokes(actions, seed=3)
    canvas = np.ones((64, 64, 3), "float32")
    canvas = nbpainter.composite(
        canvas, strokes[:, 0, 0, :3], strokes[..., 3]
    ).numpy()
    on_white = drawn[..., :3] + 1 - drawn[..., 3:]
    np.testing.assert_allclose(on_white, canvas, atol=0.01)


def test_a_canvas_may_have_any_shape():
    surface, brush = libmypaint.Surface(10, 300), mypaint.Brush()
    brush.draw(surface, np.full(12, 0.5), side=300)
    assert surface.pixels().shape == (10, 300, 4)


def test_an_unknown_brush_is_named(tmp_path):
    with pytest.raises(nbpainter.EngineError, match="nosuch"):
        mypaint.Brush("nosuch")
    path = tmp_path / "broken.myb"
    for content in (
        "{}",
        '{"version": 3, "settings": {"opaque": 1}}',
        '{"version": 3, "settings": {"opaque": {"base_value": 1, "inputs": '
        '{"speed1": [1, 2]}}}}',
    ):
        path.write_text(content)
        with pytest.raises(nbpainter.EngineError, match="broken"):
            mypaint.Brush(path)


@pytest.mark.parametrize("size", [0, -1, 2.5, 10**6])
def test_bad_sizes_are_named(size):
    with pytest.raises(nbpainter.DataError, match="size"):
        mypaint.draw_strokes(random_actions(1), size=size)


def test_without_the_library_one_sentence_says_how_to_get_it():
    # A machine without libmypaint: the search finds nothing.
    program = (
        "import ctypes.util; ctypes.util.find_library = lambda name: None; "
        "import sys; from nbpainter.cli import main; "
        "sys.exit(main(['draw', '--strokes', '3', '--out', 'x.npz']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "install" in result.stderr
    assert "Traceback" not in result.stderr


def _hostile(name, base_value=None, **inputs):
    """The dry brush, its width unknown, with one setting of a stranger's."""
    settings = copy.deepcopy(brush_file.load_brush("dry_brush"))
    del settings["radius_factor"]
    entry = settings["settings"].setdefault(name, {"inputs": {}})
    entry["base_value"] = entry.get("base_value", 0.0)
    if base_value is not None:
        entry["base_value"] = base_value
    entry["inputs"] |= inputs
    return settings


# Each of them aborts libmypaint, hangs it or takes all memory; or Python
# stumbles over it.
HOSTILE = {
    "one point": _hostile("opaque", pressure=[[0.5, 1]]),
    "x that falls": _hostile("opaque", pressure=[[0.5, 1], [0.2, 0]]),
    "65 points": _hostile("opaque", pressure=[[n, 0] for n in range(65)]),
    "NaN in a curve": _hostile("opaque", pressure=[[0, 0], [1, float("nan")]]),
    "no pair": _hostile("opaque", pressure=[[0, 0, 0], [1, 1, 1]]),
    "a gain": _hostile("pressure_gain_log", 100),
    "many dabs": _hostile("dabs_per_second", 1e9),
    "many dabs by a curve": _hostile("dabs_per_second", 0, random=[[0, 1e9]]),
    "many dabs, pressed": _hostile(
        "dabs_per_second", 0.0, pressure=[[0, 0], [1, 1e9]]
    ),
    "NaN aside": _hostile("offset_by_random", float("nan")),
    "infinite": _hostile("offset_by_random", float("inf")),
    "speed": _hostile("speed2_gamma", 1000),
    "a huge integer": _hostile("opaque", 10**400),
    "text": _hostile("opaque", "1"),
    "true": _hostile("opaque", True),
    "a factor of text": _hostile("opaque") | {"radius_factor": "0.5"},
    "a factor of NaN": _hostile("opaque") | {"radius_factor": float("nan")},
    "a tiny factor": _hostile("opaque") | {"radius_factor": 1e-300},
    "no dict": [],
    "deep": {"version": 3, "settings": {"opaque": {"inputs": {}}}},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_brush_is_refused(kind, tmp_path, capsys):
    path = tmp_path / "hostile.myb"
    path.write_text(json.dumps(HOSTILE[kind]))
    arguments = ["draw", "--strokes", "2", "--brush", str(path)]
    assert cli.main([*arguments, "--out", str(tmp_path / "out.npz")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"nbpainter: {path} is not a MyPaint brush file")
    assert "\n" not in error


def test_a_hostile_brush_in_a_painting_is_refused(tmp_path):
    path = tmp_path / "painting.json"
    nbpainter.Painting([], 8, 8).save(path)
    content = json.loads(path.read_text())
    content["brush"] = HOSTILE["one point"]
    path.write_text(json.dumps(content))
    with pytest.raises(nbpainter.DataError, match="opaque"):
        nbpainter.Painting.load(path)


def test_what_kills_or_stops_libmypaint_does_so_in_a_process_of_its_own():
    """All numbers are within their limits, and a stroke takes minutes."""
    slow = _hostile("dabs_per_actual_radius", 200, random=[[0, 200], [1, 200]])
    dabs = slow["settings"]["dabs_per_actual_radius"]
    slow["settings"]["dabs_per_basic_radius"] = dabs
    slow["settings"]["hardness"]["base_value"] = 1
    with pytest.raises(nbpainter.EngineError, match="does not survive") as err:
        mypaint.Brush(slow | {"radius_factor": 100})
    assert "\n" not in str(err.value)


def test_only_a_strange_brush_is_tried(monkeypatch):
    monkeypatch.setattr(mypaint, "_TRIAL", "import sys; sys.exit('tried')")
    for path in brush_file.shipped_brushes():
        mypaint.Brush(path)
    strange = _hostile("opaque", 0.123)
    with pytest.raises(nbpainter.EngineError, match="tried"):
        mypaint.Brush(strange)
