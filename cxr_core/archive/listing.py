"""Paths to the files that they mean, one at a time: a folder may hold more than a memory does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputRefused, PathUnusable
from ..imaging import is_archive, is_directory, is_directory_name, listed_files, plain_name, unpacked

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
        except FileNotFoundError as error:
            raise InputRefused("The file is missing: it is listed, and not there. Copy the medium again.") from error
        except OSError as error:
            raise InputRefused("The file cannot be opened. Check its rights.") from error


def as_text(path: Path) -> str:
    """Return a path as text that can be written, also where its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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
        found = sorted((e for e in entries if not e.name.startswith(".") and not is_directory_name(e.name)), key=_name)
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
    names = _Names()
    places = [names.place(path.parent, place) for place in listed_files(path.read_bytes())]
    return [InputFile(path.parent / place, place) for place in places]


class _Names:
    """Files of a medium as they are called where it was copied to.

    A directory names them in capitals (PS3.10 8.5); copies on Linux and macOS have small letters, an added ``.dcm``,
    or the version number ``;1`` that ISO 9660 writes behind a name. Each folder is listed once.
    """

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, str]] = {}

    def place(self, medium: Path, place: Path) -> Path:
        """Return the place below the medium under which a file is there; the one that was listed, where none is."""
        found = Path()
        for part in place.parts:
            name = self._of(medium / found).get(part.upper())
            if name is None:
                return place
            found /= name
        return found

    def _of(self, folder: Path) -> dict[str, str]:
        if folder not in self._listed:
            try:
                # whole names win over those with something added
                names = sorted((entry.name for entry in os.scandir(folder)), key=len, reverse=True)
            except OSError:
                names = []
            self._listed[folder] = {plain_name(name): name for name in names}
        return self._listed[folder]


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
