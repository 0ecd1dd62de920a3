"""Paths of the images of a table, below one folder at any depth."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import PathUnusable

__all__ = ["find_images"]


def find_images(
    names: Sequence[str], folder: Path, named: Callable[[str], str] = lambda name: name
) -> list[Path | None]:
    """Return the path of each image, or None where the folder does not hold it.

    NIH distributes its images in twelve folders; a name is searched in all folders below the one given. A name with a
    slash is a path below it. Where ``names`` are digests, ``named`` returns the digest of a file's name.

    Raises:
        PathUnusable: the folder cannot be read, or two files have the name of one image.
    """
    if not folder.is_dir():
        raise PathUnusable(f"Images {folder}: not a folder.")
    wanted = set(names)
    places: dict[str, Path] = {}
    twice = 0
    for place, _, files in os.walk(folder):
        below = Path(place).relative_to(folder)
        for file in files:
            for name in {named(file), named((below / file).as_posix())} & wanted:
                twice += name in places
                places[name] = Path(place, file)
    if twice:
        raise PathUnusable(
            f"Images {folder}: {twice} names of the table belong to several files below it. "
            "Write paths below the folder in the table."
        )
    return [places.get(name) for name in names]
