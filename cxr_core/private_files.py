"""Files and folders that the program keeps for itself: open to their owner alone, whatever the umask.

What a user asked for at another place (an export, an archive of readings, a report) is not written by these functions
and follows the umask.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import PathUnusable
from .settings import settings

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "is_kept",
    "lock",
    "make_private",
    "make_tree_private",
    "open_private",
    "private_folder",
    "secret_key",
    "write_private",
]

FILE_MODE, FOLDER_MODE = 0o600, 0o700
KEY_BYTES = 32


def is_kept(path: Path) -> bool:
    """Return whether a path lies in the folder that the program keeps; what is written there is closed to others."""
    try:
        return path.resolve().is_relative_to(settings().runs.resolve())
    except (OSError, RuntimeError):
        return False


def private_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, with mode 0700, and return it; raises OSError.

    A folder that is there already keeps its mode: it may be one that other programs use too.
    """
    missing = []
    for place in (folder, *folder.parents):
        if place.is_dir():
            break
        missing.append(place)
    for place in reversed(missing):
        place.mkdir(mode=FOLDER_MODE, exist_ok=True)
        make_private(place)
    return folder


def open_private(path: Path, flags: int) -> int:
    """Return a descriptor of a file that only its owner may read and write; raises OSError."""
    file = os.open(path, flags | os.O_CREAT, FILE_MODE)
    make_private(path)
    return file


def write_private(path: Path, data: bytes) -> None:
    """Write a whole file of mode 0600, or leave the one that is there as it was; raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(open_private(part, os.O_WRONLY | os.O_EXCL), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def make_private(path: Path) -> None:
    """Close a file (0600) or a folder (0700) to all but its owner; a link, and what belongs to others, stays as it is.

    So does a folder that is meant for everybody, such as the system's folder of temporary files.
    """
    with suppress(OSError):
        now = path.lstat().st_mode
        if stat.S_ISLNK(now) or now & stat.S_ISVTX:
            return
        wanted = FOLDER_MODE if stat.S_ISDIR(now) else FILE_MODE
        if stat.S_IMODE(now) != wanted:
            path.chmod(wanted)


def make_tree_private(folder: Path) -> None:
    """Close a folder and everything below it to all but their owner; links are not followed."""
    make_private(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            make_private(Path(place, name))


def secret_key(path: Path, *, make: bool = True) -> bytes | None:
    """Return the key that a file keeps, 32 random bytes; several programs that make it at once get the same one.

    Args:
        path: of the key.
        make: make the key where there is none; otherwise None is returned.

    Raises:
        OSError: it cannot be read or written.
        PathUnusable: it was changed.
    """
    if not path.exists():
        if not make:
            return None
        private_folder(path.parent)
        part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            write_private(part, secrets.token_bytes(KEY_BYTES))
            # unlike a renaming, a link never takes the place of a key that another program has just made
            with suppress(FileExistsError):
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
    make_private(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise PathUnusable(f"Key {path.name}: has {len(key)} bytes, not {KEY_BYTES}. Restore it from a backup.")
    return key


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Keep all other threads and programs that ask for the same lock waiting; raises OSError."""
    file = open_private(path, os.O_RDWR)
    try:
        _wait(file)
        yield
    finally:
        # closing gives the lock back
        os.close(file)


def _wait(file: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        while True:
            # Windows gives up after ten seconds
            with suppress(PermissionError, OSError):
                msvcrt.locking(file, msvcrt.LK_LOCK, 1)
                return
    else:
        fcntl.flock(file, fcntl.LOCK_EX)
