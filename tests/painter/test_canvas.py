import numpy as np

import nbpainter


def _strokes(seed, *shape):
    random = np.random.default_rng(seed)
    colors = random.random((*shape, 3)).astype("float32")
    opacities = random.random((*shape, 5, 7)).astype("float32")
    return colors, opacities


def _one_by_one(canvas, colors, opacities):
    for color, opacity in zip(colors, opacities):
        opacity = opacity[..., None]
        canvas = (1 - opacity) * canvas + opacity * color
    return canvas


def test_all_at_once_is_one_by_one():
    canvas = np.random.default_rng(9).random((5, 7, 3)).astype("float32")
    colors, opacities = _strokes(0, 12)
    at_once = nbpainter.composite(canvas, colors, opacities)
    expected = _one_by_one(canvas, colors, opacities)
    np.testing.assert_allclose(at_once, expected, atol=1e-6)


def test_opacity_0_leaves_the_canvas_as_it_is():
    canvas = np.full((5, 7, 3), 0.25, "float32")
    colors, opacities = _strokes(1, 4)
    painted = nbpainter.composite(canvas, colors, 0 * opacities)
    np.testing.assert_array_equal(painted, canvas)


def test_the_last_opaque_stroke_wins():
    colors, opacities = _strokes(2, 4)
    opacities[2] = 1
    opacities[3] = 0
    painted = nbpainter.composite(np.zeros((5, 7, 3)), colors, opacities)
    expected = np.broadcast_to(colors[2], (5, 7, 3))
    np.testing.assert_allclose(painted, expected, atol=1e-6)


def test_canvases_of_a_batch_do_not_influence_each_other():
    canvas = np.ones((3, 5, 7, 3), "float32")
    colors, opacities = _strokes(3, 3, 4)
    together = nbpainter.composite(canvas, colors, opacities)
    alone = nbpainter.composite(canvas[1], colors[1], opacities[1])
    np.testing.assert_allclose(together[1], alone, atol=1e-6)


def test_a_crowd_of_opaque_strokes_has_finite_gradients():
    import tensorflow as tf

    colors, opacities = _strokes(4, 60)
    opacities = tf.Variable(np.ones_like(opacities))
    with tf.GradientTape() as tape:
        canvas = nbpainter.composite(np.ones((5, 7, 3)), colors, opacities)
        loss = tf.reduce_sum(canvas)
    assert np.isfinite(tape.gradient(loss, opacities).numpy()).all()
