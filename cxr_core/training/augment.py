"""Augmentation by named policies, drawn anew for each film and epoch from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["POLICIES", "Policy", "augment"]


@dataclass(frozen=True)
class Policy:
    """Ranges from which one augmentation is drawn, uniformly.

    Attributes:
        rotation: largest turn, degrees, either way.
        shift: largest shift, as a share of the side.
        zoom: largest relative change of scale.
        gain: largest relative change of contrast about mid-grey.
        offset: largest change of brightness, of the range [0, 1].
        flip: mirror half of the films. It moves the heart to the wrong side.
        gamma: largest change of the exponent of the grey curve, as a factor of e: each maker's curve is
            another.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    flip: bool = False
    gamma: float = 0.0


POLICIES: dict[str, Policy] = {
    "none": Policy(),
    "mild": Policy(rotation=7, shift=0.05, zoom=0.10, gain=0.15, offset=0.08),
    "mild-flip": Policy(rotation=7, shift=0.05, zoom=0.10, gain=0.15, offset=0.08, flip=True),
    "flip": Policy(flip=True),
    "strong": Policy(rotation=12, shift=0.08, zoom=0.15, gain=0.25, offset=0.10, gamma=0.35),
}
"""``mild`` is the default. ``flip`` is the paper's horizontal flip alone, ``mild-flip`` both; no other policy
mirrors, since a mirrored film has its heart on the wrong side. ``strong`` is for films of several makers."""


def augment(film: np.ndarray, policy: Policy, rng: np.random.Generator) -> np.ndarray:
    """Return a changed copy of a prepared film.

    Args:
        film: (size, size, 1) float32 in [0, 1].
        policy: what may change.
        rng: decides by how much; the same state gives the same film.
    """
    if policy == POLICIES["none"]:
        return film
    size = film.shape[0]
    turn, dx, dy, zoom, gain, offset = rng.uniform(-1, 1, 6)
    mirrored = policy.flip and rng.random() < 0.5
    gamma = np.exp(policy.gamma * rng.uniform(-1, 1)) if policy.gamma else 1.0
    angle = np.deg2rad(policy.rotation * turn)
    scale = 1 / (1 + policy.zoom * zoom)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        matrix = matrix @ np.diag([-1.0, 1.0])
    # Pillow maps output to input, about the corner: turn about the middle instead
    middle = np.full(2, size / 2)
    shift = middle - matrix @ middle + size * policy.shift * np.array([dx, dy])
    coefficients = (*matrix[0], shift[0], *matrix[1], shift[1])
    image = Image.fromarray(film[:, :, 0]).transform(
        (size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    changed = (np.asarray(image) - 0.5) * (1 + policy.gain * gain) + 0.5 + policy.offset * offset
    changed = np.clip(changed, 0, 1, dtype=np.float32)
    return (changed if gamma == 1.0 else changed ** np.float32(gamma))[:, :, None]
