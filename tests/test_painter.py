import numpy as np
import pytest
from skimage import data

import nbpainter
from nbpainter import windows
from nbpainter.errors import DataError

QUICK = {"num_steps": 20, "verbose": 0}


@pytest.mark.parametrize(
    ("height", "width"), [(64, 64), (40, 64), (64, 20), (2, 400), (1, 1)]
)
@pytest.mark.parametrize("num_strokes", [1, 7, 60, 61, 400, 5000])
def test_levels_use_exactly_the_strokes(num_strokes, height, width):
    levels = windows.plan_levels(num_strokes, height, width)
    assert sum(strokes for _, strokes in levels) == num_strokes
    cells = [cells for cells, _ in levels]
    assert cells == sorted(set(cells))


@pytest.mark.parametrize("cells", [1, 3, 6])
@pytest.mark.parametrize(("height", "width"), [(256, 256), (100, 300), (31, 9)])
def test_cores_tile_the_picture(height, width, cells):
    grid = windows.Grid(np.ones((height, width, 3), "float32"), cells)
    assert grid.columns * grid.core >= grid.width
    assert grid.rows * grid.core >= grid.height
    counts = np.ones(grid.rows * grid.columns, int)
    batches = list(grid.batches(counts))
    assert sorted(np.concatenate(batches)) == list(range(len(counts)))


def test_windows_show_photograph_and_mask():
    target = np.random.default_rng(0).random((90, 60, 3)).astype("float32")
    grid = windows.Grid(target, 3)
    batch = np.arange(grid.rows * grid.columns)
    photo, _, mask, margin = grid.windows(0 * target, batch)
    assert photo.shape[1:] == (grid.side, grid.side, 3)
    assert margin == grid.margin / grid.side
    low, high = grid.margin, grid.margin + grid.core
    inside = mask[:, low:high, low:high].sum()
    assert inside == grid.height * grid.width


@pytest.mark.parametrize("shape", [(64, 64), (48, 64), (64, 30)])
@pytest.mark.parametrize("num_strokes", [5, 80])
def test_it_paints_exactly_so_many_strokes(shape, num_strokes):
    photo = np.ones((*shape, 3)) * [0.2, 0.5, 0.3]
    painting = nbpainter.paint(photo, num_strokes, size=64, **QUICK)
    assert len(painting) == num_strokes
    assert painting.canvas.shape == (*shape, 3)
    assert painting.figures["num_strokes"] == num_strokes


def test_the_same_seed_paints_the_same_picture():
    photo = data.chelsea()[:200, :300]
    paintings = [
        nbpainter.paint(photo, 70, size=96, seed=seed, **QUICK)
        for seed in (3, 3, 4)
    ]
    first, again, other = (painting.canvas for painting in paintings)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_strokes_paint_better():
    photo = data.coffee()
    few, many = (
        nbpainter.paint(photo, count, size=128, **QUICK).figures["psnr"]
        for count in (10, 120)
    )
    assert many > few + 2


def test_no_seam_shows_along_the_borders_of_windows():
    photo = data.coffee()[:, 100:500]
    painting = nbpainter.paint(photo, 300, size=192, num_steps=40, verbose=0)
    target = nbpainter.load_photo(photo, 192)
    error = np.mean((painting.canvas - target) ** 2, axis=-1)
    cells = windows.plan_levels(300, 192, 192)[-1][0]
    near = np.arange(192) % (192 // cells)
    border = (near < 2) | (near >= 192 // cells - 2)
    at_border = np.concatenate(
        [error[border].ravel(), error[:, border].ravel()]
    )
    elsewhere = error[~border][:, ~border]
    assert at_border.mean() < 1.1 * elsewhere.mean()


@pytest.mark.parametrize("shape", [(1, 1), (20, 400)])
def test_extreme_shapes(shape):
    photo = np.full((*shape, 3), 0.3)
    painting = nbpainter.paint(photo, 20, size=100, **QUICK)
    assert len(painting) == 20
    assert np.isfinite(painting.canvas).all()


def test_numbers_of_numpy_are_numbers(tmp_path):
    one = np.int64(1)
    painting = nbpainter.paint(
        np.ones((8, 8, 3)), one, size=np.int32(8), seed=one, **QUICK
    )
    painting.save(tmp_path / "painting.json")
    assert nbpainter.Painting.load(tmp_path / "painting.json").seed == 1


def test_it_stops_in_time_with_what_is_there():
    photo = data.rocket()
    painting = nbpainter.paint(photo, 300, size=96, seconds=0.01, **QUICK)
    assert 0 < len(painting) < 300
    assert painting.figures["num_strokes"] == len(painting)


@pytest.mark.parametrize(
    "bad",
    [
        {"num_strokes": 0},
        {"num_strokes": -1},
        {"num_strokes": 10**9},
        {"num_strokes": 2.5},
        {"size": 0},
        {"size": 10**6},
        {"seed": -1},
        {"num_steps": 0},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"learning_rate": float("inf")},
        {"learning_rate": -1},
    ],
)
def test_bad_numbers_are_named(bad):
    with pytest.raises(DataError, match=next(iter(bad))):
        nbpainter.paint(np.ones((8, 8, 3)), **{"size": 8, **bad})
