"""Paths from the command line to the files they mean, and where the results of each go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputRefused, PathUnusable
from ..imaging import is_archive, is_directory, listed_files, unpacked

__all__ = ["InputFile", "collect", "make_folder", "output_stems", "write"]


@dataclass(frozen=True)
class InputFile:
    """One file to read.

    Attributes:
        path: as the user would write it.
        place: below the folder that was given.
        content: where it came out of an archive, else None: it is read when it is its turn.
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


def collect(paths: Sequence[Path]) -> list[InputFile]:
    """Return the files meant, a folder's sorted and without hidden ones; PathUnusable for a path that is not there."""
    files = []
    for path in paths:
        try:
            files += _files_of(path)
        except OSError as error:
            raise PathUnusable(f"{path}: cannot be opened.") from error
    if not files:
        raise PathUnusable("There is no file in the folders given.")
    return files


def _files_of(path: Path) -> list[InputFile]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
        # a directory of a medium lists the files beside it, which are found anyway
        return [InputFile(p, p.relative_to(path)) for p in found if p.name != "DICOMDIR"]
    if not path.is_file():
        raise PathUnusable(f"{path}: no such file or folder.")
    return _members(path) or _listed(path) or [InputFile(path, Path(path.name))]


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
    with path.open("rb") as file:
        if not is_archive(file.read(4)):
            return []
    try:
        found = unpacked(path.read_bytes())
    except InputRefused:
        return []
    return [InputFile(path / name, Path(path.stem, name), content) for name, content in found]


def _hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def output_stems(files: Sequence[InputFile]) -> dict[int, Path | None]:
    """Return for each input its place without the ending, or None where several share it.

    Those that share one are told apart by the digest of their bytes, which the caller adds.
    """
    stems = [file.place.with_suffix("") for file in files]
    count = Counter(stems)
    return {i: stem if count[stem] == 1 else None for i, stem in enumerate(stems)}


def make_folder(folder: Path) -> None:
    """Make an output folder; raises PathUnusable where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PathUnusable(f"Output {folder}: the folder cannot be made.") from error


def write(path: Path, data: bytes) -> None:
    """Write an output file and the folders above it; raises PathUnusable where that fails."""
    make_folder(path.parent)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise PathUnusable(f"Output {path}: cannot be written.") from error
