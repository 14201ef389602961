"""Write files whole or not at all, and recognise them again."""

import contextlib
import glob
import hashlib
import os
import pathlib
import platform
import reprlib
import secrets
import stat
import tempfile

from nbpainter.errors import DataError

# What the names of unfinished files begin with; the process follows.
_MARK = f".{platform.node()}-"
_NOT_WRITTEN = (
    "{path} cannot be written ({reason}). Choose another place or make room."
)
_NO_FOLDER = (
    "The folder {path} cannot be written to ({reason}). Choose another one."
)


@contextlib.contextmanager
def refusing(path, sentence, kind=DataError, missing=None, caught=Exception):
    """Turn whatever the reading of a file raises into one sentence.

    Args:
        path: str or path of the file that the block reads; or, in words, what
            else it reads.
        sentence: str with `{path}` and `{reason}`: what is wrong, and the way
            out.
        kind: the error that is raised. Default `DataError`.
        missing: the sentence where there is no such file. Default: the same.
        caught: the errors of the block that are turned. Default: any, since
            libraries raise almost anything.

    Yields:
        Nothing.

    Raises:
        NBPainterError: of that kind, for these errors of the block.
    """
    try:
        yield
    except caught as error:
        if missing and isinstance(error, FileNotFoundError):
            sentence = missing
        reason = explain(error)
        raise kind(sentence.format(path=path, reason=reason)) from error


def explain(error):
    """Say in one line what an error says, and where `pydantic` found it."""
    if hasattr(error, "errors"):
        problem = error.errors()[0]
        place = " ".join(map(str, problem["loc"])) or "file"
        place = place.replace("strokes ", "stroke ")
        received = reprlib.repr(problem["input"])
        text = f"{place}: {problem['msg']}. Received: {received}"
    else:
        text = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    text = " ".join(text.split())[:300]
    return text or type(error).__name__


def check_regular(path):
    """Return a path if it is a file: a pipe or a device may never end.

    Args:
        path: str or path.

    Returns:
        A `pathlib.Path`.

    Raises:
        OSError: if there is no such file, or it is none.
    """
    path = pathlib.Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is a folder, a pipe or a device, not a file")
    return path


def printable(name):
    """Replace what no text file may hold in a name, such as a title's."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def read_text(path, max_bytes):
    """Read a text file of a limited size.

    Args:
        path: str or path.
        max_bytes: int.

    Returns:
        A str.

    Raises:
        OSError: if it cannot be read, or is no file.
        ValueError: if it is larger, or no UTF-8.
    """
    path = check_regular(path)
    if path.stat().st_size > max_bytes:
        raise ValueError(f"more than {max_bytes / 1e6:g} MB")
    return path.read_text("utf-8-sig")


@contextlib.contextmanager
def written_whole(path):
    """Write a file beside its place, then move it there in one step.

    Whatever happens meanwhile, `path` holds the old file or the new one.

    Args:
        path: str or path, the file to write. Its folder must exist.

    Yields:
        A path to write to, with the same suffixes as `path`.

    Raises:
        DataError: if the file cannot be written.

    Example:

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> with written_whole(path) as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    path = pathlib.Path(path)
    # Named before it is made: a signal may come between the two.
    name = f"{_MARK}{os.getpid()}-{secrets.token_hex(8)}.part"
    temporary = path.parent / (name + "".join(path.suffixes[-2:]))
    try:
        with refusing(path, _NOT_WRITTEN, caught=OSError):
            remove_left(path.parent)
            temporary.touch(exist_ok=False)
            yield temporary
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # No folder: said already.
            temporary.unlink(missing_ok=True)


def write_whole(path, content):
    """Write a file in one step, see `written_whole`.

    Args:
        path: str or path.
        content: bytes, or str for UTF-8.

    Raises:
        DataError: if the file cannot be written.
    """
    with written_whole(path) as temporary:
        is_text = isinstance(content, str)
        temporary.write_bytes(content.encode() if is_text else content)


def remove_left(folder):
    """Remove what processes of this machine have left that were killed.

    Args:
        folder: `pathlib.Path`, where they wrote by `written_whole`.
    """
    if os.name == "nt":  # To ask there for a process ends it.
        return
    for path in folder.glob(f"{glob.escape(_MARK)}*.part*"):
        try:
            os.kill(int(path.name.removeprefix(_MARK).split("-")[0]), 0)
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError):
            pass  # Somebody else's.


def make_folder(path):
    """Make a folder if there is none, and check that it takes files.

    Args:
        path: str or path.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        DataError: if it cannot be made or written to.
    """
    path = pathlib.Path(path)
    with refusing(path, _NO_FOLDER, caught=OSError):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    return path


def sha256(path):
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with check_regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
