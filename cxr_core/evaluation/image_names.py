"""Under which name a run keeps an image: a keyed digest, or the name itself where that was asked for.

A file's name often tells a patient. Whoever has the key of the folder of runs can still find the file of an image, and
nobody else can tell which name a digest was made of.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PathUnusable
from ..private_files import secret_key
from ..store import Localisation, Predictions, StoredRun

__all__ = ["digest_key", "image_digest", "named_by", "patient_digests", "same_images", "without_names"]

KEY = "patients.key"
"""In the folder of runs; of the digests of patients and of images."""

_LENGTH = 32


def digest_key(folder: Path, *, make: bool = True) -> bytes | None:
    """Return the key of a folder of runs, readable by its owner; made where there is none and ``make`` is given.

    Raises PathUnusable where it cannot be read or written.
    """
    try:
        return secret_key(folder / KEY, make=make)
    except OSError as error:
        raise PathUnusable("The key of patients' digests cannot be read or written in the folder of runs.") from error


def patient_digests(patients: NDArray[np.str_], key: bytes) -> NDArray[np.str_]:
    """Return a keyed digest of each patient: the same patient has the same, and nobody without the key can tell who."""
    return _digests(patients, lambda patient: hmac.new(key, patient.encode(), hashlib.sha256).hexdigest()[:_LENGTH])


def image_digest(name: str, key: bytes) -> str:
    """Return the keyed digest of an image's name, 32 hexadecimal digits.

    >>> image_digest("a.png", b"key") == image_digest("a.png", b"key") != image_digest("b.png", b"key")
    True
    """
    # the same text as an image's name and as a patient's number has two digests
    return hmac.new(key, b"image\0" + name.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:_LENGTH]


def without_names(
    predictions: Predictions, localisation: Localisation | None, key: bytes
) -> tuple[Predictions, Localisation | None]:
    """Return the same with digests instead of image names."""

    def hidden(names: NDArray[np.str_]) -> NDArray[np.str_]:
        return _digests(names, lambda name: image_digest(name, key))

    return (
        replace(predictions, images=hidden(predictions.images)),
        None if localisation is None else replace(localisation, images=hidden(localisation.images)),
    )


def named_by(run: StoredRun) -> Callable[[str], str] | None:
    """Return what makes of a file's name the one that a run keeps; None where the key that it takes is not here."""
    if run.record.image_names_kept:
        return str
    key = digest_key(run.folder.parent, make=False)
    return None if key is None else lambda name: image_digest(name, key)


def same_images(one: StoredRun, two: StoredRun) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of the images that two runs have in common, (k,) intp of each, in the same order.

    Images are the same by the names that both keep, else by the digests of the names, else by the SHA-256 of their
    files: that by which most are the same counts.
    """
    ours, theirs = one.predictions(), two.predictions()
    pairs = [(ours.sha256, theirs.sha256)]
    if one.record.image_names_kept == two.record.image_names_kept:
        pairs.insert(0, (ours.images, theirs.images))
    else:
        key_of = named_by(two if one.record.image_names_kept else one)
        if key_of is not None:
            first, second = (
                _digests(p.images, key_of) if run.record.image_names_kept else p.images
                for run, p in ((one, ours), (two, theirs))
            )
            pairs.insert(0, (first, second))
    return max((_in_common(*pair) for pair in pairs), key=lambda rows: len(rows[0]))


def _in_common(first: NDArray[np.str_], second: NDArray[np.str_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    names, rows, others = np.intersect1d(first, second, return_indices=True)
    # an image whose file was not known is not the same as another such
    return rows[names != ""], others[names != ""]


def _digests(values: NDArray[np.str_], digest: Callable[[str], str]) -> NDArray[np.str_]:
    distinct, which = np.unique(values, return_inverse=True)
    return np.array([digest(value) for value in distinct.tolist()], dtype=f"U{_LENGTH}")[which]
