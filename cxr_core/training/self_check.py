"""Whether the graph that serves computes what the network computes, on images like radiographs.

Both engines round to float32, each in its own order. How much that moves a logit depends on the weights, so it is
measured: the same network in float64, on the same images. A difference of the engines is an error of the graph only
where this rounding does not explain it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..errors import ModelUnusable
from ..imaging import Preparation, phantom, prepare
from ..model import ModelFolder, open_model
from ..model.engines import open_engine

__all__ = ["LARGEST_ROUNDING", "ROUNDINGS", "TOLERANCE", "SelfCheck", "check_engines"]

TOLERANCE = 1e-4
"""The engines may differ by this times max(1, |logit|) without a word."""

ROUNDINGS = 4
"""They may differ by so many times float32's own error: each rounds by itself, and the largest of many counts."""

LARGEST_ROUNDING = 0.01
"""With a larger error of float32 the weights say nothing: a score would move by 0.0025 by rounding alone."""


@dataclass(frozen=True)
class SelfCheck:
    """The largest differences over images and labels, as a proportion of max(1, |logit|).

    Attributes:
        engines: between OpenVINO and TensorFlow.
        rounding: between TensorFlow and the same network in float64.
        images: how many were compared.
    """

    engines: float
    rounding: float
    images: int

    @property
    def words(self) -> str:
        """The figures in one line."""
        return (
            f"TensorFlow and OpenVINO differ by {self.engines:.1g} times max(1, |logit|) on {self.images} made "
            f"radiographs; float32 differs from float64 by {self.rounding:.1g}"
        )

    @property
    def note(self) -> str:
        """What the card must say among its limits; empty where there is nothing to say."""
        if self.engines <= TOLERANCE:
            return ""
        return f"Its weights amplify rounding: {self.words}, which explains the difference."


def check_engines(folder: str) -> SelfCheck:
    """Open a model folder with both engines and compare them.

    Raises ModelUnusable where a logit is not finite, where float32's own error is over :data:`LARGEST_ROUNDING`, or
    where the engines differ by more than :data:`TOLERANCE` and than :data:`ROUNDINGS` times that error.
    """
    opened = open_model(folder)
    images = made_radiographs(opened.card.input.preparation())
    reference = open_engine(opened, "tensorflow").infer(images).logits
    served = open_engine(opened, "openvino").infer(images).logits
    exact = exact_logits(opened, images)
    if not all(np.isfinite(logits).all() for logits in (reference, served, exact)):
        raise ModelUnusable(
            f"Model {opened.card.id}: its scores are no numbers. The weights are broken; nothing was kept."
        )
    size = np.maximum(1, np.abs(exact))
    check = SelfCheck(
        float((np.abs(served - reference) / size).max()), float((np.abs(reference - exact) / size).max()), len(images)
    )
    if check.rounding > LARGEST_ROUNDING:
        raise ModelUnusable(
            f"Model {opened.card.id}: {check.words}; at most {LARGEST_ROUNDING:g} is accepted. The weights amplify "
            "rounding so much that a score means nothing; nothing was kept."
        )
    if check.engines > max(TOLERANCE, ROUNDINGS * check.rounding):
        raise ModelUnusable(
            f"Model {opened.card.id}: {check.words}, which does not explain it. Nothing was kept; please report it."
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


def made_radiographs(preparation: Preparation) -> np.ndarray:
    """Return (8, size, size, 1) float32: phantoms of several shapes and contrasts, with and without noise."""
    draw = np.random.RandomState(0)
    made = []
    for number, (rows, columns, gamma) in enumerate(
        ((1024, 896, 1.0), (896, 1024, 0.7), (1024, 1024, 1.4), (640, 520, 1.0)) * 2
    ):
        image = (phantom(rows, columns, seed=number, words=False) / 4095) ** gamma
        if number >= 4:
            image = 0.1 + 0.8 * image[:, ::-1] + draw.normal(0, 0.02, image.shape)
        made.append(prepare(np.clip(image, 0, 1).astype(np.float32), preparation)[0])
    return np.stack(made)
