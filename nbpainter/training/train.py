"""The three trainings from zero, and their weights with the facts."""

import keras
import numpy as np

from nbpainter.config import DiscriminatorConfig, GANConfig, GeneratorConfig
from nbpainter.data.episodes import StrokeBatches, to_rgba
from nbpainter.models.discriminator import (
    JudgedStrokes,
    build_discriminator,
    compile_discriminator,
    find_suspicious,
    generate_episodes,
    measure_discriminator,
)
from nbpainter.models.gan import GAN, add_noise_input, compile_gan
from nbpainter.models.generators import (
    build_generator,
    compile_generator,
    render_strokes,
)
from nbpainter.models.presets import find_weights, load_pretrained
from nbpainter.plotting import plot_calibration, plot_comparison, save_figure
from nbpainter.training.devices import choose_strategy, share_statistics
from nbpainter.training.metrics import measure_fvu, measure_texture
from nbpainter.training.run import TEST_SEED, Run


def train_generator(
    folder, paths=(), config=None, resume=False, verbose=1, devices=1
):
    """Stage 1: train a generator from zero and keep it.

    TensorFlow's operations are deterministic from here on, in the whole
    process.

    Args:
        folder: str or path, where `generator_pretrained.weights.h5`,
            `manifest.json`, figures and checkpoints go.
        paths: paths of episodes files. Default: strokes are drawn with the
            real engine.
        config: `GeneratorConfig`. Default: the shipped weights' own.
        resume: bool, whether to go on from the newest checkpoint in
            `folder`. Default `False`: start anew.
        verbose: 0 or 1.
        devices: int, how many GPUs, or parts of the CPU, share each batch.
            Default 1.

    Returns:
        The trained `keras.Model`.

    Raises:
        DataError: for files that cannot be used or written.
        EngineError: if there is neither a file nor libmypaint.
        TrainingError: for a loss or a weight that is not finite.
    """
    config = config or GeneratorConfig()
    strategy = choose_strategy(devices)
    options = (resume, verbose, strategy)
    run = Run("generator", folder, config, paths, {}, *options)
    with strategy.scope():
        generator = build_generator()
        compile_generator(generator, config, len(run.train))
    run.fit(
        generator,
        [*generator.weights, *generator.optimizer.variables],
        StrokeBatches(run.train, config.batch_size, config.seed),
        validation=StrokeBatches(run.test, batch_size=100),
    )
    shown = run.test[:16]
    pictures = {
        "real": to_rgba(shown.actions, shown.strokes),
        "generated": render_strokes(generator, shown.actions),
    }
    save_figure(plot_comparison(pictures), run.folder / "generator_strokes.png")
    figures = measure_fvu(generator, run.test)
    run.save(generator, "generator_pretrained", "build_generator", {}, figures)
    run.checkpoints.clear()
    return generator


