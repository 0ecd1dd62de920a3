"""Where the results of each input go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..archive import InputFile
from ..private_files import is_kept, private_folder, write_private
from ..whole_files import cannot_write, write_whole

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
        raise cannot_write(f"Output {folder}", error) from error


def write(path: Path, data: bytes) -> None:
    """Write an output file, whole or not at all, and the folders above it; raises PathUnusable where that fails."""
    make_folder(path.parent)
    try:
        (write_private if is_kept(path) else write_whole)(path, data)
    except OSError as error:
        raise cannot_write(f"Output {path}", error) from error
