"""Where the results of each input go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..archive import InputFile
from ..errors import PathUnusable
from ..private_files import is_kept, make_private, private_folder

__all__ = ["make_folder", "output_stems", "write"]


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
        if is_kept(folder):
            private_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PathUnusable(f"Output {folder}: the folder cannot be made.") from error


def write(path: Path, data: bytes) -> None:
    """Write an output file and the folders above it; raises PathUnusable where that fails."""
    make_folder(path.parent)
    try:
        path.write_bytes(data)
        if is_kept(path):
            make_private(path)
    except OSError as error:
        raise PathUnusable(f"Output {path}: cannot be written.") from error
