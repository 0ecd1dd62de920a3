"""Folders that the program writes to: whether it can, and how much room is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..errors import PathUnusable
from ..files import cannot_write

__all__ = ["check_writable", "free_bytes", "nearest_existing"]

_BYTES = 4096
"""Written to find a disk that is full: an empty file needs no block."""


def check_writable(folder: Path, name: str) -> None:
    """Raise PathUnusable where a file in a folder cannot be written, with the reason and no path.

    Nothing is left behind, and a folder that is missing is not made: whether it could be is judged by the folder above.

    Args:
        folder: the folder.
        name: what the message calls it, such as ``SECOND_READ_HOME``.
    """
    place = nearest_existing(folder)
    if not place.is_dir():
        raise PathUnusable(f"{name}: is not a folder. Name a folder.")
    if place != folder:
        if not os.access(place, os.W_OK | os.X_OK):
            raise PathUnusable(f"{name}: does not exist and cannot be made. Make it, or get write permission.")
        return
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".second-read-") as file:
            file.write(bytes(_BYTES))
            file.flush()
    except OSError as error:
        raise cannot_write(name, error) from error


def free_bytes(folder: Path) -> int | None:
    """Return the bytes that are free on the disk of a folder, or None where that cannot be determined."""
    try:
        return shutil.disk_usage(nearest_existing(folder)).free
    except OSError:
        return None


def nearest_existing(folder: Path) -> Path:
    """Return a path, or the closest one above it that exists."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
