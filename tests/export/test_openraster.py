"""What a reader of OpenRaster finds, and what MyPaint itself does."""

import colorsys
import io
import json
import math
import pathlib
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import nbpainter
from nbpainter.actions import ACTION_INDEX, COLUMNS, brush_radius
from nbpainter.engine.brush import Brush

MYPAINT = pathlib.Path("/usr/lib/mypaint/lib/document.py")
LEVELS = [6, 10, 14]
NAMES = [f"level {number} of 3" for number in (1, 2, 3)]
WIDTH, HEIGHT = 150, 90
AWAY, LAST = 20, 29  # A stroke beyond the canvas, and one over all others.


@pytest.fixture(scope="module")
def painting():
    actions = nbpainter.random_actions(sum(LEVELS), seed=1)
    actions[AWAY, COLUMNS.x + COLUMNS.y] -= 2
    actions[LAST, COLUMNS.x] = 0.2, 0.5, 0.8
    actions[LAST, COLUMNS.y] = 0.3
    actions[LAST, COLUMNS.pressure] = 1
    return nbpainter.Painting(
        actions,
        WIDTH,
        HEIGHT,
        brush=["dry_brush", "pencil"],
        generator=["generator_gan", "pencil"],
        which=np.arange(len(actions)) % 2,
        background="#336699",
        seed=5,
        figures={"levels": LEVELS},
    )


@pytest.fixture(scope="module")
def archive(painting, tmp_path_factory):
    path = tmp_path_factory.mktemp("openraster") / "painting.ora"
    painting.export(path)
    with zipfile.ZipFile(path) as archive:
        yield archive


def _layers(archive):
    """The layers, lowest first."""
    image = ElementTree.fromstring(archive.read("stack.xml"))
    assert (image.get("w"), image.get("h")) == (str(WIDTH), str(HEIGHT))
    return image.findall("stack/layer")[::-1]


def _pixels(archive, name):
    with Image.open(io.BytesIO(archive.read(name))) as image:
        return np.asarray(image) / 255


def _strokes(data):
    """Brush and shape, bool `(height, width)`, of a strokemap's strokes."""
    file, brushes = io.BytesIO(data), []

    def numbers(form):
        return struct.unpack(form, file.read(struct.calcsize(form)))

    while (kind := file.read(1)) == b"b" or kind == b"s":
        if kind == b"b":
            brush = zlib.decompress(file.read(*numbers(">I")))
            brushes.append(json.loads(brush))
            continue
        brush, length = numbers(">II")
        shape, end = np.zeros((128, 192), bool), file.tell() + length
        while file.tell() < end:
            column, row, size = numbers(">iiI")
            tile = np.frombuffer(zlib.decompress(file.read(size)), bool)
            rows = shape[64 * row : 64 * (row + 1)]
            rows[:, 64 * column : 64 * (column + 1)] = tile.reshape(64, 64)
        yield brushes[brush], shape[:HEIGHT, :WIDTH]
    assert kind + file.read() == b"}"


@pytest.mark.engine
def test_the_layers_over_each_other_are_the_replay(painting, archive):
    assert archive.testzip() is None
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", 0)
    assert archive.read("mimetype") == b"image/openraster"
    background, *layers = _layers(archive)
    canvas = _pixels(archive, background.get("src"))
    np.testing.assert_allclose(canvas, painting.blank(), atol=1e-6)
    assert [layer.get("name") for layer in layers] == NAMES
    for layer in layers:
        pixels = _pixels(archive, layer.get("src"))
        alpha = pixels[..., 3:]
        assert alpha.max() > 0.5 > alpha.min()
        canvas = canvas + alpha * (pixels[..., :3] - canvas)
    replay = painting.replay()
    np.testing.assert_allclose(canvas, replay, atol=2 / 255)
    merged = _pixels(archive, "mergedimage.png")
    np.testing.assert_allclose(merged, replay, atol=1 / 255)
    thumbnail = _pixels(archive, "Thumbnails/thumbnail.png")
    np.testing.assert_array_equal(thumbnail, merged)


@pytest.mark.engine
def test_strokemaps_hold_each_stroke_with_its_brush(painting, archive):
    layers = _layers(archive)[1:]
    maps = [archive.read(each.get("mypaint_strokemap_v2")) for each in layers]
    assert [len(list(_strokes(each))) for each in maps] == LEVELS
    strokes = [stroke for each in maps for stroke in _strokes(each)]
    pens = [Brush(brush) for brush in painting.brushes]
    for (file, _), action, k in zip(strokes, painting.actions, painting.which):
        known = pens[k].settings
        value = {key: s["base_value"] for key, s in file["settings"].items()}
        assert file["parent_brush_name"] == known["parent_brush_name"]
        assert value["hardness"] == known["settings"]["hardness"]["base_value"]
        radius = math.exp(value["radius_logarithmic"]) / known["radius_factor"]
        size = float(action[ACTION_INDEX["size"]])
        assert radius == pytest.approx(WIDTH * brush_radius(size))
        hsv = [value[f"color_{letter}"] for letter in "hsv"]
        rgb = action[COLUMNS.color]
        assert colorsys.hsv_to_rgb(*hsv) == pytest.approx(rgb, abs=1e-6)


