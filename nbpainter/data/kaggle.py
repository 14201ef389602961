"""Fetch files of the MyPaintBrushstrokes dataset from Kaggle.

`kagglehub` needs no account for public data; without it the `kaggle` package
is used, which wants credentials. Both resume and show progress. A file gets
its name when every checksum in it is right.
"""

import errno
import logging
import os
import pathlib
import shutil
import unittest.mock
import zipfile

import filelock

from nbpainter.errors import DataError, check_count
from nbpainter.files import make_folder

DATASET = "reiinakano/mypaint_brushstrokes"
PAGE = f"https://www.kaggle.com/datasets/{DATASET}"
NUM_FILES = 78

_AGAIN = "Run the same command again: it goes on where it stopped."
_INSTEAD = "or draw strokes of your own: `nbpainter draw`."
# Errors of the clients, by name: neither needs to be installed.
_DAMAGED = ("DataCorruptionError", "JSONDecodeError")
_STRANGER = ("UnauthenticatedError", "CredentialError", "SystemExit")


def download_episodes(index, folder="episodes"):
    """Download files of the dataset, one at a time.

    A file that is there and whole is not fetched again; one that was broken
    off is resumed. The files are for your own use: this package does not
    pass them on, and says what the dataset's page says about its licence.

    Args:
        index: int or sequence of ints from 0 to 77, which `episodes_*.npz`.
        folder: str or path, where they go. Default `"episodes"`.

    Returns:
        A list of paths, for `open_episodes` or `nbpainter train --data`.

    Raises:
        DataError: in one sentence, without network, permission or room, or
            for a file that is damaged or not there.
    """
    indices = [index] if not hasattr(index, "__iter__") else index
    indices = [check_count("index", i, 0, NUM_FILES - 1) for i in indices]
    folder = make_folder(folder)
    logger = logging.getLogger(__name__)
    logger.warning("Dataset: %s\n%s", PAGE, _licence())
    paths = [folder / f"episodes_{i}.npz" for i in indices]
    with filelock.FileLock(folder / ".lock"):
        for path in paths:
            if not _is_whole(path):
                _download(path)
    return paths


def _is_whole(path):
    """Compare all checksums of a file, without a wait for TensorFlow."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # Damaged headers raise almost anything.
        return False


def _download(path):
    """Fetch a file into a folder beside its place, check it, move it."""
    place = path.parent / ".download"
    for _ in range(2):  # What cannot be resumed is fetched again, once.
        place.mkdir(exist_ok=True)
        try:
            fetched = _fetch(path.name, place)
            if _is_whole(fetched):
                fetched.replace(path)
                shutil.rmtree(place, ignore_errors=True)
                return
        except (Exception, SystemExit) as error:
            if type(error).__name__ not in _DAMAGED:
                raise DataError(_explain(path.name, error)) from error
        shutil.rmtree(place, ignore_errors=True)
    raise DataError(
        f"{path.name} arrived damaged, twice. Try again later, {_INSTEAD}"
    )


def _fetch(name, place):
    """Fetch a file with whichever client is there; return its path."""
    try:
        import kagglehub
    except ImportError:
        import kaggle  # Without credentials it raises SystemExit.

        kaggle.api.dataset_download_file(DATASET, name, str(place), quiet=False)
        return place / name
    # Given an `output_dir`, kagglehub does not resume; in Colab its
    # shared cache may never answer.
    chosen = {"KAGGLEHUB_CACHE": str(place.resolve())}
    chosen["DISABLE_COLAB_CACHE"] = "1"
    with unittest.mock.patch.dict(os.environ, chosen):
        return pathlib.Path(kagglehub.dataset_download(DATASET, name))


def _explain(name, error):
    """Say in one sentence what a client's error means, and what to do."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    kind, reason = type(error).__name__, str(error).strip().partition("\n")[0]
    unknown = "credentials" in reason or "kaggle.json" in reason
    if status == 401 or kind in _STRANGER or unknown:
        return (
            f"Kaggle wants to know who asks for {name}: `pip install "
            "kagglehub`, which needs no account, or put a token of "
            "https://www.kaggle.com/settings into ~/.kaggle/kaggle.json, "
            f"{_INSTEAD}"
        )
    if status:
        return (
            f"Kaggle does not give {name} ({status}): see {PAGE}, whether it "
            "wants you to accept something or has moved, check your token, "
            f"try again later, {_INSTEAD}"
        )
    full = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
    if getattr(error, "errno", None) in full:
        return f"{name} cannot be written ({reason}). Make room. {_AGAIN}"
    return (
        f"{name} cannot be fetched ({kind}: {reason[:200]}). Check the "
        f"network and the folder. {_AGAIN}"
    )


def _licence():
    """Ask what the dataset's page says about its licence."""
    try:
        from kagglesdk.datasets.types import dataset_api_service
        from kagglesdk.kaggle_client import KaggleClient

        request = dataset_api_service.ApiGetDatasetRequest()
        request.owner_slug, request.dataset_slug = DATASET.split("/")
        with KaggleClient() as client:
            found = client.datasets.dataset_api_client.get_dataset(request)
        return f"Licence, as the page says: {found.license_name}."
    except Exception:  # The clients know better how to say what is wrong.
        return (
            "Licence: could not be asked for; see the page before you use it."
        )
