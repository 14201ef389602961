"""The four trainings: what each has of its own, around the shared `Run`."""

import functools

import keras
import numpy as np

from nbpainter.config import DiscriminatorConfig, GANConfig, GeneratorConfig
from nbpainter.data.episodes import StrokeBatches, to_rgba
from nbpainter.engine.brush_file import brush_name, find_brush, shipped_brushes
from nbpainter.engine.suitability import choose_brush, measure_reach
from nbpainter.models import generators
from nbpainter.models.discriminator import (
    build_discriminator,
    compile_discriminator,
    find_suspicious,
    judge_beside,
    measure_discriminator,
)
from nbpainter.models.gan import GAN, add_noise_input, compile_gan
from nbpainter.plotting import plot_calibration, plot_comparison, save_figure
from nbpainter.training.metrics import (
    measure_fvu,
    measure_spread,
    measure_texture,
)
from nbpainter.training.run import TEST_SEED, Run

_NUM_MEASURED = 512  # Strokes that tell how much real ones spatter.
_NUM_DRAWN = 400  # Test strokes of a brush that are drawn at random as well.


def train_generator(folder, paths=(), config=None, resume=False, verbose=1):
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

    Returns:
        The trained `keras.Model`.

    Raises:
        DataError: for files that cannot be used or written.
        EngineError: if there is neither a file nor libmypaint.
        TrainingError: for a loss or a weight that is not finite.
    """
    config = config or GeneratorConfig()
    run = Run("generator", folder, config, paths, resume, verbose)
    generator = generators.build_generator()
    metrics = _learn_strokes(run, generator, "generator_strokes")
    run.save(generator, "generator_pretrained", metrics, "build_generator")
    run.clear()
    return generator


def _learn_strokes(run, generator, figure):
    """Train a generator on a run's strokes; plot some, return its FVU."""
    config = run.config
    generators.compile_generator(generator, config, len(run.train))
    run.fit(
        generator,
        StrokeBatches(run.train, config.batch_size, config.seed),
        validation=StrokeBatches(run.test, batch_size=100),
    )
    run.plot_strokes(generator, figure)
    return measure_fvu(generator, run.test)


def train_discriminator(folder, paths=(), config=None, resume=False, verbose=1):
    """Stage 2: train a discriminator against a frozen generator.

    Args:
        folder: str or path, where `discriminator_pretrained.weights.h5` and
            the rest go, see `train_generator`. A `generator_pretrained` in
            it is the opponent; else the shipped one.
        paths: paths of episodes files. Default: strokes are drawn.
        config: `DiscriminatorConfig`. Default: the shipped weights' own.
        resume: bool, see `train_generator`.
        verbose: 0 or 1.

    Returns:
        The trained `keras.Model`.

    Raises:
        As `train_generator`.
    """
    config = config or DiscriminatorConfig()
    inputs = ["generator_pretrained"]
    run = Run("discriminator", folder, config, paths, resume, verbose, inputs)
    generator = run.inputs[0]
    seed = config.seed
    real = run.train[: config.num_strokes]
    # Generated strokes are calm here: the calm stroke as a second input, which
    # equals each of them, would be a leak.
    batch = functools.partial(
        judge_beside, generator, batch_size=config.batch_size, conditional=False
    )
    train = batch(real, seed, order_seed=seed)
    test = batch(run.test, seed + TEST_SEED)
    discriminator = build_discriminator(conditional=False)
    num_steps = len(train) * config.epochs
    compile_discriminator(discriminator, config.learning_rate, num_steps)
    run.fit(discriminator, train, validation=test)
    metrics = measure_discriminator(discriminator, test)
    figure = plot_calibration(metrics["calibration"])
    save_figure(figure, run.folder / "discriminator_calibration.png")
    figure = _plot_suspicious(discriminator, test)
    save_figure(figure, run.folder / "discriminator_suspicious.png")
    name = "discriminator_pretrained"
    builder = "build_discriminator"
    run.save(discriminator, name, metrics, builder, conditional=False)
    run.clear()
    return discriminator


