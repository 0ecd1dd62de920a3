"""Distance of an image from the training images, in the model's own feature space.

The distance is a Mahalanobis distance of the pooled features: along the principal directions of the training images
each in units of its standard deviation, and along all other directions together in units of their root mean square (Lee
et al., NeurIPS 2018, use the full covariance). It measures how unlike the training images an image is, not whether its
reading is wrong: a near image may be read wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ModelUnusable
from ..files import whole_file

__all__ = ["FAMILIARITY", "FamiliarityReference", "fit_reference", "load_reference", "save_reference"]

FAMILIARITY = "familiarity.npz"
DIRECTIONS = 48


@dataclass(frozen=True)
class FamiliarityReference:
    """Distribution of the training images' pooled features.

    Attributes:
        mean: (d,) float32.
        directions: (d, k) float32, orthonormal principal directions, by falling standard deviation.
        spread: (k,) float32, standard deviation along each direction.
        remainder: root mean square of the component orthogonal to all of them.
        weights_sha256: of the ``model.keras`` that made the features.
    """

    mean: np.ndarray
    directions: np.ndarray
    spread: np.ndarray
    remainder: float
    weights_sha256: str

    def distance(self, pooled: np.ndarray) -> np.ndarray:
        """Return (n,) float64 distances of (n, d) pooled features; near 1 for an image like those of the training."""
        centred = pooled.astype(np.float64) - self.mean
        along = centred @ self.directions
        across = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        terms = ((along / self.spread) ** 2).sum(axis=1) + across / self.remainder**2
        return np.sqrt(terms / (len(self.spread) + 1))


def fit_reference(pooled: np.ndarray, weights_sha256: str) -> FamiliarityReference:
    """Return the distribution of (n, d) pooled features of training images, n > :data:`DIRECTIONS`."""
    mean = pooled.mean(axis=0, dtype=np.float64)
    centred = pooled - mean
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    count = min(DIRECTIONS, len(pooled) - 2)
    spread = singular[:count] / np.sqrt(len(pooled) - 1)
    remainder = float(np.sqrt((singular[count:] ** 2).sum() / (len(pooled) - 1)))
    return FamiliarityReference(
        mean.astype(np.float32),
        directions[:count].T.astype(np.float32),
        np.maximum(spread, 1e-8).astype(np.float32),
        max(remainder, 1e-8),
        weights_sha256,
    )


def save_reference(reference: FamiliarityReference, path: Path) -> None:
    """Write ``familiarity.npz``; raises OSError."""
    with whole_file(path) as file:
        np.savez_compressed(file, **vars(reference))


def load_reference(path: Path, weights_sha256: str) -> FamiliarityReference:
    """Read ``familiarity.npz``; raises ModelUnusable where it is broken or was made with other weights."""
    try:
        with np.load(path) as file:
            reference = FamiliarityReference(
                file["mean"],
                file["directions"],
                file["spread"],
                float(file["remainder"]),
                str(file["weights_sha256"]),
            )
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnusable(f"Model {path.parent.name}: {FAMILIARITY} cannot be read.") from error
    if reference.weights_sha256 != weights_sha256:
        raise ModelUnusable(f"Model {path.parent.name}: {FAMILIARITY} was made with other weights. It is refused.")
    return reference
