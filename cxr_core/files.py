"""Files: written completely or not at all, private where the program stores them, and their digest.

A file is written beside its final path, flushed to the disk, and renamed: after a full disk, a limit or a kill, the
final name has the previous file, or none. Anything other than a regular file, such as ``/dev/stdout`` or a pipe, is
written to directly.

Files that the program stores for itself are accessible to their owner only, whatever the umask (``private``). Output
that a user requested elsewhere (an export, an archive of readings, a report) follows the umask.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from .errors import PathUnusable

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "bring_to_disk",
    "cannot_write",
    "existing_key",
    "file_sha256",
    "is_kept",
    "is_stream",
    "lock",
    "make_private",
    "make_tree_private",
    "open_private",
    "part_beside",
    "private_folder",
    "put_in_place",
    "secret_key",
    "whole_file",
    "write_all",
    "write_whole",
]

FILE_MODE, FOLDER_MODE = 0o600, 0o700
KEY_BYTES = 32

_REASONS = {
    errno.ENOSPC: "no space is left on the device; free space or choose another folder",
    errno.EDQUOT: "the disk quota is exceeded; free space or choose another folder",
    errno.EFBIG: "it would exceed the file size limit; raise the limit or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission is denied; choose another folder or get write permission",
    errno.EPERM: "permission is denied; choose another folder or get write permission",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the device reports an error",
    errno.EMFILE: "too many files are open in this process; raise the limit",
    errno.ENFILE: "too many files are open on this machine",
}


def cannot_write(what: str, error: OSError) -> PathUnusable:
    """Return the error of an output that cannot be written, with the system's reason but no path.

    Args:
        what: begins the line, such as ``Output readings.csv``.
        error: of the system.
    """
    reason = _REASONS.get(error.errno or 0) or (error.strerror or "the system gives no reason").lower()
    return PathUnusable(f"{what}: cannot be written: {reason}.")


def is_stream(path: Path) -> bool:
    """Return whether a path exists and is neither a regular file nor a folder, such as a device or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file, with mode 0600 where it is private; raises OSError and leaves the previous file."""
    write_all({path: data}, private=private)


def write_all(files: Mapping[Path, bytes], *, private: bool = False) -> None:
    """Write several files that belong together; raises OSError.

    All are on the disk before the first is renamed: if the disk is full, none of them changes.
    """
    with contextlib.ExitStack() as stack:
        parts = {}
        for path, data in files.items():
            part = parts[path] = stack.enter_context(part_beside(path))
            with _opened(part, private) as file:
                file.write(data)
                bring_to_disk(file)
        for path, part in parts.items():
            put_in_place(part, path, private=private)


@contextlib.contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name when the context ends without an error; raises OSError."""
    with part_beside(path) as part:
        with _opened(part, private) as file:
            yield file
            bring_to_disk(file)
        put_in_place(part, path, private=private)


def bring_to_disk(file: IO[bytes] | IO[str]) -> None:
    """Flush an open file, to the disk itself where it is a regular file; raises OSError."""
    file.flush()
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        os.fsync(file.fileno())


def put_in_place(part: Path, path: Path, *, private: bool = False) -> None:
    """Give a file its final name; a link stays a link. Raises OSError.

    A private file keeps its mode, any other gets the mode of the previous file.
    """
    if part == path:
        return
    path = path.resolve() if path.is_symlink() else path
    if not private:
        with contextlib.suppress(OSError):
            shutil.copymode(path, part)
    part.replace(path)


@contextlib.contextmanager
def part_beside(path: Path) -> Iterator[Path]:
    """Yield the name to write a file to before it is put in place; a file left under that name is removed."""
    if is_stream(path):
        # a renamed file would replace the device
        yield path
        return
    # short, whatever the length of the file's own name; beside the file that a link leads to
    part = (path.resolve() if path.is_symlink() else path).with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _opened(part: Path, private: bool) -> BinaryIO:
    return os.fdopen(open_private(part, os.O_WRONLY | os.O_TRUNC), "wb") if private else part.open("wb")


# Private files


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_kept(path: Path) -> bool:
    """Return whether a path is in the folder of runs, whose files are private."""
    # imported here, so that an error for lack of memory can be printed without loading pydantic
    from .settings import settings

    try:
        return path.resolve().is_relative_to(settings().runs.resolve())
    except (OSError, RuntimeError):
        return False


def private_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, with mode 0700, and return it; raises OSError.

    An existing folder keeps its mode: other programs may use it too.
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


def make_private(path: Path) -> None:
    """Restrict a file (0600) or a folder (0700) to its owner; links, and files of other owners, are not changed.

    Nor are folders with the sticky bit, such as the system's folder of temporary files.
    """
    with contextlib.suppress(OSError):
        now = path.lstat().st_mode
        if stat.S_ISLNK(now) or now & stat.S_ISVTX:
            return
        wanted = FOLDER_MODE if stat.S_ISDIR(now) else FILE_MODE
        if stat.S_IMODE(now) != wanted:
            path.chmod(wanted)


def make_tree_private(folder: Path) -> None:
    """Restrict a folder and everything below it to their owner; links are not followed."""
    make_private(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            make_private(Path(place, name))


def secret_key(path: Path) -> bytes:
    """Return the key in a file, 32 random bytes; make it where there is none.

    Several programs that make it at once get the same key.

    Raises:
        OSError: it cannot be read or written.
        PathUnusable: it was changed.
    """
    if not path.exists():
        private_folder(path.parent)
        with part_beside(path) as part:
            write_whole(part, secrets.token_bytes(KEY_BYTES), private=True)
            # unlike renaming, linking never replaces a key that another program has just made
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
    return _read_key(path)


def existing_key(path: Path) -> bytes | None:
    """Return the key in a file, or None where there is none; raises as :func:`secret_key`."""
    return _read_key(path) if path.exists() else None


def _read_key(path: Path) -> bytes:
    make_private(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise PathUnusable(f"Key {path.name}: has {len(key)} bytes, not {KEY_BYTES}. Restore it from a backup.")
    return key


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock that other threads and programs wait for, and that ends with the process.

    Raises OSError, without ``wait`` also where another one holds it.
    """
    file = open_private(path, os.O_RDWR)
    try:
        _wait(file, wait)
        yield
    finally:
        # closing releases the lock
        os.close(file)


def _wait(file: int, wait: bool) -> None:
    if sys.platform == "win32":
        import msvcrt

        while wait:
            # Windows gives up after ten seconds
            with contextlib.suppress(PermissionError, OSError):
                msvcrt.locking(file, msvcrt.LK_LOCK, 1)
                return
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
