"""Pictures in one convention, RGB float32 in `[0, 1]`: read, resize, write."""

import contextlib
import importlib.util
import io
import numbers
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import warnings

import numpy as np
from PIL import Image, ImageOps

from nbpainter.errors import DataError, check_count, check_positive, check_size
from nbpainter.files import check_regular, explain, write_whole, written_whole

MAX_COLORS = 256
"""Colours of a palette, at most."""

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
"""Endings of the picture files that are written."""

_MAX_SECONDS = 600  # A frame of a GIF counts hundredths of it in 16 bits.

_REST = 2  # Seconds that the last frame of an animation stays.

_ANIMATION = {"save_all": True, "loop": 0, "lossless": True}  # A GIF always is.

_FACE = 9.0  # What a face counts, on top of 1.
_EYES = 60.0  # What eyes and mouth count.
_WHITE = 30.0  # What white in a focus counts.
_FACES_SIDE = 512  # Pixels of the side that faces are looked for on.
_PALETTE_SIDE = 128  # Pixels of the side that a palette is chosen on.


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
    return _load(photo, size, "photograph", below=1)


def load_mask(mask, photo, kind="mask"):
    """Read how bright a picture is that goes with a photograph.

    Args:
        mask: a picture as `load_photo` takes it, or an array of booleans, of
            the photograph's shape. What is transparent is black.
        photo: float32 array `(height, width, 3)`.
        kind: str, what it is called in an error. Default `"mask"`.

    Returns:
        A float32 array `(height, width, 1)` in `[0, 1]`.

    Raises:
        DataError: for a picture that cannot be read or has another shape.

    Example:

    >>> load_mask(np.eye(2, dtype=bool), np.ones((2, 2, 3)))[..., 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    picture = _load(mask, max(photo.shape[:2]), kind, below=0)
    if picture.shape[:2] != photo.shape[:2]:
        raise DataError(
            f"The {kind} must have the photograph's shape. Received: "
            f"{picture.shape[1]} x {picture.shape[0]} pixels for "
            f"{photo.shape[1]} x {photo.shape[0]}."
        )
    return picture.mean(axis=2, keepdims=True)


def load_focus(focus, photo):
    """Say how much each pixel of a photograph counts.

    Args:
        focus: a picture as `load_photo` takes it, of the photograph's shape:
            white counts thirty times as much as black. Or `"faces"`, which
            counts a face ten times, its eyes and mouth sixty times, and more
            where faces are small; or `"none"`. Default `None`: faces, if
            their detector is installed.
        photo: float32 array `(height, width, 3)`.

    Returns:
        A float32 array `(height, width, 1)` with a mean of 1.

    Raises:
        DataError: for a picture that cannot be read or has another shape, or
            if the detector is missing.

    Example:

    >>> load_focus(np.eye(2), np.ones((2, 2, 3))).shape
    (2, 2, 1)
    """
    if focus is None:
        focus = "faces" if importlib.util.find_spec("mtcnn") else "none"
    weight = np.ones_like(photo[..., :1], dtype="float32")
    if isinstance(focus, str) and focus == "faces":
        weight += _find_faces(photo)[..., None]
    elif not isinstance(focus, str) or focus != "none":
        weight += (_WHITE - 1) * load_mask(focus, photo, "focus")
    return weight / weight.mean()


def _find_faces(photo):
    """What faces count on top, `(height, width)`."""
    try:
        from mtcnn import MTCNN
    except ImportError as error:
        raise DataError(
            "Faces are found by a package that is missing: pip install mtcnn."
        ) from error
    shape = photo.shape[:2]
    scale = _FACES_SIDE / max(shape)  # Small pictures are best enlarged.
    sides = [max(1, round(scale * side)) for side in shape]
    picture = to_uint8(resize(np.float32(photo), *sides))
    y, x = np.indices(shape) + 0.5
    total = np.zeros(shape)
    faces = MTCNN(device="CPU:0").detect_faces(picture)
    # However small they are, faces count as much as all the rest.
    area = sum(np.prod(np.divide(f["box"][2:], scale)) for f in faces)
    gain = max(1, total.size / max(1, area) / _FACE)
    for face in faces:
        left, top, width, height = np.divide(face["box"], scale)
        across = (x - left - width / 2) / (0.6 * width)
        down = (y - top - height / 2) / (0.6 * height)
        total = np.maximum(total, _FACE * np.exp(-(across**4) - down**4))
        for name, point in face["keypoints"].items():
            dx, dy = x - point[0] / scale, y - point[1] / scale
            near = np.exp(-(dx**2 + dy**2) / (2 * (0.14 * width) ** 2))
            if name != "nose":
                total += (_EYES - 1 - _FACE) * near
    return gain * total


def _load(picture, size, kind, below):
    """Read a picture of any kind on a ground, black (0) or white (1)."""
    size = check_size(size)
    name, opened = f"The {kind}", contextlib.nullcontext
    if isinstance(picture, (str, os.PathLike)):
        name, opened = picture, Image.open
    try:
        with warnings.catch_warnings():
            # Pillow only warns until twice its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if name is picture:
                check_regular(picture)
            with opened(picture) as given:
                array = _to_array(given, size)
    except FileNotFoundError as error:
        raise DataError(
            f"There is no {kind} {name}. Check the path."
        ) from error
    except (RuntimeWarning, Image.DecompressionBombError, MemoryError) as error:
        raise DataError(
            f"{name} has more than {Image.MAX_IMAGE_PIXELS // 10**6} million "
            "pixels. Make it smaller first."
        ) from error
    except Exception as error:  # Pillow's plugins raise almost anything.
        raise DataError(
            f"{name} cannot be read as a picture ({explain(error)}). Choose "
            f"another {kind}, or save it again as PNG or JPEG."
        ) from error
    pixels = _check_array(array, kind, type(picture).__name__)
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3:]
        pixels = pixels[..., :3] * opacity + below * (1 - opacity)
    scale = size / max(pixels.shape[:2])
    sides = [max(1, round(side * scale)) for side in pixels.shape[:2]]
    return np.clip(resize(pixels, *sides, Image.Resampling.LANCZOS), 0, 1)


def _to_array(image, size):
    """Turn a Pillow image of any mode, or what numpy takes, into an array."""
    if not isinstance(image, Image.Image):
        return np.asarray(image)
    image = ImageOps.exif_transpose(image)
    # Pillow keeps 16 bits of grey in modes of 16 and of 32 bits, and clips
    # them when it converts them to 8 itself. A viewer shows floats up to 1,
    # or whole numbers of 8 or of 16 bits.
    ends = {"F": (1, 255), "I": (255,)}.get(image.mode, ())
    grey, hidden = image.mode[0] in "IF", image.info.get("transparency")
    colors = "RGBA" if image.has_transparency_data else "RGB"
    image = image.convert("F" if grey else colors)
    # A first reduction saves gigabytes on huge photographs.
    array = np.asarray(image.reduce(max(1, max(image.size) // (4 * size))))
    if not grey:
        return array
    array = np.nan_to_num(array)
    end = next((end for end in ends if array.max() <= end), 65535)
    shown = np.clip(array / end, 0, 1)
    if hidden is None:
        return shown
    return np.stack([shown] * 3 + [np.float32(array != hidden)], axis=-1)


def _check_array(array, kind, given):
    """Return floats in `[0, 1]` of shape `(height, width, 3 or 4)`."""
    if array.ndim == 2:
        array = np.stack([array] * 3, axis=-1)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or not array.size:
        raise DataError(
            f"A {kind} must be a path, a PIL image or an array of shape "
            f"(height, width, 3). Received: {given} of shape {array.shape}."
        )
    if array.dtype in (np.uint8, np.uint16):
        return array / np.float32(np.iinfo(array.dtype).max)
    floats = array.astype("float32")
    low, high = floats.min(), floats.max()
    # NaN is neither above nor below.
    if array.dtype.kind not in "bf" or not (low >= 0 and high <= 1):
        raise DataError(
            f"A {kind}'s array must hold floats in [0, 1], uint8 or uint16. "
            f"Received: {array.dtype} from {low:g} to {high:g}."
        )
    return floats


def resize(picture, height, width, resample=Image.Resampling.HAMMING):
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
    if not re.fullmatch("#[0-9a-fA-F]{6}", str(value)):
        raise DataError(
            f"`{name}` must be a colour '#rrggbb', such as '#ffeecc'. "
            f"Received: {name}={value!r}."
        )
    return value.lower()


def choose_palette(palette, photo):
    """Return a palette of given colours, or one that suits a photograph.

    Args:
        palette: int, how many colours to choose, or a list of `"#rrggbb"`.
        photo: float32 array `(height, width, 3)`, RGB in `[0, 1]`.

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
        num_colors = check_count("palette", palette, 1, MAX_COLORS)
        sides = [min(side, _PALETTE_SIDE) for side in photo.shape[:2]]
        groups, _ = group_colors(resize(np.float32(photo), *sides), num_colors)
        return [to_hex(color) for color in groups]
    if isinstance(palette, str) or not hasattr(palette, "__iter__"):
        palette = [palette]
    colors = [check_color("palette", color) for color in palette]
    check_count("len(palette)", len(colors), 1, MAX_COLORS)
    return list(dict.fromkeys(colors))


