"""The files behind a run's films, where they are at hand: found by name, and proved by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..training.images import find_images

__all__ = ["Original", "find_originals"]


@dataclass(frozen=True)
class Original:
    """The file of one film: its bytes, or None and the reason."""

    data: bytes | None
    reason: str = ""


def find_originals(images: Sequence[str], sha256: Sequence[str], folder: Path) -> list[Original]:
    """Return the file of each film below a folder; a file of that name with other bytes is not taken for it.

    Args:
        images: names, as the run has them.
        sha256: hex digests, as the run has them; empty where it kept none.
        folder: of images, in folders of folders too.

    Raises:
        PathUnusable: the folder cannot be read, or two files have the name of one image.
    """
    return [_original(path, digest) for path, digest in zip(find_images(list(images), folder), sha256, strict=True)]


def _original(path: Path | None, digest: str) -> Original:
    if not digest:
        return Original(None, "the run kept no digest of this film, so no file can be proved to be it")
    if path is None:
        return Original(None, "no file of this film's name is in the folder")
    try:
        data = path.read_bytes()
    except OSError:
        return Original(None, "its file cannot be opened")
    if hashlib.sha256(data).hexdigest() != digest:
        return Original(None, "the file of its name has other bytes than the film that was scored")
    return Original(data)
