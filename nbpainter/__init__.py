"""Learn to draw brush strokes, then paint photographs with them.

Public names and rooms are loaded when they are first used: `import
nbpainter` and the command line answer before TensorFlow is there.
"""

import lazy_loader

from nbpainter import config as config  # TensorFlow's settings, before it.

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules={"actions", "cli", "errors", "files", "images", "losses"}
    | {"data", "engine", "export", "models", "painter", "plotting", "training"},
    submod_attrs={
        "actions": ["ACTION_INDEX", "ACTION_NAMES", "random_actions"],
        "config": [
            "BrushConfig",
            "BrushLessonConfig",
            "BrushReportConfig",
            "DiscriminatorConfig",
            "GANConfig",
            "GeneratorConfig",
            "PaintConfig",
            "ReportConfig",
        ],
        "errors": [
            "DataError",
            "EngineError",
            "NBPainterError",
            "TrainingError",
        ],
        "images": ["load_photo"],
        "losses": [
            "FVU",
            "PerceptualLoss",
            "laplacian",
            "opacity_loss",
            "psnr",
        ],
        "engine.brush": ["draw_strokes"],
        "engine.brush_file": ["load_brush"],
        "engine.suitability": ["choose_brush", "list_brushes"],
        "data.episodes": [
            "Episodes",
            "StrokeBatches",
            "load_episodes",
            "on_white",
            "tiny_episodes",
            "to_rgba",
        ],
        "data.cache": ["open_episodes"],
        "data.drawing": [
            "draw_episodes",
            "inspect_episodes",
            "sample_episodes",
        ],
        "data.kaggle": ["download_episodes"],
        "models.generators": [
            "build_brush_generator",
            "build_fc_generator",
            "build_generator",
            "compile_brush_generator",
            "compile_generator",
            "render_strokes",
            "start_brush_generator",
        ],
        "models.discriminator": [
            "JudgedStrokes",
            "build_discriminator",
            "compile_discriminator",
            "find_suspicious",
            "generate_episodes",
            "measure_discriminator",
        ],
        "models.gan": ["GAN", "compile_gan", "add_noise_input"],
        "models.presets": [
            "load_pretrained",
            "read_manifest",
            "save_pretrained",
        ],
        "training.callbacks": ["Checkpoints", "StopAfter", "StopOnNonFinite"],
        "training.train": [
            "train_discriminator",
            "train_gan",
            "train_generator",
        ],
        "training.brush_training": ["train_brush"],
        "training.metrics": [
            "measure_fvu",
            "measure_spread",
            "measure_texture",
        ],
        "training.report": [
            "judge_generator",
            "measure_preset",
            "measure_reality_gap",
            "write_report",
        ],
        "painter.canvas": ["composite"],
        "painter.coarse_to_fine": ["paint"],
        "painter.painting": ["Painting"],
    },
)
