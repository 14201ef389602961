"""Pictures in one convention, RGB float32 in `[0, 1]`: read, resize, write."""

import contextlib
import io
import numbers
import os
import pathlib
import shutil
import subprocess
import tempfile
import warnings

import numpy as np
from PIL import Image, ImageOps

from nbpainter.errors import DataError, check_count, check_positive, check_size
from nbpainter.files import written_whole

MAX_PIXELS = 80_000_000

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_TRANSPARENT = (".png",)
_MAX_SECONDS = 600  # A frame of a GIF counts 16 bits of hundredths.


def load_photo(photo, size):
    """Read a photograph, upright and on white, at a given size.

    Args:
        photo: str or path of a picture file, a PIL image, or an array
            `(height, width, 3)`, `(height, width, 4)` or `(height, width)`:
            floats in `[0, 1]`, or unsigned integers of 8 or 16 bits.
        size: int, pixels of the longer side, 1 to 16384.

    Returns:
        A float32 array `(height, width, 3)`, RGB in `[0, 1]`.

    Raises:
        DataError: for a picture that cannot be read, or a bad size.

    Example:

    >>> load_photo(np.zeros((200, 300, 3)), size=60).shape
    (40, 60, 3)
    """
    return _load(photo, size, "photograph", "white")


def load_mask(mask, size):
    """Read a mask: where it is white, and not transparent, it is open.

    Args:
        mask: a picture as `load_photo` takes it, or an array of booleans.
        size: int, pixels of the longer side, 1 to 16384.

    Returns:
        A float32 array `(height, width, 1)`, 1 where it is open and else 0.

    Raises:
        DataError: for a picture that cannot be read, or a bad size.

    Example:

    >>> load_mask(np.eye(2, dtype=bool), size=2)[..., 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if np.asarray(mask).dtype.kind == "b":
        mask = np.float32(mask)
    bright = _load(mask, size, "mask", "black").mean(axis=2, keepdims=True)
    return np.float32(bright >= 0.5)


def _load(photo, size, kind, ground):
    size = check_size(size)
    if isinstance(photo, (str, os.PathLike)):
        pixels = _open(pathlib.Path(photo), size, kind, ground)
    elif isinstance(photo, Image.Image):
        name = f"The {kind}"
        with _named(name, kind):
            pixels = _convert(photo, name, size, ground)
    else:
        with _named(f"The {kind}", kind):
            pixels = _check_array(photo, kind, ground)
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    pixels = resize(
        pixels,
        max(1, round(height * scale)),
        max(1, round(width * scale)),
        Image.Resampling.LANCZOS,
    )
    return np.clip(pixels, 0, 1)


def resize(picture, height, width, resample=Image.Resampling.BOX):
    """Resize a picture of floats.

    Args:
        picture: float32 array `(h, w, channels)`.
        height: int, pixels.
        width: int, pixels.
        resample: one of Pillow's filters. Default: averages over areas.

    Returns:
        A float32 array `(height, width, channels)`.
    """
    if picture.shape[:2] == (height, width):
        return picture
    channels = [
        np.asarray(Image.fromarray(channel).resize((width, height), resample))
        for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.stack(channels, axis=-1)


def _open(path, size, kind, ground):
    with _named(path, kind), warnings.catch_warnings():
        # The size is checked here, with a sentence of our own.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            return _convert(image, path, size, ground)


@contextlib.contextmanager
def _named(name, kind):
    """Turn whatever goes wrong with a picture into a sentence that names it."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(
            f"There is no {kind} {name}. Check the path."
        ) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise DataError(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels. Make "
            "it smaller first."
        ) from error
    except Exception as error:  # Pillow's plugins raise almost anything.
        raise DataError(
            f"{name} cannot be read as a picture ({error}). Choose another "
            f"{kind}, or save it again as PNG or JPEG."
        ) from error


