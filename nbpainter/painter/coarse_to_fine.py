"""Find the strokes that make a canvas match a photograph."""

import dataclasses
import os

from nbpainter.config import PaintConfig
from nbpainter.errors import DataError, check_count, check_positive
from nbpainter.images import choose_palette, load_photo
from nbpainter.painter.budget import Budget
from nbpainter.painter.choices import check_choices
from nbpainter.painter.painting import Painting
from nbpainter.painter.session import Session


def paint(
    photo,
    num_strokes=None,
    size=None,
    generator=None,
    seed=None,
    num_steps=PaintConfig.num_steps,
    learning_rate=PaintConfig.learning_rate,
    seconds=None,
    palette=None,
    background=None,
    mask=None,
    resume=None,
    verbose=1,
):
    """Paint a photograph with brush strokes.

    Ctrl-C ends it with the strokes that are there, if there are any.

    Args:
        photo: str or path of a picture file, PIL image, or array
            `(height, width, 3)` (floats in `[0, 1]`, uint8 or uint16).
        num_strokes: int, exactly so many strokes, unless `seconds` end the
            painting before. Default 400, or as many as fit into `seconds`.
        size: int, longer side of the painting in pixels. Default 512.
        generator: str or model, what draws the strokes: a name for
            `load_pretrained` or a model of `build_generator`. Default:
            `"generator_gan"`. With a noise input, strokes are found that do
            well however the brush spatters.
        seed: int >= 0, where the strokes start. The same seed gives the same
            painting. Default 0.
        num_steps: int, gradient steps for each group of strokes, and about as
            many again at finer resolutions. Default 100.
        learning_rate: float, of Adam on the actions' logits. Default 0.1.
        seconds: float, stop after about so long, with the strokes that are
            there. Default: no limit.
        palette: int, paint with so many colours, chosen to suit the
            photograph; or a list of `"#rrggbb"`. Default: any colours.
        background: str, `"#rrggbb"`. Default white.
        mask: picture like `photo`, of the same shape, or an array of
            booleans: paint only where it is white. Default: everywhere.
        resume: `Painting`, or path of its stroke file, to go on with, on the
            same photograph: its strokes stay and count. Generator, seed,
            palette and background are its own, and size by default.
        verbose: 0 or 1, whether to show a progress bar. Default 1.

    Returns:
        A `Painting`. Its `figures` hold `num_strokes`, `psnr` (decibels),
        `seconds`, `planned` (strokes) and `curve`, a list of `[strokes,
        seconds, psnr]` while it grew.

    Raises:
        DataError: for a photograph that cannot be read, or a number out of
            range.

    Example:

    >>> import numpy as np
    >>> painting = paint(np.ones((20, 30, 3)) * 0.5, num_strokes=2, size=30,
    ...                  num_steps=2, verbose=0)
    >>> painting.canvas.shape
    (20, 30, 3)
    """
    check_choices(num_strokes, size, seed, seconds, palette, background)
    num_steps = check_count("num_steps", num_steps, 1, 100_000)
    learning_rate = check_positive("learning_rate", learning_rate)
    budget = Budget(seconds)
    if resume is None:
        painting, target = _begin(
            photo, size, generator, seed, palette, background
        )
    else:
        own = {"generator": generator, "seed": seed}
        own |= {"palette": palette, "background": background}
        painting, target = _go_on(photo, resume, size, own)
    if num_strokes is not None and num_strokes < len(painting):
        raise DataError(
            f"The painting to resume has {len(painting)} strokes already. Ask "
            f"for more. Received: num_strokes={num_strokes}."
        )
    num_strokes = num_strokes and int(num_strokes)
    session = Session(painting, target, mask, num_steps, learning_rate, budget)
    with budget.watch():
        session.paint(num_strokes, verbose)
    return session.finished()


def _begin(photo, size, generator, seed, palette, background):
    """An empty painting, and the photograph at its size."""
    seed = 0 if seed is None else int(seed)
    target = load_photo(photo, PaintConfig.size if size is None else size)
    if palette is not None:
        palette = choose_palette(palette, target)
    painting = Painting(
        [],
        *target.shape[1::-1],
        generator="generator_gan" if generator is None else generator,
        seed=seed,
        background=(background or "#ffffff").lower(),
        palette=palette or [],
    )
    return painting, target


def _go_on(photo, painting, size, own):
    """A painting to go on with, and the photograph at its size."""
    if isinstance(painting, (str, os.PathLike)):
        painting = Painting.load(painting)
    target = load_photo(photo, max(painting.width, painting.height))
    if target.shape[:2] != (painting.height, painting.width):
        raise DataError(
            "The painting to resume is of another photograph: it has "
            f"{painting.width} x {painting.height} pixels, and this one "
            f"{target.shape[1]} x {target.shape[0]}."
        )
    if own["background"] is not None:
        own["background"] = own["background"].lower()
    if own["palette"] is not None:
        colors = choose_palette(own["palette"], target)
        same = set(colors) == set(painting.palette)
        own["palette"] = painting.palette if same else colors
    for name, value in own.items():
        if value is not None and value != getattr(painting, name):
            raise DataError(
                f"`{name}` is the painting's own when it is resumed: leave it "
                f"out. Received: {name}={value!r}."
            )
    if size is not None:
        target = load_photo(photo, size)
        height, width = target.shape[:2]
        painting = dataclasses.replace(painting, height=height, width=width)
    return painting, target
