"""What every training shares: data, seeds, checkpoints, curves, the manifest.

A training can be killed at any moment and resumed: its state is written after
each epoch, and TensorFlow's operations are made deterministic, so that the
weights are the same to the last bit.
"""

import contextlib
import dataclasses
import functools
import json
import logging
import time
import zipfile
import zlib

import filelock
import keras
import numpy as np
import tensorflow as tf

from nbpainter.data.cache import open_episodes, stored_sha256
from nbpainter.data.drawing import draw_episodes
from nbpainter.errors import DataError, TrainingError
from nbpainter.files import make_folder, remove_left, sha256, written_whole
from nbpainter.models import presets
from nbpainter.plotting import plot_comparison, plot_history, save_figure
from nbpainter.training.metrics import compare_strokes

_logger = logging.getLogger(__name__)

TEST_SEED = 10_000_019
"""Added to a seed, for strokes that no training sees."""

_SUFFIX = ".checkpoint"
_KEPT = 2  # Checkpoints: the newest, and one in case that it is damaged.


class Run:
    """One training: its data, its state on the disk, and what it leaves.

    Strokes are read or drawn and all random numbers are seeded when it is
    made. Build and compile the network after that, then call `fit`, `save`
    and `clear`.

    Args:
        stage: str, the training's name; part of the names of its files.
        folder: str or path, where everything goes.
        config: the stage's `TrainingConfig`.
        paths: paths of episodes files; none: strokes are drawn.
        resume: bool, whether to go on from the newest checkpoint.
        verbose: 0 or 1.
        inputs: sequence of str, names of the trained networks that it builds
            on: those in `folder`, else the shipped ones.
        brush: str or dict, what draws strokes, see `choose_brush`.
            Default: the dry brush.

    Attributes:
        inputs: list of `keras.Model`, the networks of these names.
        train: `Episodes` to train on.
        test: `Episodes` that the training never sees.
        metadata: dict for JSON, what the training depends on. It becomes part
            of the manifest's entry.

    Raises:
        DataError: for files that cannot be used, or a folder that cannot be
            written to.
        EngineError: if there is neither a file nor libmypaint.
    """

    def __init__(
        self,
        stage,
        folder,
        config,
        paths,
        resume,
        verbose,
        inputs=(),
        brush="dry_brush",
    ):
        self.started = time.perf_counter()
        self.stage, self.folder = stage, make_folder(folder)
        self.config, self.resume, self.verbose = config, resume, verbose
        # A broken manifest is said now, not after the training.
        presets.read_manifest(self.folder, missing_ok=True)
        found = {name: presets.find_weights(name, folder) for name in inputs}
        self.inputs = [presets.load_pretrained(path) for path in found.values()]
        self.metadata = {
            "stage": stage,
            "config": dataclasses.asdict(config),
            "built_on": {name: sha256(path) for name, path in found.items()},
        }
        num_test = config.num_test_strokes
        if paths:
            data = open_episodes(paths, verbose=verbose)
            self.metadata["data"] = {str(p): stored_sha256(p) for p in paths}
            if len(data) < 2 * num_test:
                raise DataError(
                    f"{len(data)} strokes are too few to train on: give files "
                    f"with at least {2 * num_test}."
                )
            self.train, self.test = data[:-num_test], data[-num_test:].load()
        else:
            _logger.info("Drawing %d strokes with MyPaint.", config.num_strokes)
            name = brush if isinstance(brush, str) else "its own"
            self.metadata["data"] = {"brush": name, "seed": config.seed}
            draw = functools.partial(draw_episodes, brush=brush)
            self.train = draw(config.num_strokes, seed=config.seed)
            self.test = draw(num_test, seed=config.seed + TEST_SEED)
        keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()

    def fit(
        self,
        model,
        batches,
        validation=None,
        state=None,
        callbacks=(),
    ):
        """Train from the first epoch that is not finished; draw the curves.

        Args:
            model: a compiled `keras.Model`.
            batches: `StrokeBatches` or `JudgedStrokes`.
            validation: the same, of test strokes. Default: none.
            state: list of `keras.Variable`, all that training changes.
                Default: the model's weights and its optimizer's state.
            callbacks: sequence of `keras.callbacks.Callback`.

        Raises:
            DataError: for a checkpoint of another training.
            TrainingError: for a loss or a weight that is not finite.
        """
        if state is None:
            state = [*model.weights, *model.optimizer.variables]
        self._checkpoints = checkpoints = Checkpoints(
            self.folder / "checkpoints", self.stage, self.metadata, state
        )
        first = 0
        if self.resume:
            first = checkpoints.restore()
            _logger.info("Going on after epoch %d.", first)
        else:
            checkpoints.clear()
        batches.start_at(first)
        model.fit(
            batches,
            validation_data=validation,
            initial_epoch=first,
            epochs=self.config.epochs,
            callbacks=[checkpoints, StopOnNonFinite(), *callbacks],
            verbose=2 if self.verbose else 0,
            # The order is the data set's own, so that a resumed training
            # has it too; Keras would shuffle the batches once more.
            shuffle=False,
        )
        figure = plot_history(checkpoints.history)
        save_figure(figure, self.folder / f"{self.stage}_curves.png")

    def clear(self):
        """Remove all checkpoints: what was trained is saved."""
        self._checkpoints.clear()

    def plot_strokes(self, generator, name):
        """Leave a figure of test strokes, real and generated, as `NAME.png`.

        Args:
            generator: the `keras.Model` to draw them with.
            name: str.
        """
        strokes = compare_strokes(generator, self.test[:16])
        save_figure(plot_comparison(strokes), self.folder / f"{name}.png")

    def save(self, model, name, metrics, builder, **arguments):
        """Save weights, and enter their metadata and metrics in the manifest.

        Args:
            model: the trained `keras.Model`.
            name: str, of the weights.
            metrics: dict for JSON.
            builder: str, the function of `nbpainter.models` that built it.
            **arguments: the builder's keyword arguments.

        Returns:
            The path of the weights.
        """
        entry = {
            **self.metadata,
            "num_test_strokes": len(self.test),
            **metrics,
            "seconds": round(time.perf_counter() - self.started),
        }
        path = self.folder / f"{name}.weights.h5"
        presets.save_pretrained(model, path, builder, arguments, entry)
        return path