@pytest.mark.engine
def test_a_stroke_lies_where_it_is_seen(painting, archive):
    shapes = []
    for layer in _layers(archive)[1:]:
        strokes = _strokes(archive.read(layer.get("mypaint_strokemap_v2")))
        here = [shape for _, shape in strokes]
        covered = np.any(here, axis=0)
        alpha = _pixels(archive, layer.get("src"))[..., 3]
        assert np.mean(covered[alpha > 0.3]) > 0.99
        assert not covered[alpha < 0.05].any()
        shapes += here
    assert not shapes[AWAY].any()
    along = np.arange(WIDTH // 3, 2 * WIDTH // 3)
    assert shapes[LAST][int(0.3 * WIDTH), along].mean() > 0.9


@pytest.mark.engine
@pytest.mark.parametrize("strokes", [0, 3])
def test_without_levels_there_is_one_layer(tmp_path, strokes):
    actions = nbpainter.random_actions(strokes or 1, seed=2)[:strokes]
    nbpainter.Painting(actions, 700, 20).export(tmp_path / "a.ora")
    with zipfile.ZipFile(tmp_path / "a.ora") as archive:
        stack = archive.read("stack.xml").decode()
        assert stack.count("<layer ") == 1 + bool(strokes)
        assert ("level 1 of 1" in stack) == bool(strokes)
        thumbnail = _pixels(archive, "Thumbnails/thumbnail.png")
    assert thumbnail.shape[1] == 256


_LOAD = """
import json, sys, tempfile
sys.path.insert(0, sys.argv[1])
import lib.brush, lib.document, lib.eotf

document = lib.document.Document(cache_dir=tempfile.mkdtemp())
document.load_ora(
    sys.argv[2],
    compat_handler=lambda eotf, _: lib.eotf.set_eotf(float(eotf)),
)
document.save_png(sys.argv[3])
layers = [layer for _, layer in document.layer_stack.walk()][::-1]
picked = layers[-1].get_stroke_info_at(*map(int, sys.argv[4:]))
brush = lib.brush.BrushInfo(picked.brush_string)
print(json.dumps({
    "names": [layer.name for layer in layers],
    "strokes": [len(layer.strokes) for layer in layers],
    "picked": layers[-1].strokes.index(picked),
    "brush": brush.get_string_property("parent_brush_name"),
    "frame": list(document.get_frame()),
}))
"""


@pytest.mark.engine
@pytest.mark.skipif(not MYPAINT.exists(), reason="MyPaint is not installed")
def test_mypaint_loads_the_replay_and_picks_a_stroke(
    painting, archive, tmp_path
):
    out, place = tmp_path / "out.png", int(0.3 * WIDTH)
    # Debian's MyPaint is for Debian's Python.
    result = subprocess.run(
        ["/usr/bin/python3", "-c", _LOAD, MYPAINT.parents[1]]
        + [archive.filename, out, str(WIDTH // 2), str(place)],
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin"},
        check=True,
    )
    assert json.loads(result.stdout) == {
        "names": NAMES,
        "strokes": LEVELS,
        "picked": LEVELS[-1] - 1,
        "brush": "classic/pencil",
        "frame": [0, 0, WIDTH, HEIGHT],
    }
    with Image.open(out) as image:
        pixels = np.asarray(image.convert("RGB")) / 255
    np.testing.assert_allclose(pixels, painting.replay(), atol=2 / 255)


_WITHOUT_ENGINE = """
import ctypes.util, json, sys
ctypes.util.find_library = lambda name: None
from nbpainter import cli
print([cli.main(arguments) for arguments in json.loads(sys.argv[1])])
"""


def test_without_the_engine_nothing_is_painted_or_written(tmp_path):
    strokes = tmp_path / "painting.json"
    nbpainter.Painting(nbpainter.random_actions(2), 40, 30).save(strokes)
    export = ["export", str(strokes), str(tmp_path / "a.svg"), "a.ora"]
    paint = ["paint", "photo.png", "--export", "ora"]
    paint += ["--out", str(tmp_path / "b")]
    result = subprocess.run(
        [sys.executable, "-c", _WITHOUT_ENGINE, json.dumps([export, paint])],
        capture_output=True,
        text=True,
    )
    assert result.stdout == "[2, 2]\n"
    said = [line for line in result.stderr.split("\n") if "install" in line]
    assert len(said) == 2
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [strokes]
