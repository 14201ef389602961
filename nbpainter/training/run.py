"""What all trainings share: data, checkpoints, time, facts.

Each can be killed at any moment and resumed: state is kept after each epoch,
and TensorFlow's operations are made deterministic, so that the weights are
the same to the last bit.
"""

import dataclasses
import time

import keras
import tensorflow as tf

from nbpainter.data.cache import open_episodes, stored_sha256
from nbpainter.data.drawing import draw_episodes
from nbpainter.errors import DataError
from nbpainter.files import make_folder, sha256
from nbpainter.models.presets import read_manifest, save_pretrained
from nbpainter.plotting import plot_history, save_figure
from nbpainter.training.callbacks import (
    Checkpoints,
    EpochOrder,
    StopOnNonFinite,
)
from nbpainter.training.devices import check_batch_size

TEST_SEED = 10_000_019
"""Added to a seed, for strokes that no training sees."""


class Run:
    """What the trainings share: data, checkpoints, time, facts.

    Args:
        stage: str, the stage's name.
        folder: str or path, where everything goes.
        config: the stage's dataclass.
        paths: paths of episodes files; none: strokes are drawn.
        inputs: dict from names to paths of weights that it builds on.
        resume: bool, whether to go on from the newest checkpoint.
        verbose: 0 or 1.
        strategy: `tf.distribute.Strategy` of the devices.
        brush: str or dict, what draws strokes, see `load_brush`.
    """

    def __init__(
        self,
        stage,
        folder,
        config,
        paths,
        inputs,
        resume,
        verbose,
        strategy,
        brush="dry_brush",
    ):
        check_batch_size(strategy, config.batch_size)
        self.stage, self.folder = stage, make_folder(folder)
        read_manifest(self.folder, missing_ok=True)  # Fail now, not later.
        self.config, self.resume, self.verbose = config, resume, verbose
        self.strategy, self.started = strategy, time.perf_counter()
        self.facts = {
            "stage": stage,
            "config": dataclasses.asdict(config),
            "built_on": {name: sha256(path) for name, path in inputs.items()},
        }
        self.train, self.test = self._read_data(paths, brush)
        keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()

    def _read_data(self, paths, brush):
        """Read files of episodes, or draw what the configuration asks for."""
        config, num_test = self.config, self.config.num_test_strokes
        if not paths:
            if self.verbose:
                print(f"Drawing {config.num_strokes} strokes with MyPaint.")
            name = brush if isinstance(brush, str) else "its own"
            self.facts["data"] = {"brush": name, "seed": config.seed}
            return (
                draw_episodes(config.num_strokes, brush, config.seed),
                draw_episodes(num_test, brush, config.seed + TEST_SEED),
            )
        data = open_episodes(paths, verbose=self.verbose)
        self.facts["data"] = {str(path): stored_sha256(path) for path in paths}
        if len(data) < 2 * num_test:
            raise DataError(
                f"{len(data)} strokes are too few to train on: give files "
                f"with at least {2 * num_test}."
            )
        return data[:-num_test], data[-num_test:].load()

    def fit(self, model, state, batches, validation=None, callbacks=()):
        """Train from the first epoch that is not finished.

        Args:
            model: a compiled `keras.Model`.
            state: list of `keras.Variable`, all that changes.
            batches: `StrokeBatches` or `JudgedStrokes`.
            validation: `PyDataset`. Default: none.
            callbacks: sequence of `keras.callbacks.Callback`.
        """
        self.checkpoints = Checkpoints(
            self.folder / "checkpoints", self.stage, self.facts, state
        )
        first = 0
        if self.resume:
            first = self.checkpoints.restore()
            if self.verbose:
                print(f"Going on after epoch {first}.")
        else:
            self.checkpoints.clear()
            self.checkpoints.folder.mkdir(exist_ok=True)
        callbacks = [EpochOrder(batches), StopOnNonFinite(), *callbacks]
        model.fit(
            batches,
            validation_data=validation,
            initial_epoch=first,
            epochs=self.config.epochs,
            callbacks=[self.checkpoints, *callbacks],
            verbose=2 if self.verbose else 0,
            # The order is the data set's own, so that a resumed training
            # has it too; Keras would shuffle the batches once more.
            shuffle=False,
        )
        figure = plot_history(self.checkpoints.history)
        save_figure(figure, self.folder / f"{self.stage}_curves.png")

    def save(self, model, name, builder, arguments, figures):
        """Keep the weights, their facts and figures."""
        facts = {**self.facts, "num_test_strokes": len(self.test), **figures}
        facts["num_devices"] = self.strategy.num_replicas_in_sync
        facts["seconds"] = round(time.perf_counter() - self.started)
        path = self.folder / f"{name}.weights.h5"
        save_pretrained(model, path, builder, arguments, facts)