class Checkpoints(keras.callbacks.Callback):
    """Write a checkpoint after each epoch; go on from the newest whole one.

    A checkpoint is one `.npz` file: every variable (weights, both moments of
    each optimizer, the state of random numbers), the number of finished
    epochs and the curves so far. It is written beside its place and moved
    there, and the one before is kept.

    Args:
        folder: `pathlib.Path`, where they go.
        stage: str, the training's name; part of the file names.
        recipe: dict for JSON, what the training depends on. A checkpoint of
            another recipe is refused.
        variables: list of `keras.Variable`, the whole state.

    Attributes:
        history: dict from names to a list with a value for each epoch.
    """

    def __init__(self, folder, stage, recipe, variables):
        super().__init__()
        self.folder, self.stage = folder, stage
        # Through JSON and back, as the file will have it.
        content = json.dumps(recipe)
        self.recipe = json.loads(content)
        # Trainings at once, of other recipes, have files of their own.
        self.mark = f"{zlib.crc32(content.encode()):08x}"
        self.name = f"{stage}-{self.mark}"
        self.variables = list(variables)
        self.history = {}

    def _found(self, name=None):
        """The checkpoints that are there, newest first."""
        pattern = f"{name or self.name}-[0-9]*{_SUFFIX}"
        return sorted(self.folder.glob(pattern), reverse=True)

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.save(epoch + 1)

    def save(self, epoch):
        """Write the state after this many epochs, whole or not at all.

        Args:
            epoch: int, the epochs that are finished.

        Raises:
            TrainingError: if a weight is not finite.
            DataError: if the file cannot be written.
        """
        arrays = [keras.ops.convert_to_numpy(v) for v in self.variables]
        if not all(np.isfinite(array).all() for array in arrays):
            raise TrainingError(
                f"Training {self.stage!r} went wrong in epoch {epoch}: a "
                "weight is not finite. Lower the learning rate."
            )
        head = {
            "epoch": epoch,
            "recipe": self.recipe,
            "history": self.history,
            "num_arrays": len(arrays),
        }
        name = f"{self.name}-{epoch:05d}{_SUFFIX}"
        with filelock.FileLock(self.folder.with_name(".lock")):
            path = make_folder(self.folder) / name
            with written_whole(path) as temporary, temporary.open("wb") as file:
                np.savez(file, *arrays, head=json.dumps(head))
        for old in self._found()[_KEPT:]:
            old.unlink(missing_ok=True)

    def restore(self):
        """Set all variables to the newest checkpoint that is whole.

        A damaged one is passed over, with a warning.

        Returns:
            An int, the epochs that are finished: 0 if there is none.

        Raises:
            DataError: for a checkpoint of another training.
        """
        others = self._found(f"{self.stage}-*")
        if others and not self._found():
            self._refuse(others[0])
        for path in self._found():
            try:
                head, arrays = _read_checkpoint(path)
            except Exception as error:  # zipfile raises almost anything.
                problem = f"The checkpoint {path} is damaged ({error})"
                _logger.warning("%s; using the one before it.", problem)
                continue
            shapes = [tuple(variable.shape) for variable in self.variables]
            same = [array.shape for array in arrays] == shapes
            if head["recipe"] != self.recipe or not same:
                self._refuse(path)
            for variable, array in zip(self.variables, arrays):
                variable.assign(array)
            self.history = head["history"]
            return head["epoch"]
        return 0

    def _refuse(self, path):
        raise DataError(
            f"The checkpoint {path} belongs to a training with other data or "
            "settings: give the same ones, or start anew without --resume."
        )

    def clear(self):
        """Remove this training's checkpoints; others may be at work here."""
        with filelock.FileLock(self.folder.with_name(".lock")):
            remove_left(self.folder)
            for path in self._found():
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def _read_checkpoint(path):
    with zipfile.ZipFile(path) as archive:
        # numpy alone would not read to the end, where the CRC is compared.
        if damaged := archive.testzip():
            raise ValueError(f"the CRC of {damaged} is wrong")
    with np.load(path, allow_pickle=False) as file:
        head = json.loads(str(file["head"]))
        return head, [file[f"arr_{n}"] for n in range(head["num_arrays"])]


