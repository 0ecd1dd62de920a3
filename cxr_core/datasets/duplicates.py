"""Near-duplicate images, detected by their coarse structure in any file format.

An image that was saved again, resized or recompressed keeps its coarse structure; images of two patients are not
similar to this degree. Each image becomes one unit vector, and the vectors of two subsets are compared in blocks of
matrix products.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dctn

from ..errors import InputRefused
from ..files import cannot_write, whole_file
from ..imaging import read_radiograph

__all__ = ["FINGERPRINT_LENGTH", "SAME_IMAGE", "Match", "find_matches", "fingerprint", "fingerprints"]

SIDE, BAND, LOWEST = 32, 24, 2.0

SAME_IMAGE = 0.94
"""Similarity from which two images count as the same.

Measured on the 10,373 images of three subsets of ChestX-ray14 (53 million pairs of two patients): at most 0.902;
the same images saved again as JPEG of quality 30 to 90, at a third to twice their size, in another shape,
mirrored or inverted: at least 0.98; with another gamma or window: at least 0.95. Images that were cropped, padded or
drawn on are not detected.
"""

_ROWS, _COLUMNS = np.mgrid[:BAND, :BAND]
_RADIUS = np.hypot(_ROWS, _COLUMNS)
_KEPT = _RADIUS >= LOWEST
_WEIGHT = _RADIUS[_KEPT]
_ODD = (_COLUMNS[_KEPT] % 2).astype(bool)
# mirrored, the odd horizontal frequencies change their sign: even ones first
_ORDER = np.argsort(_ODD, kind="stable")
_EVEN = int((~_ODD).sum())

FINGERPRINT_LENGTH = len(_WEIGHT)


@dataclass(frozen=True)
class Match:
    """Two near-duplicates, by their rows in the two sets that were compared."""

    first: int
    second: int
    similarity: float


def fingerprint(display: np.ndarray) -> np.ndarray:
    """Return the coarse structure of an image.

    Args:
        display: (rows, columns) float32 in [0, 1].

    Returns:
        (572,) float32 of length 1 (of zeros for an image without structure): the cosine transform of the image
        at 32 x 32, without its two lowest and eight highest frequencies, each weighted by its frequency,
        since an image's power falls with it.
    """
    small = np.asarray(Image.fromarray(display).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    structure = (dctn(small, norm="ortho")[:BAND, :BAND][_KEPT] * _WEIGHT)[_ORDER]
    length = np.linalg.norm(structure)
    return (structure / length if length > 1e-6 else np.zeros(FINGERPRINT_LENGTH)).astype(np.float32)


def fingerprints(
    paths: Iterable[Path],
    cache: Path | None = None,
    *,
    each: Callable[..., Iterable[np.ndarray | None]] = map,
    report: Callable[[int, int], None] = lambda done, images: None,
) -> tuple[np.ndarray, list[int]]:
    """Return the fingerprints of image files, and which of them cannot be read.

    Args:
        paths: of the images.
        cache: file that stores them: those of the same path, size and time are not computed again.
        each: maps a function over the paths, as ``Executor.map`` does.
        report: called with the images done and their number.

    Returns:
        (n, 572) float16, half the memory, zeros for an image that cannot be read; and the places of those.

    Raises:
        PathUnusable: the cache cannot be written.
    """
    paths = list(paths)
    keys = [_key(path) for path in paths]
    known = _read_cache(cache)
    todo = [row for row, key in enumerate(keys) if key not in known]
    prints = np.zeros((len(paths), FINGERPRINT_LENGTH), dtype=np.float16)
    for row, key in enumerate(keys):
        if key in known:
            prints[row] = known[key]
    unreadable = []
    report(len(paths) - len(todo), len(paths))
    for done, (row, structure) in enumerate(zip(todo, each(_of_file, [paths[row] for row in todo]), strict=True), 1):
        if structure is None:
            unreadable.append(row)
            keys[row] = ""
        else:
            prints[row] = structure
        report(len(paths) - len(todo) + done, len(paths))
    if cache is not None and todo:
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(cache) as file:
                np.savez(file, keys=np.array(keys), prints=prints)
        except OSError as error:
            raise cannot_write(f"Training folder {cache.parent}", error) from error
    return prints, unreadable


def find_matches(
    first: np.ndarray, second: np.ndarray, similarity: float = SAME_IMAGE, block: int = 4096
) -> list[Match]:
    """Return the pairs of two sets that are the same image, mirrored and inverted ones too.

    Args:
        first, second: (n, 572) and (m, 572) float16 or float32, from :func:`fingerprint`.
        similarity: from which on a pair is returned. It is the sum of the absolute correlations of the even
            and of the odd horizontal frequencies: the largest over the four images that mirroring and
            inverting make.
        block: rows at a time; memory is some 16 bytes for each pair of a block.
    """
    matches = []
    for top in range(0, len(first), block):
        a = first[top : top + block].astype(np.float32)
        for left in range(0, len(second), block):
            b = second[left : left + block].astype(np.float32)
            alike = np.abs(a[:, :_EVEN] @ b[:, :_EVEN].T)
            alike += np.abs(a[:, _EVEN:] @ b[:, _EVEN:].T)
            if alike.max() < similarity:
                continue
            for row, column in np.argwhere(alike >= similarity).tolist():
                matches.append(Match(top + row, left + column, float(alike[row, column])))
    return matches


def _of_file(path: Path) -> np.ndarray | None:
    try:
        return fingerprint(read_radiograph(path.read_bytes()).display)
    except (InputRefused, OSError):
        return None


def _key(path: Path) -> str:
    try:
        state = path.stat()
    except OSError:
        return ""
    return hashlib.sha256(f"{path}|{state.st_size}|{state.st_mtime_ns}".encode()).hexdigest()[:32]


def _read_cache(path: Path | None) -> dict[str, np.ndarray]:
    if path is None or not path.is_file():
        return {}
    try:
        with np.load(path) as arrays:
            keys, prints = arrays["keys"].tolist(), arrays["prints"]
    except (OSError, ValueError, KeyError):
        return {}
    if prints.shape != (len(keys), FINGERPRINT_LENGTH):
        return {}
    # a file without status has no key
    return {key: row for key, row in zip(keys, prints, strict=True) if key}
