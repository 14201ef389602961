"""Strokes as files hold them: uint8 pictures on white, of one colour each."""

import numpy as np

from nbpainter.actions import COLOR_COLUMNS


def lay_on_white(strokes):
    """Return uint8 strokes as RGB on white, whether they are RGB or RGBA.

    Args:
        strokes: uint8 array `(n, height, width, 3 or 4)`.

    Returns:
        A uint8 array `(n, height, width, 3)`.

    Example:

    >>> red = np.array([200, 0, 0, 51], "uint8").reshape(1, 1, 1, 4)
    >>> lay_on_white(red)[0, 0, 0].tolist()
    [244, 204, 204]
    """
    if strokes.shape[-1] == 3:
        return strokes
    opacity = strokes[..., 3:].astype("uint16")
    pictures = strokes[..., :3] * opacity + 255 * (255 - opacity)
    return ((pictures + 127) // 255).astype("uint8")


def color_errors(actions, strokes):
    """Say how far strokes are from having one colour, their action's.

    Looks at every fourth pixel of every fourth row.

    Args:
        actions: float array `(n, 12)`.
        strokes: uint8 array `(n, height, width, 3)`, RGB on white.

    Returns:
        Two float arrays `(n,)`: the largest error of a pixel, 0 to 255, that
        is left by the best opacity; and the darkest pixel's distance from
        white. Rounding alone leaves 1 or 2.
    """
    ink = 1 - np.nan_to_num(actions[:, COLOR_COLUMNS], posinf=1, neginf=0)
    ink = np.clip(ink, 0, 1).astype("float32")  # (n, 3)
    darkness = 255 - strokes[:, ::4, ::4].astype("float32")
    darkness = darkness.reshape(len(strokes), -1, 3)
    power = np.maximum(np.sum(ink**2, axis=-1), 1e-3)
    opacity = np.einsum("npc,nc->np", darkness, ink) / power[:, None]
    opacity = np.clip(opacity, 0, 255)
    left = np.abs(darkness - opacity[..., None] * ink[:, None])
    return left.max(axis=(1, 2)), darkness.max(axis=(1, 2))
