"""The folder in which a backup is made, beside its file; and those of backups that were interrupted.

It holds copies of the database and the audit trail with its key, and the incomplete backup. It is locked as long as its
process lives: a folder that nobody has locked is what a process that was killed has left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..files import lock

__all__ = ["backup_folder", "remove_interrupted"]

_PREFIX, _LOCK = ".second-read-backup-", "lock"
_DAY_SECONDS = 86_400


@contextmanager
def backup_folder(file: Path) -> Iterator[Path]:
    """Give a folder beside a file, on its disk, that is removed at the end; raises OSError."""
    parent = _parent(file)
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with lock(folder / "new"):
            # a folder with a lock that nobody holds would be taken for one that was left
            (folder / "new").rename(folder / _LOCK)
            yield folder


def remove_interrupted(file: Path) -> int:
    """Remove the folders that interrupted backups have left beside a file, and return how many were.

    Folders of other users are not touched, nor those of an earlier version, which have no lock, within a day.
    """
    removed = 0
    for folder in _parent(file).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_left(folder):
                shutil.rmtree(folder)
                removed += 1
    return removed


def _is_left(folder: Path) -> bool:
    """Return whether no process makes a backup in a folder; raises OSError."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return False
    if not (folder / _LOCK).is_file():
        return time.time() - folder.stat().st_mtime > _DAY_SECONDS
    with lock(folder / _LOCK, wait=False):
        return True


def _parent(file: Path) -> Path:
    return (file.resolve() if file.is_symlink() else file).parent
