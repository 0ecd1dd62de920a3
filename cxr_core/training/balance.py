"""The paper's class weights: positives and negatives of a class weigh the same in the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import TrainingRefused

__all__ = ["LOSSES", "ClassWeights", "class_weights", "class_weights_of", "contributions", "loss_shares"]

LOSSES = ("weighted", "plain")


@dataclass(frozen=True)
class ClassWeights:
    """Weights per class, each (classes,) float64 in [0, 1]."""

    positive: np.ndarray
    negative: np.ndarray


def class_weights(labels: np.ndarray, loss: str = "weighted") -> ClassWeights:
    """Return w_pos = freq_neg and w_neg = freq_pos over the training films; for the plain loss 1 and 1.

    With the first, the summed weight of a class' positives, n freq_pos w_pos, equals that of its negatives,
    n freq_neg w_neg (Prajwal M and Jalaja G, section 3.4).

    Args:
        labels: (n, classes) bool, of the training films only.
        loss: one of :data:`LOSSES`.
    """
    if labels.ndim != 2 or len(labels) == 0:
        raise TrainingRefused("There is no training film: class weights cannot be computed.")
    return class_weights_of(labels.mean(axis=0, dtype=np.float64), loss)


def class_weights_of(frequency: np.ndarray, loss: str = "weighted") -> ClassWeights:
    """Return the weights of :func:`class_weights` from (classes,) shares of films that are positive."""
    if loss == "plain":
        return ClassWeights(np.ones(len(frequency)), np.ones(len(frequency)))
    return ClassWeights(positive=1.0 - frequency, negative=frequency)


def loss_shares(labels: np.ndarray, weights: ClassWeights) -> np.ndarray:
    """Return what positives and negatives contribute to the loss of each class, before and after weighting.

    The paper's figures 3.4.1.a and b: where every film has the same unweighted loss, as it has in a network
    that knows nothing, the contribution of the positives is freq_pos before and w_pos freq_pos after, that
    of the negatives freq_neg and w_neg freq_neg. It is not what a trained network loses on them.

    Returns:
        (classes, 4) float64: positives before, negatives before, positives after, negatives after.
    """
    return contributions(labels.mean(axis=0, dtype=np.float64), weights)


def contributions(frequency: np.ndarray, weights: ClassWeights) -> np.ndarray:
    """Return :func:`loss_shares` from (classes,) shares of films that are positive."""
    before = np.stack([frequency, 1 - frequency], axis=1)
    return np.concatenate([before, before * np.stack([weights.positive, weights.negative], axis=1)], axis=1)