def _convert(image, name, size, ground):
    """Turn a Pillow image of any mode into RGB floats, upright, on a ground."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{name} has {width} x {height} pixels, more than "
            f"{MAX_PIXELS // 10**6} million. Make it smaller first."
        )
    if width * height == 0:
        raise DataError(f"{name} has no pixels. Choose another file.")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        # Pillow keeps 16 bits of grey in modes of 16 and of 32 bits, and
        # clips them when it converts them itself.
        grey = np.nan_to_num(np.asarray(image, "float32"))
        unit = image.mode == "F" and grey.max() <= 1
        grey = np.clip(grey / (1 if unit else 65535), 0, 1)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        below = Image.new("RGBA", image.size, ground)
        image = Image.alpha_composite(below, image)
    image = image.convert("RGB")
    # A first reduction in 8 bits saves gigabytes on huge photographs.
    image = image.reduce(max(1, max(image.size) // (4 * size)))
    return np.asarray(image, "float32") / 255


def _check_array(photo, kind, ground):
    array = np.asarray(photo)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or not array.size:
        raise DataError(
            f"A {kind} must be a path, a PIL image or an array of shape "
            f"(height, width, 3). Received: {type(photo).__name__} of shape "
            f"{array.shape}."
        )
    if array.dtype in (np.uint8, np.uint16):
        array = array / np.float32(np.iinfo(array.dtype).max)
    elif not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"A {kind}'s array must hold floats in [0, 1], uint8 or "
            f"uint16. Received: {array.dtype}."
        )
    array = array.astype("float32")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise DataError(
            f"A {kind}'s floats must lie in [0, 1]. Received: values from "
            f"{array.min():g} to {array.max():g}."
        )
    if array.shape[2] == 4:
        below = {"white": 1.0, "black": 0.0}[ground]
        array = array[..., :3] * array[..., 3:] + below * (1 - array[..., 3:])
    return array


def to_uint8(values):
    """Round floats in `[0, 1]` to 8 bits; what lies outside is clipped.

    Args:
        values: float array of any shape.

    Returns:
        A uint8 array of that shape.

    Example:

    >>> to_uint8([-1, 0.5, 2]).tolist()
    [0, 128, 255]
    """
    return (np.clip(values, 0, 1) * 255 + 0.5).astype("uint8")


def to_image(picture):
    """Turn a float array `(height, width, 3 or 4)` into a PIL image."""
    return Image.fromarray(to_uint8(picture))


def to_hex(color):
    """Turn three floats in `[0, 1]` into `"#rrggbb"`.

    Example:

    >>> to_hex([1, 0.5, 0])
    '#ff8000'
    """
    return "#" + to_uint8(color).tobytes().hex()


def from_hex(text):
    """Turn `"#rrggbb"` into a float32 array `(3,)` in `[0, 1]`.

    Example:

    >>> from_hex("#ff0033").tolist()
    [1.0, 0.0, 0.20000000298023224]
    """
    return np.frombuffer(bytes.fromhex(text[1:]), "uint8") / np.float32(255)


def save_image(picture, path):
    """Write a picture file.

    Args:
        picture: float array `(height, width, 3)`, or `(height, width, 4)`
            with straight alpha.
        path: str or path, ending in `.png`, `.jpg`, `.jpeg` or `.webp`;
            JPEG keeps no alpha.

    Raises:
        DataError: for another ending, or if it cannot be written.
    """
    endings = _PICTURES if picture.shape[-1] == 3 else _TRANSPARENT
    if _suffix(path) not in endings:
        raise DataError(
            f"A picture ends in {', '.join(_PICTURES)}, one with a "
            f"transparent ground in {' or '.join(_TRANSPARENT)}. Received: "
            f"{str(path)!r}."
        )
    _write_image(to_image(picture), path)


def _write_image(image, path, **options):
    """Write a picture file by way of memory.

    On a full disk Pillow leaves a part of some formats without a word.
    """
    content = io.BytesIO()
    image.save(content, Image.registered_extensions()[_suffix(path)], **options)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _suffix(path):
    return pathlib.Path(path).suffix.lower()


def save_animation(pictures, path, seconds):
    """Write pictures as an animation that rests on the last one for 2 s.

    Args:
        pictures: iterable of float arrays `(height, width, 3)`.
        path: str or path, ending in `.gif`, `.webp`, or (where ffmpeg is
            found) `.mp4`.
        seconds: float, how long all but the rest takes, at most 600.

    Raises:
        DataError: for another ending, without ffmpeg, or if it cannot be
            written.
    """
    suffix = _suffix(path)
    if suffix not in (".gif", ".webp", ".mp4"):
        raise DataError(
            "An animation ends in .gif, .webp or .mp4. Received: "
            f"{str(path)!r}."
        )
    if check_positive("seconds", seconds) > _MAX_SECONDS:
        raise DataError(
            f"An animation takes at most {_MAX_SECONDS} seconds. Received: "
            f"seconds={seconds!r}."
        )
    frames = [to_image(picture) for picture in pictures]
    frame_seconds = seconds / len(frames)
    if suffix == ".mp4":
        with written_whole(path) as temporary:
            _save_mp4(frames, temporary, frame_seconds)
        return
    milliseconds = [round(1000 * frame_seconds)] * len(frames)
    milliseconds[-1] += 2000
    if suffix == ".gif":
        frames = _with_one_palette(frames)
    _write_image(
        frames[0],
        path,
        save_all=True,
        append_images=frames[1:],
        duration=milliseconds,
        loop=0,
        **({"lossless": True} if suffix == ".webp" else {}),
    )


def _with_one_palette(frames):
    """Map all frames to 256 colours, found in the first, middle and last.

    A palette for each frame takes ten times as long, makes larger files, and
    lets still colours flicker.
    """
    width, height = frames[0].size
    sample = Image.new("RGB", (width, 3 * height))
    for index, frame in enumerate(
        (frames[0], frames[len(frames) // 2], frames[-1])
    ):
        sample.paste(frame, (0, index * height))
    palette = sample.quantize(256)
    dither = Image.Dither.NONE
    return [frame.quantize(palette=palette, dither=dither) for frame in frames]


def find_ffmpeg():
    """Return the path of ffmpeg, or say that there is none."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise DataError(
            "ffmpeg was not found, and .mp4 needs it. Install ffmpeg, or "
            "save a .gif or .webp."
        )
    return ffmpeg


