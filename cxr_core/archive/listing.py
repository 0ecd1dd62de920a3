"""Paths to the files that they mean, one at a time: a folder may hold more than a memory does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputRefused, PathUnusable
from ..imaging import is_archive, is_directory, listed_files, unpacked
from ..shown import shown_name

__all__ = ["InputFile", "as_text", "collect", "walk"]


@dataclass(frozen=True)
class InputFile:
    """One file to read.

    Attributes:
        path: as the user would write it.
        place: below the folder that was given.
        content: where it came out of a zip archive, else None: it is read when it is its turn.
    """

    path: Path
    place: Path
    content: bytes | None = None

    def read(self) -> bytes:
        """Return its bytes; raises InputRefused where they cannot be had, so that the others are read."""
        if self.content is not None:
            return self.content
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InputRefused("The file cannot be opened. Check its rights.") from error


def as_text(path: Path) -> str:
    """Return a path as text that can be written and shown, also where its bytes are no UTF-8."""
    return shown_name(os.fsencode(path).decode("utf-8", "backslashreplace"))


def collect(paths: Sequence[Path]) -> list[InputFile]:
    """Return the files that :func:`walk` gives, and those of a zip archive that was named.

    Raises PathUnusable for a path that is not there, and where there is no file at all.
    """
    files = []
    for path in paths:
        files += _members(path) or walk([path])
    if not files:
        raise PathUnusable("There is no file in the folders given.")
    return files


def walk(paths: Sequence[Path]) -> Iterator[InputFile]:
    """Yield the files meant, a folder's in the order of their paths and without hidden ones.

    A DICOMDIR that is named stands for the files that it lists.

    Raises:
        PathUnusable: a path is not there, or cannot be opened.
    """
    for path in paths:
        try:
            if path.is_dir():
                yield from _below(path, Path())
            elif path.is_file():
                yield from _listed(path) or [InputFile(path, Path(path.name))]
            else:
                raise PathUnusable(f"{path}: no such file or folder.")
        except OSError as error:
            raise PathUnusable(f"{path}: cannot be opened.") from error


def _below(folder: Path, place: Path) -> Iterator[InputFile]:
    """Yield a folder's files and those below, in the order of their parts."""
    with os.scandir(folder / place) as entries:
        # a directory of a medium lists the files beside it, which are found anyway
        found = sorted((e for e in entries if not e.name.startswith(".") and e.name != "DICOMDIR"), key=_name)
    for entry in found:
        here = place / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder, here)
        elif entry.is_file():
            yield InputFile(folder / here, here)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _listed(path: Path) -> list[InputFile]:
    """Return the images that a DICOMDIR lists, there or not; none for another file."""
    with path.open("rb") as file:
        if not is_directory(file.read(1024)):
            return []
    return [InputFile(path.parent / place, place) for place in listed_files(path.read_bytes())]


def _members(path: Path) -> list[InputFile]:
    """Return the files of a zip archive that was named; none for another file, or a broken archive.

    An archive within a folder is one of its files, and refused by name.
    """
    try:
        with path.open("rb") as file:
            if not is_archive(file.read(4)):
                return []
        found = unpacked(path.read_bytes())
    except (InputRefused, OSError):
        # walk says what is wrong with the path, if anything is
        return []
    return [InputFile(path / name, Path(path.stem, name), content) for name, content in found]
