"""Images of a run: their names, which are keyed digests unless file names were requested, and their source files.

A file name may identify a patient. With the key of the folder of runs a digest can be matched to its file; without the
key the name cannot be recovered.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from ..datasets.image_folder import find_images
from ..errors import PathUnusable
from ..files import existing_key, file_sha256, secret_key
from ..store import Localisation, Predictions, StoredRun

__all__ = [
    "MAX_BY_CONTENT",
    "SourceImage",
    "digest_key",
    "find_source_images",
    "image_digest",
    "patient_digests",
    "same_images",
    "stored_name",
    "with_digests",
]

KEY = "patients.key"
"""Key of the digests of patients and images; in the folder of runs."""

_LENGTH = 32


@overload
def digest_key(folder: Path, *, make: Literal[True] = True) -> bytes: ...
@overload
def digest_key(folder: Path, *, make: Literal[False]) -> bytes | None: ...
def digest_key(folder: Path, *, make: bool = True) -> bytes | None:
    """Return the key of a folder of runs, readable by its owner only; made if there is none and ``make`` is given.

    Raises PathUnusable if it cannot be read or written.
    """
    try:
        return (secret_key if make else existing_key)(folder / KEY)
    except OSError as error:
        raise PathUnusable("The key of patients' digests cannot be read or written in the folder of runs.") from error


def patient_digests(patients: NDArray[np.str_], key: bytes) -> NDArray[np.str_]:
    """Return a keyed digest of each patient: equal for the same patient, not reversible without the key."""
    return _digests(patients, lambda patient: hmac.new(key, patient.encode(), hashlib.sha256).hexdigest()[:_LENGTH])


def image_digest(name: str, key: bytes) -> str:
    """Return the keyed digest of an image's name, 32 hexadecimal digits.

    >>> image_digest("a.png", b"key") == image_digest("a.png", b"key") != image_digest("b.png", b"key")
    True
    """
    # the prefix keeps image names and patient numbers of the same text apart
    return hmac.new(key, b"image\0" + name.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:_LENGTH]


def with_digests(
    predictions: Predictions, localisation: Localisation | None, key: bytes
) -> tuple[Predictions, Localisation | None]:
    """Replace image names by their digests."""

    def digests(names: NDArray[np.str_]) -> NDArray[np.str_]:
        return _digests(names, lambda name: image_digest(name, key))

    return (
        replace(predictions, images=digests(predictions.images)),
        None if localisation is None else replace(localisation, images=digests(localisation.images)),
    )


def stored_name(run: StoredRun) -> Callable[[str], str] | None:
    """Return the function from a file name to the name that a run stores; None if it needs a key that is missing."""
    if run.record.image_names_kept:
        return str
    key = digest_key(run.folder.parent, make=False)
    return None if key is None else lambda name: image_digest(name, key)


def same_images(one: StoredRun, two: StoredRun) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of the images that two runs have in common, (k,) intp for each run, in the same order.

    Images are matched by name, or by the digests of the names, and by the SHA-256 of their files; the matching with
    more images is used.
    """
    first, second = one.predictions(), two.predictions()
    pairs = [(first.sha256, second.sha256)]
    if one.record.image_names_kept == two.record.image_names_kept:
        pairs.insert(0, (first.images, second.images))
    else:
        digest_of = stored_name(two if one.record.image_names_kept else one)
        if digest_of is not None:
            names, other_names = (
                _digests(p.images, digest_of) if run.record.image_names_kept else p.images
                for run, p in ((one, first), (two, second))
            )
            pairs.insert(0, (names, other_names))
    return max((_in_common(*pair) for pair in pairs), key=lambda rows: len(rows[0]))


def _in_common(first: NDArray[np.str_], second: NDArray[np.str_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    names, rows, others = np.intersect1d(first, second, return_indices=True)
    # images without a digest do not match each other
    return rows[names != ""], others[names != ""]


def _digests(values: NDArray[np.str_], digest: Callable[[str], str]) -> NDArray[np.str_]:
    distinct, which = np.unique(values, return_inverse=True)
    return np.array([digest(value) for value in distinct.tolist()], dtype=f"U{_LENGTH}")[which]


MAX_BY_CONTENT = 2_000
"""Maximum number of files that are identified by SHA-256 alone, which takes some seconds the first time."""


@dataclass(frozen=True)
class SourceImage:
    """The bytes of the file of an image, or None and the reason."""

    data: bytes | None
    reason: str = ""


def find_source_images(
    images: Sequence[str], sha256: Sequence[str], folder: Path, name_of: Callable[[str], str] | None = str
) -> list[SourceImage]:
    """Return the file of each image below a folder; a file with the right name but other bytes is rejected.

    Args:
        images: names that the run stores.
        sha256: hex digests that the run stores; empty if unknown.
        folder: searched recursively.
        name_of: of :func:`stored_name`; None if the key is missing. Then up to
            :data:`MAX_BY_CONTENT` files are identified by their SHA-256 alone.

    Raises:
        PathUnusable: the folder cannot be read, or two files have the name of one image.
    """
    if name_of is not None:
        paths = find_images(list(images), folder, name_of)
        return [_verified(path, digest) for path, digest in zip(paths, sha256, strict=True)]
    if not folder.is_dir():
        raise PathUnusable(f"Images {folder}: not a folder.")
    by_digest = _by_content(folder)
    if by_digest is None:
        reason = "the key of the run's image names is missing, and the folder has too many files to check them all"
        return [SourceImage(None, reason)] * len(images)
    return [_verified(by_digest.get(digest), digest) for digest in sha256]


def _by_content(folder: Path) -> dict[str, Path] | None:
    """Return the files below a folder by their SHA-256, or None where there are more than :data:`MAX_BY_CONTENT`."""
    places = (Path(place, file) for place, _, files in os.walk(folder) for file in files)
    paths = list(itertools.islice(places, MAX_BY_CONTENT + 1))
    if len(paths) > MAX_BY_CONTENT:
        return None
    by_digest = {}
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            by_digest[_sha256(path, status.st_mtime_ns, status.st_size)] = path
    return by_digest


@lru_cache(maxsize=MAX_BY_CONTENT)
def _sha256(path: Path, _modified_ns: int, _size: int) -> str:
    return file_sha256(path)


def _verified(path: Path | None, digest: str) -> SourceImage:
    if not digest:
        return SourceImage(None, "the run has no SHA-256 of this image, so its file cannot be verified")
    if path is None:
        return SourceImage(None, "the folder has no file with this name")
    try:
        data = path.read_bytes()
    except OSError:
        return SourceImage(None, "its file cannot be opened")
    if hashlib.sha256(data).hexdigest() != digest:
        return SourceImage(None, "the file with this name has other content than the evaluated image")
    return SourceImage(data)