def _plot_suspicious(discriminator, batches):
    """Eight real and eight generated strokes, with what speaks against them."""
    strokes, _ = batches[0]
    half = len(strokes) // 2
    strokes = strokes[np.r_[0:8, half : half + 8]]
    maps = find_suspicious(discriminator, strokes)
    return plot_comparison({"stroke": strokes, "looked at": maps})


def train_gan(folder, paths=(), config=None, resume=False, verbose=1):
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

    Returns:
        The trained `GAN`.

    Raises:
        As `train_generator`.
    """
    config = config or GANConfig()
    inputs = ["generator_pretrained"]
    run = Run("gan", folder, config, paths, resume, verbose, inputs)
    generator = add_noise_input(run.inputs[0], config.num_dabs)
    run.plot_strokes(generator, "gan_epoch_00")
    gan = GAN(
        generator,
        build_discriminator(),
        anchor=config.anchor,
        seed=config.seed,
        warm_up_steps=config.warm_up_steps,
    )
    gan.calibrate(*StrokeBatches(run.train, _NUM_MEASURED)[0])
    compile_gan(gan, config)

    def draw(epoch, logs):
        run.plot_strokes(generator, f"gan_epoch_{epoch + 1:02d}")

    run.fit(
        gan,
        StrokeBatches(
            run.train, config.batch_size, config.seed, config.steps_per_epoch
        ),
        state=gan.state,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=draw)],
    )
    metrics = measure_fvu(generator, run.test)
    metrics |= measure_texture(generator, run.test)
    metrics |= {"numbers": generator.dabs.numbers()}
    name, builder = "generator_gan", "build_generator"
    run.save(generator, name, metrics, builder, num_dabs=config.num_dabs)
    run.save(gan.discriminator, "discriminator_gan", {}, "build_discriminator")
    run.clear()
    return gan


def train_brush(folder, brush, config=None, resume=False, verbose=1):
    """Draw a brush's strokes, train its generator, measure it, keep it.

    Args:
        folder: str or path, where `NAME.weights.h5`, `manifest.json` and
            figures go.
        brush: str or path, see `nbpainter.engine.suitability.choose_brush`.
        config: `GeneratorConfig`. Default: the shipped presets' own.
        resume: bool, whether to go on from the newest checkpoint in
            `folder`. Default `False`: start anew.
        verbose: 0 or 1.

    Returns:
        The path of the weights, for `load_pretrained` and
        `paint(generator=...)`.

    Raises:
        DataError: for a folder that cannot be written to.
        EngineError: without libmypaint, or for a brush that does not fit.
        TrainingError: for a loss or a weight that is not finite.
    """
    config = config or GeneratorConfig()
    settings, name = choose_brush(brush), brush_name(brush)
    stage = f"brush_{name}"
    run = Run(stage, folder, config, (), resume, verbose, brush=settings)
    shipped = find_brush(brush) in shipped_brushes()
    run.metadata["brush"] = name if shipped else settings
    run.metadata["radius_factor"] = settings["radius_factor"]
    arguments = generators.brush_arguments(settings)
    generator = generators.build_generator(**arguments)
    generator.start_from(settings)
    metrics = _learn_strokes(run, generator, f"{name}_strokes")
    shown = run.test[:_NUM_DRAWN]
    opacity = to_rgba(shown.actions, shown.strokes)[..., 3]
    arguments["reach"] = measure_reach(shown.actions, opacity)
    # A right draw and the brush's own are both off the mean: twice the floor.
    if measure_fvu(generator, shown, seed=0)["fvu"] > 2.5 * metrics["fvu"]:
        # Calm strokes alone: the brush has more to it than its dabs.
        arguments.pop("num_dabs")
        weights = generator.get_weights()
        generator = generators.build_generator(**arguments)
        generator.set_weights(weights[: len(generator.weights)])
        generator.brush = settings
    metrics |= measure_texture(generator, shown)
    metrics |= measure_spread(generator, shown.actions)
    path = run.save(generator, name, metrics, "build_generator", **arguments)
    run.clear()
    return path