class StopOnNonFinite(keras.callbacks.Callback):
    """Stop a training in which any of the metrics is not finite.

    Keras's `TerminateOnNaN` looks at `loss` alone, and does not raise.
    """

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not np.isfinite(value):
                raise TrainingError(
                    f"Training went wrong at step {batch + 1}: {name} is "
                    f"{float(value)}. Lower the learning rate; --resume goes "
                    "on from the last checkpoint."
                )


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


class StepHistory(keras.callbacks.Callback):
    """Record metrics step by step, where `fit` returns one value an epoch.

    Keras reports the mean over the epoch so far; the value of a step is what
    it adds to the sum.

    Args:
        *names: str, metrics that are means over steps. Default: the loss.

    Attributes:
        history: dict for `plot_history`: for each name a list with a value
            for each step, and `val_NAME`, one for each epoch, if there is
            validation data.
    """

    def __init__(self, *names):
        super().__init__()
        self.names = names or ("loss",)
        self.history = {name: [] for name in self.names}

    def on_epoch_begin(self, epoch, logs=None):
        self._sums = dict.fromkeys(self.names, 0.0)

    def on_train_batch_end(self, batch, logs=None):
        for name in self.names:
            total = (batch + 1) * float(logs[name])
            self.history[name].append(total - self._sums[name])
            self._sums[name] = total

    def on_epoch_end(self, epoch, logs=None):
        for name in self.names:
            if f"val_{name}" in logs:
                held_out = self.history.setdefault(f"val_{name}", [])
                held_out.append(float(logs[f"val_{name}"]))
