"""The files behind a run's films, where they are at hand: found by name, and proved by their digest."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import PathUnusable
from ..training.images import find_images

__all__ = ["MOST_BY_CONTENT", "Original", "find_originals"]

MOST_BY_CONTENT = 2_000
"""Files that are told by their bytes alone: some seconds, the first time."""


@dataclass(frozen=True)
class Original:
    """The file of one film: its bytes, or None and the reason."""

    data: bytes | None
    reason: str = ""


def find_originals(
    images: Sequence[str], sha256: Sequence[str], folder: Path, named: Callable[[str], str] | None = str
) -> list[Original]:
    """Return the file of each image below a folder; a file of that name with other bytes is not taken for it.

    Args:
        images: names, as the run has them.
        sha256: hex digests, as the run has them; empty where it kept none.
        folder: of images, in folders of folders too.
        named: makes of a file's name the one that the run keeps, :func:`.image_names.named_by`; None where nothing
            here can: then up to :data:`MOST_BY_CONTENT` files are told by their SHA-256 alone.

    Raises:
        PathUnusable: the folder cannot be read, or two files have the name of one image.
    """
    if named is not None:
        paths = find_images(list(images), folder, named)
        return [_original(path, digest) for path, digest in zip(paths, sha256, strict=True)]
    if not folder.is_dir():
        raise PathUnusable(f"Images {folder}: not a folder.")
    known = _by_content(folder)
    if known is None:
        reason = "the key of the run's image names is not here, and the folder holds too many files to look through"
        return [Original(None, reason)] * len(images)
    return [_original(known.get(digest), digest) for digest in sha256]


def _by_content(folder: Path) -> dict[str, Path] | None:
    """Return the files below a folder by their SHA-256, or None where there are more than may be looked through."""
    places = (Path(place, file) for place, _, files in os.walk(folder) for file in files)
    paths = list(itertools.islice(places, MOST_BY_CONTENT + 1))
    if len(paths) > MOST_BY_CONTENT:
        return None
    known = {}
    for path in paths:
        with suppress(OSError):
            now = path.stat()
            known[_sha256(path, now.st_mtime_ns, now.st_size)] = path
    return known


@lru_cache(maxsize=MOST_BY_CONTENT)
def _sha256(path: Path, _modified_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
