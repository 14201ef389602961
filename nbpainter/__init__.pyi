"""Public names and their modules, for `lazy_loader` and for editors."""

from . import (
    actions as actions,
)
from . import (
    cli as cli,
    config as config,
)
from . import (
    data as data,
)
from . import (
    engine as engine,
)
from . import (
    errors as errors,
)
from . import (
    export as export,
)
from . import (
    files as files,
)
from . import (
    images as images,
)
from . import (
    losses as losses,
)
from . import (
    models as models,
)
from . import (
    painter as painter,
)
from . import (
    plotting as plotting,
)
from . import (
    training as training,
)
from .actions import (
    ACTION_INDEX as ACTION_INDEX,
)
from .actions import (
    ACTION_NAMES as ACTION_NAMES,
)
from .actions import (
    random_actions as random_actions,
)
from .config import (
    BrushConfig as BrushConfig,
)
from .config import (
    BrushLessonConfig as BrushLessonConfig,
)
from .config import (
    BrushReportConfig as BrushReportConfig,
)
from .config import (
    DiscriminatorConfig as DiscriminatorConfig,
)
from .config import (
    GANConfig as GANConfig,
)
from .config import (
    GeneratorConfig as GeneratorConfig,
)
from .config import (
    PaintConfig as PaintConfig,
)
from .config import (
    ReportConfig as ReportConfig,
)
from .data.cache import (
    open_episodes as open_episodes,
)
from .data.drawing import (
    draw_episodes as draw_episodes,
)
from .data.drawing import (
    sample_episodes as sample_episodes,
)
from .data.episodes import (
    Episodes as Episodes,
)
from .data.episodes import (
    StrokeBatches as StrokeBatches,
)
from .data.episodes import (
    load_episodes as load_episodes,
)
from .data.episodes import (
    on_white as on_white,
)
from .data.episodes import (
    tiny_episodes as tiny_episodes,
)
from .data.episodes import (
    to_rgba as to_rgba,
)
from .data.inspection import (
    inspect_episodes as inspect_episodes,
)
from .data.kaggle import (
    download_episodes as download_episodes,
)
from .engine.brush import (
    draw_strokes as draw_strokes,
)
from .engine.brush_file import (
    load_brush as load_brush,
)
from .engine.suitability import (
    choose_brush as choose_brush,
)
from .engine.suitability import (
    list_brushes as list_brushes,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    EngineError as EngineError,
)
from .errors import (
    NBPainterError as NBPainterError,
)
from .errors import (
    TrainingError as TrainingError,
)
from .images import (
    load_photo as load_photo,
)
from .losses import (
    FVU as FVU,
)
from .losses import (
    PerceptualLoss as PerceptualLoss,
)
from .losses import (
    laplacian as laplacian,
)
from .losses import (
    opacity_loss as opacity_loss,
)
from .losses import (
    psnr as psnr,
)
from .models.discriminator import (
    JudgedStrokes as JudgedStrokes,
)
from .models.discriminator import (
    build_discriminator as build_discriminator,
)
from .models.discriminator import (
    compile_discriminator as compile_discriminator,
)
from .models.discriminator import (
    find_suspicious as find_suspicious,
)
from .models.discriminator import (
    generate_episodes as generate_episodes,
)
from .models.discriminator import (
    measure_discriminator as measure_discriminator,
)
from .models.gan import (
    GAN as GAN,
)
from .models.gan import (
    add_noise_input as add_noise_input,
)
from .models.gan import (
    compile_gan as compile_gan,
)
from .models.generators import (
    build_brush_generator as build_brush_generator,
)
from .models.generators import (
    build_fc_generator as build_fc_generator,
)
from .models.generators import (
    build_generator as build_generator,
)
from .models.generators import (
    compile_brush_generator as compile_brush_generator,
)
from .models.generators import (
    compile_generator as compile_generator,
)
from .models.generators import (
    render_strokes as render_strokes,
)
from .models.generators import (
    start_brush_generator as start_brush_generator,
)
from .models.presets import (
    load_pretrained as load_pretrained,
)
from .models.presets import (
    read_manifest as read_manifest,
)
from .models.presets import (
    save_pretrained as save_pretrained,
)
from .painter.canvas import (
    composite as composite,
)
from .painter.coarse_to_fine import (
    paint as paint,
)
from .painter.painting import (
    Painting as Painting,
)
from .training.brush_training import (
    train_brush as train_brush,
)
from .training.callbacks import (
    Checkpoints as Checkpoints,
)
from .training.callbacks import (
    StopAfter as StopAfter,
)
from .training.callbacks import (
    StopOnNonFinite as StopOnNonFinite,
)
from .training.metrics import (
    measure_fvu as measure_fvu,
)
from .training.metrics import (
    measure_spread as measure_spread,
)
from .training.metrics import (
    measure_texture as measure_texture,
)
from .training.report import (
    judge_generator as judge_generator,
)
from .training.report import (
    measure_preset as measure_preset,
)
from .training.report import (
    measure_reality_gap as measure_reality_gap,
)
from .training.report import (
    write_report as write_report,
)
from .training.train import (
    train_discriminator as train_discriminator,
)
from .training.train import (
    train_gan as train_gan,
)
from .training.train import (
    train_generator as train_generator,
)
