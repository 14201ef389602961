import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest
from PIL import Image

import nbpainter
from nbpainter import cli
from nbpainter.engine import libmypaint


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    return str(path)


def _fails(capsys, *arguments):
    assert cli.main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("nbpainter: ")
    assert "Traceback" not in error
    assert "\n" not in error
    return error


def test_paint_leaves_what_it_promises(photo, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["paint", photo, "--strokes", "3", "--size", "40", "--curve"]
    assert cli.main([*arguments, "--out", str(out)]) == 0
    found = {path.name for path in out.iterdir()}
    promised = {"painting.png", "painting.gif", "painting.json", "curve.png"}
    assert promised <= found
    assert ("mypaint.png" in found) == libmypaint.is_available()
    assert len(json.loads((out / "painting.json").read_text())["strokes"]) == 3
    with Image.open(out / "painting.png") as image:
        assert image.size == (40, 30)
    assert "3 strokes" in capsys.readouterr().out


def test_one_broken_photograph_does_not_stop_the_others(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "c.jpg"):
        Image.new("RGB", (30, 20), "olive").save(folder / name)
    (folder / "b.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no photograph")
    (folder / "._a.png").write_text("no photograph: macOS leaves such files")
    other = tmp_path / "a.png"
    Image.new("RGB", (20, 20), "navy").save(other)
    out = tmp_path / "out"
    arguments = ["paint", str(folder), str(other), str(tmp_path / "gone.png")]
    arguments += ["--strokes", "2", "--size", "32", "--out", str(out)]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert "b.jpg" in error
    assert "gone.png" in error
    assert "2 of 5" in error
    found = {path.parent.name for path in out.glob("*/painting.json")}
    assert found == {"a", "a-2", "c"}


def test_paint_with_choices_and_go_on(photo, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["paint", photo, "--size", "40", "--out", str(out)]
    choices = ["--palette", "#008080,#ffffff", "--background", "#102030"]
    assert cli.main([*arguments, "--strokes", "3", *choices]) == 0
    strokes = str(out / "painting.json")
    more = ["paint", photo, "--resume", strokes, "--strokes", "5"]
    assert cli.main([*more, "--out", str(out)]) == 0
    painting = nbpainter.Painting.load(strokes)
    assert len(painting) == 5
    assert painting.palette == ["#008080", "#ffffff"]
    assert painting.background == "#102030"
    assert painting.width == 40
    for option, value in (
        ("--palette", "0"),
        ("--palette", "red"),
        ("--background", "red"),
        ("--mask", "nosuch.png"),
        ("--resume", "nosuch.json"),
    ):
        assert value in _fails(capsys, *arguments, option, value)
    assert "alone" in _fails(capsys, "paint", photo, *more[1:])
    assert "seed" in _fails(capsys, *more, "--seed", 7)
    (tmp_path / "empty").mkdir()
    assert "empty" in _fails(capsys, "paint", tmp_path / "empty")


def test_ctrl_c_saves_the_painting(tmp_path):
    photo = tmp_path / "photo.png"
    Image.effect_noise((200, 150), 90).save(photo)
    command = ["paint", str(photo), "--strokes", "5000", "--size", "200"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nbpainter.cli", *command],
        cwd=tmp_path,
        env={**os.environ, "NBPAINTER_SMOKE_TEST": "1"},
        stdout=subprocess.PIPE,
    )
    shown = b""
    while b"psnr" not in shown:
        part = os.read(process.stdout.fileno(), 1000)
        assert part, shown
        shown += part
    process.send_signal(signal.SIGINT)
    shown += process.communicate(timeout=120)[0]
    assert process.returncode == 130
    assert b"painting.gif" in shown
    painting = nbpainter.Painting.load(tmp_path / "painting/painting.json")
    assert 0 < len(painting) < 5000
    assert painting.figures["ended"] == "interrupt"
    assert (tmp_path / "painting/painting.png").exists()


@pytest.mark.engine
def test_replay(tmp_path, capsys):
    strokes = tmp_path / "painting.json"
    actions = nbpainter.random_actions(3)
    nbpainter.Painting(actions, 40, 30).save(strokes)
    out = tmp_path / "big.png"
    arguments = ["replay", str(strokes), "--size", "80", "--out", str(out)]
    assert cli.main(arguments) == 0
    with Image.open(out) as image:
        assert image.size == (80, 60)


@pytest.mark.engine
def test_draw_then_train(tmp_path, capsys, monkeypatch):
    path = tmp_path / "episodes.npz"
    assert cli.main(["draw", "--strokes", "200", "--out", str(path)]) == 0
    assert len(nbpainter.load_episodes(path)) == 200
    small = nbpainter.GeneratorConfig(epochs=1, num_test_strokes=40)
    config = "nbpainter.training.train.GeneratorConfig"
    monkeypatch.setattr(config, lambda: small)
    out = tmp_path / "trained"
    arguments = ["train", "generator", "--data", str(path), "--out", str(out)]
    assert cli.main(arguments) == 0
    weights = out / "generator_pretrained.weights.h5"
    assert nbpainter.load_pretrained(weights).count_params() == 130
    found = {path.name for path in out.iterdir()}
    assert {"generator_curves.png", "generator_strokes.png"} <= found
    assert "checkpoints" not in found


def _run(folder, *arguments):
    """Run a command in a process of its own, with the smallest settings."""
    return subprocess.run(
        [sys.executable, "-m", "nbpainter.cli", *arguments],
        cwd=folder,
        env={**os.environ, "NBPAINTER_SMOKE_TEST": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.engine
def test_the_second_stage_builds_on_the_first(tmp_path):
    for stage in ("generator", "discriminator"):
        result = _run(tmp_path, "train", stage, "--out", "mine")
        assert result.returncode == 0, result.stderr
    entries = nbpainter.read_manifest(tmp_path / "mine")
    used = entries["discriminator_pretrained"]["built_on"]
    assert used == {
        "generator_pretrained": entries["generator_pretrained"]["sha256"]
    }
    assert "accuracy" in result.stdout
    found = {path.name for path in (tmp_path / "mine").iterdir()}
    assert {
        "discriminator_calibration.png",
        "discriminator_suspicious.png",
    } <= found


@pytest.mark.engine
def test_report(tmp_path):
    result = _run(tmp_path, "report", "--preset", "generator_gan")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # TensorFlow's greeting is hidden.
    for row in ("FVU", "texture", "two-sample test", "reality gap"):
        assert row in result.stdout
    metrics = json.loads(
        (tmp_path / "report/report_generator_gan.json").read_text()
    )
    assert 0 < metrics["fvu"] < 0.1
    assert 0.8 < metrics["spread"] / metrics["engine_spread"] < 1.2
    assert (tmp_path / "report/report_generator_gan.png").exists()


@pytest.mark.engine
def test_a_report_at_another_size(tmp_path, capsys, monkeypatch):
    small = functools.partial(
        nbpainter.ReportConfig,
        num_strokes=80,
        num_judged=64,
        num_test_strokes=64,
        num_painted=3,
        epochs=1,
    )
    monkeypatch.setattr(nbpainter, "ReportConfig", small)
    arguments = ["report", "--size", "128", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    assert "two-sample test" in capsys.readouterr().out
    path = tmp_path / "report_generator_gan.json"
    metrics = json.loads(path.read_text())
    assert metrics["stroke_size"] == 128
    assert metrics["num_strokes"] == 40
    assert metrics["two_sample_error"] == round(0.5 / 64**0.5, 4)
    assert 0 < metrics["fvu"] < 0.1
    assert 0.8 < metrics["spread"] / metrics["engine_spread"] < 1.2
    assert "size" in _fails(capsys, "report", "--size", "0")


def test_bad_input_ends_in_one_sentence(photo, tmp_path, capsys):
    assert "nosuch.jpg" in _fails(capsys, "paint", "nosuch.jpg")
    for option, value in (
        ("--strokes", 0),
        ("--strokes", -5),
        ("--strokes", 10**12),
        ("--size", 0),
        ("--size", 10**9),
        ("--seed", -1),
    ):
        out = tmp_path / "none"
        error = _fails(capsys, "paint", photo, option, value, "--out", out)
        assert str(value) in error
    assert "watercolour" in _fails(
        capsys, "paint", photo, "--brush", "watercolour"
    )
    broken = tmp_path / "painting.json"
    broken.write_text("{}")
    assert "format" in _fails(capsys, "replay", broken)
    assert "nosuch" in _fails(capsys, "train", "gan", "--data", "nosuch")
    assert "nosuch" in _fails(capsys, "report", "--preset", "nosuch")
    assert "nosuch.jpg" in _fails(capsys, "report", "--photo", "nosuch.jpg")
    assert "no generator" in _fails(
        capsys, "report", "--preset", "discriminator_gan"
    )


def test_a_folder_that_cannot_be_written_is_named(photo, tmp_path, capsys):
    place = tmp_path / "file"
    place.write_text("in the way")
    assert str(place) in _fails(
        capsys, "paint", photo, "--strokes", 1, "--out", place / "out"
    )
    assert place.read_text() == "in the way"


@pytest.mark.engine
def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, capsys):
    missing = tmp_path / "nosuch" / "episodes.npz"
    _fails(capsys, "draw", "--strokes", 2, "--out", missing)
    assert os.listdir(tmp_path) == []


@pytest.mark.engine
def test_a_terminated_drawing_leaves_nothing(tmp_path):
    command = ["draw", "--strokes", "60000", "--out", "episodes.npz"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nbpainter.cli", *command],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    while not os.listdir(tmp_path) and process.poll() is None:
        time.sleep(0.1)
    assert os.listdir(tmp_path)
    process.terminate()
    assert process.wait(timeout=60) == 143
    assert os.listdir(tmp_path) == []


def test_a_bad_choice_is_said_once_for_all_photographs(photo, tmp_path, capsys):
    out = tmp_path / "out"
    text = _fails(
        capsys, "paint", photo, photo, "--palette", "red", "--out", out
    )
    assert text.count("palette") == 2  # Its name, and what was received.
    assert not out.exists()


def test_wrong_usage_exits_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["paint"])
    assert caught.value.code == 2


@pytest.mark.parametrize("name", ["b", "b.txt", "b.bmp"])
def test_endings_are_checked_before_the_work(name, tmp_path, capsys):
    strokes, out = tmp_path / "painting.json", tmp_path / name
    nbpainter.Painting([], 8, 8).save(strokes)
    started = time.perf_counter()
    assert name in _fails(capsys, "brushes", "--out", out)
    assert name in _fails(capsys, "replay", strokes, "--out", out)
    assert time.perf_counter() - started < 10
    assert [path.name for path in tmp_path.iterdir()] == ["painting.json"]


def test_an_empty_brush_is_no_brush(photo, tmp_path, capsys):
    strokes = tmp_path / "painting.json"
    nbpainter.Painting([], 8, 8).save(strokes)
    assert "brush" in _fails(capsys, "paint", photo, "--brush", "")
    assert "brush" in _fails(capsys, "replay", strokes, "--brush", "")
    assert "brush" in _fails(capsys, "report", "--brush", "")


def test_names_may_hold_anything(tmp_path):
    """What is no UTF-8, control characters, and a terminal of ASCII."""
    name = b"f\xfc\xff\x01\n\xc3\xbc.png"
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (20, 16), "teal").save(tmp_path / "photo.png")
    os.rename(tmp_path / "photo.png", os.fsencode(photos) + b"/" + name)
    out = os.fsencode(tmp_path) + b"/" + name.removesuffix(b".png")
    command = ["paint", "photos", "--strokes", "2", "--size", "20"]
    options = ["--out", out, "--export", "svg", "html"]
    result = subprocess.run(
        [sys.executable, "-m", "nbpainter.cli", *command, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    (folder,) = os.listdir(out)
    painting = os.path.join(out, folder, b"painting.json")
    exported = [
        os.path.join(out, b"a\x01\xff" + e) for e in (b".svg", b".html")
    ]
    command = [sys.executable, "-m", "nbpainter.cli", "export", painting]
    subprocess.run([*command, *exported], check=True, capture_output=True)
    ElementTree.parse(os.fsdecode(exported[0]))


def test_a_full_standard_error_is_no_traceback():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "nbpainter.cli", "paint", "nosuch.jpg"],
            stderr=full,
            stdout=subprocess.PIPE,
        )
    assert result.returncode == 2


def test_ctrl_c_while_files_are_written_leaves_all_of_them(photo, tmp_path):
    out = tmp_path / "out"
    command = ["paint", photo, "--strokes", "40", "--size", "600"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nbpainter.cli", *command, "--out", out]
        + ["--export", "svg", "html", "pdf"],
        env={**os.environ, "NBPAINTER_SMOKE_TEST": "1"},
        stdout=subprocess.DEVNULL,
    )
    while not (out / "painting.json").exists() and process.poll() is None:
        time.sleep(0.01)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    assert process.wait(timeout=120) == 130
    names = {"painting.json", "painting.png", "painting.gif", "painting.svg"}
    names |= {"painting.html", "painting.pdf"}
    assert {path.name for path in out.iterdir()} - {"mypaint.png"} == names


def test_what_a_kill_left_is_removed_by_the_next_run(tmp_path):
    """What a process that is at work writes is left alone."""
    code = (
        "import sys, time; from nbpainter.files import written_whole\n"
        "with written_whole(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(bytes(1000))\n"
        "    print('ready', flush=True); time.sleep(100)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / f"{n}.weights.h5"],
            stdout=subprocess.PIPE,
        )
        for n in range(2)
    ]
    for process in processes:
        process.stdout.readline()
    assert len(os.listdir(tmp_path)) == 2
    processes[0].kill()
    processes[0].communicate()
    nbpainter.Painting([], 8, 8).save(tmp_path / "painting.json")
    assert len(os.listdir(tmp_path)) == 2
    processes[1].kill()
    processes[1].communicate()
    nbpainter.Painting([], 8, 8).save(tmp_path / "painting.json")
    assert os.listdir(tmp_path) == ["painting.json"]


def test_what_is_painted_already_is_skipped(tmp_path, capsys):
    """A folder that lacks a file is painted again."""
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (30, 20), "olive").save(folder / name)
    arguments = ["paint", str(folder), "--strokes", "2", "--size", "32"]
    arguments += ["--out", str(out), "--skip-existing"]
    assert cli.main(arguments) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    (out / "b" / "painting.gif").unlink()
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.count("painted already") == 1
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    changed = {
        path.parent.name for path in after if after[path] != before[path]
    }
    assert changed == {"b"}


def test_an_installed_package_paints_in_an_empty_folder(photo, tmp_path):
    checkout = pathlib.Path(__file__).parents[1]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run([*build, tmp_path], cwd=checkout, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    empty, installed = tmp_path / "empty", tmp_path / "installed"
    empty.mkdir()
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*install, "--target", installed, wheel], check=True)
    code = (
        "import sys, nbpainter.cli; print(nbpainter.__file__);"
        "sys.exit(nbpainter.cli.main(sys.argv[1:]))"
    )
    small = ["--strokes", "3", "--size", "32", "--focus", "none"]
    done = subprocess.run(
        [sys.executable, "-c", code, "paint", photo, *small, "--out", "."],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(installed))
    assert len(nbpainter.Painting.load(empty / "painting.json")) == 3
    written = {path.name for path in empty.iterdir()}
    assert written >= {"painting.png", "painting.gif", "painting.json"}