def group_colors(colors, num_groups):
    """Find few colours that stand for many: median cut, then k-means.

    Args:
        colors: float array `(..., 3)`, RGB in `[0, 1]`.
        num_groups: int, colours to find, 1 to 256.

    Returns:
        A float array `(groups, 3)`, at most so many different colours; and
        an int array `(...)`, the group of each colour.

    Example:

    >>> groups, which = group_colors([[1, 1, 1], [0, 0, 0], [1, 1, 1]], 2)
    >>> groups[which].tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    colors = np.asarray(colors)
    image = to_image(colors.reshape(1, -1, 3)).quantize(num_groups, kmeans=1)
    palette = np.array(image.getpalette(), "uint8").reshape(-1, 3)
    groups, which = np.unique(
        palette[np.asarray(image)[0]], axis=0, return_inverse=True
    )
    return groups / 255, which.reshape(colors.shape[:-1])


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
    ending = check_ending("A picture", path, ENDINGS)
    if picture.shape[-1] == 4:
        check_ending("A transparent picture", path, [".png"])
    write_whole(path, encode(to_image(picture), ending))


def encode(image, ending, **options):
    """Return a PIL image as the bytes of a file of an ending such as `.png`.

    By way of memory: onto a full disk Pillow leaves a part of some formats
    without a word.
    """
    content = io.BytesIO()
    content.name = f"image{ending}"  # Pillow goes by it, without all plugins.
    image.save(content, **options)
    return content.getvalue()


def check_ending(thing, path, endings):
    """Return the ending of a file's name in small letters.

    Args:
        thing: str, what the file holds, such as `"A picture"`.
        path: str or path.
        endings: iterable of str, those that are allowed, of one or two
            suffixes.

    Returns:
        A str, such as `".png"`.

    Raises:
        DataError: for another ending.

    Example:

    >>> check_ending("A picture", "portrait.PNG", [".png", ".jpg"])
    '.png'
    """
    suffixes = pathlib.Path(str(path).lower()).suffixes
    for ending in ("".join(suffixes[-2:]), *suffixes[-1:]):
        if ending in endings:
            return ending
    raise DataError(
        f"{thing} ends in {', '.join(endings)}. Received: {str(path)!r}."
    )


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
    ending = check_ending("An animation", path, (".gif", ".webp", ".mp4"))
    if check_positive("seconds", seconds) > _MAX_SECONDS:
        raise DataError(
            f"An animation takes at most {_MAX_SECONDS} seconds. Received: "
            f"seconds={seconds!r}."
        )
    frames = [to_image(picture) for picture in pictures]
    if ending == ".gif":
        frames = _with_one_palette(frames)
    frame_seconds = seconds / len(frames)
    milliseconds = [round(1000 * frame_seconds)] * len(frames)
    milliseconds[-1] += 1000 * _REST
    with written_whole(path) as temporary:
        if ending == ".mp4":
            content = _encode_mp4(frames, frame_seconds)
        else:
            first, *rest = frames
            options = {"append_images": rest, "duration": milliseconds}
            content = encode(first, ending, **_ANIMATION, **options)
        temporary.write_bytes(content)


def _with_one_palette(frames):
    """Map all frames to 256 colours, found in the first, middle and last.

    A palette for each frame takes ten times as long, makes larger files, and
    lets still colours flicker.
    """
    chosen = (frames[0], frames[len(frames) // 2], frames[-1])
    sample = np.concatenate([np.asarray(frame) for frame in chosen])
    palette = Image.fromarray(sample).quantize(256)
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


def _encode_mp4(frames, frame_seconds):
    # Players want even sides; the finished painting stays.
    options = (
        f"-y -loglevel error -framerate {1 / frame_seconds:.3f} -i %06d.png "
        "-vf pad=ceil(iw/2)*2:ceil(ih/2)*2,tpad=stop=-1 "
        f"-t {len(frames) * frame_seconds + _REST:.3f} -pix_fmt yuv420p"
    )
    command = [find_ffmpeg(), *options.split(), "video.mp4"]
    with tempfile.TemporaryDirectory() as folder:
        for index, frame in enumerate(frames):
            frame.save(f"{folder}/{index:06d}.png")
        # A session of its own: Ctrl-C is for this process to answer.
        result = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if result.returncode or result.stderr:
            said = " ".join(result.stderr.split())
            raise DataError(
                f"ffmpeg could not write the .mp4: {said} Save a .gif or "
                ".webp instead."
            )
        # Onto a full disk ffmpeg leaves a part, and calls it a success: so
        # it writes to a folder of its own.
        return pathlib.Path(folder, "video.mp4").read_bytes()
