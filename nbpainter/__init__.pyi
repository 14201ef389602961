"""Public names and their modules, for `lazy_loader` and for editors."""

from . import (
    actions as actions,
    cli as cli,
    config as config,
    data as data,
    engine as engine,
    errors as errors,
    export as export,
    files as files,
    images as images,
    losses as losses,
    models as models,
    painter as painter,
    plotting as plotting,
    training as training,
)
from .actions import (
    ACTION_INDEX as ACTION_INDEX,
    ACTION_NAMES as ACTION_NAMES,
    random_actions as random_actions,
)
from .config import (
    DiscriminatorConfig as DiscriminatorConfig,
    GANConfig as GANConfig,
    GeneratorConfig as GeneratorConfig,
    PaintConfig as PaintConfig,
    ReportConfig as ReportConfig,
)
from .data.cache import open_episodes as open_episodes
from .data.drawing import (
    draw_episodes as draw_episodes,
    inspect_episodes as inspect_episodes,
    sample_episodes as sample_episodes,
)
from .data.episodes import (
    Episodes as Episodes,
    StrokeBatches as StrokeBatches,
    load_episodes as load_episodes,
    on_white as on_white,
    tiny_episodes as tiny_episodes,
    to_rgba as to_rgba,
)
from .data.kaggle import download_episodes as download_episodes
from .engine.brush import draw_strokes as draw_strokes
from .engine.brush_file import load_brush as load_brush
from .engine.suitability import (
    choose_brush as choose_brush,
    list_brushes as list_brushes,
)
from .errors import (
    DataError as DataError,
    EngineError as EngineError,
    NBPainterError as NBPainterError,
    TrainingError as TrainingError,
)
from .images import load_photo as load_photo
from .losses import (
    FVU as FVU,
    PerceptualLoss as PerceptualLoss,
    laplacian as laplacian,
    opacity_loss as opacity_loss,
    psnr as psnr,
)
from .models.discriminator import (
    JudgedStrokes as JudgedStrokes,
    build_discriminator as build_discriminator,
    compile_discriminator as compile_discriminator,
    find_suspicious as find_suspicious,
    generate_episodes as generate_episodes,
    measure_discriminator as measure_discriminator,
)
from .models.gan import (
    GAN as GAN,
    add_noise_input as add_noise_input,
    compile_gan as compile_gan,
)
from .models.generators import (
    brush_arguments as brush_arguments,
    build_fc_generator as build_fc_generator,
    build_generator as build_generator,
    compile_generator as compile_generator,
    render_strokes as render_strokes,
)
from .models.presets import (
    load_pretrained as load_pretrained,
    read_manifest as read_manifest,
    save_pretrained as save_pretrained,
)
from .painter.canvas import composite as composite
from .painter.coarse_to_fine import paint as paint
from .painter.painting import Painting as Painting
from .training.metrics import (
    measure_fvu as measure_fvu,
    measure_spread as measure_spread,
    measure_texture as measure_texture,
)
from .training.report import (
    judge_generator as judge_generator,
    measure_preset as measure_preset,
    measure_reality_gap as measure_reality_gap,
    write_report as write_report,
)
from .training.run import (
    Checkpoints as Checkpoints,
    StepHistory as StepHistory,
    StopAfter as StopAfter,
    StopOnNonFinite as StopOnNonFinite,
)
from .training.train import (
    train_brush as train_brush,
    train_discriminator as train_discriminator,
    train_gan as train_gan,
    train_generator as train_generator,
)
