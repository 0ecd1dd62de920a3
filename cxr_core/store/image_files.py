"""Files of the images of stored studies: a folder per study, in it one file per image, named by its digest.

Folders have mode 0700 and files 0600. A file is there only while the database has its row: rows are added before files
and deleted after them. Files are encrypted where a key is set (:mod:`.sealing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import PathUnusable
from ..files import cannot_write, lock, make_private, private_folder, write_whole
from ..settings import settings
from .file_groups import files_below
from .sealing import open_bytes, reseal_bytes, seal_bytes

__all__ = [
    "files_before",
    "image_path",
    "load_file",
    "remove_file",
    "remove_leftovers",
    "reseal_file",
    "save_file",
    "studies_folder",
    "studies_lock",
]

_LOCK = ".lock"


def studies_folder() -> Path:
    """Return the folder of stored studies."""
    return settings().home / "studies"


def image_path(study: str, digest: str) -> Path:
    """Return the file of an image, whether it is there or not."""
    return studies_folder() / study / digest


@contextmanager
def studies_lock() -> Iterator[None]:
    """Hold the lock of the folder: images are added and deleted by one thread of one program at a time.

    Raises PathUnusable where the folder cannot be written.
    """
    folder = studies_folder()
    try:
        make_private(private_folder(folder))
        holding = lock(folder / _LOCK)
        holding.__enter__()
    except OSError as error:
        raise cannot_write("Folder of studies", error) from error
    try:
        yield
    finally:
        holding.__exit__(None, None, None)


def save_file(study: str, digest: str, data: bytes) -> None:
    """Write the file of an image, whole and flushed to the disk; raises PathUnusable."""
    path = image_path(study, digest)
    try:
        private_folder(path.parent)
        write_whole(path, seal_bytes(data, _purpose(study, digest)), private=True)
    except OSError as error:
        raise cannot_write("Image of a study", error) from error


def load_file(study: str, digest: str) -> bytes:
    """Return the content of an image; raises PathUnusable where it is missing or cannot be decrypted."""
    try:
        data = image_path(study, digest).read_bytes()
    except OSError as error:
        raise PathUnusable("The stored image is missing or cannot be read. Add the file again.") from error
    return open_bytes(data, _purpose(study, digest))


def reseal_file(study: str, digest: str) -> bool:
    """Encrypt the file of an image with the key of the setting; return whether it was not already.

    For a holder of the lock. A file that is not there stays so. Raises PathUnusable.
    """
    path = image_path(study, digest)
    try:
        sealed = reseal_bytes(path.read_bytes(), _purpose(study, digest)) if path.is_file() else None
        if sealed is not None:
            write_whole(path, sealed, private=True)
    except OSError as error:
        raise cannot_write("Image of a study", error) from error
    return sealed is not None


def remove_file(study: str, digest: str) -> None:
    """Delete the file of an image, and the folder of a study without further images; raises PathUnusable."""
    path = image_path(study, digest)
    try:
        path.unlink(missing_ok=True)
        with suppress(OSError):
            # not empty, or not there
            path.parent.rmdir()
    except OSError as error:
        raise PathUnusable(
            "A stored image cannot be deleted. Check the owner of its folder, then try again."
        ) from error


def remove_leftovers() -> None:
    """Delete what programs that were killed left of files that they were writing. For a holder of the lock."""
    for part in studies_folder().glob("*/.*.part"):
        with suppress(OSError):
            part.unlink()
            part.parent.rmdir()


def files_before(seconds: float) -> list[tuple[str, str]]:
    """Return (study, digest) of the files that were written before a time, in seconds since 1970."""
    files = []
    for path in files_below(studies_folder()):
        with suppress(OSError):
            if path.parent.parent == studies_folder() and path.name[0] != "." and path.stat().st_mtime < seconds:
                files.append((path.parent.name, path.name))
    return files


def _purpose(study: str, digest: str) -> str:
    return f"image {study} {digest}"
