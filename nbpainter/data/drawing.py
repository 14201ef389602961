"""Draw episodes with the real engine: at random, on all cores."""

import collections
import concurrent.futures
import itertools
import json
import math
import os
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np

from nbpainter.actions import WINDOW_SIZE, random_actions
from nbpainter.data.episodes import Episodes, load_episodes, tiny_episodes
from nbpainter.engine.brush import CHUNK_STROKES, Brush, draw_chunk
from nbpainter.engine.brush_file import load_brush
from nbpainter.engine.libmypaint import is_available
from nbpainter.errors import MAX_STROKES, EngineError, check_count
from nbpainter.files import written_whole

_STROKE_SHAPE = (WINDOW_SIZE, WINDOW_SIZE, 3)


def sample_episodes(num_strokes, seed=0):
    """Return real strokes for a lesson, as many as can be had.

    A number that the shipped slice has, or a machine without libmypaint,
    gets the slice's first strokes; otherwise they are drawn.

    Args:
        num_strokes: int, how many, positive.
        seed: int >= 0, of the drawing.

    Returns:
        `Episodes`.
    """
    tiny = tiny_episodes()
    if num_strokes <= len(tiny) or not is_available():
        return tiny[:num_strokes]
    return draw_episodes(num_strokes, seed=seed)


def draw_episodes(num_strokes, brush="dry_brush", seed=0, path=None):
    """Draw episodes with the real MyPaint engine, at random, on all cores.

    Args:
        num_strokes: int, how many, positive.
        brush: str, path or dict, see `nbpainter.engine.brush_file.load_brush`.
        seed: int >= 0; the same seed gives the same strokes, on any number
            of cores.
        path: str or path of an `.npz` file to keep them in. Default: none.

    Returns:
        `Episodes`.

    Raises:
        EngineError: if libmypaint is missing or refuses the brush.
        DataError: if `num_strokes` is not positive or `path` cannot be
            written.
    """
    num_strokes = check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    if path is not None:
        write_drawn_episodes(path, num_strokes, brush, seed)
        return load_episodes(path)
    chunks = list(_draw_chunks(num_strokes, brush, seed))
    return Episodes(random_actions(num_strokes, seed), np.concatenate(chunks))


def write_drawn_episodes(
    path, num_strokes, brush="dry_brush", seed=0, verbose=0
):
    """Draw episodes straight into a file, in constant memory.

    Args:
        path: str or path of the `.npz` file, written whole or not at all.
        num_strokes: int, positive. The dataset's files have 100,000.
        brush: str, path or dict, see `nbpainter.engine.brush_file.load_brush`.
        seed: int >= 0.
        verbose: 0 or 1, whether to show a progress bar.

    Raises:
        As `draw_episodes`.
    """
    num_strokes = check_count("num_strokes", num_strokes, 1, MAX_STROKES)
    bar = keras.utils.Progbar(num_strokes, verbose=verbose, unit_name="stroke")
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": (num_strokes, *_STROKE_SHAPE),
    }
    chunks = _draw_chunks(num_strokes, brush, seed)
    first = next(chunks)
    with (
        written_whole(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        with archive.open("strokes.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for chunk in itertools.chain([first], chunks):
                file.write(chunk.data)
                bar.add(len(chunk))
        with archive.open("actions.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, random_actions(num_strokes, seed))


def _draw_chunks(num_strokes, brush, seed):
    """Yield uint8 pictures in order, drawn by as many processes as cores.

    A process of its own per chunk, not `multiprocessing`: it needs no guard
    in the caller's script and does not load TensorFlow again.
    """
    seed = check_count("seed", seed, 0, 2**63)
    num_chunks = math.ceil(num_strokes / CHUNK_STROKES)
    if num_chunks == 1:
        yield draw_chunk(num_strokes, brush, seed, 0)
        return
    brush = load_brush(brush)
    text = json.dumps({**brush, "radius_factor": Brush(brush).radius_factor})
    cores = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        waiting = collections.deque()
        try:
            for chunk in range(num_chunks):
                arguments = (text, num_strokes, seed, chunk)
                waiting.append(pool.submit(_draw_elsewhere, *arguments))
                if len(waiting) > 2 * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _draw_elsewhere(brush, num_strokes, seed, chunk):
    process = subprocess.run(
        [
            *(sys.executable, "-m", "nbpainter.engine.brush"),
            *map(str, (num_strokes, seed, chunk)),
        ],
        input=brush.encode(),
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
    )
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines()
        raise EngineError(
            f"The MyPaint engine stopped: {lines[-1] if lines else 'killed'}"
        )
    return np.frombuffer(process.stdout, "uint8").reshape(-1, *_STROKE_SHAPE)
