import numpy as np
import pytest

from nbpainter import actions
from nbpainter.errors import DataError


def test_columns_are_in_the_order_of_the_files():
    order = (
        "end_pressure size control_x control_y end_x end_y red green blue "
        "start_x start_y start_pressure"
    )
    assert " ".join(actions.ACTION_NAMES) == order
    assert actions.columns("size", "start_pressure") == [1, 11]


def test_curve_is_the_bezier_curve_with_the_handle_of_the_dataset():
    start, control, end = np.random.default_rng(0).random((3, 2))
    t = np.linspace(0, 1, 11)[:, None]
    middle = (start + end) / 2
    handle = middle + 2 * (control - middle)
    bezier = (1 - t) ** 2 * start + 2 * t * (1 - t) * handle + t**2 * end
    ours = actions.curve_weights(t[:, 0]) @ np.stack([start, control, end])
    np.testing.assert_allclose(ours, bezier, atol=1e-12)


def test_pressure_ramps_in_the_first_and_last_quarter():
    t = np.array([0.0, 0.125, 0.25, 0.5, 0.75, 0.875, 1.0])
    pressure = actions.pressure_weights(t) @ [1.0, 0.5]
    expected = 0.8 * np.array([1, 0.875, 0.75, 0.75, 0.75, 0.625, 0.5])
    np.testing.assert_allclose(pressure, expected)


def test_radius_and_size_are_inverse():
    size = np.linspace(-1, 1.5, 7)
    radius = actions.brush_radius(size)
    np.testing.assert_allclose(actions.size_of_radius(radius), size)
    assert 64 * actions.brush_radius(0.0) == pytest.approx(1)


def test_moved_actions_keep_their_places_in_the_picture():
    action = actions.random_actions(5, seed=1)
    moved = actions.move_actions(action, [0.25, 0.5], 0.5)
    x, y = actions.COLUMNS.x, actions.COLUMNS.y
    np.testing.assert_allclose(moved[:, x], 0.25 + action[:, x] / 2)
    np.testing.assert_allclose(moved[:, y], 0.5 + action[:, y] / 2)
    np.testing.assert_allclose(
        actions.brush_radius(moved[:, 1]),
        actions.brush_radius(action[:, 1]) / 2,
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (np.zeros((2, 11)), "shape"),
        (np.full((1, 12), np.nan), "finite"),
        (np.full((1, 12), 1.5), "1.5"),
    ],
)
def test_bad_actions_are_named(bad, word):
    with pytest.raises(DataError, match=word):
        actions.check_actions(bad)
