"""The discriminator: it tells real strokes from generated ones."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from nbpainter.actions import WINDOW_SIZE, random_actions
from nbpainter.data.episodes import Episodes, StrokeBatches, on_white
from nbpainter.losses import laplacian
from nbpainter.models.generators import render_strokes

_BATCH = 256
_BINS = 10


@keras.saving.register_keras_serializable("nbpainter")
class Details(layers.Layer):
    """What a discriminator looks at, from RGBA strokes.

    The opacity, and its Laplacian, which shows the grain; between them, if
    the calm stroke is given, how the opacity differs from it. Colour is exact
    in real and generated strokes alike.
    """

    def call(self, strokes, calm_strokes=None):
        opacity = strokes[..., 3]
        channels = [opacity, laplacian(opacity)]
        if calm_strokes is not None:
            channels.insert(1, 2 * (opacity - calm_strokes[..., 3]))
        return ops.stack(channels, axis=-1)


def build_discriminator(width=16, size=WINDOW_SIZE, conditional=True):
    """Build the discriminator: is a stroke drawn by the real brush?

    A conditional one sees the stroke beside the calm stroke of the same
    action, and so knows what was asked for: with twelve numbers it would
    first have to learn what they mean. Against calm strokes that would be a
    leak, since each equals its second input.

    Grain has no place of its own, so the features of a CNN of five layers are
    pooled over the picture: their mean and their largest value.

    Args:
        width: int, channels of the first layer; the last has four times as
            many. Default 16.
        size: int, side of the pictures in pixels. Default 64.
        conditional: bool, whether the calm stroke is a second input. Default
            `True`, as in the GAN.

    Returns:
        A `keras.Model` from RGBA pictures of strokes `(batch, size, size, 4)`
        to logits `(batch, 1)`, high for real. A conditional one takes
        `[strokes, calm_strokes]`. Its defaults have 78,705 weights.

    Example:

    >>> build_discriminator(conditional=False).input_shape
    (None, 64, 64, 4)

    Reference:

    - [Mirza and Osindero, 2014](https://arxiv.org/abs/1411.1784):
      conditional adversarial networks.
    """
    shape = (size, size, 4)
    inputs = [keras.Input(shape, name="strokes")]
    if conditional:
        inputs.append(keras.Input(shape, name="calm_strokes"))
    x = Details(name="details")(*inputs)
    for factor, stride in ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2)):
        x = layers.Conv2D(
            width * factor, 3, stride, padding="same", use_bias=False
        )(x)
        # Trainings are short: the moving averages must keep up.
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Identity(name="features")(x)  # (batch, 8, 8, 4 width)
    mean = layers.Rescaling(4.0)(layers.GlobalAveragePooling2D()(x))
    x = layers.Concatenate()([mean, layers.GlobalMaxPooling2D()(x)])
    x = layers.LeakyReLU(0.2)(layers.Dense(64)(x))
    logits = layers.Dense(1, name="logits")(x)
    # A single input is no list of one.
    inputs = inputs if conditional else inputs[0]
    return keras.Model(inputs, logits, name="discriminator")


def generate_episodes(generator, num_strokes, seed=0, size=WINDOW_SIZE):
    """Draw episodes with a generator, in the form of a file's.

    Rounding to 8 bits is part of the form: without it a discriminator would
    look for the missing steps and not at the stroke.

    Args:
        generator: a model of `build_generator` or `load_pretrained`. One with
            a noise input spatters.
        num_strokes: int, how many.
        seed: int, of the actions and of the noise.
        size: int, side of the pictures in pixels. Default 64.

    Returns:
        `Episodes`.
    """
    actions = random_actions(num_strokes, [seed, 1])
    strokes = np.empty((num_strokes, size, size, 3), "uint8")
    noisy = generator.noise_shape is not None
    for start in range(0, num_strokes, _BATCH):
        part = slice(start, start + _BATCH)
        noise_seed = (seed + start) % 2**32 if noisy else None
        drawn = render_strokes(generator, actions[part], size, noise_seed)
        strokes[part] = np.rint(255 * on_white(drawn))
    return Episodes(actions, strokes)


class JudgedStrokes(keras.utils.PyDataset):
    """Batches of real and generated strokes for a discriminator's `fit`.

    Half of each batch is real. A batch is `(strokes, labels)`: RGBA
    `(batch, 64, 64, 4)`, and `(batch, 1)`, 1 for real. With a generator, it
    is `((strokes, calm_strokes), labels)`, for a conditional discriminator.

    Args:
        real: `Episodes` of the engine.
        fake: `Episodes` of the generator, see `generate_episodes`. If they
            are fewer than the real ones, they are used several times.
        generator: the generator, for the calm strokes. Default: none.
        batch_size: int, even. Default 64.
        seed: int, of the order; `None` keeps it as it is.
    """

    def __init__(self, real, fake, generator=None, batch_size=64, seed=None):
        super().__init__()
        self._draw_calm = None
        if generator is not None:
            draw_calm = functools.partial(generator, size=real.strokes.shape[1])
            # Half of a training's time is spent here if not compiled.
            self._draw_calm = tf.function(draw_calm, jit_compile=True)
        self.halves = [
            StrokeBatches(episodes, batch_size // 2, seed)
            for episodes in (real, fake)
        ]

    def __len__(self):
        return len(self.halves[0])

    def __getitem__(self, index):
        pairs = [half[index % len(half)] for half in self.halves]
        actions, strokes = (np.concatenate(part) for part in zip(*pairs))
        labels = np.zeros((len(actions), 1), "float32")
        labels[: len(pairs[0][0])] = 1
        if self._draw_calm is None:
            return strokes, labels
        calm = self._draw_calm(tf.constant(actions, "float32")).numpy()
        return (strokes, calm), labels

    def start_at(self, epoch):
        """Let the next `on_epoch_begin` begin this epoch, from 0."""
        for half in self.halves:
            half.start_at(epoch)

    def on_epoch_begin(self):
        for half in self.halves:
            half.on_epoch_begin()


def judge_beside(
    generator, real, seed, batch_size, order_seed=None, conditional=True
):
    """Generate strokes, and batch as many of them as there are real ones.

    Args:
        generator: see `generate_episodes`.
        real: `Episodes` of the engine.
        seed: int, of the generated strokes.
        batch_size: int, even.
        order_seed: int, of the order. Default: as it is.
        conditional: bool, see `build_discriminator`.

    Returns:
        `JudgedStrokes`.
    """
    fake = generate_episodes(generator, len(real), seed, real.strokes.shape[1])
    calm = generator if conditional else None
    return JudgedStrokes(real, fake, calm, batch_size, order_seed)


def compile_discriminator(discriminator, learning_rate, num_steps):
    """Prepare a discriminator for `fit` on `JudgedStrokes`.

    Args:
        discriminator: a model of `build_discriminator`.
        learning_rate: float, of Adam, at the start of a cosine decay.
        num_steps: int, of the whole training.
    """
    cosine = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    discriminator.compile(
        optimizer=keras.optimizers.Adam(cosine),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)],
    )


def measure_discriminator(discriminator, batches):
    """Measure accuracy and calibration on strokes that it never saw.

    Args:
        discriminator: a model of `build_discriminator`.
        batches: `JudgedStrokes`.

    Returns:
        A dict: `accuracy`; `calibration_error`, the expected difference
        between the discriminator's confidence and its accuracy, in ten bins of
        the probability; and `calibration`, a list with `[mean probability,
        share of real strokes, strokes]` for each bin that is not empty.

    Reference:

    - [Guo et al., 2017](https://arxiv.org/abs/1706.04599), section 2.
    """
    judged = []
    for inputs, labels in (batches[i] for i in range(len(batches))):
        inputs = list(inputs) if isinstance(inputs, tuple) else inputs
        judged.append((discriminator(inputs, training=False), labels))
    logits, labels = (np.concatenate(part)[:, 0] for part in zip(*judged))
    chance = tf.sigmoid(logits.astype("float64")).numpy()
    bins = np.minimum((chance * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins)
    chances, reals = np.bincount(bins, chance), np.bincount(bins, labels)
    error = np.abs(chances - reals).sum() / len(labels)
    return {
        "accuracy": round(float(np.mean((logits > 0) == labels)), 4),
        "calibration_error": round(float(error), 4),
        "calibration": [
            [round(float(chances[k] / n), 4), round(float(reals[k] / n), 4), n]
            for k, n in enumerate(counts.tolist())
            if n
        ],
    }


def find_suspicious(discriminator, strokes, calm_strokes=None):
    """Map what speaks for and against a stroke, place by place.

    The last features are pooled over 8 x 8 places. A place's contribution
    to the logit is the sum of its features, each times the logit's gradient.

    Args:
        discriminator: a model of `build_discriminator`.
        strokes: float array `(n, 64, 64, 4)`, RGBA.
        calm_strokes: float array `(n, 64, 64, 4)`, of the same actions, for a
            conditional discriminator.

    Returns:
        A float32 array `(n, 64, 64, 3)` for plotting: blue where a place
        looks real, red where it looks generated, white where it says
        nothing; all pictures have one scale.

    Reference:

    - [Draelos and Carin, 2020](https://arxiv.org/abs/2011.08891): HiResCAM.
    """
    inside = keras.Model(
        discriminator.inputs,
        [discriminator.get_layer("features").output, discriminator.output],
    )
    inputs = tf.constant(strokes)
    if calm_strokes is not None:
        inputs = [inputs, tf.constant(calm_strokes)]
    with tf.GradientTape() as tape:
        features, logits = inside(inputs, training=False)
    slope = tape.gradient(logits, features)
    parts = tf.reduce_sum(slope * features, axis=-1, keepdims=True)
    parts = tf.image.resize(parts, strokes.shape[1:3], "bicubic")
    parts = parts.numpy()[..., 0]
    parts = np.clip(parts / np.quantile(np.abs(parts), 0.99), -1, 1)
    real, fake = np.maximum(parts, 0), np.maximum(-parts, 0)
    return 1 - np.stack([real, real + fake, fake], axis=-1)
