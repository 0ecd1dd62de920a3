"""How well scores rank positives above negatives: the ROC curve and the area under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate

__all__ = ["RocCurve", "check_labels_and_scores", "missing_class", "roc_auc", "roc_curve"]


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The points of a ROC curve, from (0, 0) to (1, 1), one for each distinct score.

    Attributes:
        false_positive_rate: (k + 1,) float64 in [0, 1], ascending: the share of negatives with a
            score at or over the threshold; None where there is no negative.
        sensitivity: (k + 1,) float64 in [0, 1], ascending: the share of positives with a score at or
            over the threshold; None where there is no positive.
        thresholds: (k + 1,) float64, descending: +inf, then the k distinct scores.
        positives, negatives: number of films.
        reason: ``"no positive"``, ``"no negative"`` or ``"no film"`` where a coordinate is None.
    """

    false_positive_rate: NDArray[np.float64] | None
    sensitivity: NDArray[np.float64] | None
    thresholds: NDArray[np.float64]
    positives: int
    negatives: int
    reason: str | None


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve:
    """Return the empirical ROC curve.

    Films with the same score move together: a tie of positives and negatives is one slanted step,
    whose area counts the tie as one half, as :func:`roc_auc` does. No point is dropped.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.

    Raises:
        ValueError: for other shapes or values.

    Source: Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), algorithm 1.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    distinct, where = np.unique(scores, return_inverse=True)
    by_score = [np.bincount(where[kind], minlength=len(distinct))[::-1] for kind in (labels, ~labels)]
    above = [np.concatenate([[0], np.cumsum(count)]) for count in by_score]
    return RocCurve(
        false_positive_rate=above[1] / negatives if negatives else None,
        sensitivity=above[0] / positives if positives else None,
        thresholds=np.concatenate([[np.inf], distinct[::-1]]),
        positives=positives,
        negatives=negatives,
        reason=missing_class(positives, negatives),
    )


def roc_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Estimate:
    """Return the area under the ROC curve, without an interval.

    The share of pairs of one positive and one negative in which the positive has the higher score,
    a tie counting one half (the Mann-Whitney statistic). It is not a share of films read rightly, it
    says nothing of any threshold, and it does not depend on how common the label is.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        weights: (n,) finite and not negative; a pair weighs the product of its two. None is 1 each.

    Returns:
        Estimate with value in [0, 1]; value None with reason ``"no positive"``, ``"no negative"`` or
        ``"no film"``, or ``"no weight on positives"`` and the like where all weights of a class are 0.

    Raises:
        ValueError: for other shapes or values.

    Source: Hanley and McNeil, Radiology 143 (1982) 29-36; midranks as in Mann and Whitney, Annals of
    Mathematical Statistics 18 (1947) 50-60.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    reason = missing_class(positives, negatives)
    if weights is None:
        weights = np.ones(len(labels))
    else:
        weights = _check_weights(weights, labels.shape)
        for kind, name in ((labels, "positives"), (~labels, "negatives")):
            if reason is None and not weights[kind].sum() > 0:
                reason = f"no weight on {name}"
    value = None if reason else _weighted_auc(labels, scores, weights)
    return Estimate(value, None, None, positives, negatives, None, None, reason)


def _weighted_auc(labels, scores, weights) -> float:
    distinct, where = np.unique(scores, return_inverse=True)
    # Each class is scaled by its largest weight, so that no product of tiny weights is lost.
    positive, negative = (
        np.bincount(where[kind], weights=weights[kind] / weights[kind].max(), minlength=len(distinct))
        for kind in (labels, ~labels)
    )
    # With weights of 1, this is the sum of midranks in another form: negatives below, and half of
    # those level. All of it is exact there, since halves of whole numbers are.
    below = np.concatenate([[0.0], np.cumsum(negative)])
    area = positive @ (below[:-1] + negative / 2) / (positive.sum() * below[-1])
    return float(min(area, 1.0))


def missing_class(positives: int, negatives: int) -> str | None:
    """Return why nothing can be ranked, or None where both classes have a film."""
    if positives and negatives:
        return None
    return "no positive" if negatives else "no negative" if positives else "no film"


def check_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels as (n,) bool and scores as (n,) float64.

    Raises:
        ValueError: where labels are not one row of bool or 0/1, or scores not as many finite numbers.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"Labels of shape {labels.shape} and scores of shape {scores.shape}: "
            "two arrays of the same shape (n,) are accepted."
        )
    if labels.dtype != bool:
        if labels.dtype.kind not in "iuf" and labels.size:
            raise ValueError(f"Labels of type {labels.dtype}: bool or the numbers 0 and 1 are accepted.")
        if not np.isin(labels, (0, 1)).all():
            raise ValueError(
                "Labels other than 0 and 1 were found; only these are accepted. Leave out films without a label."
            )
        labels = labels.astype(bool)
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"Scores of type {scores.dtype}: real numbers are accepted.")
    scores = scores.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("Scores that are NaN or infinite were found; finite scores are accepted.")
    return labels, scores


def _check_weights(weights: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != shape:
        raise ValueError(f"Weights of shape {weights.shape}: one for each film, shape {shape}, is accepted.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("Weights that are negative, NaN or infinite were found; 0 or more is accepted.")
    return weights
