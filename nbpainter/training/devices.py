"""Train on several devices with TensorFlow's own `MirroredStrategy`.

The generator's weights agree with those of one device to rounding; so do the
discriminator's losses, since batch normalisation sees the whole batch. In the
GAN each device draws its share of the same noise, but anchors a quarter of
its own share, so the weights are only alike.

`MultiWorkerMirroredStrategy`, for several machines, is not offered: two
processes find each other, but `fit` of Keras 3.15 with TensorFlow 2.21 ends
in a `ValueError`. It builds the metrics from `PerReplica` values that it
cannot convert, and takes the mean of the logs, which are scalars, along an
axis.
"""

import keras
import tensorflow as tf

from nbpainter.errors import DataError, check_count

_MAX_DEVICES = 64


def choose_strategy(num_devices=1):
    """Return the strategy for a number of devices: GPUs, or parts of a CPU.

    A network that is built and compiled in `strategy.scope()` is copied to
    each device; `fit` gives each an equal share of every batch.

    Args:
        num_devices: int. Default 1: TensorFlow's default, nothing is copied.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        DataError: if there are fewer devices, or TensorFlow has begun to use
            a CPU as one.

    Example:

    >>> choose_strategy().num_replicas_in_sync
    1
    """
    num_devices = check_count("devices", num_devices, 1, _MAX_DEVICES)
    if num_devices == 1:
        return tf.distribute.get_strategy()
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU":
        _split_cpu(num_devices)
    found = len(tf.config.list_logical_devices(kind))
    if found < num_devices:
        raise DataError(
            f"There are {found} devices of the kind {kind}, not "
            f"{num_devices}: give a smaller number, or choose it before "
            "TensorFlow is used."
        )
    names = [f"{kind}:{index}" for index in range(num_devices)]
    return tf.distribute.MirroredStrategy(names)


def _split_cpu(num_devices):
    """Make one CPU look like several devices, where it still can be done."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(cpu):
        return
    parts = [tf.config.LogicalDeviceConfiguration()] * num_devices
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        raise DataError(
            "TensorFlow already uses the CPU as one device: choose the number "
            "of devices first, in a new process."
        ) from error


def check_batch_size(strategy, batch_size):
    """Check that a batch can be shared out equally.

    Args:
        strategy: `tf.distribute.Strategy`.
        batch_size: int.

    Raises:
        DataError: if it cannot.
    """
    if batch_size % strategy.num_replicas_in_sync:
        raise DataError(
            f"A batch of {batch_size} strokes cannot be shared equally by "
            f"{strategy.num_replicas_in_sync} devices: choose another number."
        )


def share_statistics(strategy, model):
    """Let batch normalisation see the whole batch, not a device's share.

    Args:
        strategy: `tf.distribute.Strategy`.
        model: `keras.Model`; changed in place if there are several devices.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = strategy.num_replicas_in_sync > 1


def num_replicas():
    """Return how many devices share the batch that is trained on, an int."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def take_own_share(rows):
    """Cut out the rows of a whole batch that belong to this device.

    Args:
        rows: tensor `(num_replicas() * n, ...)`, the same on all devices.

    Returns:
        A tensor `(n, ...)`; with one device, `rows`.
    """
    if num_replicas() == 1:
        return rows
    which = tf.distribute.get_replica_context().replica_id_in_sync_group
    share = tf.shape(rows)[0] // num_replicas()
    return rows[which * share : (which + 1) * share]
