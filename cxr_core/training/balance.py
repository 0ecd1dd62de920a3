"""The paper's class weights: positives and negatives of a class weigh the same in the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import TrainingRefused

__all__ = ["ClassWeights", "class_weights"]


@dataclass(frozen=True)
class ClassWeights:
    """Weights per class, each (classes,) float64 in [0, 1]."""

    positive: np.ndarray
    negative: np.ndarray


def class_weights(labels: np.ndarray) -> ClassWeights:
    """Return w_pos = freq_neg and w_neg = freq_pos over the training films.

    Then the summed weight of a class' positives, n freq_pos w_pos, equals that of its negatives,
    n freq_neg w_neg (Prajwal M and Jalaja G, section 3.4).

    Args:
        labels: (n, classes) bool, of the training films only.
    """
    if labels.ndim != 2 or len(labels) == 0:
        raise TrainingRefused("There is no training film: class weights cannot be computed.")
    frequency = labels.mean(axis=0, dtype=np.float64)
    return ClassWeights(positive=1.0 - frequency, negative=frequency)
