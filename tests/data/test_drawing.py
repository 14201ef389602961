import subprocess
import sys

import numpy as np
import pytest

import nbpainter
from nbpainter import cli
from nbpainter.data import drawing
from nbpainter.data.drawing import inspection_lines
from nbpainter.engine.brush import CHUNK_STROKES, draw_chunk


@pytest.mark.engine
def test_a_good_file_is_called_good(tmp_path, capsys):
    path = nbpainter.data.episodes.TINY_EPISODES
    arguments = ["inspect", str(path), "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "400 strokes" in said
    assert "in the expected order" in said
    assert "NOT" not in said
    assert "Damaged rows: 0.00%" in said
    assert (tmp_path / "tiny_episodes_inspected.png").stat().st_size > 10_000


@pytest.mark.engine
def test_other_columns_are_noticed(tmp_path, tiny):
    path = tmp_path / "other.npz"
    order = [11, 0, 1, 6, 7, 8, 9, 10, 4, 5, 2, 3]  # As a README has it.
    actions = np.ascontiguousarray(tiny.actions[:100, order])
    np.savez(path, actions=actions, strokes=tiny.strokes[:100])
    figures = nbpainter.inspect_episodes(path)
    assert figures["columns_right"] is False
    readme = "as in the README in circulation"
    assert min(figures["fvu"], key=figures["fvu"].get) == readme
    assert figures["fvu"][readme] < 0.3 < 1 < figures["fvu"]["expected"]
    assert figures["wrong_color"] > 0.8
    assert "NOT in the expected order" in "\n".join(inspection_lines(figures))


def test_damaged_rows_are_counted(tmp_path, tiny):
    actions, strokes = tiny.actions.copy(), tiny.strokes.copy()
    actions[:4, 3] = np.nan
    actions[4:12, 5] = 1.5
    strokes[12:32] = strokes[32:52]
    path = tmp_path / "damaged.npz"
    np.savez(path, actions=actions, strokes=strokes)
    figures = nbpainter.inspect_episodes(path, tmp_path / "out")
    assert figures["not_finite"] == 0.01
    assert figures["out_of_range"] == 0.02
    assert 0.04 <= figures["wrong_color"] <= 0.05
    assert figures["picture"].exists()


@pytest.mark.engine
def test_what_was_drawn_ahead_is_thrown_away_without_a_word():
    num_strokes = 3 * CHUNK_STROKES
    chunks = drawing._draw_chunks(num_strokes, "dry_brush", 0)
    first = next(chunks)
    chunks.close()  # As Ctrl-C does; a warning would be an error here.
    alone = draw_chunk(num_strokes, "dry_brush", 0, 0)
    np.testing.assert_array_equal(first, alone)


def test_a_lesson_without_libmypaint_says_what_stands_in():
    program = (
        "import ctypes.util; ctypes.util.find_library = lambda name: None; "
        "import nbpainter; print(len(nbpainter.sample_episodes(12_000)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert result.stdout.split() == ["400"]
    assert "400 strokes that come with the package stand in" in result.stderr
