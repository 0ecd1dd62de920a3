"""Class weights of the paper's loss: positives and negatives of a label contribute equally."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingRefused

__all__ = [
    "LOSSES",
    "LOSS_DESCRIPTIONS",
    "ClassWeights",
    "class_weights",
    "class_weights_of_prevalence",
    "loss_contributions",
]

# cards state these: they are compared with what earlier versions wrote
LOSS_DESCRIPTIONS = {
    "weighted": "cross-entropy from logits, w_pos = proportion of negatives, w_neg = proportion of positives, "
    "per class",
    "plain": "cross-entropy from logits, unweighted",
}
LOSSES = tuple(LOSS_DESCRIPTIONS)


@dataclass(frozen=True)
class ClassWeights:
    """Weights per label, each (labels,) float64 in [0, 1]."""

    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


def class_weights(positive: NDArray[np.bool_], loss: str = "weighted") -> ClassWeights:
    """Return w_pos = freq_neg and w_neg = freq_pos over the training images; for the plain loss 1 and 1.

    With the first, the summed weight of a label's positives, n freq_pos w_pos, equals that of its negatives,
    n freq_neg w_neg (Prajwal M and Jalaja G, section 3.4).

    Args:
        positive: (n, labels) bool, of the training images only.
        loss: one of :data:`LOSSES`.
    """
    if positive.ndim != 2 or len(positive) == 0:
        raise TrainingRefused("There is no training image: class weights cannot be computed.")
    return class_weights_of_prevalence(positive.mean(axis=0, dtype=np.float64), loss)


def class_weights_of_prevalence(prevalence: NDArray[np.float64], loss: str = "weighted") -> ClassWeights:
    """Return the weights of :func:`class_weights` from (labels,) proportions of positive images."""
    if loss == "plain":
        return ClassWeights(np.ones(len(prevalence)), np.ones(len(prevalence)))
    return ClassWeights(positive=1.0 - prevalence, negative=prevalence)


def loss_contributions(prevalence: NDArray[np.float64], weights: ClassWeights) -> NDArray[np.float64]:
    """Return what positives and negatives contribute to the loss of each label, before and after weighting.

    The paper's figures 3.4.1.a and b: where every image has the same unweighted loss, as in an untrained
    network, positives contribute freq_pos before and w_pos freq_pos after weighting, negatives freq_neg and
    w_neg freq_neg. It is not the loss of a trained network.

    Args:
        prevalence: (labels,) proportion of positive images.
        weights: of the same labels.

    Returns:
        (labels, 4) float64: positives before, negatives before, positives after, negatives after.
    """
    before = np.stack([prevalence, 1 - prevalence], axis=1)
    return np.concatenate([before, before * np.stack([weights.positive, weights.negative], axis=1)], axis=1)
