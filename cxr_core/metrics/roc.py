"""The ROC curve, the area under it, and a confidence band around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Counts, Estimate
from .bootstrap import BootstrapOptions, multiplicities
from .cases import check_labels_and_scores, count_cases, index_patients, insufficient_cases, missing_class

__all__ = ["RocBand", "RocCurve", "auc_value", "roc_auc", "roc_band", "roc_curve"]


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The points of a ROC curve, from (0, 0) to (1, 1), one for each distinct score.

    Attributes:
        false_positive_rate: (k + 1,) float64 in [0, 1], ascending: the proportion of negatives with a score at or
            over the threshold; None where there is no negative.
        sensitivity: (k + 1,) float64 in [0, 1], ascending: the proportion of positives with a score at or over the
            threshold; None where there is no positive.
        thresholds: (k + 1,) float64, descending: +inf, then the k distinct scores.
        positives, negatives: number of images.
        reason: ``"no positive"``, ``"no negative"`` or ``"no image"`` where a coordinate is None.
    """

    false_positive_rate: NDArray[np.float64] | None
    sensitivity: NDArray[np.float64] | None
    thresholds: NDArray[np.float64]
    positives: int
    negatives: int
    reason: str | None


@dataclass(frozen=True, eq=False)
class RocBand:
    """Pointwise confidence limits of the sensitivity at given false positive rates.

    At each rate by itself: the curve as a whole leaves such a band somewhere more often than one time in twenty.

    Attributes:
        false_positive_rate: (k,) float64 in [0, 1].
        low, high: (k,) float64 in [0, 1]; None with a reason.
        counts: images and patients.
        reason: why there is no band, or None.
    """

    false_positive_rate: NDArray[np.float64]
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None
    counts: Counts
    reason: str | None


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve:
    """Return the empirical ROC curve.

    Images with the same score move together: a tie of positives and negatives is one slanted step, whose area counts
    the tie as one half, as :func:`roc_auc` does. No point is dropped.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.

    Raises:
        ValueError: for other shapes or values.

    References:
        Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), algorithm 1.

    Examples:
        >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> curve.false_positive_rate, curve.sensitivity
        (array([0. , 0. , 0.5, 0.5, 1. ]), array([0. , 0.5, 0.5, 1. , 1. ]))
        >>> curve.thresholds
        array([ inf, 0.8 , 0.4 , 0.35, 0.1 ])
    """
    labels, scores = check_labels_and_scores(labels, scores)
    counts = count_cases(labels)
    positives, negatives = counts.positive_images, counts.negative_images
    distinct, level = np.unique(scores, return_inverse=True)
    by_score = [np.bincount(level[rows], minlength=len(distinct))[::-1] for rows in (labels, ~labels)]
    above = [np.concatenate([[0], np.cumsum(count)]) for count in by_score]
    return RocCurve(
        false_positive_rate=above[1] / negatives if negatives else None,
        sensitivity=above[0] / positives if positives else None,
        thresholds=np.concatenate([[np.inf], distinct[::-1]]),
        positives=positives,
        negatives=negatives,
        reason=missing_class(counts),
    )


def roc_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Estimate:
    """Return the area under the ROC curve, without an interval.

    The proportion of pairs of one positive and one negative in which the positive has the higher score, a tie
    counting one half (the Mann-Whitney statistic). It is not a proportion of images read correctly, it says nothing
    of any threshold, and it does not depend on prevalence.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        weights: (n,) finite and not negative; a pair weighs the product of its two. None is 1 each.

    Returns:
        Estimate with value in [0, 1]; value None with reason ``"no positive"``, ``"no negative"`` or ``"no image"``,
        or ``"no weight on positives"`` and the like where all weights of a class are 0.

    Raises:
        ValueError: for other shapes or values.

    References:
        Hanley and McNeil, Radiology 143 (1982) 29-36; midranks as in Mann and Whitney, Annals of Mathematical
        Statistics 18 (1947) 50-60.

    Examples:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
        0.75
        >>> roc_auc([0, 0], [0.1, 0.4]).reason
        'no positive'
    """
    labels, scores = check_labels_and_scores(labels, scores)
    counts = count_cases(labels)
    reason = missing_class(counts)
    weights = np.ones(len(labels)) if weights is None else _check_weights(weights, labels.shape)
    for rows, name in ((labels, "positives"), (~labels, "negatives")):
        if reason is None and not weights[rows].sum() > 0:
            reason = f"no weight on {name}"
    return Estimate.missing(reason, counts) if reason else Estimate(auc_value(labels, scores, weights), counts=counts)


