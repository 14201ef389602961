"""The adversarial game: a generator with a noise input, a discriminator."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from nbpainter.actions import COLUMNS, random_actions
from nbpainter.errors import DataError
from nbpainter.models.generators import build_generator, render_strokes

# The mean opacity is compared in squares of so many pixels.
_POOL = 8
# Opacity is averaged over squares of so many before its variance is taken.
_SCALES = 1, 2, 4, 8
# Strokes that tell how much paint there is.
_NUM_CALIBRATED = 64
# Of a stroke without paint, relative to the picture.
_LITTLE_PAINT = 1e-4


def round_like_files(actions, strokes):
    """8-bit quantisation of strokes, with a straight-through gradient.

    A file holds a stroke on white, each channel rounded to 1/255, and
    `to_rgba` recovers the opacity from it. Generated strokes must look the
    same, or the discriminator finds the missing steps and not the strokes.
    The gradient passes as if nothing had been rounded.

    Args:
        actions: float tensor `(batch, 12)`.
        strokes: float tensor `(batch, height, width, 4)`, RGBA.

    Returns:
        A float tensor `(batch, height, width, 4)`, RGBA.
    """
    strokes = ops.convert_to_tensor(strokes)
    ink = 1 - ops.take(actions, COLUMNS.color, axis=-1)[:, None, None, :]
    opacity = strokes[..., 3:]
    darkness = ops.round(255 * opacity * ink) / 255
    power = ops.sum(ink**2, axis=-1, keepdims=True)
    rounded = ops.sum(darkness * ink, axis=-1, keepdims=True)
    rounded = ops.clip(rounded / ops.maximum(power, 1e-3), 0, 1)
    rounded = ops.where(power > 1e-3, rounded, 0.0)
    # Straight-through: the value is rounded, the gradient is the opacity's.
    rounded = opacity + ops.stop_gradient(rounded - opacity)
    return ops.concatenate([strokes[..., :3], rounded], axis=-1)


def moments(strokes, calm):
    """What draws say of the mean and of the variance of their actions.

    The mean opacity is that of squares of 8 pixels. The variance is that of
    the whole stroke: the mean squared difference from the calm stroke, of
    pixels and of what is averaged over squares of 2, 4 and 8 pixels. Fine
    grain is in the first alone, coarse grain in all four. It is relative to
    `opacity (1 - opacity)` of the calm stroke, the most that a mean allows.

    Args:
        strokes: float tensor `(batch, height, width, 4)`, RGBA, draws.
        calm: float tensor, the calm strokes of the same actions, same shape.

    Returns:
        Two float tensors: the means `(batch, height / 8, width / 8, 1)` and
        the variances `(batch, 4)`.
    """
    difference, calm = (strokes - calm)[..., 3:], calm[..., 3:]
    most = ops.mean(calm * (1 - calm), axis=(1, 2)) + _LITTLE_PAINT
    variances = [
        ops.mean(ops.square(ops.average_pool(difference, n)), axis=(1, 2))
        for n in _SCALES
    ]
    means = ops.average_pool(strokes[..., 3:], _POOL)
    return means, ops.concatenate(variances, axis=-1) / most


class GAN(keras.Model):
    """Generator against discriminator, each with an optimizer of its own.

    Both losses are cross-entropies of logits, the generator's the
    non-saturating one. Real and generated strokes pass the discriminator in
    one batch, which its normalisation needs. Only the generator's noise input
    learns: the calm stroke is the mean, which already has the least error.

    The *anchor*, a reconstruction loss, finds and keeps shape, ink and the
    amount of spatter. The `moments` of two draws of one action are compared
    with those of the real stroke; the product of their two errors is, on
    average, the squared error of their expectation, so spatter is not
    punished. Errors are relative, see `calibrate`. At first the generator
    minimises it alone, while the discriminator gets to know the strokes.

    Args:
        generator: a model of `build_generator` with `num_dabs`.
        discriminator: a model of `build_discriminator`.
        anchor: float, weight of the anchor in the generator's loss.
            Default 3.
        seed: int, of the noise. Default 0.
        warm_up_steps: int, steps in which the generator does not heed the
            discriminator. Default 0.

    Attributes:
        scales: what a squared error of the means, and of each variance, is
            divided by. Default: 1.

    Raises:
        DataError: for a generator without a noise input.

    Reference:

    - [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661).
    """

    def __init__(
        self, generator, discriminator, anchor=3.0, seed=0, warm_up_steps=0
    ):
        super().__init__(name="gan")
        if generator.noise_shape is None:
            raise DataError(
                f"{generator.name!r} has no noise input to train: build it "
                "with `num_dabs=1536`."
            )
        self.generator, self.discriminator = generator, discriminator
        self.anchor, self.scales = anchor, (1.0, 1.0)
        self.warm_up_steps = warm_up_steps
        self.random = keras.random.SeedGenerator(seed)
        names = ("d_loss", "g_loss", "anchor", "accuracy")
        self.means = [keras.metrics.Mean(name) for name in names]
        self.built = True

    def call(self, actions, training=False):
        """Draw each action once at random, with the 8 bits of a file.

        Args:
            actions: float tensor `(batch, 12)`.
            training: bool, makes no difference.

        Returns:
            A float tensor `(batch, 64, 64, 4)`, RGBA.
        """
        shape = (ops.shape(actions)[0], *self.generator.noise_shape)
        noise = keras.random.normal(shape, seed=self.random)
        return round_like_files(actions, self.generator(actions, noise=noise))

    def compile(self, g_optimizer, d_optimizer):
        """Give each network its optimizer.

        Args:
            g_optimizer: `keras.Optimizer` of the generator's noise input.
                With `use_ema=True`, `fit` leaves it the mean of its weights.
            d_optimizer: `keras.Optimizer` of the discriminator.
        """
        super().compile(optimizer=None)
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer
        g_optimizer.build(self.generator.dabs.trainable_variables)
        d_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self):
        """What is averaged over an epoch."""
        return self.means

    @property
    def state(self):
        """Every variable that a training changes, for a checkpoint."""
        networks = (self.generator, self.discriminator)
        parts = (*networks, self.g_optimizer, self.d_optimizer)
        return [self.random.state, *(v for x in parts for v in x.variables)]

    def d_loss(self, real_logits, fake_logits):
        """Cross-entropy of both kinds: 2 ln 2 where nothing is known.

        Args:
            real_logits: float tensor `(batch,)`.
            fake_logits: float tensor `(batch,)`.

        Returns:
            A float tensor of no dimension.
        """
        return ops.mean(ops.softplus(-real_logits) + ops.softplus(fake_logits))

    def g_loss(self, fake_logits):
        """Cross-entropy of generated strokes that ought to pass for real.

        Args:
            fake_logits: float tensor `(batch,)`.

        Returns:
            A float tensor of no dimension: ln 2 at a logit of 0.
        """
        return ops.mean(ops.softplus(-fake_logits))

    def anchor_loss(self, calm, real, fake, other):
        """Squared error of the expected `moments`, unbiased.

        Args:
            calm: float tensor `(batch, height, width, 4)`, RGBA.
            real: the real stroke of the same actions, same shape.
            fake: a draw of the same actions, same shape.
            other: another draw of them, same shape.

        Returns:
            A float tensor of no dimension.
        """
        found = (moments(strokes, calm) for strokes in (real, fake, other))
        return sum(
            ops.mean((fake - real) * (other - real) / scale)
            for real, fake, other, scale in zip(*found, self.scales)
        )

    def calibrate(self, actions, strokes):
        """Let the anchor's errors be relative to how much real ones spatter.

        A soft pencil's variance is a hundredth of that of hard dabs.

        Args:
            actions: float array `(n, 12)`.
            strokes: float array `(n, height, width, 4)`, RGBA, real.
        """
        calm = self.generator(actions)
        means, variances = moments(strokes, calm)
        deviation = ops.mean(ops.square(means - moments(calm, calm)[0]))
        self.scales = deviation, ops.square(ops.mean(variances, axis=0))

    def train_step(self, data):
        """One step of each network on `(actions, real_strokes)`."""
        actions, real = data
        batch = ops.shape(real)[0]
        calm = self.generator(actions)
        with tf.GradientTape(persistent=True) as tape:
            fake, other = self(actions), self(actions)
            logits = self.discriminator(
                [ops.concatenate([real, fake]), ops.concatenate([calm, calm])],
                training=True,
            )[:, 0]
            real_logits, fake_logits = logits[:batch], logits[batch:]
            d_loss = self.d_loss(real_logits, fake_logits)
            g_loss = self.g_loss(fake_logits)
            anchor = self.anchor_loss(calm, real, fake, other)
            plays = self.g_optimizer.iterations >= self.warm_up_steps
            total = ops.cast(plays, "float32") * g_loss + self.anchor * anchor
        d_variables = self.discriminator.trainable_variables
        g_variables = self.generator.dabs.trainable_variables
        self.d_optimizer.apply(tape.gradient(d_loss, d_variables), d_variables)
        self.g_optimizer.apply(tape.gradient(total, g_variables), g_variables)
        right = ops.concatenate([real_logits > 0, fake_logits <= 0])
        for mean, value in zip(self.means, (d_loss, g_loss, anchor, right)):
            mean.update_state(value)
        return self.get_metrics_result()

    def fit(self, *arguments, **settings):
        """Train as `keras.Model.fit`, then take the running mean of weights."""
        history = super().fit(*arguments, **settings)
        if self.g_optimizer.use_ema:
            self.g_optimizer.finalize_variable_values(
                self.generator.dabs.trainable_variables
            )
        return history


def compile_gan(gan, config):
    """Give a GAN the two optimizers of a training.

    The generator's learning rate falls to 15 %; the discriminator's does
    not, so that it always knows what is left. The generator settles on the
    running mean of its weights over the last fifth of the steps.

    Args:
        gan: `GAN`.
        config: `GANConfig`.
    """
    num_steps = config.epochs * config.steps_per_epoch
    g_rate = keras.optimizers.schedules.ExponentialDecay(
        config.g_learning_rate, num_steps, decay_rate=0.15
    )
    adam = functools.partial(keras.optimizers.Adam, beta_1=0.5, beta_2=0.99)
    momentum = max(0, 1 - 5 / num_steps)
    gan.compile(
        g_optimizer=adam(g_rate, use_ema=True, ema_momentum=momentum),
        d_optimizer=adam(config.d_learning_rate),
    )


def add_noise_input(generator, num_dabs):
    """Give a generator's calm stroke a noise input that is not trained yet.

    Draws hold as much paint as calm strokes; all else is neutral.

    Args:
        generator: a model of `build_generator` with its default arguments.
        num_dabs: int, dabs of a random draw, at most.

    Returns:
        A new `keras.Model` of `build_generator` with the same calm stroke.
    """
    noisy = build_generator(num_dabs=num_dabs)
    for new, old in zip(noisy.weights, generator.weights):
        new.assign(old)
    actions = random_actions(_NUM_CALIBRATED, seed=0)
    calm = render_strokes(noisy, actions)[..., 3].mean()
    for seed in range(4):
        drawn = render_strokes(noisy, actions, seed=seed)[..., 3].mean()
        more = (calm + _LITTLE_PAINT) / (drawn + _LITTLE_PAINT)
        noisy.dabs.log_ink.assign_add(np.log(more))
    return noisy
