"""Write files whole or not at all, and recognise them again."""

import contextlib
import hashlib
import os
import pathlib
import secrets
import tempfile

from nbpainter.errors import DataError


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
    name = f".{secrets.token_hex(8)}.part{''.join(path.suffixes)}"
    temporary = path.parent / name
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise DataError(
            f"{path} cannot be written ({reason}). Choose another place or "
            "make room."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # No folder: said already.
            temporary.unlink(missing_ok=True)


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
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise DataError(
            f"The folder {path} cannot be written to "
            f"({error.strerror or error}). Choose another one."
        ) from error
    return path


def sha256(path):
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
