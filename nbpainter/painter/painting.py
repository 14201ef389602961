"""A painting is a list of strokes: draw it at any size, keep it, replay it."""

import dataclasses
import functools
import math

import numpy as np

from nbpainter import images
from nbpainter.engine.brush import Brush
from nbpainter.engine.brush_file import load_brush
from nbpainter.engine.libmypaint import Surface
from nbpainter.errors import (
    MAX_SIZE,
    DataError,
    check_count,
    check_memory,
    check_size,
)
from nbpainter.files import write_whole
from nbpainter.losses import psnr
from nbpainter.models.presets import brush_of, load_generator
from nbpainter.painter import stroke_file
from nbpainter.painter.canvas import (
    lay_in_turn,
    lay_strokes,
    straight_alpha,
    stroke_layers,
)
from nbpainter.painter.refinement import refine
from nbpainter.painter.stroke_file import check_which, listed

# What a pixel needs, in all, while a picture is drawn and written.
_PIXEL_BYTES = 48
# Of a painting that was resumed again and again, levels mean nothing.
_MAX_LEVELS = 50


@dataclasses.dataclass(eq=False)
class Painting:
    """Strokes on a ground, independent of windows and of resolution.

    Args:
        actions: float array `(n, 12)`, relative to a square of the
            picture's longer side, first to last. Kept with the precision of
            the stroke file.
        width: int, pixels that it was painted at.
        height: int, pixels.
        brush: str, the MyPaint brush, or a dict, the content of its file, or
            the file's path; or a list of them. Default: the one that the
            generator has learned.
        generator: str or model, what draws the strokes: a name for
            `load_pretrained`, or a model of your own (a stroke file then
            keeps only the name `"custom"`). It is loaded when it draws. Or a
            list with one for each brush.
        background: str, `"#rrggbb"`. Default white.
        seed: int, of the run.
        palette: list of `"#rrggbb"`, the only colours of its strokes.
            Default: any colours.
        figures: dict of numbers: what is known of the run.
        which: int array `(n,)`, the brush of each stroke, as its place in the
            list. Default: the first.

    Raises:
        DataError: for a size, a colour, brushes or actions that no file could
            keep.
        EngineError: for what is no brush.
    """

    actions: np.ndarray
    width: int
    height: int
    brush: object = None
    generator: object = "generator_gan"
    background: str = "#ffffff"
    seed: int = 0
    palette: list = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)
    which: np.ndarray = None

    def __post_init__(self):
        self.actions = stroke_file.as_in_file(self.actions)
        brushes = listed(self.brush)
        if self.brush is None:
            brushes = [brush_of(each) for each in self.generators]
        # A file's content is kept, not its place.
        brushes = [b if isinstance(b, str) else load_brush(b) for b in brushes]
        several = isinstance(self.generator, list)
        self.brush = brushes if several else brushes[0]
        if self.which is None or not np.any(self.which):
            self.which = [0] * len(self)  # As many as there are now.
        self.which = np.asarray(self.which, int)
        check_which(self.which.tolist(), len(self), self.generators, brushes)
        self.width = check_count("width", self.width, 1, MAX_SIZE)
        self.height = check_count("height", self.height, 1, MAX_SIZE)
        self.background = images.check_color("background", self.background)
        self.seed = check_count("seed", self.seed, 0, 2**32 - 1)

    def __len__(self):
        return len(self.actions)

    @property
    def brushes(self):
        """The brush, or the brushes, a list."""
        return listed(self.brush)

    @property
    def generators(self):
        """What draws with each brush, a list."""
        return listed(self.generator)

    @property
    def level(self):
        """The level of windows that each stroke is of, an int array `(n,)`.

        It does not fall from stroke to stroke. 0 for all, where the painting
        knows none.
        """
        counts = self.figures.get("levels", [])
        if sum(counts) != len(self) or len(counts) > _MAX_LEVELS:
            counts = [len(self)]
        return np.repeat(np.arange(len(counts)), counts)

    @functools.cached_property
    def canvas(self):
        """The picture at its own size, float32 `(height, width, 3)`."""
        return self.render()

    def _shape(self, size):
        longer = max(self.width, self.height)
        size = check_size(longer if size is None else size)
        sides = self.height, self.width
        return [max(1, round(side * size / longer)) for side in sides]

    def models(self):
        """Load what draws each stroke, a list of models `(n,)`."""
        models = [load_generator(each) for each in self.generators]
        return [models[k] for k in self.which]

    def blank(self, size=None):
        """Return the empty canvas, float32 `(height, width, 3)`."""
        shape = self._shape(size)
        check_memory(_PIXEL_BYTES * math.prod(shape))
        return np.tile(images.from_hex(self.background), (*shape, 1))

    def render(self, size=None, transparent=False):
        """Draw the strokes with the generator.

        A generator with a noise input spatters, by the painting's seed.

        Args:
            size: int, pixels of the longer side. Default: as painted.
            transparent: bool, whether to leave out the background.

        Returns:
            A float32 array `(height, width, 3)`, RGB in `[0, 1]`; if
            transparent `(height, width, 4)`, RGBA with straight alpha.
        """
        canvas = self.blank(size)
        if transparent:
            canvas = np.zeros((*canvas.shape[:2], 4), "float32")
        canvas = lay_strokes(canvas, self.actions, self.models(), self.seed)
        return straight_alpha(canvas) if transparent else canvas.clip(0, 1)

    def layers(self, size=None):
        """Yield each stroke as `render` draws it: where, and how opaque.

        Args:
            size: int, pixels of the longer side. Default: as painted.

        Yields:
            `top` and `left` in pixels, and a float32 array `(h, w)`.
        """
        shape = self._shape(size)
        return stroke_layers(self.actions, self.models(), *shape, self.seed)

    def replay(self, size=None, seed=None, transparent=False, brush=None):
        """Draw the strokes with the real MyPaint engine.

        Args:
            size: int, pixels of the longer side. Default: as painted.
            seed: int, of the brush's spatter. Default: the painting's.
            transparent: bool, whether to leave out the background.
            brush: str, path or dict, another brush to draw them all with, see
                `load_brush`. Default: the painting's.

        Returns:
            A float32 array `(height, width, 3)`, RGB in `[0, 1]`; if
            transparent `(height, width, 4)`, RGBA with straight alpha.

        Raises:
            EngineError: if libmypaint is missing or lacks the brush.
        """
        blank = self.blank(size)
        surface = Surface(*blank.shape[:2])
        for _ in self.replay_on(surface, seed, brush):
            pass
        pixels = surface.pixels()
        if transparent:
            return straight_alpha(pixels)
        return np.clip(pixels[..., :3] + (1 - pixels[..., 3:]) * blank, 0, 1)

    def replay_on(self, surface, seed=None, brush=None):
        """Draw the strokes in turn, as `replay` does.

        Args:
            surface: `Surface`, drawn on.
            seed: see `replay`.
            brush: see `replay`.

        Yields:
            After each stroke its `Brush`, and what `Brush.draw` returned.
        """
        side = max(surface.height, surface.width)
        seed = self.seed if seed is None else seed
        seed = check_count("seed", seed, 0, 2**32)
        brushes = self.brushes if brush is None else [brush]
        pens = [Brush(each, seed) for each in brushes]
        for action, which in zip(self.actions, self.which):
            pen = pens[which if brush is None else 0]
            yield pen, pen.draw(surface, action, side, travel_seconds=1.0)

    def refine(self, photo, num_steps=100, loss=None, verbose=1):
        """Move all strokes together, so that they match a photograph better.

        Args:
            photo: see `nbpainter.load_photo`; of the painting's shape.
            num_steps: int, steps of Adam. Default 100.
            loss: a Keras loss on pictures `(1, height, width, 3)`, such as
                `PerceptualLoss`. Default: the expected squared error.
            verbose: 0 or 1, whether to show a progress bar. Default 1.

        Returns:
            A new `Painting` with as many strokes.

        Raises:
            DataError: for a photograph that cannot be read or has another
                shape.

        Example:

        >>> from nbpainter.actions import random_actions
        >>> start = Painting(random_actions(3), width=32, height=32)
        >>> photo = np.full((32, 32, 3), 0.5)
        >>> painting = start.refine(photo, num_steps=5, verbose=0)
        >>> painting.figures["psnr"] > float(psnr(start.canvas, photo))
        True
        """
        num_steps = check_count("num_steps", num_steps, 1, 100_000)
        target = images.load_photo(photo, max(self.width, self.height))
        if target.shape[:2] != (self.height, self.width):
            raise DataError(
                f"The painting has {self.width} x {self.height} pixels, the "
                f"photograph {target.shape[1]} x {target.shape[0]} at that "
                "size. Choose the photograph that it was painted from."
            )
        actions, origin = refine(
            self.actions,
            self.models(),
            target,
            self.blank(),
            num_steps,
            loss=loss,
            palette=[images.from_hex(color) for color in self.palette],
            verbose=verbose,
        )
        which = self.which[origin]
        moved = dataclasses.replace(self, actions=actions, which=which)
        decibels = round(float(psnr(moved.canvas, target)), 3)
        moved.figures = {**self.figures, "psnr": decibels}
        moved.figures["levels"] = run_lengths(self.level[origin])
        return moved

    def growing(self, size=None):
        """Draw the strokes in turn, as `render` does.

        Args:
            size: int, pixels of the longer side. Default: as painted.

        Yields:
            The canvas before the first stroke and after each, the same
            array each time, not yet limited to `[0, 1]`.
        """
        canvas = self.blank(size)
        return lay_in_turn(canvas, self.actions, self.models(), self.seed)

    def frames(self, num_frames=75, size=None):
        """Yield the canvas while it is painted, from empty to finished.

        Args:
            num_frames: int, at most so many pictures, 2 or more.
            size: int, pixels of the longer side. Default: as painted.

        Yields:
            Float32 arrays `(height, width, 3)`; the last is the `render`.
        """
        num_frames = check_count("num_frames", num_frames, 2, 10_000)
        stops = set(np.linspace(0, len(self), num_frames).round())
        for finished, canvas in enumerate(self.growing(size)):
            if finished in stops:
                yield np.clip(canvas, 0, 1)

    def to_json(self):
        """Return what the stroke file holds, a str."""
        head = {name: getattr(self, name) for name in stroke_file.HEAD}
        names = [g if isinstance(g, str) else "custom" for g in self.generators]
        several = isinstance(self.generator, list)
        head["generator"] = names if several else names[0]
        which = self.which if several else None
        return stroke_file.strokes_text(head, self.actions, which)

    def save(self, path):
        """Write the stroke file.

        Args:
            path: str or path, such as `"painting.json"`.

        Raises:
            DataError: if it cannot be written.
        """
        write_whole(path, self.to_json())

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
        head, actions = stroke_file.read_strokes(path)
        return cls(actions, **head)

    def save_image(self, path, transparent=False):
        """Write the picture as painted.

        Args:
            path: str or path, a PNG, JPEG or WebP file.
            transparent: bool, whether to leave out the background, which
                takes a PNG file.

        Raises:
            DataError: for another ending, or if it cannot be written.
        """
        picture = self.render(transparent=True) if transparent else self.canvas
        images.save_image(picture, path)

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
        images.save_animation(self.frames(num_frames, size), path, seconds)

    def steps(self, pages=8):
        """Draw printable sheets to paint along, see `plot_sheets`.

        Args:
            pages: int, 1 to 200, not more than there are strokes.

        Returns:
            A list of `matplotlib.figure.Figure`, A4. `export("steps.pdf")`
            writes 8 of them; `figure.savefig("page.png", dpi=200)` one.

        Raises:
            DataError: for a number of pages out of range, or without strokes.
        """
        from nbpainter.export.sheets import plot_sheets

        return plot_sheets(self, pages)

    def export(self, path, transparent=False, **plot):
        """Write the painting in the format that the file's ending names.

        | ending | what is written |
        | --- | --- |
        | `.json` | the stroke file |
        | `.png`, `.jpg` | the picture as painted |
        | `.svg` | a path for each stroke, to be edited |
        | `.plot.svg` | lines for a pen plotter, a layer for each colour |
        | `.html` | a page that plays, filters and explains the strokes |
        | `.gif`, `.webp`, `.mp4` | an animation; `.mp4` needs ffmpeg |
        | `.pdf` | sheets to paint along |
        | `.ora` | layers, drawn by the real engine, for MyPaint and others |

        Args:
            path: str or path.
            transparent: bool, for `.png`: whether to leave out the
                background.
            **plot: for `.plot.svg`: `paper="A4"`, or A3, A5, letter,
                millimetres such as `"200x300"`; and `pen=0.5`, the width of
                its lines in millimetres.

        Raises:
            DataError: for another ending, without ffmpeg, or if it cannot
                be written.
            EngineError: for `.ora`, see `replay`.
        """
        from nbpainter.export import export

        export(self, path, transparent, **plot)


def run_lengths(labels):
    """Count how often each label follows itself.

    Args:
        labels: int array `(n,)`, not negative.

    Returns:
        A list of ints that sum to `n`.

    Example:

    >>> run_lengths(np.array([0, 0, 2, 5, 5]))
    [2, 1, 2]
    """
    changes = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    return np.diff(changes).tolist()
