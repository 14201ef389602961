"""The strokes of a painting as layers, each on its own.

A canvas forgets what lies under a stroke. Layers remember: they make a
picture with a transparent ground, and a player that goes back and forth.
"""

import numpy as np

from nbpainter.actions import COLOR_COLUMNS
from nbpainter.painter.rendering import lay_in_turn

_VISIBLE = 1e-4  # Opacity; a thousand such strokes make one step of 8 bits.


def stroke_layers(actions, generator, height, width, seed=None):
    """Draw strokes one by one, each as the picture of the whole shows it.

    Args:
        actions: float32 array `(n, 12)`, relative to a square of the
            picture's longer side.
        generator: a model of `build_generator` or `load_pretrained`.
        height: int, pixels of the picture.
        width: int, pixels.
        seed: int, of one random draw. Default: calm strokes.

    Yields:
        For each stroke `top` and `left`, pixels, and its opacity there, a
        float32 array `(h, w)`, cut to what can be seen: possibly nothing.
    """
    white = np.array(actions, copy=True)
    white[:, COLOR_COLUMNS] = 1
    # White on black, the canvas is the opacity of what was laid on it.
    canvas = np.zeros((height, width, 3), "float32")
    done = 0
    nothing = 0, 0, np.zeros((0, 0), "float32")
    for finished in lay_in_turn(canvas, white, generator, seed):
        if finished > done:
            yield _cut(canvas[..., 0]) or nothing
            canvas[:] = 0
        # Strokes that lie outside are passed over in drawing.
        for _ in range(done + 1, finished):
            yield nothing
        done = finished


def _cut(opacity):
    visible = opacity > _VISIBLE
    rows = np.flatnonzero(visible.any(axis=1))
    columns = np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    cut = opacity[top : rows[-1] + 1, left : columns[-1] + 1]
    return top, left, cut.copy()


def lay_layers(layers, colors, height, width):
    """Lay layers over each other on a transparent ground.

    Args:
        layers: iterable of `stroke_layers`.
        colors: float array `(n, 3)`, RGB in `[0, 1]`.
        height: int, pixels of the picture.
        width: int, pixels.

    Returns:
        A float32 array `(height, width, 4)`, RGBA with straight alpha.

    Example:

    >>> half = np.full((1, 1), 0.5, "float32")
    >>> layers = [(0, 0, half), (0, 0, half)]
    >>> lay_layers(layers, [[1, 0, 0], [0, 0, 1]], 1, 1)[0, 0].round(2)
    array([0.33, 0.  , 0.67, 0.75], dtype=float32)
    """
    picture = np.zeros((height, width, 4), "float32")  # Premultiplied.
    for (top, left, opacity), color in zip(layers, colors):
        rows, columns = opacity.shape
        block = picture[top : top + rows, left : left + columns]
        paint = np.array([*color, 1], "float32")
        block += opacity[..., None] * (paint - block)
    return straight_alpha(picture)


def straight_alpha(picture):
    """Divide premultiplied RGB `(height, width, 4)` by its alpha."""
    alpha = picture[..., 3:]
    color = picture[..., :3] / np.maximum(alpha, 1e-6)
    return np.concatenate([np.clip(color, 0, 1), np.clip(alpha, 0, 1)], axis=-1)
