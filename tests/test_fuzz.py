"""A seeded search for files and arguments that are not answered or refused.

Two minutes at most by default; `make fuzz` searches for an hour, with other
seeds. A finding becomes an `example` here, or a case of the tests beside.

Files are opened in a child, so that an abort, a hang or a traceback is a
finding. It stays alive from one example to the next.
"""

import ast
import copy
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

import nbpainter
from nbpainter.engine import brush_file, libmypaint

LONG = "NBPAINTER_FUZZ_SECONDS" in os.environ
SECONDS = int(os.environ.get("NBPAINTER_FUZZ_SECONDS", "20"))  # For each test.
SEARCH = hypothesis.settings(
    max_examples=20 * SECONDS if LONG else 200,
    derandomize=not LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
ANSWER_SECONDS = 60

# Reads places of files, one on a line; answers on a line, "" for success.
CHILD = """
import contextlib, io, json, os, pathlib, sys, warnings
warnings.simplefilter("error")
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import numpy as np, nbpainter
from nbpainter import cli
from nbpainter.engine.brush import draw_strokes
from nbpainter.models import presets

def command(arguments):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            code = cli.main(arguments)
        except SystemExit as error:  # Of argparse.
            code = error.code
    said = said.getvalue()
    assert code == 0 or (code == 2 and said.strip()), (code, said)
    assert "Traceback" not in said, said

def use(path):
    if path.endswith(".args"):
        os.chdir(os.path.dirname(path))
        command(json.loads(pathlib.Path(path).read_text()))
    elif path.endswith(".json") and "manifest" not in path:
        painting = nbpainter.Painting.load(path)
        painting.blank(min(64, max(painting.width, painting.height)))
    elif path.endswith(".json"):
        presets.read_manifest(os.path.dirname(path))
    elif path.endswith(".myb"):
        assert np.isfinite(draw_strokes(np.full((2, 12), 0.5), 64, path)).all()
    else:
        picture = nbpainter.load_photo(path, 32)
        assert 0 <= picture.min() and picture.max() <= 1

for line in sys.stdin:
    said = ""
    try:
        use(line.rstrip())
    except nbpainter.errors.NBPainterError as error:
        said = str(error)
    print(repr(said), file=answer, flush=True)
"""


class Child:
    """A process that opens files until one of them ends it."""

    def __init__(self):
        self._start()

    def _start(self):
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def ask(self, path):
        """Say a file's place; return what the process said, one line."""
        watch = threading.Timer(ANSWER_SECONDS, self.process.kill)
        watch.start()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        watch.cancel()
        if answer:
            return answer.rstrip("\n")
        self.close()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace")[-2000:]
        code = self.process.returncode
        self._start()
        raise AssertionError(f"it ended with {code}: {said}")

    def close(self):
        self.process.communicate()


@pytest.fixture(scope="module")
def process():
    child = Child()
    yield child
    child.close()
    child.errors.close()


@pytest.fixture
def child(process):
    process.started = time.monotonic()
    return process


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def _refuses_or_uses(child, path, content):
    if time.monotonic() - child.started > SECONDS:
        return  # The rest of the examples take no time.
    path.write_bytes(content)
    said = ast.literal_eval(child.ask(path))
    assert "\n" not in said
    assert not said or path.name in said or "this brush" in said, said


NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 64, 255, 1e-300, 1e9, 1e308, 10**400, -0.0]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), True, None]),
    st.floats(),
    st.floats(-10, 10),
    st.integers(),
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["dry_brush", "charcoal", "#112233", "../x", "/dev/zero"]),
)
JSON = st.recursive(
    NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)


def _places(value, place=()):
    """All places in nested JSON, as tuples of keys."""
    yield place
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from _places(inner, (*place, key))


@st.composite
def changed(draw, content):
    """JSON with one to three places changed, and perhaps some bytes."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(_places(content))))
        if not place:
            content = draw(JSON) if draw(st.booleans()) else content
            continue
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        if draw(st.integers(0, 4)):
            inner[place[-1]] = draw(NUMBERS | JSON)
        else:
            del inner[place[-1]]
    return _damage(draw, json.dumps(content).encode())


def _damage(draw, content):
    """Now and then, cut a file or change some of its bytes."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return content[: draw(st.integers(0, len(content)))]
    if kind == 1 and content:
        content = bytearray(content)
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.integers(0, len(content) - 1))
            content[place] = draw(st.integers(0, 255))
    return bytes(content)


def _painting():
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place, "painting.json")
        painting = nbpainter.Painting(nbpainter.random_actions(3), 40, 30)
        painting.palette = []
        painting.save(path)
        return json.loads(path.read_text())


BRUSH = brush_file.load_brush("charcoal")
OWN_BRUSH = {k: v for k, v in BRUSH.items() if k != "radius_factor"}


@SEARCH
@hypothesis.given(content=changed(_painting()))
@hypothesis.example(content=b"[" * 100_000)
@hypothesis.example(content=b'{"strokes": [' + b"[]," * 10_000 + b"[]]}")
def test_stroke_files(child, folder, content):
    _refuses_or_uses(child, folder / "painting.json", content)


