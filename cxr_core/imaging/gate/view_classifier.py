"""Classifies an image by its pixels alone: an upright frontal chest radiograph, or something else.

A small multilayer perceptron on 32 x 32 pixels, trained by :mod:`cxr_core.training.gate_training`; its weights and
thresholds are in the file beside this module. It says nothing about disease or image quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["CLASSES", "SIDE", "ViewClass", "class_scores", "classifier_input", "classify"]

CLASSES = ("upright", "turned 90", "turned 180", "turned 270", "inverted", "part", "other")
"""The classes; turned is counter-clockwise, in degrees."""

SIDE = 32
WEIGHTS = Path(__file__).with_name("view_classifier.npz")


@dataclass(frozen=True)
class ViewClass:
    """The class of an image.

    Attributes:
        name: the highest scored of :data:`CLASSES`; with a verdict other than ``ok``, of those but ``upright``.
        upright: softmax score, 0 to 1, of an upright frontal chest radiograph. Not a calibrated probability.
        verdict: ``ok``, ``warning`` or ``refused``, by thresholds set on validation patients.
    """

    name: str
    upright: float
    verdict: str


def classifier_input(display: np.ndarray) -> np.ndarray:
    """Return the input of the perceptron: (SIDE, SIDE) float32, mean 0 and standard deviation 1, clipped at 3.

    Args:
        display: (rows, columns) float32 in [0, 1].
    """
    step = max(1, min(display.shape) // 512)
    image = Image.fromarray(np.ascontiguousarray(display[::step, ::step], dtype=np.float32))
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))
    return np.clip((small - small.mean()) / max(float(small.std()), 1e-3), -3, 3).astype(np.float32)


def class_scores(inputs: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Return the softmax score of each of :data:`CLASSES`, (n, classes), for (n, SIDE, SIDE) inputs.

    ``weights`` are kernel and bias of each layer, with ReLU between layers.
    """
    signal = inputs.reshape(len(inputs), -1)
    for layer in range(0, len(weights), 2):
        signal = signal @ weights[layer] + weights[layer + 1]
        if layer < len(weights) - 2:
            signal = np.maximum(signal, 0)
    exponentials = np.exp(signal - signal.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def classify(display: np.ndarray) -> ViewClass:
    """Return the class of an image, (rows, columns) float32 in [0, 1]."""
    weights, refuse, warn = _trained()
    scores = class_scores(classifier_input(display)[None], weights)[0]
    upright = float(scores[0])
    verdict = "refused" if upright < refuse else "warning" if upright < warn else "ok"
    name = CLASSES[int(scores.argmax())] if verdict == "ok" else CLASSES[1 + int(scores[1:].argmax())]
    return ViewClass(name, upright, verdict)


@lru_cache(maxsize=1)
def _trained() -> tuple[list[np.ndarray], float, float]:
    with np.load(WEIGHTS) as file:
        layers = sum(name.startswith("weights_") for name in file.files)
        weights = [file[f"weights_{i}"].astype(np.float32) for i in range(layers)]
        return weights, float(file["refuse_below"]), float(file["warn_below"])