def auc_value(
    labels: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> float:
    """Return the area under the ROC curve of arrays that were checked and hold both classes, as a number."""
    if weights is None:
        weights = np.ones(len(labels))
    distinct, level = np.unique(scores, return_inverse=True)
    # Each class is scaled by its largest weight, so that no product of tiny weights is lost.
    positive, negative = (
        np.bincount(level[rows], weights=weights[rows] / weights[rows].max(), minlength=len(distinct))
        for rows in (labels, ~labels)
    )
    # With weights of 1, this is the sum of midranks in another form: negatives below, and half of those level.
    # All of it is exact there, since halves of whole numbers are.
    below = np.concatenate([[0.0], np.cumsum(negative)])
    area = positive @ (below[:-1] + negative / 2) / (positive.sum() * below[-1])
    return float(min(area, 1.0))


def midranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) float64 ranks of scores (n,), from 1; those that are tied have the mean of their ranks."""
    _, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[level])


def _check_weights(weights: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != shape:
        raise ValueError(f"Weights of shape {weights.shape}: one for each image, shape {shape}, is accepted.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("Weights that are negative, NaN or infinite were found; 0 or more is accepted.")
    return weights


_BAND_OPTIONS = BootstrapOptions(resamples=500)


def roc_band(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    rates: ArrayLike | None = None,
    options: BootstrapOptions = _BAND_OPTIONS,
) -> RocBand:
    """Return percentiles of the sensitivity at each false positive rate over resamples of patients.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        patients: (n,) whole numbers or strings.
        rates: (k,) ascending, in [0, 1]; by default 101 from 0 to 1.
        options: of the band, 500 resamples by default. A resample without a positive or a negative is left out.

    Raises:
        ValueError: for other shapes or values.

    References:
        Macskassy and Provost, Confidence bands for ROC curves, ROCAI 2004: vertical averaging; resamples of patients
        as in Field and Welsh (2007).

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(200) % 2
        >>> band = roc_band(labels, labels + generator.normal(size=200), np.arange(200), rates=[0.1, 0.5])
        >>> band.low.round(2), band.high.round(2)
        (array([0.31, 0.77]), array([0.63, 0.95]))
    """
    labels, scores = check_labels_and_scores(labels, scores)
    rates = np.linspace(0, 1, 101) if rates is None else np.asarray(rates, dtype=np.float64)
    if rates.ndim != 1 or not ((rates >= 0) & (rates <= 1)).all() or (np.diff(rates) < 0).any():
        raise ValueError("False positive rates outside [0, 1] or not ascending: (k,) ascending rates are accepted.")
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return RocBand(rates, None, None, counts, reason)
    number, which = index_patients(patients, len(labels))
    order = np.argsort(-scores, kind="stable")
    # the last image of each distinct score: ties move together
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    which, positive = which[order], labels[order]
    curves = []
    for drawn in multiplicities(number, options, tallest=len(labels)):
        for times in drawn.T:
            curve = _sensitivity_at(rates, times[which], positive, ends)
            if curve is not None:
                curves.append(curve)
    low, high = np.quantile(np.array(curves), options.tails, axis=0)
    return RocBand(rates, low, high, counts, None)


def _sensitivity_at(
    rates: NDArray[np.float64], weights: NDArray[np.float64], positive: NDArray[np.bool_], ends: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    true_positives = np.cumsum(np.where(positive, weights, 0.0))[ends]
    false_positives = np.cumsum(weights)[ends] - true_positives
    if not true_positives[-1] or not false_positives[-1]:
        return None
    rate = np.concatenate([[0.0], false_positives / false_positives[-1]])
    sensitivity = np.concatenate([[0.0], true_positives / true_positives[-1]])
    # a vertical step is read at its top, as the curve is
    top = np.flatnonzero(np.append(np.diff(rate) > 0, True))
    return np.interp(rates, rate[top], sensitivity[top])
