import types
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

import nbpainter
from nbpainter import cli
from nbpainter.actions import COLUMNS, make_straight, random_actions
from nbpainter.export import sheets
from nbpainter.images import from_hex

vpype = pytest.importorskip("vpype")

MM = vpype.convert_length("1mm")
RESOLUTION = 8  # Pixels of a millimetre. Pillow draws finer lines too thin.


def read(path):
    """Read a plot as a plotter's program does; lengths are millimetres."""
    document = vpype.read_multilayer_svg(str(path), quantization=0.1)
    layers = [document.layers[key] for key in sorted(document.layers)]
    lines = [[line / MM for line in layer] for layer in layers]
    points = np.concatenate([line for layer in lines for line in layer])
    points = np.stack([points.real, points.imag], axis=1)
    return types.SimpleNamespace(
        page=np.array(document.page_size) / MM,
        colors=[layer.metadata["vp_color"].as_hex() for layer in layers],
        pens=[layer.metadata["vp_pen_width"] / MM for layer in layers],
        lines=lines,
        low=points.min(axis=0),
        high=points.max(axis=0),
        drawn=sum(layer.length() for layer in layers) / MM,
        travel=sum(layer.pen_up_length()[0] for layer in layers) / MM,
    )


def correlate(plot, painting):
    """Correlate the brightness of what pens draw with a painting's.

    Args:
        plot: see `read`.
        painting: a `Painting`.

    Returns:
        Two floats: at `RESOLUTION`, and at the painting's own size.
    """
    sides = tuple((RESOLUTION * plot.page).round().astype(int))
    image = Image.new("RGB", sides, "white")
    draw = ImageDraw.Draw(image)
    for color, pen, lines in zip(plot.colors, plot.pens, plot.lines):
        for line in lines:
            points = RESOLUTION * np.stack([line.real, line.imag], axis=1)
            width = round(RESOLUTION * pen)
            draw.line(points.ravel().tolist(), color, width, joint="curve")
    # The picture is in the middle, as large as the margin lets it be.
    own = np.array([painting.width, painting.height])
    drawn = own * np.min((plot.page - 0.1 * plot.page.min()) / own) * RESOLUTION
    box = [*((sides - drawn) / 2), *((sides + drawn) / 2)]
    painted = nbpainter.images.to_image(painting.canvas)
    results = []
    for size in (drawn.round().astype(int), own):
        pictures = (
            image.resize(size, Image.Resampling.BOX, box),
            painted.resize(size),
        )
        brightness = [np.ravel(picture.convert("L")) for picture in pictures]
        results.append(float(np.corrcoef(*brightness)[0, 1]))
    return results


@pytest.fixture(scope="module")
def painting():
    return nbpainter.paint(
        data.coffee(), 40, size=96, palette=6, focus="none", verbose=0
    )


def test_a_plotters_program_reads_a_plot(painting, tmp_path, caplog):
    path = tmp_path / "painting.plot.svg"
    painting.export(path)
    plot = read(path)
    assert not caplog.records
    np.testing.assert_allclose(plot.page, [297, 210], rtol=1e-4)
    assert plot.colors == sheets.light_to_dark(painting.palette)
    np.testing.assert_allclose(plot.pens, 0.5, rtol=1e-4)
    assert min(plot.low) >= 10.5 - 0.01
    assert min(plot.page - plot.high) >= 10.5 - 0.01
    assert max(plot.high - plot.low) > 270
    assert plot.travel < 0.25 * plot.drawn
    assert min(correlate(plot, painting)) > 0.6
    layers = ElementTree.parse(path).getroot().findall("{*}g")
    labels = [
        value for g in layers for key, value in g.items() if "label" in key
    ]
    assert labels == [f"{n} {c}" for n, c in enumerate(plot.colors, start=1)]


def _bar(*colors):
    """Strokes of several colours, all in one place."""
    actions = make_straight(0.5, 0.5, np.zeros(len(colors)), 0.3)
    actions[:, COLUMNS.pressure] = 1
    actions[:, COLUMNS.color] = [from_hex(color) for color in colors]
    return nbpainter.Painting(actions, 100, 60)


def test_pens_draw_as_much_as_is_painted_and_seen(tmp_path):
    path = tmp_path / "a.plot.svg"
    painting = _bar("#cc0000")
    painting.export(path)
    alone = read(path)
    ((_, _, opacity),) = painting.layers()
    millimetres = 276 / 100  # Of a pixel.
    paint = opacity.sum() * millimetres**2
    covered = 0.65 * 0.5 * alone.drawn  # Lines overlap by a third.
    assert 0.9 < covered / paint < 1.3
    # What later strokes hide is drawn less, or not at all.
    _bar("#cc0000", "#0000cc").export(path)
    both = read(path)
    assert both.colors == ["#cc0000", "#0000cc"]
    assert alone.drawn < both.drawn < 1.9 * alone.drawn
    _bar("#cc0000", *["#0000cc"] * 9).export(path)
    assert read(path).colors == ["#0000cc"]
    # Paper needs no pen.
    _bar("#cc0000", *["#ffffff"] * 9).export(path)
    assert "<polyline" not in path.read_text()


def test_lines_end_at_the_margin(tmp_path):
    actions = random_actions(40, seed=3)
    actions[:, COLUMNS.x + COLUMNS.y] = (
        2 * actions[:, COLUMNS.x + COLUMNS.y] - 0.5
    )
    nbpainter.Painting(actions, 50, 80).export(
        tmp_path / "a.plot.svg", paper="A5"
    )
    plot = read(tmp_path / "a.plot.svg")
    np.testing.assert_allclose(plot.page, [148, 210], rtol=1e-4)
    assert min(*plot.low, *(plot.page - plot.high)) >= 7.4 - 0.01
    assert 1 < len(plot.colors) <= 2 * sheets.MAX_COLORS


def test_a_painting_without_paint_has_no_lines(tmp_path):
    dots = random_actions(3, seed=1)
    dots[:, COLUMNS.x + COLUMNS.y] = 0.5
    for actions in (dots, []):
        nbpainter.Painting(actions, 9, 9).export(tmp_path / "a.plot.svg")
        assert "<polyline" not in (tmp_path / "a.plot.svg").read_text()


def test_the_command_takes_paper_and_pen(tmp_path):
    strokes = tmp_path / "painting.json"
    _bar("#cc0000").save(strokes)
    files = [str(tmp_path / name) for name in ("a.svg", "B.Plot.SVG")]
    options = ["--paper", "100.5x300", "--pen", "2"]
    assert cli.main(["export", str(strokes), *files, *options]) == 0
    plot = read(files[1])
    np.testing.assert_allclose(plot.page, [300, 100.5], rtol=1e-4)
    np.testing.assert_allclose(plot.pens, 2, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        *(["--paper", paper] for paper in ("A9", "10x300", "1x2x3", "300")),
        *(["--pen", pen] for pen in ("0", "-1", "0.05", "20", "nan")),
    ],
)
def test_a_bad_paper_or_pen_is_one_sentence(tmp_path, capsys, options):
    _bar("#cc0000").save(tmp_path / "painting.json")
    path = tmp_path / "a.plot.svg"
    arguments = ["export", str(tmp_path / "painting.json"), str(path)]
    assert cli.main([*arguments, *options]) == 2
    error = capsys.readouterr().err.strip()
    assert f"`{options[0][2:]}`" in error
    assert "\n" not in error
    assert not path.exists()
