"""The networks train on several devices in Keras's own way."""

import subprocess
import sys

PROGRAM = """
import keras
import nbpainter
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
episodes = nbpainter.tiny_episodes()[:64]
config = nbpainter.GeneratorConfig(epochs=2, batch_size=16)
shipped = nbpainter.load_pretrained("generator_pretrained")
fake = nbpainter.generate_episodes(shipped, len(episodes))
strokes = nbpainter.StrokeBatches(episodes, 16)
judged = nbpainter.JudgedStrokes(episodes, fake, shipped, 16)


def build():
    keras.utils.set_random_seed(1)
    generator = nbpainter.build_generator()
    plain = nbpainter.build_fc_generator(num_features=16, width=16)
    for network in (generator, plain):
        nbpainter.compile_generator(network, config, len(episodes))
    discriminator = nbpainter.build_discriminator(width=4)
    nbpainter.compile_discriminator(discriminator, 1e-3, num_steps=16)
    return (generator, strokes), (plain, strokes), (discriminator, judged)


one = build()[0][0]
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    networks = build()
for network, batches in networks:
    before = [variable.numpy() for variable in network.trainable_variables]
    history = network.fit(batches, epochs=2, shuffle=False, verbose=0).history
    assert history["loss"][1] < history["loss"][0], history
    assert network.distribute_strategy.num_replicas_in_sync == 2
    after = [variable.numpy() for variable in network.trainable_variables]
    assert not any(map(np.array_equal, before, after)), network.name
    assert all(np.isfinite(array).all() for array in after)
one.fit(strokes, epochs=2, shuffle=False, verbose=0)
two = networks[0][0]
for expected, found in zip(one.get_weights(), two.get_weights()):
    np.testing.assert_allclose(expected, found, atol=1e-4)
"""


def test_plain_compile_and_fit_train_on_two_devices():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
