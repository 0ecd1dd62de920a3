"""What a picture looks like, by its pixels alone: an upright frontal chest film, or something else.

A small perceptron on 32 x 32 pixels, trained by :mod:`cxr_core.training.look`; its weights and its
thresholds lie beside this module. It says nothing of disease and nothing of quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["KINDS", "SIDE", "Look", "look_at", "perceive", "reduced"]

KINDS = ("upright", "turned 90", "turned 180", "turned 270", "inverted", "part", "other")
"""What it tells apart; turned is counter-clockwise, in degrees."""

SIDE = 32
WEIGHTS = Path(__file__).with_name("look.npz")


@dataclass(frozen=True)
class Look:
    """What a picture looks like.

    Attributes:
        kind: the likeliest of :data:`KINDS`.
        upright: share of belief, 0 to 1, that it is an upright frontal chest film. Not a probability.
        verdict: ``ok``, ``warning`` or ``refused``, by thresholds set on validation patients.
    """

    kind: str
    upright: float
    verdict: str


def reduced(display: np.ndarray) -> np.ndarray:
    """Return what the perceptron is given: (SIDE, SIDE) float32, mean 0 and deviation 1, cut at 3.

    Args:
        display: (rows, columns) float32 in [0, 1].
    """
    step = max(1, min(display.shape) // 512)
    image = Image.fromarray(np.ascontiguousarray(display[::step, ::step], dtype=np.float32))
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))
    return np.clip((small - small.mean()) / max(float(small.std()), 1e-3), -3, 3).astype(np.float32)


def perceive(pictures: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Return the belief in each of :data:`KINDS`, (n, kinds), for (n, SIDE, SIDE) reduced pictures.

    ``weights`` are kernel and bias of each layer; ReLU between them, softmax at the end.
    """
    signal = pictures.reshape(len(pictures), -1)
    for layer in range(0, len(weights), 2):
        signal = signal @ weights[layer] + weights[layer + 1]
        if layer < len(weights) - 2:
            signal = np.maximum(signal, 0)
    powers = np.exp(signal - signal.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def look_at(display: np.ndarray) -> Look:
    """Return what a picture looks like."""
    weights, refuse, warn = _trained()
    belief = perceive(reduced(display)[None], weights)[0]
    upright = float(belief[0])
    verdict = "refused" if upright < refuse else "warning" if upright < warn else "ok"
    # below the thresholds it is called what it looks like most, next to upright
    kind = KINDS[int(belief.argmax())] if verdict == "ok" else KINDS[1 + int(belief[1:].argmax())]
    return Look(kind, upright, verdict)


@lru_cache(maxsize=1)
def _trained() -> tuple[list[np.ndarray], float, float]:
    with np.load(WEIGHTS) as file:
        layers = sum(name.startswith("weights_") for name in file.files)
        weights = [file[f"weights_{i}"].astype(np.float32) for i in range(layers)]
        return weights, float(file["refuse_below"]), float(file["warn_below"])
