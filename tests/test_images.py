import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

import nbpainter
from nbpainter import images as pictures
from nbpainter.errors import DataError
from nbpainter.images import load_focus

RED, WHITE = [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]


def _color(path, size=8):
    picture = nbpainter.load_photo(path, size)
    assert picture.dtype == np.float32
    return picture[picture.shape[0] // 2, picture.shape[1] // 2].tolist()


def _saved(tmp_path, image, name="photo.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "HSV", "YCbCr"])
def test_modes_of_colour(tmp_path, mode):
    image = Image.new("RGB", (16, 12), "red").convert(mode)
    path = tmp_path / "photo.tif"
    if mode in ("HSV", "YCbCr"):
        image = image.convert("RGB")
    image.save(path)
    np.testing.assert_allclose(_color(path), RED, atol=0.02)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_modes_of_grey(tmp_path, mode):
    image = Image.new("L", (16, 12), 255).convert(mode)
    assert _color(_saved(tmp_path, image)) == WHITE


def test_16_bits_are_kept(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype("uint16")
    image = Image.fromarray(np.tile(ramp, (4, 1)))
    picture = nbpainter.load_photo(_saved(tmp_path, image), 256)
    np.testing.assert_allclose(picture[2, :, 0], ramp / 65535, atol=0.01)
    assert np.unique(picture[2, :, 0]).size > 200


def test_transparency_is_white(tmp_path):
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert _color(_saved(tmp_path, clear)) == WHITE
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0] * 768)
    path = _saved(tmp_path, palette, "palette.png", transparency=3)
    assert _color(path) == WHITE


def test_exif_turns_the_picture(tmp_path):
    image = Image.new("RGB", (40, 20), "blue")
    exif = image.getexif()
    exif[0x0112] = 6
    path = _saved(tmp_path, image, "turned.jpg", exif=exif)
    assert nbpainter.load_photo(path, 40).shape == (40, 20, 3)


def test_an_animation_is_its_first_picture(tmp_path):
    first, second = (Image.new("RGB", (9, 9), c) for c in ("red", "blue"))
    path = tmp_path / "moving.gif"
    first.save(path, save_all=True, append_images=[second])
    np.testing.assert_allclose(_color(path), RED, atol=0.02)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 1), (64, 64, 3)), ((20, 4000), (1, 64, 3)), ((90, 60), (64, 43, 3))],
)
def test_any_aspect(shape, expected):
    photo = np.full((*shape, 3), 128, "uint8")
    assert nbpainter.load_photo(photo, 64).shape == expected


def test_arrays_of_all_kinds():
    for photo in (
        np.ones((8, 8)),
        np.ones((8, 8, 4), "float32"),
        np.full((8, 8, 3), 255, "uint8"),
        np.full((8, 8, 3), 65535, "uint16"),
        Image.new("RGB", (8, 8), "white"),
    ):
        assert _color(photo) == WHITE


@pytest.mark.parametrize(
    "photo",
    [
        np.full((4, 4, 3), 200.0),
        np.full((4, 4, 3), np.nan),
        np.ones((4, 4, 5)),
        np.ones((0, 4, 3)),
        np.ones((4, 4, 3), "int64"),
        "nosuch.jpg",
        None,
        7,
    ],
)
def test_what_is_no_photograph_is_named(photo):
    with pytest.raises(DataError, match="photograph"):
        nbpainter.load_photo(photo, 64)


