"""Learn to draw brush strokes, then paint photographs with them.

Public names and modules are loaded when they are first used: `import
nbpainter` and the command line answer before TensorFlow is there.
"""

import os

import lazy_loader

__version__ = "0.1.0"

_MODULES = """actions cli config data engine errors export files images losses
    models painter plotting training"""

# Where each public name stands.
_HOMES = {
    "actions": "ACTION_INDEX ACTION_NAMES random_actions",
    "config": """BrushConfig BrushLessonConfig BrushReportConfig
        DiscriminatorConfig GANConfig GeneratorConfig PaintConfig
        ReportConfig""",
    "data.cache": "open_episodes",
    "data.drawing": "draw_episodes inspect_episodes sample_episodes",
    "data.episodes": """Episodes StrokeBatches load_episodes on_white
        tiny_episodes to_rgba""",
    "data.kaggle": "download_episodes",
    "engine.brush": "draw_strokes",
    "engine.brush_file": "load_brush",
    "engine.suitability": "choose_brush list_brushes",
    "errors": "DataError EngineError NBPainterError TrainingError",
    "images": "load_photo",
    "losses": "FVU PerceptualLoss laplacian opacity_loss psnr",
    "models.discriminator": """JudgedStrokes build_discriminator
        compile_discriminator find_suspicious generate_episodes
        measure_discriminator""",
    "models.gan": "GAN add_noise_input compile_gan",
    "models.generators": """build_brush_generator build_fc_generator
        build_generator compile_brush_generator compile_generator
        render_strokes start_brush_generator""",
    "models.presets": "load_pretrained read_manifest save_pretrained",
    "painter.canvas": "composite",
    "painter.coarse_to_fine": "paint",
    "painter.painting": "Painting",
    "training.metrics": "measure_fvu measure_spread measure_texture",
    "training.report": """judge_generator measure_preset measure_reality_gap
        write_report""",
    "training.run": "Checkpoints StopAfter StopOnNonFinite",
    "training.train": """train_brush train_discriminator train_gan
        train_generator""",
}

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=_MODULES.split(),
    submod_attrs={home: names.split() for home, names in _HOMES.items()},
)

# TensorFlow reads this when it is loaded, and prints pages of notices else.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
