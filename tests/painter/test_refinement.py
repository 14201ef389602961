import numpy as np
import pytest
import tensorflow as tf
from skimage import data

import nbpainter
from nbpainter.actions import COLUMNS, random_actions
from nbpainter.errors import DataError
from nbpainter.painter.canvas import composite, lay_strokes
from nbpainter.painter.optimizer import spatter_ratios, variance
from nbpainter.painter.refinement import (
    _Strokes,
    composite_patches,
    cut_patches,
    patch_gradients,
    refine,
)

GENERATOR = nbpainter.load_pretrained("generator_gan")


def small_strokes(num_strokes, seed=0):
    """Random strokes as large as those of a painting's finer levels."""
    actions = random_actions(num_strokes, seed)
    points = COLUMNS.x + COLUMNS.y
    middle = random_actions(num_strokes, seed + 1)[:, [0, 1]]
    around = np.repeat(middle, 3, axis=1)
    actions[:, points] = around + 0.25 * (actions[:, points] - 0.5)
    actions[:, COLUMNS.size] = 0.5 * actions[:, COLUMNS.size] - 0.2
    return actions


def whole_maps(opacities, patches, height, width):
    """Opacities of patches on the whole picture, `(n, height, width)`."""
    maps = np.zeros((len(opacities), height, width), "float32")
    for whole, box, opacity in zip(maps, patches.box, opacities):
        whole[box] = opacity
    return maps


def test_strokes_in_turn_are_the_mean_and_the_variance_of_a_painting():
    actions, (height, width) = small_strokes(20), (48, 64)
    strokes = _Strokes(actions, [GENERATOR] * 20, height, width, 64)
    opacities, colors, ratios = strokes.draw()
    ground = np.full((4, height, width), 0.7, "float32")
    ground[3] = 0
    canvas, beneath = composite_patches(
        ground, strokes.patches, opacities, colors, ratios
    )
    maps = whole_maps(opacities, strokes.patches, height, width)[None]
    picture = np.moveaxis(ground[:3], 0, -1)[None]
    mean = composite(picture, colors[None], maps)[0]
    np.testing.assert_allclose(np.moveaxis(canvas[:3], 0, -1), mean, atol=1e-4)
    expected = variance(picture, colors[None], maps, ratios[None, :, None])
    np.testing.assert_allclose(canvas[3], expected[0, ..., 0], atol=1e-4)
    assert canvas[3].max() > 0.005
    assert len(beneath) == 20


def test_patches_hold_what_is_drawn_on_the_whole_picture():
    actions = small_strokes(30, seed=3)
    strokes = _Strokes(actions, [GENERATOR] * 30, 96, 96, 96)
    opacities, colors, _ = strokes.draw()
    ground = np.ones((4, 96, 96), "float32")
    drawn = opacities, colors, np.zeros(30, "float32")
    canvas, _ = composite_patches(ground, strokes.patches, *drawn)
    expected = lay_strokes(np.ones((96, 96, 3), "float32"), actions, GENERATOR)
    error = np.moveaxis(canvas[:3], 0, -1) - expected
    assert np.sqrt(np.mean(error**2)) < 0.012
    np.testing.assert_allclose(strokes.actions(), actions, atol=0.01)


def test_the_gradient_is_that_of_automatic_differentiation():
    height, width = 24, 32
    actions = small_strokes(12, seed=5)
    patches = cut_patches(actions, height, width, GENERATOR.reach)
    assert any(cut[0].start > 0 or cut[1].start > 0 for cut in patches.cut)
    random = np.random.default_rng(0)
    opacities = [
        random.random([s.stop - s.start for s in box], "float32") * 0.9
        for box in patches.box
    ]
    colors = random.random((12, 3), "float32")
    ratios = 0.2 * random.random(12, "float32")
    ground = random.random((4, height, width), "float32")
    weights = random.random((4, height, width), "float32")
    inputs = (
        [tf.constant(a) for a in opacities],
        *map(tf.constant, (colors, ratios)),
    )
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        mean, spread = [tf.constant(ground[k]) for k in range(3)], ground[3]
        for k, (rows, columns) in enumerate(patches.box):
            edges = [[rows.start, height - rows.stop]]
            edges.append([columns.start, width - columns.stop])
            a = tf.pad(inputs[0][k], edges)
            differences = [inputs[1][k, c] - mean[c] for c in range(3)]
            noise = inputs[2][k] * a * (1 - a)
            squared = tf.add_n([d**2 for d in differences]) / 3
            spread = ((1 - a) ** 2 + noise) * spread + noise * squared
            mean = [m + a * d for m, d in zip(mean, differences)]
        loss = tf.reduce_sum(tf.stack([*mean, spread]) * weights)
    expected = tape.gradient(loss, inputs)
    _, beneath = composite_patches(ground, patches, opacities, colors, ratios)
    strokes = patches, opacities, colors, ratios
    by_opacity, *others = patch_gradients(weights.copy(), beneath, *strokes)
    for mine, theirs in zip(by_opacity, expected[0]):
        np.testing.assert_allclose(mine, theirs, atol=2e-4)
    for mine, theirs in zip(others, expected[1:]):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("name", ["generator_gan", "charcoal", "calligraphy"])