def train_discriminator(
    folder, paths=(), config=None, resume=False, verbose=1, devices=1
):
    """Stage 2: train a discriminator against a frozen generator.

    Args:
        folder: str or path, where `discriminator_pretrained.weights.h5` and
            the rest go, see `train_generator`. A `generator_pretrained` in
            it is the one to judge; else the shipped one.
        paths: paths of episodes files. Default: strokes are drawn.
        config: `DiscriminatorConfig`. Default: the shipped weights' own.
        resume: bool, see `train_generator`.
        verbose: 0 or 1.
        devices: int, see `train_generator`.

    Returns:
        The trained `keras.Model`.

    Raises:
        As `train_generator`.
    """
    config = config or DiscriminatorConfig()
    strategy = choose_strategy(devices)
    path = find_weights("generator_pretrained", folder)
    generator = load_pretrained(path)
    inputs = {"generator_pretrained": path}
    options = (resume, verbose, strategy)
    run = Run("discriminator", folder, config, paths, inputs, *options)
    fake = [
        generate_episodes(
            generator, min(len(real), config.num_strokes), config.seed + seed
        )
        for real, seed in ((run.train, 0), (run.test, TEST_SEED))
    ]
    test = JudgedStrokes(run.test, fake[1], generator, config.batch_size)
    num_steps = 2 * len(run.train) // config.batch_size * config.epochs
    with strategy.scope():
        discriminator = build_discriminator()
        compile_discriminator(discriminator, config.learning_rate, num_steps)
    share_statistics(strategy, discriminator)
    run.fit(
        discriminator,
        [*discriminator.weights, *discriminator.optimizer.variables],
        JudgedStrokes(
            run.train, fake[0], generator, config.batch_size, config.seed
        ),
        validation=test,
    )
    figures = measure_discriminator(discriminator, test)
    save_figure(
        plot_calibration(figures["calibration"]),
        run.folder / "discriminator_calibration.png",
    )
    (strokes, calm), _ = test[0]
    half = len(strokes) // 2
    chosen = np.r_[0:8, half : half + 8]
    maps = find_suspicious(discriminator, strokes[chosen], calm[chosen])
    save_figure(
        plot_comparison({"stroke": strokes[chosen], "looked at": maps}),
        run.folder / "discriminator_suspicious.png",
    )
    run.save(
        discriminator,
        "discriminator_pretrained",
        "build_discriminator",
        {},
        figures,
    )
    run.checkpoints.clear()
    return discriminator


class _DrawEachEpoch(keras.callbacks.Callback):
    """Draw the same strokes with the same noise after each epoch."""

    def __init__(self, generator, episodes, folder):
        super().__init__()
        self.generator, self.folder = generator, folder
        self.actions = episodes.actions
        self.real = to_rgba(episodes.actions, episodes.strokes)

    def on_epoch_end(self, epoch, logs=None):
        fake = render_strokes(self.generator, self.actions, seed=0)
        save_figure(
            plot_comparison({"real": self.real, "generated": fake}),
            self.folder / f"gan_epoch_{epoch + 1:02d}.png",
        )


def train_gan(
    folder, paths=(), config=None, resume=False, verbose=1, devices=1
):
    """Stage 3: train the noise input and the discriminator as adversaries.

    Args:
        folder: str or path, where `generator_gan.weights.h5`,
            `discriminator_gan.weights.h5` and the rest go, see
            `train_generator`. Pre-trained weights in it are the ones to
            begin with; else the shipped ones.
        paths: paths of episodes files. Default: strokes are drawn.
        config: `GANConfig`. Default: the shipped weights' own.
        resume: bool, see `train_generator`.
        verbose: 0 or 1.
        devices: int, see `train_generator`.

    Returns:
        The trained `GAN`.

    Raises:
        As `train_generator`.
    """
    config = config or GANConfig()
    strategy = choose_strategy(devices)
    inputs = {
        name: find_weights(name, folder)
        for name in ("generator_pretrained", "discriminator_pretrained")
    }
    calm = load_pretrained(inputs["generator_pretrained"])
    options = (resume, verbose, strategy)
    run = Run("gan", folder, config, paths, inputs, *options)
    with strategy.scope():
        discriminator = load_pretrained(inputs["discriminator_pretrained"])
        discriminator.trainable = True
        generator = add_noise_input(calm, config.num_dabs)
        gan = GAN(generator, discriminator, config.anchor, config.seed)
        compile_gan(gan, config)
    share_statistics(strategy, discriminator)
    run.fit(
        gan,
        gan.state,
        StrokeBatches(
            run.train,
            config.batch_size,
            config.seed,
            max_batches=config.steps_per_epoch,
        ),
        callbacks=[_DrawEachEpoch(generator, run.test[:16], run.folder)],
    )
    figures = {
        **measure_fvu(generator, run.test),
        **measure_texture(generator, run.test),
    }
    run.save(
        generator,
        "generator_gan",
        "build_generator",
        {"num_dabs": config.num_dabs},
        figures,
    )
    run.save(discriminator, "discriminator_gan", "build_discriminator", {}, {})
    run.checkpoints.clear()
    return gan