def _save_mp4(frames, path, frame_seconds):
    ffmpeg = find_ffmpeg()
    with tempfile.TemporaryDirectory() as folder:
        video = f"{folder}/video.mp4"
        for index, frame in enumerate(frames):
            frame.save(f"{folder}/{index:06d}.png")
        result = subprocess.run(
            [
                *(ffmpeg, "-y", "-loglevel", "error"),
                *("-framerate", f"{1 / frame_seconds:.3f}"),
                *("-i", f"{folder}/%06d.png"),
                # Players want even sides; the finished painting stays.
                *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,tpad=stop=-1"),
                *("-t", f"{len(frames) * frame_seconds + 2:.3f}"),
                *("-pix_fmt", "yuv420p", video),
            ],
            capture_output=True,
            text=True,
        )
        if result.returncode or result.stderr:
            said = " ".join(result.stderr.split())
            raise DataError(
                f"ffmpeg could not write the .mp4: {said} Save a .gif or "
                ".webp instead."
            )
        # Onto a full disk ffmpeg leaves a part, and calls it a success.
        shutil.copyfile(video, path)


MAX_COLORS = 256

_SAMPLE = 64  # Pixels of the longer side that a palette is chosen on.
_ROUNDS = 30  # Of k-means.


def check_color(name, value):
    """Return a colour `"#rrggbb"` in small letters, or say what is wrong.

    Args:
        name: str, of the argument.
        value: what was passed.

    Returns:
        A str.

    Raises:
        DataError: for anything but `#` and six hexadecimal digits.

    Example:

    >>> check_color("background", "#FFEECC")
    '#ffeecc'
    """
    digits = value[1:] if isinstance(value, str) else ""
    if (
        len(digits) != 6
        or value[0] != "#"
        or set(digits) - set("0123456789abcdefABCDEF")
    ):
        raise DataError(
            f"`{name}` must be a colour '#rrggbb', such as '#ffeecc'. "
            f"Received: {name}={value!r}."
        )
    return value.lower()


def choose_palette(palette, photo, seed=0):
    """Return a palette of one's own colours, or one that suits a photograph.

    Args:
        palette: int, how many colours to choose, or a list of `"#rrggbb"`.
        photo: float32 array `(height, width, 3)`, RGB in `[0, 1]`.
        seed: int, of the choice.

    Returns:
        A list of `"#rrggbb"`, no colour twice. A photograph of fewer colours
        has a smaller palette.

    Raises:
        DataError: for anything else, or a number out of range.

    Example:

    >>> choose_palette(4, np.full((8, 8, 3), 0.5))
    ['#808080']
    """
    if isinstance(palette, numbers.Number):
        count = check_count("palette", palette, 1, MAX_COLORS)
        return _choose(photo, count, seed)
    if isinstance(palette, str):
        palette = [palette]
    try:
        colors = [check_color("palette", color) for color in palette]
    except TypeError as error:
        raise DataError(
            "`palette` must be a number of colours or a list of '#rrggbb'. "
            f"Received: palette={palette!r}."
        ) from error
    if not 1 <= len(colors) <= MAX_COLORS:
        raise DataError(
            f"`palette` must have 1 to {MAX_COLORS} colours. Received: "
            f"{len(colors)}."
        )
    return list(dict.fromkeys(colors))


def _choose(photo, count, seed):
    """k-means, started at colours that are far apart (k-means++)."""
    random = np.random.default_rng(seed)
    scale = _SAMPLE / max(_SAMPLE, *photo.shape[:2])
    height, width = (max(1, round(n * scale)) for n in photo.shape[:2])
    pixels = resize(np.float32(photo), height, width).reshape(-1, 3)
    centres = pixels[random.integers(len(pixels), size=1)]
    for _ in range(count - 1):
        distance = _distances(pixels, centres).min(axis=1)
        if distance.sum() < 1e-6:
            break
        chance = distance / distance.sum(dtype="float64")
        centres = np.concatenate(
            [centres, pixels[random.choice(len(pixels), 1, p=chance)]]
        )
    for _ in range(_ROUNDS):
        nearest = _distances(pixels, centres).argmin(axis=1)
        centres = np.stack(
            [
                pixels[nearest == k].mean(axis=0)
                if (nearest == k).any()
                else centre
                for k, centre in enumerate(centres)
            ]
        )
    levels = np.clip(centres * 255 + 0.5, 0, 255).astype("uint8")
    return list(dict.fromkeys("#" + row.tobytes().hex() for row in levels))


def _distances(pixels, centres):
    return ((pixels[:, None].astype("float64") - centres) ** 2).sum(axis=-1)


def colors_of(palette):
    """Turn a palette into a float32 array `(n, 3)`, RGB in `[0, 1]`."""
    levels = np.frombuffer(
        bytes.fromhex("".join(palette).replace("#", "")), "u1"
    )
    return np.float32(levels.reshape(-1, 3) / 255)
