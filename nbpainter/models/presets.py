"""Trained networks: found by name, rebuilt from the manifest, checked.

A folder of weights holds `manifest.json`: for each name the file, its
SHA-256, the function that builds the network with its arguments, and the
metadata of the training. Only numbers are loaded, never code.
"""

import functools
import importlib.metadata
import io
import json
import pathlib
import platform
import shutil
import tempfile
import zipfile
from typing import Annotated

import filelock
import h5py
import keras
import numpy as np
from pydantic import BaseModel, Field, TypeAdapter

from nbpainter.errors import DataError
from nbpainter.files import (
    make_folder,
    read_text,
    refusing,
    sha256,
    write_whole,
)
from nbpainter.models.discriminator import build_discriminator
from nbpainter.models.generators import build_fc_generator, build_generator

# Of brushes' weights that were saved before all had one builder.
_OLD_BUILDER = "build_brush_generator"
_BUILDERS = {
    "build_discriminator": build_discriminator,
    "build_fc_generator": build_fc_generator,
    "build_generator": build_generator,
    _OLD_BUILDER: functools.partial(
        build_generator, (16, 16), curves=True, lags=True, edges=True
    ),
}
_SUFFIX = ".weights.h5"
# The first had the ink of a dab change with its size, in as many weights; until
# the second, weights held a brush file's numbers as well.
_VERSION = 3
_BAD_WEIGHTS = (
    "The weights {path} cannot be loaded ({reason}). Get the file and its "
    "manifest.json again, or train the network again."
)
_BAD_MANIFEST = (
    "{path} cannot be read ({reason}). Weights lie beside a manifest.json that "
    "`nbpainter train` writes."
)
_MAX_MANIFEST_BYTES = 16_000_000

# No argument of a builder needs more, and more might take all memory.
_Argument = Annotated[float, Field(ge=0, le=4096)]


class _Entry(BaseModel, strict=True):
    sha256: str
    builder: str
    arguments: dict[str, bool | _Argument | list[_Argument]]
    num_weights: int
    version: int = 1
    brush: str | dict = "dry_brush"


_MANIFEST = TypeAdapter(dict[str, _Entry])


def _presets():
    """The folder of the shipped weights, in a wheel or in a checkout."""
    package = pathlib.Path(__file__).parents[1]
    inside = package / "pretrained"
    return inside if inside.is_dir() else package.parent / "models"


def find_weights(name, folder):
    """Find weights in the given folder, else among the shipped.

    Args:
        name: str, such as `"generator_pretrained"`.
        folder: str or path.

    Returns:
        A `pathlib.Path` for `load_pretrained`.

    Raises:
        DataError: if they are in neither.
    """
    path = pathlib.Path(folder, name + _SUFFIX)
    return path if path.exists() else _presets() / path.name


def _find_entry(name_or_path):
    """The file of some weights, and what the manifest says of it."""
    path = pathlib.Path(str(name_or_path))
    is_name = len(path.parts) == 1 and not path.name.endswith(_SUFFIX)
    folder = _presets() if is_name else path.parent
    name = path.name.removesuffix(_SUFFIX)
    entries = read_manifest(folder)
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise DataError(
            f"There are no weights {str(name_or_path)!r} in {folder}. Give a "
            f"name or a path; there are: {known}."
        )
    return folder / (name + _SUFFIX), entries[name]


def load_pretrained(name_or_path):
    """Load a trained network.

    Args:
        name_or_path: str or path: a name in `models/manifest.json`, such as
            `"generator_pretrained"`, or a `.weights.h5` file that
            `save_pretrained` wrote.

    Returns:
        A built `keras.Model` with the trained weights.

    Raises:
        DataError: for an unknown name, or a file that is missing or is not
            the one in the manifest.

    Example:

    >>> load_pretrained("generator_pretrained").count_params()
    130
    """
    path, entry = _find_entry(name_or_path)
    with refusing(path, _BAD_WEIGHTS):
        if sha256(path) != entry["sha256"]:
            raise ValueError("damaged: another SHA-256 than in the manifest")
        if entry["builder"] not in _BUILDERS:
            raise ValueError(f"unknown builder {entry['builder']!r}")
        own = {"brush": entry["brush"]} if "brush" in entry else {}
        model = _BUILDERS[entry["builder"]](**entry["arguments"], **own)
        expected, found = model.count_params(), entry["num_weights"]
        version, has_dabs = entry.get("version", 1), hasattr(model, "dabs")
        of_file = has_dabs and model.dabs.curves
        if entry["builder"] == _OLD_BUILDER:
            _load_old_weights(model, path)
        elif found != expected and (version == _VERSION or not of_file):
            raise ValueError(f"old version: {found} weights, not {expected}")
        else:
            _check_stored(path, expected)
            model.load_weights(path)
        if has_dabs and not of_file and version < 2:
            raise ValueError("old version: its numbers mean something else")
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ValueError("not all of them are finite numbers")
    model.trainable = False
    return model


def _check_stored(path, max_values):
    """Refuse a file that refers to other files, or is larger than it says."""

    def find_problem(name, link):
        item = None if isinstance(link, h5py.ExternalLink) else file[name]
        if item is None or getattr(item, "external", None):
            return f"{name} is kept in another file"
        if getattr(item, "is_virtual", False):
            return f"{name} is kept in other places"
        if getattr(item, "size", 0) > max_values:
            return f"{name} has {item.size} values"

    with h5py.File(path) as file:
        if problem := file.visititems_links(find_problem):
            raise ValueError(problem)


