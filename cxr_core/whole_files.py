"""Files that are whole or not there: written beside their place, brought to the disk, and renamed.

A disk that fills, a limit or a kill leaves under the final name what was there before, or nothing. What is no regular
file, such as ``/dev/stdout`` or a pipe, is written to as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from .errors import PathUnusable

__all__ = [
    "bring_to_disk",
    "cannot_write",
    "is_stream",
    "put_in_place",
    "whole_file",
    "write_all",
    "write_whole",
]

_WORDS = {
    errno.ENOSPC: "no space is left on the device; make room or name another place",
    errno.EDQUOT: "the quota of disk space is used up; make room or name another place",
    errno.EFBIG: "it would be larger than a file may be here; raise the limit or name another place",
    errno.EROFS: "the file system is read-only; name another place",
    errno.EACCES: "permission is denied; name another place or ask for leave to write there",
    errno.EPERM: "permission is denied; name another place or ask for leave to write there",
    errno.ENOENT: "the folder is not there",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the device reports an error",
    errno.EMFILE: "too many files are open in this process; raise the limit",
    errno.ENFILE: "too many files are open on this machine",
}


def cannot_write(what: str, error: OSError) -> PathUnusable:
    """Return the error of an output that cannot be written, with the system's reason in words and no path of its own.

    Args:
        what: begins the line, such as ``Output readings.csv``.
        error: of the system.
    """
    words = _WORDS.get(error.errno or 0) or (error.strerror or "the system gives no reason").lower()
    return PathUnusable(f"{what}: cannot be written: {words}.")


def is_stream(path: Path) -> bool:
    """Return whether a path is there and is neither a regular file nor a folder, as a device or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file; raises OSError and leaves what was there."""
    write_all({path: data})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write several files that belong together; raises OSError.

    All are on the disk before the first is renamed: where there is no room, none of them changes.
    """
    with contextlib.ExitStack() as stack:
        parts = {}
        for path, data in files.items():
            part = parts[path] = stack.enter_context(_part(path))
            with part.open("wb") as file:
                file.write(data)
                bring_to_disk(file)
        for path, part in parts.items():
            put_in_place(part, path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name when the context ends without an error; raises OSError."""
    with _part(path) as part:
        with part.open("wb") as file:
            yield file
            bring_to_disk(file)
        put_in_place(part, path)


def bring_to_disk(file: IO) -> None:
    """Write what an open file still holds, to the disk itself where it is on one; raises OSError."""
    file.flush()
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        os.fsync(file.fileno())


def put_in_place(part: Path, path: Path) -> None:
    """Give a file its final name, with the mode of the file that was there; a link stays one. Raises OSError."""
    if part == path:
        return
    path = path.resolve() if path.is_symlink() else path
    with contextlib.suppress(OSError):
        shutil.copymode(path, part)
    part.replace(path)


@contextlib.contextmanager
def _part(path: Path) -> Iterator[Path]:
    """Give the name to write to; what is left under it goes."""
    if is_stream(path):
        # a file beside a device would take the device's place
        yield path
        return
    # short, whatever the length of the file's own name; beside the file that a link leads to
    part = (path.resolve() if path.is_symlink() else path).with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