def test_random_strokes_find_the_photograph(name):
    generator = nbpainter.load_pretrained(name)
    photo = nbpainter.load_photo(data.coffee(), 96)
    ground, actions = np.ones_like(photo), small_strokes(60)
    moved, _ = refine(actions, generator, photo, ground, num_steps=40)
    before, after = (
        float(nbpainter.psnr(lay_strokes(ground, a, generator, 0), photo))
        for a in (actions, moved)
    )
    assert moved.shape == actions.shape
    assert after > before + 5


def test_a_painting_is_refined():
    photo = nbpainter.load_photo(data.chelsea(), 96)
    start = nbpainter.paint(photo, 80, size=96, num_steps=10, verbose=0)
    painting = start.refine(photo, num_steps=30, verbose=0)
    assert len(painting) == len(start)
    assert painting.figures["psnr"] > start.figures["psnr"] + 0.5
    with pytest.raises(DataError, match="painted from"):
        start.refine(data.astronaut(), verbose=0)
    empty = nbpainter.Painting([], 30, 20)
    assert len(empty.refine(np.ones((20, 30, 3)), verbose=0)) == 0


def test_a_perceptual_loss_is_halved_from_a_random_start():
    loss = nbpainter.PerceptualLoss(weights=None)
    photo = nbpainter.load_photo(data.astronaut(), 64)
    start = nbpainter.Painting(random_actions(40), 64, 64)
    painting = start.refine(photo, num_steps=50, loss=loss, verbose=0)
    before, after = (
        float(loss(photo[None], p.canvas[None])) for p in (start, painting)
    )
    assert after < before / 2


def test_spatter_ratios_grow_with_pressure():
    low, high = np.full((2, 1, 12), 0.5, "float32")
    high[:, COLUMNS.pressure] = 0.9
    assert spatter_ratios(high, 64.0) > spatter_ratios(low, 64.0)


def test_strokes_that_do_little_are_set_anew_where_the_error_is():
    ground = np.ones((60, 60, 3), "float32")
    photo = ground.copy()
    photo[40:46, 12:48] = [0.1, 0.2, 0.6]
    rows = small_strokes(9)
    rows[:, COLUMNS.x] = rows[:, COLUMNS.y] = 0.2
    rows[:, COLUMNS.color] = 1.0  # White on white.
    rows[0, COLUMNS.y], rows[0, COLUMNS.color] = 0.7, photo[43, 30]
    moved, _ = refine(rows, GENERATOR, photo, ground, num_steps=1)
    y = moved[:, COLUMNS.y].mean(axis=1)
    dx, dy = np.ptp(moved[:, COLUMNS.x], 1), np.ptp(moved[:, COLUMNS.y], 1)
    assert np.all((y > 0.6) & (y < 0.8))
    assert np.mean(dx[1:] > 2 * dy[1:]) > 0.7  # Along the edges.
    assert np.all(moved[:, COLUMNS.color][:, 0] < 0.5)
    nowhere = np.ones_like(photo[..., :1])
    nowhere[:, :30] = 0
    moved, _ = refine(
        rows, GENERATOR, photo, ground, num_steps=1, forbidden=nowhere
    )
    assert np.all(moved[:, COLUMNS.x].mean(axis=1) < 0.55)


def test_colors_of_a_palette_stay_in_it():
    photo = nbpainter.load_photo(data.coffee(), 64)
    palette = [np.float32([1, 0, 0]), np.float32([0.2, 0.3, 0.1])]
    rows = small_strokes(40)
    rows[:, COLUMNS.color] = palette[0]
    moved, _ = refine(
        rows,
        GENERATOR,
        photo,
        np.ones_like(photo),
        num_steps=2,
        palette=palette,
    )
    colors = np.unique(moved[:, COLUMNS.color], axis=0)
    np.testing.assert_array_equal(colors, palette[::-1])


def test_more_steps_are_better():
    photo = nbpainter.load_photo(data.coffee(), 128)
    ground, rows = np.ones_like(photo), small_strokes(200)
    rows[:, COLUMNS.size] -= 0.2
    decibels = [
        float(nbpainter.psnr(lay_strokes(ground, moved, GENERATOR, 0), photo))
        for num_steps in (30, 120)
        for moved, _ in [refine(rows, GENERATOR, photo, ground, num_steps)]
    ]
    assert decibels[1] > decibels[0] + 0.5
