"""A painting is a list of strokes: draw it at any size, keep it, replay it."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from nbpainter.actions import (
    ACTION_INDEX,
    COLOR_COLUMNS,
    PRESSURE_COLUMNS,
    WINDOW_SIZE,
    X_COLUMNS,
    Y_COLUMNS,
    brush_radius,
    check_actions,
    curve_weights,
    move_actions,
)
from nbpainter.checks import check_count, check_size
from nbpainter.errors import DataError
from nbpainter.libmypaint import Surface
from nbpainter.mypaint import Brush
from nbpainter.pictures import save_animation, save_picture
from nbpainter.stroke_file import (
    HEAD,
    as_in_file,
    color_of,
    read_strokes,
    write_strokes,
)
from nbpainter.weights import load_pretrained

_BLOCK = 64
_BATCH = 64
# Radii from the curve to where the last visible paint lies: less than half a
# step of 8 bits is measured beyond 1.2 radii at no pressure, 4.0 at full.
_REACH, _REACH_OF_PRESSURE = 1.5, 3.0
_CURVE = curve_weights(np.linspace(0, 1, 17)).T.astype("float32")


def render_strokes(generator, actions, size=WINDOW_SIZE, seed=None):
    """Draw strokes with a generator, each on its own.

    Args:
        generator: a model of `build_generator` or `load_pretrained`.
        actions: float array `(n, 12)` in `[0, 1]`.
        size: int, side of the pictures in pixels. Default 64.
        seed: `None` for the calm, repeatable stroke. An int asks for one
            random draw, which takes a generator with a noise input.

    Returns:
        A float32 array `(n, size, size, 4)`: RGBA in `[0, 1]`, straight
        alpha.

    Raises:
        DataError: for actions of another shape or out of range, a bad size,
            or a seed for a generator without a noise input.

    Example:

    >>> generator = load_pretrained("generator_pretrained")
    >>> render_strokes(generator, np.full((2, 12), 0.5), size=32).shape
    (2, 32, 32, 4)
    """
    actions = check_actions(actions)
    size = check_size(size)
    if seed is not None:
        raise DataError(
            f"{generator.name!r} has no noise input and draws only calm "
            f"strokes: leave out `seed`. Received: seed={seed!r}."
        )
    strokes = [
        keras.ops.convert_to_numpy(generator(batch, size=size))
        for batch in np.split(actions, range(_BATCH, len(actions), _BATCH))
    ]
    return np.concatenate(strokes)


@functools.lru_cache(maxsize=4)
def as_model(generator):
    """Return the model that a name or a model stands for, the same each time.

    Args:
        generator: str or path for `load_pretrained`, or a model.

    Returns:
        A `keras.Model`.

    Raises:
        DataError: if it is neither.
    """
    if generator == "custom":
        raise DataError(
            "The painting was made with a generator of one's own: set "
            "`painting.generator` to it."
        )
    if not hasattr(generator, "opacity"):
        return load_pretrained(generator)
    return generator


@functools.lru_cache(maxsize=4)
def _block_drawer(generator):
    """Compile the drawing of blocks, once per generator."""
    signature = tf.TensorSpec((None, len(ACTION_INDEX)))

    @tf.function(input_signature=[signature], autograph=False)
    def draw_blocks(actions):
        return generator.opacity(actions, _BLOCK)

    return draw_blocks


def lay_strokes(canvas, actions, generator):
    """Lay strokes on a canvas of any shape.

    Args:
        canvas: float32 array `(height, width, 3)`.
        actions: float32 array `(n, 12)`, relative to a square of the
            canvas's longer side; sizes may be outside `[0, 1]`.
        generator: a model of `build_generator` or `load_pretrained`.

    Returns:
        A new float32 array with the shape of `canvas`.
    """
    canvas = canvas.copy()
    for _ in _lay_in_turn(canvas, actions, generator):
        pass
    return canvas


def _lay_in_turn(canvas, actions, generator):
    """Lay strokes in place; yield how many are finished after each.

    The pixels that a stroke can reach are cut into square blocks. A block is
    a window like any other, so blocks of many strokes are drawn in one
    batch, and no stroke is drawn where it is not.
    """
    height, width = canvas.shape[:2]
    unit = max(height, width)
    pressure = actions[:, PRESSURE_COLUMNS].max(axis=1)
    reach = brush_radius(actions[:, ACTION_INDEX["size"]])
    reach = reach * (_REACH + _REACH_OF_PRESSURE * pressure)
    limits = []
    for positions, side in ((X_COLUMNS, width), (Y_COLUMNS, height)):
        curve = actions[:, positions] @ _CURVE
        low = np.floor((curve.min(axis=1) - reach) * unit).clip(0, side)
        high = np.ceil((curve.max(axis=1) + reach) * unit).clip(0, side)
        limits += [low.astype(int).tolist(), high.astype(int).tolist()]
    blocks = [
        (stroke, x, y, min(x + _BLOCK, right), min(y + _BLOCK, bottom))
        for stroke, (left, right, top, bottom) in enumerate(zip(*limits))
        for y in range(top, bottom, _BLOCK)
        for x in range(left, right, _BLOCK)
    ]
    draw_blocks = _block_drawer(generator)
    colors = actions[:, COLOR_COLUMNS]
    finished = 0
    for start in range(0, len(blocks), _BATCH):
        batch = np.array(blocks[start : start + _BATCH])
        moved = move_actions(
            actions[batch[:, 0]], -batch[:, 1:3] / _BLOCK, unit / _BLOCK
        )
        opacities = draw_blocks(moved).numpy()[..., None]
        for (stroke, x, y, right, bottom), opacity in zip(
            batch.tolist(), opacities
        ):
            if stroke > finished:
                finished = stroke
                yield finished
            block = canvas[y:bottom, x:right]
            opacity = opacity[: bottom - y, : right - x]
            block += opacity * (colors[stroke] - block)
    yield len(actions)


@dataclasses.dataclass(eq=False)
class Painting:
    """Strokes on a ground, independent of windows and of resolution.

    Args:
        actions: float array `(n, 12)`, relative to a square of the
            picture's longer side, first to last. Kept with the precision of
            the stroke file.
        width: int, pixels that it was painted at.
        height: int, pixels.
        brush: str, the MyPaint brush. Default `"dry_brush"`.
        generator: str or model, what draws the strokes: a name for
            `load_pretrained`, or a model of your own (a stroke file then
            keeps only the name `"custom"`).
        background: str, `"#rrggbb"`. Default white.
        seed: int, of the run.
        figures: dict of numbers: what is known of the run.
    """

    actions: np.ndarray
    width: int
    height: int
    brush: str = "dry_brush"
    generator: object = "generator_pretrained"
    background: str = "#ffffff"
    seed: int = 0
    figures: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.actions = as_in_file(self.actions)

    def __len__(self):
        return len(self.actions)

    @functools.cached_property
    def canvas(self):
        """The picture at its own size, float32 `(height, width, 3)`."""
        return self.render()

    def _shape(self, size):
        longer = max(self.width, self.height)
        size = check_size(longer if size is None else size)
        height, width = (
            max(1, round(side * size / longer))
            for side in (self.height, self.width)
        )
        return height, width

    def blank(self, size=None):
        """Return the empty canvas, float32 `(height, width, 3)`."""
        ground = np.array(color_of(self.background), "float32")
        return np.tile(ground, (*self._shape(size), 1))

    def render(self, size=None):
        """Draw the strokes with the generator.

        Args:
            size: int, pixels of the longer side. Default: as painted.

        Returns:
            A float32 array `(height, width, 3)`, RGB in `[0, 1]`.
        """
        canvas = lay_strokes(
            self.blank(size), self.actions, as_model(self.generator)
        )
        return np.clip(canvas, 0, 1)

    def replay(self, size=None, seed=None):
        """Draw the strokes with the real MyPaint engine.

        Args:
            size: int, pixels of the longer side. Default: as painted.
            seed: int, of the brush's spatter. Default: the painting's.

        Returns:
            A float32 array `(height, width, 3)`, RGB in `[0, 1]`.

        Raises:
            EngineError: if libmypaint is missing or lacks the brush.
        """
        blank = self.blank(size)
        height, width = blank.shape[:2]
        surface = Surface(height, width)
        seed = check_count(
            "seed", self.seed if seed is None else seed, 0, 2**32
        )
        brush = Brush(self.brush, seed)
        for action in self.actions:
            brush.draw(surface, action, max(height, width), travel_seconds=1.0)
        pixels = surface.pixels()
        return np.clip(pixels[..., :3] + (1 - pixels[..., 3:]) * blank, 0, 1)

    def save_image(self, path):
        """Write the picture as painted to a PNG, JPEG or WebP file."""
        save_picture(self.canvas, path)

    def save(self, path):
        """Write the stroke file.

        Args:
            path: str or path, such as `"painting.json"`.

        Raises:
            DataError: if it cannot be written.
        """
        named = isinstance(self.generator, str)
        head = {name: getattr(self, name) for name in HEAD}
        head["generator"] = self.generator if named else "custom"
        write_strokes(path, head, self.actions)

    @classmethod
    def load(cls, path):
        """Read a stroke file and check every field.

        Args:
            path: str or path.

        Returns:
            A `Painting`.

        Raises:
            DataError: names the file, the field, and what is wrong with it.
        """
        head, actions = read_strokes(path)
        return cls(actions, **head)

    def frames(self, num_frames=75, size=None):
        """Yield the canvas while it is painted, from empty to finished.

        Args:
            num_frames: int, at most so many pictures, 2 or more.
            size: int, pixels of the longer side. Default: as painted.

        Yields:
            Float32 arrays `(height, width, 3)`; the last is the `render`.
        """
        num_frames = check_count("num_frames", num_frames, 2, 10_000)
        canvas = self.blank(size)
        yield canvas.copy()
        stops = np.linspace(0, len(self), num_frames).round()
        stops = iter(np.unique(stops[1:].astype(int)).tolist())
        stop = next(stops)
        for finished in _lay_in_turn(
            canvas, self.actions, as_model(self.generator)
        ):
            if finished >= stop:
                yield np.clip(canvas, 0, 1)
                stop = next((s for s in stops if s > finished), None)
            if stop is None:
                return

    def save_animation(self, path, num_frames=75, size=None, seconds=6.0):
        """Write the painting's making as a moving picture.

        Args:
            path: str or path, ending in `.gif`, `.webp`, or (where ffmpeg
                is found) `.mp4`.
            num_frames: int, at most so many pictures. Default 75.
            size: int, pixels of the longer side. Default: as painted.
            seconds: float, how long the painting takes; the finished one
                stays for two more.

        Raises:
            DataError: for another ending, without ffmpeg, or if it cannot
                be written.
        """
        save_animation(self.frames(num_frames, size), path, seconds)
