"""Files of the DICOM network in ``pacs/`` of ``SECOND_READ_HOME``: received instances, and results until verified.

An instance lies under the SHA-256 of its file, a result under its job and its SHA-256. Folders have mode 0700 and
files 0600; files are encrypted where a key is set (:mod:`.sealing`). A file that no row leads to is what a killed
program left: its sender has no confirmation, and sends it again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import PathUnusable
from ..files import cannot_write, lock, make_private, part_beside, private_folder, put_in_place, write_whole
from ..settings import settings
from .sealing import open_bytes, reseal_bytes, seal_bytes

__all__ = [
    "arriving_file",
    "instance_path",
    "is_whole",
    "load_checked",
    "name_file",
    "pacs_folder",
    "pacs_lock",
    "remove_instance_file",
    "remove_orphans",
    "remove_results",
    "reseal_path",
    "result_path",
    "save_result",
]

_INSTANCES, _RESULTS = "instances", "results"
_LEFT_SECONDS = 3600.0
"""After so long nobody is writing a file any more."""


def pacs_folder() -> Path:
    """Return the folder of the DICOM network."""
    return settings().home / "pacs"


def instance_path(sha256: str) -> Path:
    """Return the file of an instance, whether it is there or not."""
    return pacs_folder() / _INSTANCES / sha256


def result_path(job: str, sha256: str) -> Path:
    """Return the file of a result, whether it is there or not."""
    return pacs_folder() / _RESULTS / job / sha256


def purpose(path: Path) -> str:
    """Return what the content of a file of this folder is bound to."""
    return f"pacs {path.relative_to(pacs_folder()).as_posix()}"


@contextmanager
def pacs_lock() -> Iterator[None]:
    """Hold the lock of the folder: files get their names and are deleted by one thread of one program at a time.

    Raises PathUnusable where the folder cannot be written.
    """
    try:
        make_private(private_folder(pacs_folder()))
        holding = lock(pacs_folder() / ".lock")
        holding.__enter__()
    except OSError as error:
        raise cannot_write("Folder of received images", error) from error
    try:
        yield
    finally:
        holding.__exit__(None, None, None)


@contextmanager
def arriving_file(data: bytes, sha256: str) -> Iterator[tuple[Path, Path]]:
    """Write an instance beside its path, flushed to the disk, and yield both names; what is not renamed is removed.

    Raises PathUnusable where it cannot be written.
    """
    path = instance_path(sha256)
    try:
        private_folder(path.parent)
        with part_beside(path) as part:
            write_whole(part, seal_bytes(data, purpose(path)), private=True)
            yield part, path
    except OSError as error:
        raise cannot_write("Received image", error) from error


def name_file(part: Path, path: Path) -> None:
    """Give a written file its name, and bring the name to the disk; raises OSError. For a holder of the lock."""
    put_in_place(part, path, private=True)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save_result(job: str, data: bytes) -> str:
    """Write a result, whole and flushed to the disk, and return its SHA-256; raises PathUnusable."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = result_path(job, sha256)
    try:
        private_folder(path.parent)
        write_whole(path, seal_bytes(data, purpose(path)), private=True)
    except OSError as error:
        raise cannot_write("Result of a received image", error) from error
    return sha256


def load_checked(path: Path, sha256: str) -> bytes:
    """Return the content of a file; raises PathUnusable where it is missing, was changed, or cannot be decrypted."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PathUnusable("A file of the DICOM network is missing or cannot be read. Send the image again.") from error
    data = open_bytes(data, purpose(path))
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PathUnusable("A file of the DICOM network was changed since it was stored.")
    return data


def is_whole(path: Path, sha256: str) -> bool:
    """Return whether :func:`load_checked` returns the content of a file, all of which is read for that."""
    try:
        load_checked(path, sha256)
    except PathUnusable:
        return False
    return True


def reseal_path(path: Path) -> bool:
    """Encrypt a file with the key of the setting; return whether it was not already.

    For a holder of the lock. A file that is not there stays so. Raises PathUnusable.
    """
    try:
        sealed = reseal_bytes(path.read_bytes(), purpose(path)) if path.is_file() else None
        if sealed is not None:
            write_whole(path, sealed, private=True)
    except OSError as error:
        raise cannot_write("Received image", error) from error
    return sealed is not None


def remove_instance_file(sha256: str) -> None:
    """Delete the file of an instance; raises PathUnusable."""
    try:
        instance_path(sha256).unlink(missing_ok=True)
    except OSError as error:
        raise PathUnusable(
            "A received image cannot be deleted. Check the owner of its folder, then try again."
        ) from error


def remove_results(job: str) -> None:
    """Delete the files of the results of a job; raises PathUnusable."""
    try:
        shutil.rmtree(pacs_folder() / _RESULTS / job)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise PathUnusable(
            "Results of a received image cannot be deleted. Check the owner of their folder, then try again."
        ) from error


def remove_orphans(instances: Collection[str], jobs: Collection[str]) -> None:
    """Delete what programs that were killed left. For a holder of the lock.

    Args:
        instances: SHA-256 of the instances that the database has.
        jobs: ids of the jobs whose results are kept.
    """
    long_ago = time.time() - _LEFT_SECONDS
    for path in (pacs_folder() / _INSTANCES).glob("*"):
        with suppress(OSError):
            if path.name not in instances and (path.suffix != ".part" or path.stat().st_mtime < long_ago):
                path.unlink()
    for path in (pacs_folder() / _RESULTS).glob("*"):
        with suppress(OSError):
            # results are written before their rows
            if path.name not in jobs and path.stat().st_mtime < long_ago:
                shutil.rmtree(path)
