"""Interface of the inference engines, and class activation maps from their output.

TensorFlow (:mod:`.tensorflow_engine`) is the reference, OpenVINO (:mod:`.openvino_engine`) serves;
:func:`.predictor.open_engine` opens either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Engine", "Head", "Inference", "class_maps"]


@dataclass(frozen=True)
class Head:
    """The dense layer on the pooled features: ``kernel`` (channels, labels), ``bias`` (labels,)."""

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Inference:
    """Output of a network for a batch.

    ``features`` is the last feature map, (n, h, w, channels) float32; ``logits`` (n, labels) float32.
    """

    features: np.ndarray
    logits: np.ndarray


class Engine(Protocol):
    """Runs a network. Safe to call from several threads.

    ``requests`` is how many images it works on at a time; a further one waits.
    """

    name: str
    head: Head
    requests: int

    def infer(self, images: np.ndarray) -> Inference:
        """Run (n, size, size, 1) float32 images in [0, 1] forward, once."""
        ...


def class_maps(features: np.ndarray, head: Head) -> np.ndarray:
    """Return each cell's contribution to each logit.

    For global average pooling and one dense layer, logit[c] = sum over cells of (A W)[:, :, c] / (h w), plus b[c],
    where A is the last feature map and W the kernel.

    Args:
        features: (h, w, channels) float32.
        head: the dense layer.

    Returns:
        (labels, h, w) float32, of either sign, logit units.
    """
    h, w, channels = features.shape
    product = features.reshape(h * w, channels) @ head.kernel
    return np.ascontiguousarray((product / (h * w)).T.reshape(-1, h, w))
