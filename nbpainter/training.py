"""Train networks from zero, and keep their weights with the facts."""

import time

import keras
import numpy as np

from nbpainter.actions import ACTION_INDEX
from nbpainter.config import GeneratorConfig
from nbpainter.drawing import draw_episodes
from nbpainter.episodes import (
    Episodes,
    StrokeBatches,
    load_episodes,
    to_rgba,
)
from nbpainter.errors import DataError
from nbpainter.files import make_folder, sha256
from nbpainter.losses import FVU, opacity_loss
from nbpainter.models import build_generator
from nbpainter.painting import render_strokes
from nbpainter.plotting import plot_comparison, plot_history, save_figure
from nbpainter.weights import read_manifest, save_pretrained

_TEST_SEED = 10_000_019  # Added to a seed, for strokes that no training sees.


class StopAfter(keras.callbacks.Callback):
    """Stop `fit` after some seconds, and measure how long it took.

    Args:
        seconds: float. Default: never.
    """

    def __init__(self, seconds=float("inf")):
        super().__init__()
        self.limit, self.seconds = seconds, 0.0

    def on_train_begin(self, logs=None):
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.perf_counter() - self.started
        if self.seconds > self.limit:
            self.model.stop_training = True


def measure_fvu(generator, episodes):
    """Measure the error of calm strokes, altogether and by brush size.

    Args:
        generator: a model of `build_generator`.
        episodes: `Episodes` that no training saw.

    Returns:
        A dict: `fvu`, and `fvu_by_size`, a list for the quarters of the
        component `size`, smallest first (`None` for an empty quarter).
    """
    error, energy = [], []
    for actions, real in StrokeBatches(episodes, batch_size=100):
        real = real[..., 3]
        fake = render_strokes(generator, actions)[..., 3]
        error.append(np.sum((real - fake) ** 2, axis=(1, 2)))
        energy.append(np.sum(real**2, axis=(1, 2)))
    error, energy = np.concatenate(error), np.concatenate(energy)
    quarter = episodes.actions[:, ACTION_INDEX["size"]] * 4
    quarter = np.minimum(quarter.astype(int), 3)
    masks = [quarter == q for q in range(4)]
    return {
        "fvu": round(float(error.sum() / energy.sum()), 4),
        "fvu_by_size": [
            round(float(error[mask].sum() / energy[mask].sum()), 4)
            if energy[mask].sum()
            else None
            for mask in masks
        ],
    }


def _read_data(paths, config, verbose):
    """Read files of episodes, or draw what the configuration asks for."""
    if not paths:
        if verbose:
            print(f"Drawing {config.num_strokes} strokes with MyPaint.")
        drawn = draw_episodes(config.num_strokes, seed=config.seed)
        facts = {
            "brush": "dry_brush",
            "num_strokes": config.num_strokes,
            "seed": config.seed,
        }
        return drawn, facts
    parts = [load_episodes(path) for path in paths]
    data = Episodes(
        np.concatenate([part.actions for part in parts]),
        np.concatenate([part.strokes for part in parts]),
    )
    if len(data) < 2 * config.num_test_strokes:
        raise DataError(
            f"{len(data)} strokes are too few to train on: give files with "
            f"at least {2 * config.num_test_strokes}."
        )
    facts = {"files": {str(path): sha256(path) for path in paths}}
    return data, facts


def compile_generator(generator, config, num_strokes):
    """Prepare a generator for `fit` on `StrokeBatches`.

    Args:
        generator: a model of `build_generator` or `build_fc_generator`.
        config: `GeneratorConfig`.
        num_strokes: int, strokes of an epoch; sets the learning rate's
            decay.
    """
    num_steps = max(1, num_strokes // config.batch_size) * config.epochs
    learning_rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, num_steps
    )
    generator.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=opacity_loss,
        metrics=[FVU()],
    )


def train_generator(folder, paths=(), config=None, verbose=1):
    """Stage 1: train a generator from zero and keep it.

    Args:
        folder: str or path, where `generator_pretrained.weights.h5`,
            `manifest.json` and two figures go.
        paths: paths of episodes files. Default: strokes are drawn with the
            real engine.
        config: `GeneratorConfig`. Default: the shipped weights' own.
        verbose: 0 or 1.

    Returns:
        The trained `keras.Model`.

    Raises:
        DataError: for files that cannot be used or written.
        EngineError: if there is neither a file nor libmypaint.
    """
    config = config or GeneratorConfig()
    folder = make_folder(folder)
    read_manifest(folder, missing_ok=True)  # Fail now, not after an hour.
    started = time.perf_counter()
    train, facts = _read_data(paths, config, verbose)
    if paths:
        test = train[-config.num_test_strokes :]
        train = train[: -config.num_test_strokes]
    else:
        test = draw_episodes(
            config.num_test_strokes, seed=config.seed + _TEST_SEED
        )
    keras.utils.set_random_seed(config.seed)
    generator = build_generator()
    compile_generator(generator, config, len(train))
    history = generator.fit(
        StrokeBatches(train, config.batch_size, seed=config.seed),
        validation_data=StrokeBatches(test, batch_size=100),
        epochs=config.epochs,
        verbose=verbose,
    )
    figures = measure_fvu(generator, test)
    save_pretrained(
        generator,
        folder / "generator_pretrained.weights.h5",
        "build_generator",
        {},
        {
            "stage": "generator",
            "data": facts,
            "epochs": config.epochs,
            "batch_size": config.batch_size,
            "learning_rate": config.learning_rate,
            "training_seed": config.seed,
            "num_test_strokes": len(test),
            **figures,
            "seconds": round(time.perf_counter() - started),
        },
    )
    shown = test[:16]
    pictures = {
        "real": to_rgba(shown.actions, shown.strokes),
        "generated": render_strokes(generator, shown.actions),
    }
    save_figure(plot_comparison(pictures), folder / "generator_strokes.png")
    save_figure(plot_history(history.history), folder / "generator_loss.png")
    return generator
