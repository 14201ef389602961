"""libmypaint's C functions, through ctypes, and the surface it paints on.

Nothing but the shared library is needed: Debian's `libmypaint-1.5-1`,
Homebrew's `libmypaint`.
"""

import ctypes
import ctypes.util
import functools
import math
import sys
import weakref

import numpy as np

from nbpainter.errors import EngineError

# libmypaint's fixed-point 1.0.
_OPAQUE = 1 << 15

TILE = 64
"""Side of a surface's tile in pixels."""

_INSTALL = {
    "linux": "sudo apt-get install libmypaint-1.5-1  (Debian, Ubuntu, Colab; "
    "elsewhere the package is called libmypaint)",
    "darwin": "brew install libmypaint",
    "win32": "libmypaint has no Windows package: use WSL, Colab or Linux",
}


class _TileRequest(ctypes.Structure):
    # MyPaintTileRequest of libmypaint 1.x, mypaint-tiled-surface.h.
    _fields_ = [
        ("place_and_mode", ctypes.c_int * 3),
        ("buffer", ctypes.POINTER(ctypes.c_uint16)),
        ("context", ctypes.c_void_p),
        ("thread_and_level", ctypes.c_int * 2),
    ]


class _SettingInfo(ctypes.Structure):
    # MyPaintBrushSettingInfo, mypaint-brush-settings.h.
    _fields_ = [
        ("names", ctypes.c_char_p * 2),
        ("constant", ctypes.c_int),
        ("min_default_max", ctypes.c_float * 3),
        ("tooltip", ctypes.c_char_p),
    ]


_TYPES = {
    "-": None,
    "i": ctypes.c_int,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
    "s": ctypes.c_char_p,
    "p": ctypes.c_void_p,
    "r": ctypes.POINTER(_TileRequest),
    "o": ctypes.POINTER(_SettingInfo),
}

# Each function's result and arguments.
_PROTOTYPES = {
    "mypaint_fixed_tiled_surface_new": "pii",
    "mypaint_surface_unref": "-p",
    "mypaint_surface_begin_atomic": "-p",
    "mypaint_surface_end_atomic": "-pp",
    "mypaint_tiled_surface_tile_request_start": "-pr",
    "mypaint_tiled_surface_tile_request_end": "-pr",
    "mypaint_brush_new": "p",
    "mypaint_brush_unref": "-p",
    "mypaint_brush_from_defaults": "-p",
    "mypaint_brush_setting_from_cname": "is",
    "mypaint_brush_input_from_cname": "is",
    "mypaint_brush_setting_info": "oi",
    "mypaint_brush_set_base_value": "-pif",
    "mypaint_brush_get_base_value": "fpi",
    "mypaint_brush_set_mapping_n": "-piii",
    "mypaint_brush_set_mapping_point": "-piiiff",
    "mypaint_brush_stroke_to": "ippfffffd",
}


@functools.cache
def load_library():
    """Find libmypaint and declare the functions in use, once.

    Returns:
        A `ctypes.CDLL`.

    Raises:
        EngineError: if there is no libmypaint, or another one.
    """
    find = ctypes.util.find_library
    path = find("mypaint-1.5") or find("mypaint")
    if not path:
        raise EngineError(
            "The MyPaint engine (libmypaint) was not found. Install it with: "
            f"{_INSTALL.get(sys.platform, _INSTALL['linux'])}"
        )
    try:
        library = ctypes.CDLL(path)
        for name, types in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, *function.argtypes = [_TYPES[t] for t in types]
    except (OSError, AttributeError) as error:
        raise EngineError(
            f"The MyPaint engine {path} cannot be used ({error}). nbpainter "
            "needs libmypaint 1.5 or later of the 1.x series."
        ) from error
    return library


def is_available():
    """Return whether libmypaint can be used on this machine."""
    try:
        return bool(load_library())
    except EngineError:
        return False


def setting_limits(name):
    """Return the lowest and the highest value of a brush's setting.

    Args:
        name: str, such as `"opaque"`.

    Returns:
        Two floats, libmypaint's own; infinite for a setting that it does not
        know, or without libmypaint.
    """
    if is_available():
        library = load_library()
        number = library.mypaint_brush_setting_from_cname(name.encode())
        if number >= 0:
            info = library.mypaint_brush_setting_info(number).contents
            low, _, high = (round(x, 6) for x in info.min_default_max)
            return low, high
    return -math.inf, math.inf


class Surface:
    """A MyPaint canvas, transparent at first.

    Args:
        height: int, pixels, positive.
        width: int, pixels, positive.

    Attributes:
        tiles: uint16 array `(rows, columns, 64, 64, 4)`, what the engine
            itself paints on: premultiplied RGBA, where 32768 stands for 1.
            Those on the right and at the bottom may go beyond the canvas.

    Raises:
        EngineError: if libmypaint is missing or has no memory left.
    """

    def __init__(self, height, width):
        library = load_library()
        self.height, self.width = height, width
        self.handle = library.mypaint_fixed_tiled_surface_new(width, height)
        if not self.handle:
            raise EngineError(
                f"libmypaint cannot make a canvas of {width} x {height} "
                "pixels: choose a smaller size."
            )
        weakref.finalize(self, library.mypaint_surface_unref, self.handle)
        request = _TileRequest()  # For the first tile.
        library.mypaint_tiled_surface_tile_request_start(self.handle, request)
        # The tiles follow each other in memory and never move.
        shape = -(-height // TILE), -(-width // TILE), TILE, TILE, 4
        self.tiles = np.ctypeslib.as_array(request.buffer, shape)
        # Seen as rows of tiles, lines of a tile, tiles of a row, pixels and
        # channels.
        self._lines = self.tiles.swapaxes(1, 2)
        library.mypaint_tiled_surface_tile_request_end(self.handle, request)
        self.clear()

    def clear(self, ground=None):
        """Begin again with an empty surface.

        Args:
            ground: float array `(height, width, 3)`, RGB in `[0, 1]`, an
                opaque picture whose sides are multiples of a tile's, 64.
                Default: every pixel is transparent.
        """
        self.tiles[...] = 0
        if ground is not None:
            ground = np.rint(ground * _OPAQUE)
            self._lines[..., :3] = ground.reshape(*self._lines.shape[:-1], 3)
            self.tiles[..., 3] = _OPAQUE

    def pixels(self):
        """Return the picture, a float32 array `(height, width, 4)`.

        RGBA in `[0, 1]` with *premultiplied* alpha, as the engine keeps it:
        over white it is `rgb + (1 - alpha)`.
        """
        whole = self._lines.reshape(len(self.tiles) * TILE, -1, 4)
        seen = whole[: self.height, : self.width]
        return seen.astype("float32") / _OPAQUE
