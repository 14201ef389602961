"""Lay strokes on a canvas: pure, differentiable, all strokes at once."""

from keras import ops


def composite(canvas, colors, opacities):
    """Lay strokes over a canvas, first to last.

    Stroke k keeps the share `opacity_k * prod_{j>k} (1 - opacity_j)` of a
    pixel, so all strokes are laid at once: one cumulative product from the
    last stroke to the first, one weighted sum. Leading dimensions, if any,
    are canvases that do not influence each other.

    Args:
        canvas: float tensor `(..., height, width, 3)`, RGB in `[0, 1]`.
        colors: float tensor `(..., num_strokes, 3)`, RGB in `[0, 1]`.
        opacities: float tensor `(..., num_strokes, height, width)` in
            `[0, 1]`.

    Returns:
        The painted canvas, a float tensor with the shape of `canvas`.

    Reference:

    - [Porter and Duff, 1984](https://doi.org/10.1145/800031.808606), "over".
    """
    clear = ops.flip(1 - opacities, axis=-3)
    # What shines through the strokes from the last one down to each.
    through = ops.flip(ops.cumprod(clear, axis=-3), axis=-3)
    above = ops.concatenate(
        [through[..., 1:, :, :], ops.ones_like(through[..., :1, :, :])],
        axis=-3,
    )
    painted = ops.einsum("...khw,...kc->...hwc", opacities * above, colors)
    return canvas * through[..., 0, :, :, None] + painted
