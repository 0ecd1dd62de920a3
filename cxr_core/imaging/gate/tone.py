"""Whether the grey of an image looks changed: flattened, under a strong window, or under a strong gamma curve.

A small multilayer perceptron on percentiles of the grey of the image and of its middle, trained by
:mod:`cxr_core.training.gate_alterations`; its weights and bound are in the file beside this module. It looks at grey
levels only, so an unusual exposure and a change of the export look alike.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from .view_classifier import class_scores

__all__ = ["CLASSES", "WEIGHTS", "assess_tone", "tone_features"]

CLASSES = ("ordinary", "flat", "window", "bright", "dark")
PERCENTILES = np.array([0.1, 0.5, 1, 2, *range(5, 96, 5), 98, 99, 99.5, 99.9])
MIDDLE = (0.2, 0.8)
BLACK, WHITE = 5, 250
"""Levels of 255 up to which a pixel is black, and from which it is white."""

SIDE = 128
"""Approximate longer side, in pixels, of the sampled image."""

WEIGHTS = Path(__file__).with_name("tone.npz")


def tone_features(grey: np.ndarray) -> np.ndarray:
    """Return the input of the perceptron, (n,) float32 in [0, 1].

    The percentiles of the grey and the proportions that are black and white, of the whole image and of its middle.

    Args:
        grey: (rows, columns) uint8, an image's reduced copy (:func:`cxr_core.imaging.gate.decision.block_means`).
    """
    step = max(1, min(max(grey.shape) // SIDE, min(grey.shape) // 16))
    sample = grey[::step, ::step]
    rows, columns = (slice(int(MIDDLE[0] * side), max(1, int(MIDDLE[1] * side))) for side in sample.shape)
    return np.concatenate([_described(sample), _described(sample[rows, columns])])


def _described(grey: np.ndarray) -> np.ndarray:
    cumulative = np.bincount(grey.ravel(), minlength=256).cumsum() / grey.size
    levels = np.searchsorted(cumulative, PERCENTILES / 100) / 255
    return np.array([*levels, cumulative[BLACK], 1 - cumulative[WHITE - 1]], dtype=np.float32)


def assess_tone(grey: np.ndarray) -> str:
    """Return what the grey of an image looks like, one of :data:`CLASSES`; argument as in :func:`tone_features`."""
    weights, bound = _trained()
    scores = class_scores(tone_features(grey)[None], weights)[0]
    return CLASSES[0] if scores[0] >= bound else CLASSES[1 + int(scores[1:].argmax())]


@lru_cache(maxsize=1)
def _trained() -> tuple[list[np.ndarray], float]:
    with np.load(WEIGHTS) as file:
        layers = sum(name.startswith("weights_") for name in file.files)
        return [file[f"weights_{i}"] for i in range(layers)], float(file["ordinary"])