@pytest.mark.engine
@SEARCH
@hypothesis.given(content=changed(_painting() | {"brush": BRUSH}))
def test_stroke_files_with_a_brush(child, folder, content):
    _refuses_or_uses(child, folder / "painting.json", content)


@SEARCH
@hypothesis.given(content=changed(nbpainter.read_manifest()))
@hypothesis.example(content=b"[[1, 2]]")
@hypothesis.example(content=b'{"two\\nlines": []}')
def test_manifests(child, folder, content):
    _refuses_or_uses(child, folder / "manifest.json", content)


@st.composite
def within_limits(draw):
    """A brush of numbers that are all within libmypaint's limits."""
    brush = copy.deepcopy(OWN_BRUSH)
    names = st.sampled_from(list(brush["settings"]))
    for name in draw(st.lists(names, min_size=1, max_size=4)):
        low, high = libmypaint.setting_limits(name)
        y = st.floats(low - high, high - low)
        sources = st.sampled_from(["pressure", "random", "speed1", "direction"])
        xs = st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted)
        curve = [[x, draw(y)] for x in draw(xs)]
        base = draw(st.floats(low, high) | st.sampled_from([low, high]))
        inputs = {draw(sources): curve}
        brush["settings"][name] = {"base_value": base, "inputs": inputs}
    return json.dumps(brush).encode()


@pytest.mark.engine
@SEARCH
@hypothesis.given(content=changed(OWN_BRUSH) | within_limits())
def test_brushes(child, folder, content):
    _refuses_or_uses(child, folder / "fuzz.myb", content)


@st.composite
def photographs(draw):
    """Small pictures of all modes and formats, whole or damaged."""
    modes = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F"]
    mode = draw(st.sampled_from(modes))
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    kinds = {"I": "int32", "I;16": "uint16", "F": "float32"}
    if mode in kinds:
        low, high = draw(st.sampled_from([(0, 1), (0, 255), (-9, 65535)]))
        array = np.linspace(
            max(low, 0) if mode == "I;16" else low, high, size[0] * size[1]
        ).reshape(size)
        image = Image.fromarray(array.astype(kinds[mode]))
    else:
        noise = np.random.default_rng(draw(st.integers(0, 9)))
        pixels = noise.integers(256, size=(*size, 4), dtype="uint8")
        image = Image.fromarray(pixels)
        image = image.convert("RGB" if mode in ("CMYK", "P") else mode)
        image = image.convert(mode)
    file = io.BytesIO()
    kind = draw(st.sampled_from(["PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP"]))
    try:
        image.save(file, kind)
    except (OSError, ValueError):
        image.save(file, "TIFF")
    return _damage(draw, file.getvalue())


@SEARCH
@hypothesis.given(content=photographs() | st.binary(max_size=200))
def test_photographs(child, folder, content):
    _refuses_or_uses(child, folder / "photo.png", content)


# The last of an option counts, so that nothing below takes long.
COMMANDS = {
    "paint": ["photo.png", "--strokes", "2", "--size", "16", "--out", "out"],
    "replay": ["painting.json", "--size", "32", "--out", "out.png"],
    "export": ["painting.json", "out.svg"],
    "draw": ["--strokes", "3", "--out", "strokes.npz"],
    "inspect": ["painting.json"],
    "train": ["brush", "nosuch"],
}
OPTIONS = ["--strokes", "--size", "--seed", "--seconds", "--palette", "--mask"]
OPTIONS += ["--background", "--focus", "--brush", "--out", "--export", "--data"]
OPTIONS += [
    "--resume",
    "--loss",
    "--cluster",
    "--curve",
    "--preset",
    "-x",
    "--",
]
WORDS = ["", "0", "-1", "3", "2.5", "nan", "inf", "1e400", "9" * 30, "#12", "x"]
WORDS += ["photo.png", "painting.json", "nosuch.png", ".", "/dev/null", "none"]
WORDS += ["faces", "charcoal", "svg", "out.png", "a\nb", "\udcff", "\x01"]


@st.composite
def arguments(draw):
    """A command with some of its options, and others."""
    name = draw(st.sampled_from(list(COMMANDS)))
    words = st.sampled_from(WORDS) | st.text(
        st.characters(exclude_characters="\0/", codec="utf-8"), max_size=6
    )
    more = draw(
        st.lists(st.tuples(st.sampled_from(OPTIONS), words), max_size=4)
    )
    more = [word for pair in more for word in pair]
    cut = draw(st.integers(0, 20))  # Now and then, the first is missing.
    return [name, *COMMANDS[name][int(cut == 0) :], *more]


@pytest.mark.engine
@SEARCH
@hypothesis.given(words=arguments())
@hypothesis.example(words=["paint", "photo.png", "--strokes", ""])
def test_arguments(child, folder, words):
    Image.new("RGB", (20, 16), "teal").save(folder / "photo.png")
    (folder / "painting.json").write_text(json.dumps(_painting()))
    content = json.dumps(words).encode()
    _refuses_or_uses(child, folder / "words.args", content)
