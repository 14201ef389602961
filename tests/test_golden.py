"""Files written by commit f325191 still load, and draw the same."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

import nbpainter
from nbpainter.models.presets import find_weights

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _beside_its_weights(monkeypatch):
    monkeypatch.chdir(GOLDEN)  # One painting names its own brush's file.


def test_an_old_painting_draws_the_same_picture():
    painting = nbpainter.Painting.load("own_brush.json")
    expected = nbpainter.load_photo("own_brush.png", 64)
    # Pieces of the path are now spread along x and y apart.
    assert np.abs(painting.canvas - expected).max() < 4 / 255
    assert np.abs(painting.canvas - expected).mean() < 0.5 / 255
    assert painting.figures["num_strokes"] == len(painting)


def test_an_old_painting_of_charcoal_differs_in_its_first_dabs():
    # Since the pen has to come down, they are strewn a little farther.
    painting = nbpainter.Painting.load("charcoal.json")
    expected = nbpainter.load_photo("charcoal.png", 64)
    other = dataclasses.replace(painting, seed=painting.seed + 1)
    same, other = (
        np.abs(each.canvas - expected).mean() for each in (painting, other)
    )
    assert same < 0.08 * other


@pytest.mark.parametrize("name", ["dry_brush", "palette"])
def test_an_old_painting_of_the_dry_brush_spatters_as_much(name):
    """Its numbers were found anew since: dabs lie elsewhere, as in a draw."""
    painting = nbpainter.Painting.load(f"{name}.json")
    expected = nbpainter.load_photo(f"{name}.png", 64)

    def error(picture):
        """Mean error of squares of 8 pixels."""
        difference = (picture - expected)[:40].reshape(5, 8, 8, 8, 3)
        return np.abs(difference.mean(axis=(1, 3))).mean()

    draws = [  # By other seeds than the painting's.
        dataclasses.replace(painting, seed=s).render() for s in range(10, 14)
    ]
    chance = np.mean([error(draw) for draw in draws])
    assert chance < 9 / 255
    assert error(painting.canvas) < 1.2 * chance
    assert np.std(painting.canvas) == pytest.approx(np.std(expected), rel=0.03)


def test_an_old_painting_is_saved_as_it_was(tmp_path):
    for path in GOLDEN.glob("*.json"):
        nbpainter.Painting.load(path).save(tmp_path / path.name)
        assert (tmp_path / path.name).read_text() == path.read_text()


def test_an_old_painting_with_a_generator_of_ones_own_takes_it_again():
    painting = nbpainter.Painting.load(GOLDEN / "custom.json")
    with pytest.raises(nbpainter.DataError, match="of one's own"):
        painting.render()
    painting.generator = nbpainter.load_pretrained("generator_pretrained")
    assert painting.render().shape == (43, 64, 3)


def test_an_old_painting_can_be_resumed(tmp_path):
    from skimage import data

    painting = nbpainter.paint(
        data.coffee(),
        14,
        resume=GOLDEN / "dry_brush.json",
        num_steps=5,
        verbose=0,
    )
    assert len(painting) == 14


@pytest.mark.parametrize(("name", "seed"), [("pen", None), ("chalk", 0)])
def test_old_weights_of_a_brush_load_and_draw(name, seed):
    weights = GOLDEN / "trained" / f"{name}.weights.h5"
    generator = nbpainter.load_pretrained(weights)
    actions = nbpainter.random_actions(40)
    calm = nbpainter.render_strokes(generator, actions)[..., 3]
    drawn = nbpainter.render_strokes(generator, actions, seed=seed)[..., 3]
    assert calm.max() > 0.2
    assert np.mean((drawn - calm) ** 2) < 0.03 * np.mean(calm**2)


def test_an_old_noise_input_says_that_it_is_old():
    weights = GOLDEN / "trained" / "generator_gan.weights.h5"
    with pytest.raises(nbpainter.DataError, match="133 weights, not 139"):
        nbpainter.load_pretrained(weights)


def test_weights_whose_numbers_meant_something_else_are_refused(tmp_path):
    found = find_weights("generator_gan", tmp_path)
    shutil.copy(found, tmp_path)
    entry = nbpainter.read_manifest()["generator_gan"]
    del entry["version"]  # As entries were before.
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"generator_gan": entry}))
    with pytest.raises(nbpainter.DataError, match="old version"):
        nbpainter.load_pretrained(tmp_path / found.name)
