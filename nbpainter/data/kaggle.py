"""Fetch files of the MyPaintBrushstrokes dataset from Kaggle.

`kagglehub` needs no account for public data; without it the `kaggle` package
is used, which wants credentials. Both resume and show progress, and kagglehub
compares the MD5 that the server sends. Here a file is read to its end, with
every checksum in it, before it gets its name.
"""

import contextlib
import errno
import importlib
import io
import os
import pathlib
import shutil

from nbpainter.config import variables_set
from nbpainter.data.episode_files import check_file
from nbpainter.errors import DataError, check_count
from nbpainter.files import locked, make_folder, written_whole

DATASET = "reiinakano/mypaint_brushstrokes"
PAGE = f"https://www.kaggle.com/datasets/{DATASET}"
NUM_FILES = 78

_FILE_BYTES = 200_000_000  # Each has 196.3 MB.
_AGAIN = "Run the same command again: it goes on where it stopped."
_INSTEAD = "or draw strokes of your own: `nbpainter draw`."


def download_episodes(index, folder="episodes", verbose=1):
    """Download files of the dataset, one at a time.

    A file that is there and whole is not fetched again; one that was broken
    off is resumed. The files are for your own use: this package does not
    pass them on, and says what the dataset's page says about its licence.

    Args:
        index: int or sequence of ints from 0 to 77, which `episodes_*.npz`.
        folder: str or path, where they go. Default `"episodes"`.
        verbose: 0 or 1, whether to show progress and the licence.

    Returns:
        A list of paths, for `open_episodes` or `nbpainter train --data`.

    Raises:
        DataError: in one sentence, without network, permission or room, or
            for a file that is damaged or not there.
    """
    indices = [index] if not hasattr(index, "__iter__") else list(index)
    names = [
        f"episodes_{check_count('index', i, 0, NUM_FILES - 1)}.npz"
        for i in indices
    ]
    folder = make_folder(folder)
    if verbose:
        print(f"Dataset: {PAGE}\n{_licence()}")
    paths = [folder / name for name in names]
    with locked(folder):
        for path in paths:
            if not _is_whole(path):
                _download(path, verbose)
    return paths


def _is_whole(path):
    if not path.exists():
        return False
    try:
        check_file(path)
    except DataError:
        return False
    return True


def _download(path, verbose):
    """Fetch a file into a folder beside its place, check it, move it."""
    place = path.parent / ".download"
    place.mkdir(exist_ok=True)
    free = shutil.disk_usage(place).free
    free += sum(p.stat().st_size for p in place.rglob(path.name))
    if free < _FILE_BYTES:
        raise DataError(
            f"{path} needs {_FILE_BYTES / 1e6:.0f} MB, and there are "
            f"{free / 1e6:.0f} MB left: make room or choose another folder."
        )
    for attempt in (0, 1):
        fetched = None
        try:
            with _one_sentence(path):
                fetched = _fetch(path.name, place, verbose)
            check_file(fetched)
        except DataError as error:
            # What cannot be resumed is fetched again, but only once.
            damaged = fetched or "damaged" in str(error)
            if not damaged or not _is_below(fetched or place, place):
                raise
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(exist_ok=True)
            if attempt:
                raise DataError(
                    f"{path.name} arrived damaged, twice. Try again later, "
                    f"{_INSTEAD}"
                ) from error
        else:
            break
    if _is_below(fetched, place):
        os.replace(fetched, path)
    else:  # Kaggle's own notebooks have the data on a read-only disk.
        with written_whole(path) as temporary:
            shutil.copyfile(fetched, temporary)
    shutil.rmtree(place, ignore_errors=True)


def _is_below(path, folder):
    return pathlib.Path(path).resolve().is_relative_to(folder.resolve())


def _fetch(name, place, verbose):
    """Fetch a file with whichever client is there; return its path."""
    with contextlib.ExitStack() as quiet:
        if not verbose:
            nowhere = io.StringIO()
            quiet.enter_context(contextlib.redirect_stdout(nowhere))
            quiet.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            import kagglehub
        except ImportError:
            return _fetch_with_kaggle(name, place, verbose)
        # Given an `output_dir`, kagglehub does not resume; in Colab its
        # shared cache may never answer.
        with variables_set(
            KAGGLEHUB_CACHE=str(place.resolve()), DISABLE_COLAB_CACHE="1"
        ):
            return pathlib.Path(kagglehub.dataset_download(DATASET, name))


def _fetch_with_kaggle(name, place, verbose):
    try:
        kaggle = importlib.import_module("kaggle")
    except (OSError, SystemExit) as error:  # No credentials, says kaggle so.
        raise DataError(_no_credentials(name)) from error
    except ImportError as error:
        raise DataError(
            "There is neither kagglehub nor kaggle: `pip install kagglehub`, "
            f"{_INSTEAD}"
        ) from error
    kaggle.api.dataset_download_file(
        DATASET, name, path=str(place), force=False, quiet=not verbose
    )
    return place / name


def _no_credentials(name):
    return (
        f"Kaggle wants to know who asks for {name}: `pip install kagglehub`, "
        "which needs no account, or put a token of "
        "https://www.kaggle.com/settings into ~/.kaggle/kaggle.json, "
        f"{_INSTEAD}"
    )


@contextlib.contextmanager
def _one_sentence(path):
    """Turn what the clients raise into a sentence that says what to do."""
    try:
        yield
    except DataError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(_explain(path, error)) from error


def _explain(path, error):
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    kind = type(error).__name__
    if status == 401 or kind in ("UnauthenticatedError", "CredentialError"):
        return _no_credentials(path.name)
    if status == 403:
        return (
            f"Kaggle refuses {path.name} (403): open {PAGE} in a browser, "
            f"accept what it asks for, and check your token, {_INSTEAD}"
        )
    if status == 404:
        return (
            f"Kaggle has no {path.name} (404): see {PAGE}, whether the "
            f"dataset has moved, {_INSTEAD}"
        )
    if status is not None:
        return f"Kaggle is busy or broken ({status}). Try again later."
    if kind in ("DataCorruptionError", "JSONDecodeError"):
        return f"{path.name} arrived damaged: {kind}."
    requests = importlib.import_module("requests")
    if isinstance(error, requests.exceptions.RequestException):
        return (
            f"{path.name} cannot be fetched, for Kaggle cannot be reached or "
            f"the connection broke ({kind}). Check the network. {_AGAIN}"
        )
    if isinstance(error, SystemExit):
        return _no_credentials(path.name)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return (
            f"{path} cannot be written ({error.strerror or error}). "
            f"{'Make room' if full else 'Choose another folder'}. {_AGAIN}"
        )
    reason = str(error).strip().partition("\n")[0][:200]
    return f"{path.name} cannot be fetched ({kind}: {reason}). {_AGAIN}"


def _licence():
    """Ask what the dataset's page says about its licence."""
    try:
        from kagglesdk.datasets.types import dataset_api_service
        from kagglesdk.kaggle_client import KaggleClient

        request = dataset_api_service.ApiGetDatasetRequest()
        request.owner_slug, request.dataset_slug = DATASET.split("/")
        with KaggleClient() as client:
            found = client.datasets.dataset_api_client.get_dataset(request)
        name = found.license_name
    except Exception:  # The clients know better how to say what is wrong.
        name = None
    if not name:
        return (
            "Licence: could not be asked for; see the page before you use it."
        )
    return f"Licence, as the page says: {name}."
