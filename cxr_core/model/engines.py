"""Two engines behind one interface: TensorFlow is the reference, OpenVINO serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..blas import products_on_one_thread
from ..errors import WrongArguments
from .folder import ModelFolder

__all__ = ["Engine", "Head", "Inference", "open_engine"]


@dataclass(frozen=True)
class Head:
    """The dense layer on the pooled features: ``kernel`` (channels, classes), ``bias`` (classes,)."""

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Inference:
    """What a network says of a batch.

    ``features`` is the last feature map, (n, h, w, channels) float32; ``logits`` (n, classes) float32.
    """

    features: np.ndarray
    logits: np.ndarray


class Engine(Protocol):
    """Runs a network. Safe to call from several threads.

    ``requests`` is how many films it works on at a time; a further one waits.
    """

    name: str
    head: Head
    requests: int

    def infer(self, films: np.ndarray) -> Inference:
        """Run (n, size, size, 1) float32 films in [0, 1] forward, once."""
        ...


def open_engine(folder: ModelFolder, name: str, *, throughput: bool = False) -> Engine:
    """Return an engine for a checked model folder; its library is imported only here.

    With ``throughput`` the cores work on films of their own instead of together on one: each film takes longer and
    many take less, most of all where other programs take part of a core. The answers are the same bits.
    """
    products_on_one_thread()
    if name == "openvino":
        from .openvino_engine import OpenVinoEngine

        return OpenVinoEngine(folder, throughput=throughput)
    if name == "tensorflow":
        from .tensorflow_engine import TensorFlowEngine

        return TensorFlowEngine(folder)
    raise WrongArguments(f"Engine {name!r}: unknown. Accepted: openvino, tensorflow.")
