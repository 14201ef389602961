"""Make the pictures of the README: `python docs/make_pictures.py`.

The photographs come with scikit-image: astronaut (NASA), and
coffee and chelsea (CC0).
"""

import pathlib
import tempfile
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

import nbpainter
from nbpainter import images as pictures, plotting
from nbpainter.engine.brush_file import shipped_brushes
from nbpainter.models.presets import preset_of_brush

FOLDER = pathlib.Path(__file__).parent


def side_by_side(*parts):
    """Join pictures of one height with a white gap."""
    gap = np.ones((parts[0].shape[0], 12, 3), "float32")
    joined = [part for picture in parts for part in (gap, picture)]
    return np.concatenate(joined[1:], axis=1)


def main():
    """Paint, draw, and write `docs/*.jpg` and `docs/*.png`."""
    painting = nbpainter.paint(data.coffee(), num_strokes=1000, size=512)
    photo = nbpainter.load_photo(data.coffee(), 512)
    pictures.save_image(
        side_by_side(photo, painting.canvas, painting.replay()),
        FOLDER / "painting.jpg",
    )
    face = data.astronaut()[:260, 80:340]
    portrait = nbpainter.paint(face, num_strokes=600, size=256)
    stages = list(portrait.frames(num_frames=9))
    pictures.save_image(
        side_by_side(stages[1], stages[2], stages[4], stages[8]),
        FOLDER / "stages.jpg",
    )
    actions = nbpainter.random_actions(10, seed=11)
    generator = nbpainter.load_pretrained("generator_gan")
    figure = plotting.plot_comparison(
        {
            "MyPaint": nbpainter.draw_strokes(actions),
            "calm": nbpainter.render_strokes(generator, actions),
            "one draw": nbpainter.render_strokes(generator, actions, seed=7),
        },
        num_columns=10,
    )
    plotting.save_figure(figure, FOLDER / "strokes.png")


def gallery(num_strokes=400, size=256):
    """Paint one photograph with each brush, and let MyPaint replay it."""
    brushes = [path.stem for path in shipped_brushes()]
    pairs = []
    for brush in brushes:
        painting = nbpainter.paint(
            data.chelsea(),
            num_strokes=num_strokes,
            size=size,
            generator=preset_of_brush(brush),
        )
        larger = painting.render(2 * size), painting.replay(2 * size)
        gap = np.ones((12, 2 * size, 3), "float32")
        pairs.append(np.concatenate([larger[0], gap, larger[1]]))
    names = [brush.replace("_", " ") for brush in brushes]
    figure = plotting.plot_pictures(dict(zip(names, pairs)), num_columns=3)
    figure.set_size_inches(9, 13)
    plotting.save_figure(figure, FOLDER / "brushes.jpg")


def choices():
    """Show what the number of strokes and the focus change."""
    few_and_many = {
        f"{count:,} strokes": nbpainter.paint(data.rocket(), count).canvas
        for count in (100, 400, 1000, 4000)
    }
    figure = plotting.plot_pictures(few_and_many, num_columns=2)
    plotting.save_figure(figure, FOLDER / "strokes_count.jpg")
    portrait = plotting.sample_photo()
    pictures = {}
    for count in (100, 400):
        for focus in ("none", "faces"):
            painting = nbpainter.paint(portrait, count, focus=focus)
            pictures[f"{count} strokes, {focus}"] = painting.canvas
    figure = plotting.plot_pictures(pictures)
    plotting.save_figure(figure, FOLDER / "focus.jpg")


def curves():
    """Paint with more and more strokes, by a brush that spatters and not."""
    photo = data.astronaut()
    found = {}
    for brush in ("dry_brush", "marker"):
        curve = found[brush.replace("_", " ")] = []
        # The first painting is not counted: its steps are compiled in it.
        for count in (50, 50, 100, 200, 400, 1000):
            painting = nbpainter.paint(
                photo,
                count,
                focus="none",
                generator=preset_of_brush(brush),
            )
            figures = painting.figures
            curve.append([count, figures["seconds"], figures["psnr"]])
    found = {brush: curve[1:] for brush, curve in found.items()}
    figure = plotting.plot_curves(found)
    plotting.save_figure(figure, FOLDER / "curve.png")


def draw_plot(painting, size=1600):
    """Draw what a pen plotter would: longer side of the paper in pixels."""
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place, "painting.plot.svg")
        painting.export(path)
        root = ElementTree.parse(path).getroot()
    page = np.array(root.get("viewBox").split()[2:], float)
    scale = size / page.max()
    image = Image.new("RGB", tuple((scale * page).astype(int)), "white")
    pen = ImageDraw.Draw(image)
    for layer in root.findall("{*}g"):
        width = max(1, round(scale * float(layer.get("stroke-width"))))
        for line in layer:
            points = line.get("points").replace(",", " ").split()
            points = (scale * np.array(points, float)).tolist()
            pen.line(points, layer.get("stroke"), width, joint="curve")
    return nbpainter.load_photo(image, size)


def studio():
    """Two brushes, their replay, and eight pens, for three photographs."""
    rows = []
    for photo in (data.coffee(), data.chelsea(), data.rocket()):
        brushes = ["acrylic", "pencil"]
        painting = nbpainter.paint(photo, 800, generator=brushes)
        plot = draw_plot(nbpainter.paint(photo, 400, palette=8))
        height = round(512 * plot.shape[0] / plot.shape[1])
        margin = (height - painting.height) // 2
        plot = pictures.resize(plot, height, 512)
        plot = plot[margin : margin + painting.height]
        rows.append(side_by_side(painting.canvas, painting.replay(), plot))
        rows.append(np.ones((12, rows[0].shape[1], 3), "float32"))
    pictures.save_image(np.concatenate(rows[:-1]), FOLDER / "studio.jpg")


if __name__ == "__main__":
    main()
    gallery()
    choices()
    curves()
    studio()
