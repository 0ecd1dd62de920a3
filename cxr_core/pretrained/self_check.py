"""Comparison of OpenVINO's graph with TensorFlow's network on synthetic radiographs, made after every import.

Both engines round to float32, each in its own order. How much that moves a logit depends on the weights, so it is
measured against the same network in float64, on the same images. A difference of the engines is an error of the graph
only where this rounding does not explain it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..errors import ModelUnusable
from ..imaging import Preparation, phantom, prepare
from ..model import ModelFolder, open_model
from ..model.predictor import open_engine

__all__ = ["LARGEST_ROUNDING", "ROUNDINGS", "TOLERANCE", "SelfCheck", "check_engines"]

TOLERANCE = 1e-4
"""The engines may differ by this times max(1, |logit|)."""

ROUNDINGS = 4
"""Or by this many times float32's own error: each engine rounds, and the largest difference of many counts."""

LARGEST_ROUNDING = 0.01
"""Weights with a larger error of float32 are refused: rounding alone would move a score by 0.0025."""


@dataclass(frozen=True)
class SelfCheck:
    """The largest differences over images and labels, as a proportion of max(1, |logit|).

    Attributes:
        engines: between OpenVINO and TensorFlow.
        rounding: between TensorFlow and the same network in float64.
        images: number of images compared.
    """

    engines: float
    rounding: float
    images: int

    @property
    def description(self) -> str:
        """The differences as text, for the card and for messages."""
        return (
            f"TensorFlow and OpenVINO differ by {self.engines:.1g} times max(1, |logit|) on {self.images} "
            f"synthetic radiographs; float32 differs from float64 by {self.rounding:.1g}"
        )

    @property
    def note(self) -> str:
        """Sentence for the limits of the model card; empty where the engines agree within :data:`TOLERANCE`."""
        if self.engines <= TOLERANCE:
            return ""
        return f"Its weights amplify rounding: {self.description}, which explains the difference."


def check_engines(folder: str) -> SelfCheck:
    """Compare both engines on a model folder.

    Raises ModelUnusable where a logit is not finite, where float32's own error is over :data:`LARGEST_ROUNDING`, or
    where the engines differ by more than both :data:`TOLERANCE` and :data:`ROUNDINGS` times that error.
    """
    opened = open_model(folder)
    images = synthetic_radiographs(opened.card.input.preparation())
    reference = open_engine(opened, "tensorflow").infer(images).logits
    served = open_engine(opened, "openvino").infer(images).logits
    exact = exact_logits(opened, images)
    if not all(np.isfinite(logits).all() for logits in (reference, served, exact)):
        raise ModelUnusable(
            f"Model {opened.card.id}: its scores are not finite numbers. The weights are broken; no model was made."
        )
    size = np.maximum(1, np.abs(exact))
    check = SelfCheck(
        float((np.abs(served - reference) / size).max()), float((np.abs(reference - exact) / size).max()), len(images)
    )
    if check.rounding > LARGEST_ROUNDING:
        raise ModelUnusable(
            f"Model {opened.card.id}: {check.description}; at most {LARGEST_ROUNDING:g} is accepted. The weights "
            "amplify rounding so much that a score means nothing; no model was made."
        )
    if check.engines > max(TOLERANCE, ROUNDINGS * check.rounding):
        raise ModelUnusable(
            f"Model {opened.card.id}: {check.description}, which does not explain it. No model was made; please "
            "report it."
        )
    return check


def exact_logits(folder: ModelFolder, images: np.ndarray) -> np.ndarray:
    """Return the logits that the folder's network gives in float64, (n, labels)."""
    network = keras.models.load_model(folder.weights, compile=False)
    exact = type(network).from_config(_in_float64(network.get_config()))
    exact.set_weights(network.get_weights())
    return np.concatenate([np.asarray(exact(image[None].astype(np.float64), training=False)) for image in images])


def _in_float64(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _in_float64(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_float64(value) for value in config)
    return "float64" if config == "float32" else config


def synthetic_radiographs(preparation: Preparation) -> np.ndarray:
    """Return (8, size, size, 1) float32: phantoms of several shapes and contrasts, with and without noise."""
    generator = np.random.RandomState(0)
    images = []
    for number, (rows, columns, gamma) in enumerate(
        ((1024, 896, 1.0), (896, 1024, 0.7), (1024, 1024, 1.4), (640, 520, 1.0)) * 2
    ):
        image = (phantom(rows, columns, seed=number, text=False) / 4095) ** gamma
        if number >= 4:
            image = 0.1 + 0.8 * image[:, ::-1] + generator.normal(0, 0.02, image.shape)
        images.append(prepare(np.clip(image, 0, 1).astype(np.float32), preparation)[0])
    return np.stack(images)
