"""Callbacks of a training: keep its state, end it in time, or in need."""

import contextlib
import hashlib
import io
import json
import pathlib
import sys
import time

import keras
import numpy as np

from nbpainter.errors import DataError, TrainingError
from nbpainter.files import make_folder, written_whole

_SUFFIX = ".checkpoint"
_KEPT = 2


class Checkpoints(keras.callbacks.Callback):
    """Write a checkpoint after each epoch; go on from the newest whole one.

    A checkpoint is one file: its SHA-256, then every variable (weights, both
    moments of each optimizer, the state of random numbers), the number of
    finished epochs and the curves so far. It is written beside its place and
    moved there, and the one before is kept.

    Args:
        folder: str or path, where they go.
        stage: str, the training's name; part of the file names.
        recipe: dict for JSON, what the training depends on. A checkpoint of
            another recipe is refused.
        variables: list of `keras.Variable`, the whole state.

    Attributes:
        history: dict from names to a list with a value for each epoch.
    """

    def __init__(self, folder, stage, recipe, variables):
        super().__init__()
        self.folder, self.stage = make_folder(folder), stage
        # Through JSON and back, as the file will have it.
        self.recipe = json.loads(json.dumps(recipe))
        self.variables = list(variables)
        self.history = {}

    def _path(self, epoch):
        return self.folder / f"{self.stage}-{epoch:05d}{_SUFFIX}"

    def _found(self):
        """The checkpoints that are there, newest first."""
        return sorted(
            self.folder.glob(f"{self.stage}-[0-9]*{_SUFFIX}"), reverse=True
        )

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.save(epoch + 1)

    def save(self, epoch):
        """Write the state after so many epochs, whole or not at all.

        Raises:
            TrainingError: if a weight is not finite.
            DataError: if the file cannot be written.
        """
        arrays = {
            f"{index:05d}": keras.ops.convert_to_numpy(variable)
            for index, variable in enumerate(self.variables)
        }
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise TrainingError(
                f"Training {self.stage!r} went wrong in epoch {epoch}: a "
                "weight is not finite. Lower the learning rate."
            )
        head = {"epoch": epoch, "recipe": self.recipe, "history": self.history}
        buffer = io.BytesIO()
        np.savez(buffer, head=json.dumps(head), **arrays)
        content = buffer.getvalue()
        with written_whole(self._path(epoch)) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
        for old in self._found()[_KEPT:]:
            old.unlink(missing_ok=True)

    def restore(self):
        """Set all variables to the newest checkpoint that is whole.

        A damaged one is passed over, with a line on standard error.

        Returns:
            An int, the epochs that are finished: 0 if there is none.

        Raises:
            DataError: for a checkpoint of another training.
        """
        for path in self._found():
            try:
                head, arrays = _read(path)
            except (OSError, ValueError, KeyError) as error:
                print(
                    f"The checkpoint {path} is damaged ({error}); using the "
                    "one before it.",
                    file=sys.stderr,
                )
                continue
            shapes = [tuple(variable.shape) for variable in self.variables]
            same = [array.shape for array in arrays] == shapes
            if head["recipe"] != self.recipe or not same:
                raise DataError(
                    f"The checkpoint {path} belongs to a training with other "
                    "data or settings: give the same ones, or start anew "
                    "without --resume."
                )
            for variable, array in zip(self.variables, arrays):
                variable.assign(array)
            self.history = head["history"]
            return head["epoch"]
        return 0

    def clear(self):
        """Remove this training's checkpoints and what a kill left of them."""
        for path in self._found():
            path.unlink(missing_ok=True)
        for path in self.folder.glob(f".*.part{_SUFFIX}"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _read(path):
    content = pathlib.Path(path).read_bytes()
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError("its SHA-256 is another")
    with np.load(io.BytesIO(content[32:]), allow_pickle=False) as file:
        head = json.loads(str(file["head"]))
        names = sorted(name for name in file.files if name != "head")
        return head, [file[name] for name in names]


class EpochOrder(keras.callbacks.Callback):
    """Give each epoch its own order, whatever Keras has read before it.

    On several devices Keras begins an epoch more, to build the network.

    Args:
        batches: `StrokeBatches` or `JudgedStrokes`.
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.start_at(epoch)


class StopOnNonFinite(keras.callbacks.Callback):
    """Stop a training in which any figure is not finite.

    Keras's `TerminateOnNaN` looks at `loss` alone, and says nothing to who
    waits for the weights.
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