def _load_old_weights(model, path):
    """Load weights of commit f325191.

    Their last layer had another number.
    """
    _check_stored(path, model.count_params())
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(path, folder)
        with h5py.File(copy, "r+") as file:
            del file["layers/dense_2"]  # It was never used.
            file.move("layers/dense_3", "layers/dense_2")
        model.load_weights(copy)


def preset_of_brush(brush):
    """Find the trained generator of a brush.

    Args:
        brush: str or path: a brush with a preset, such as `"charcoal"`, or a
            `.weights.h5` file of one's own.

    Returns:
        A str for `load_pretrained` and `paint(generator=...)`.

    Raises:
        DataError: if there is none.

    Example:

    >>> preset_of_brush("dry_brush")
    'generator_gan'
    """
    brush = str(brush)
    if brush == "dry_brush":
        return "generator_gan"
    names = [n for n, e in read_manifest().items() if e.get("brush") == n]
    if brush in names or brush.endswith(_SUFFIX):
        return brush
    raise DataError(
        f"There is no trained generator for the brush {brush!r}. There is one "
        f"for: {', '.join(['dry_brush', *names])}. Train one with `nbpainter "
        f"train brush {brush}`, then give its .weights.h5 file."
    )


def enter_facts(path, facts, anew=False):
    """Add metadata to the manifest's entry of weights.

    Others may enter theirs at the same time.

    Args:
        path: str or path, `FOLDER/NAME.weights.h5`.
        facts: dict for JSON.
        anew: bool, whether to drop what the entry holds. Default `False`.

    Raises:
        DataError: if the manifest cannot be read or written.
    """
    path = pathlib.Path(path)
    folder, name = path.parent, path.name.removesuffix(_SUFFIX)
    with filelock.FileLock(folder / ".lock"):
        entries = read_manifest(folder, missing_ok=True)
        entries[name] = facts if anew else entries[name] | facts
        text = json.dumps(dict(sorted(entries.items())), indent=2)
        write_whole(folder / "manifest.json", text + "\n")


class _Memory(io.BytesIO):
    """A file in memory that Keras takes for one on the disk."""

    def __str__(self):
        return "memory.keras"


def _weights_file(model):
    """The content of a `.weights.h5` file, by way of memory.

    HDF5 cannot stand a full disk: it may end the process, later.
    """
    memory = _Memory()
    keras.saving.save_model(model, memory)
    with zipfile.ZipFile(memory) as archive:
        return archive.read("model.weights.h5")


def save_pretrained(model, path, builder, arguments, facts):
    """Save a network's weights, and enter them into the folder's manifest.

    Args:
        model: `keras.Model`.
        path: str or path, `FOLDER/NAME.weights.h5`.
        builder: str, the function of `nbpainter.models` that built it.
        arguments: dict, the builder's keyword arguments.
        facts: dict for JSON, the metadata: data, seed, epochs, metrics.

    Raises:
        DataError: if the files cannot be written.
    """
    path = pathlib.Path(path)
    read_manifest(make_folder(path.parent), missing_ok=True)
    # A copy has no optimizer, whose moments would be saved as well.
    copy = _BUILDERS[builder](**arguments)
    copy.set_weights(model.get_weights())
    write_whole(path, _weights_file(copy))
    versions = {"python": platform.python_version()}
    for package in ("keras", "tensorflow", "numpy"):
        versions[package] = importlib.metadata.version(package)
    entry = {
        "sha256": sha256(path),
        "builder": builder,
        "arguments": arguments,
        "num_weights": model.count_params(),
        "version": _VERSION,
        **facts,
        "versions": versions,
    }
    enter_facts(path, entry, anew=True)


def read_manifest(folder=None, missing_ok=False):
    """Read the manifest of a folder of weights.

    Args:
        folder: str or path. Default: the shipped weights'.
        missing_ok: bool, whether a missing manifest counts as empty.

    Returns:
        A dict from names to entries.

    Raises:
        DataError: if there is no manifest or it cannot be read.
    """
    path = pathlib.Path(folder or _presets()) / "manifest.json"
    if missing_ok and not path.exists():
        return {}
    with refusing(path, _BAD_MANIFEST):
        entries = json.loads(read_text(path, _MAX_MANIFEST_BYTES))
        _MANIFEST.validate_python(entries)
        return entries


def load_generator(generator):
    """Return the model that a name or a model stands for.

    It is the same each time, until the weights are saved anew.

    Args:
        generator: str or path for `load_pretrained`, or a model.

    Returns:
        A `keras.Model`.

    Raises:
        DataError: if it is neither.
    """
    if generator == "custom":
        raise DataError(
            "The painting was made with a generator of one's own: set "
            "`painting.generator` to it."
        )
    model = generator
    if not hasattr(generator, "opacity"):
        path, entry = _find_entry(generator)
        model = _load_once(path.absolute(), str(entry))
    if not hasattr(model, "opacity"):
        raise DataError(f"{str(generator)!r} is no generator and cannot draw.")
    return model


@functools.lru_cache(maxsize=4)
def _load_once(path, entry):
    """As `load_pretrained`, anew if the manifest's entry is another one."""
    return load_pretrained(path)


def brush_of(generator):
    """Name the brush of a generator, without loading any network.

    Args:
        generator: a model, or a str or path for `load_pretrained`.

    Returns:
        A str or dict, see `load_brush`.

    Raises:
        DataError: if there are no such weights.
    """
    if hasattr(generator, "brush"):
        return generator.brush
    return _find_entry(generator)[1].get("brush", "dry_brush")