def test_damaged_files_are_named(tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    random = np.random.default_rng(0).integers(0, 255, (64, 64, 3), "uint8")
    whole = _saved(tmp_path, Image.fromarray(random), "whole.png")
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(whole.read_bytes()[:5000])
    for path in (empty, truncated, tmp_path):
        with pytest.raises(DataError, match=path.name):
            nbpainter.load_photo(path, 64)


def test_200_megapixels_are_refused_before_they_are_decoded(tmp_path):
    path = _saved(tmp_path, Image.new("1", (20_000, 10_000)))
    with pytest.raises(DataError, match="million"):
        nbpainter.load_photo(path, 64)


@pytest.mark.parametrize("size", [0, -1, 10**9, 1.5, None, "large"])
def test_bad_sizes_are_named(size):
    with pytest.raises(DataError, match="size"):
        nbpainter.load_photo(np.ones((4, 4, 3)), size)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_end_on_the_last_picture(tmp_path, suffix):
    frames = [np.full((20, 30, 3), v, "float32") for v in (1.0, 0.5, 0.25)]
    path = tmp_path / f"a{suffix}"
    pictures.save_animation(frames, path, seconds=1.0)
    with Image.open(path) as image:
        assert image.n_frames == 3
        image.seek(2)
        color = np.asarray(image.convert("RGB"))[10, 10] / 255
    np.testing.assert_allclose(color, 0.25, atol=0.02)


def test_animations_need_a_known_ending_and_ffmpeg(tmp_path, monkeypatch):
    frames = [np.ones((4, 4, 3))] * 2
    with pytest.raises(DataError, match=r"\.gif"):
        pictures.save_animation(frames, tmp_path / "a.avi", 1.0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="ffmpeg"):
        pictures.save_animation(frames, tmp_path / "a.mp4", 1.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not pictures.shutil.which("ffmpeg"), reason="ffmpeg is not installed"
)
def test_mp4(tmp_path):
    path = tmp_path / "a.mp4"
    frames = [np.full((31, 33, 3), v) for v in (1.0, 0.5)]
    pictures.save_animation(frames, path, 1.0)
    probe = ["ffprobe", "-v", "error", "-show_format", path]
    found = subprocess.run(probe, capture_output=True, text=True)
    assert "duration=3." in found.stdout


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="picture"):
        pictures.save_image(np.ones((2, 2, 3)), tmp_path / "x.nosuch")
    broken = np.ones((2, 2, 7))  # No picture: fails while it is written.
    with pytest.raises((TypeError, DataError)):
        pictures.save_image(broken, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_mask_is_open_where_it_is_white_and_opaque(tmp_path):
    mask = np.zeros((4, 6, 4), "uint8")
    mask[:2, :, :3], mask[:, :3, 3] = 255, 255  # Opaque on the left.
    expected = np.zeros((4, 6, 1))
    expected[:2, :3] = 1
    path, photo = _saved(tmp_path, Image.fromarray(mask)), np.ones((4, 6, 3))
    for given in (mask, path, expected[..., 0], expected[..., 0] == 1):
        np.testing.assert_array_equal(
            pictures.load_mask(given, photo), expected
        )
    with pytest.raises(DataError, match="no mask"):
        pictures.load_mask(tmp_path / "nosuch.png", photo)


def test_a_focus_is_a_weight_with_a_mean_of_1():
    photo = nbpainter.load_photo(data.astronaut(), 128)
    bright = np.zeros((128, 128))
    bright[:64] = 1
    weight = load_focus(bright, photo)
    assert weight.shape == (128, 128, 1)
    assert weight.mean() == pytest.approx(1, abs=1e-4)
    assert weight[0, 0, 0] == pytest.approx(30 * weight[-1, 0, 0], rel=1e-3)
    assert (load_focus("none", photo) == 1).all()
    with pytest.raises(DataError, match="shape"):
        load_focus(np.ones((10, 20)), photo)


def test_a_face_counts_more_and_its_eyes_most():
    photo = nbpainter.load_photo(data.astronaut(), 256)
    weight = load_focus("faces", photo)[..., 0]
    y, x = np.unravel_index(weight.argmax(), weight.shape)
    # Eyes and mouth of the astronaut.
    assert 45 < y < 75
    assert 95 < x < 130
    assert weight.max() > 15 * weight.min()
    assert weight[60, 112] > 4 * weight[200, 60]
    np.testing.assert_array_equal(load_focus(None, photo)[..., 0], weight)
    coffee = nbpainter.load_photo(data.coffee(), 128)
    assert (load_focus("faces", coffee) == 1).all()


def test_without_its_detector_faces_are_no_default(monkeypatch):
    photo = np.ones((8, 8, 3), "float32")
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(DataError, match="pip install"):
        load_focus("faces", photo)
    assert (load_focus(None, photo) == 1).all()


@pytest.mark.parametrize(
    ("mode", "end"),
    [("F", 1), ("F", 255), ("F", 65535), ("I", 255), ("I", 65535)]
    + [("I;16", 65535)],
)
def test_grey_is_as_a_viewer_shows_it(mode, end):
    ramp = np.tile(np.linspace(0, 1, 60), (40, 1))
    kind = {"F": "float32", "I": "int32", "I;16": "uint16"}[mode]
    image = Image.fromarray((ramp * end).astype(kind))
    assert image.mode == mode
    picture = pictures.load_photo(image, 60)
    np.testing.assert_allclose(picture[..., 1], ramp, atol=0.005)


def test_a_dark_picture_of_16_bits_stays_dark():
    image = Image.fromarray(np.full((8, 8), 255, "uint16"))
    assert pictures.load_photo(image, 8).max() < 0.01


def test_grey_of_16_bits_keeps_its_transparency(tmp_path):
    grey = np.zeros((8, 8), "uint16")
    grey[:, 4:] = 300
    path = tmp_path / "grey.png"
    Image.fromarray(grey).save(path, transparency=300)
    picture = pictures.load_photo(path, 8)
    assert picture[:, :3].max() < 0.01
    assert picture[:, 5:].min() > 0.99


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="Linux says it."
)
def test_huge_grey_of_16_bits_takes_little_memory(tmp_path):
    path = tmp_path / "huge.png"
    Image.fromarray(np.zeros((8000, 10_000), "uint16")).save(path)
    code = (
        "import sys; from nbpainter.images import load_photo;"
        "load_photo(sys.argv[1], 512); print(open('/proc/self/status').read())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        check=True,
        text=True,
    )
    # Unlike `ru_maxrss`, it does not know of the process that began this one.
    peak = result.stdout.partition("VmHWM:")[2].split()[0]
    assert 2e5 < int(peak) < 1.5e6  # Kilobytes.


def test_what_never_ends_is_no_photograph(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero"):
        with pytest.raises(DataError, match="not a file"):
            pictures.load_photo(path, 8)
