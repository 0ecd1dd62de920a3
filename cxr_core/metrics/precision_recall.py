"""The precision-recall curve and average precision.

Both depend on the prevalence: values of images with another prevalence do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import check_labels_and_scores, columns_of, count_cases, index_patients, insufficient_cases
from .ranking_replicates import average_precision_replicates

__all__ = [
    "PrecisionRecallCurve",
    "average_precision",
    "average_precision_per_class",
    "average_precision_with_interval",
    "precision_recall_curve",
]


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """The points of a precision-recall curve, one for each distinct score.

    There is no point where nothing is called positive: its precision would be 0 / 0, and the (0, 1) that is often
    drawn there is a convention.

    Attributes:
        recall: (k,) float64 in [0, 1], ascending: the sensitivity, the proportion of positives with a score at or
            over the threshold; None where there is no positive.
        precision: (k,) float64 in [0, 1]: the positive predictive value, the proportion of positives among images at
            or over the threshold, at the prevalence of these images.
        thresholds: (k,) float64, descending: the distinct scores.
        positives, negatives: number of images.
        reason: ``"no positive"`` or ``"no image"`` where recall is None.
    """

    recall: NDArray[np.float64] | None
    precision: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    positives: int
    negatives: int
    reason: str | None


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallCurve:
    """Return the empirical precision-recall curve.

    Points are not to be joined by straight lines: between two of them precision does not change linearly with
    recall.

    Args:
        labels, scores: as in :func:`.roc.roc_curve`, which raises as this does.

    References:
        Davis and Goadrich, The relationship between precision-recall and ROC curves, ICML 2006.

    Examples:
        >>> curve = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> curve.recall, curve.precision.round(3)
        (array([0.5, 0.5, 1. , 1. ]), array([1.   , 0.5  , 0.667, 0.5  ]))
    """
    labels, scores = check_labels_and_scores(labels, scores)
    counts = count_cases(labels)
    distinct, level = np.unique(scores, return_inverse=True)
    true_positives, called = (
        np.cumsum(np.bincount(level[rows], minlength=len(distinct))[::-1])
        for rows in (labels, np.ones(len(labels), dtype=bool))
    )
    return PrecisionRecallCurve(
        recall=true_positives / counts.positive_images if counts.positive_images else None,
        precision=true_positives / called,
        thresholds=distinct[::-1],
        positives=counts.positive_images,
        negatives=counts.negative_images,
        reason=None if counts.positive_images else "no positive" if counts.negative_images else "no image",
    )


def average_precision(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """Return the average precision, without an interval: the mean over positives of the precision at their score.

    The area under the steps of the precision-recall curve, not under straight lines. Its value by chance is about
    the prevalence, not one half; the two belong side by side.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.

    Returns:
        Estimate with value in (0, 1], 1 where no image is negative; None with reason ``"no positive"`` or ``"no
        image"``.

    Raises:
        ValueError: for other shapes or values.

    References:
        Buckley and Voorhees, Evaluating evaluation measure stability, SIGIR 2000; ties move together as in
        :func:`precision_recall_curve`.

    Examples:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value, 3)
        0.833
    """
    curve, counts = precision_recall_curve(labels, scores), count_cases(labels)
    if curve.recall is None:
        return Estimate.missing(curve.reason or "no positive", counts)
    value = float(np.diff(curve.recall, prepend=0.0) @ curve.precision)
    return Estimate(min(value, 1.0), counts=counts)


def average_precision_with_interval(
    labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return average precision with percentiles of the patient bootstrap.

    With few positives the value itself tends to be too high, and the interval follows it.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        patients: (n,) whole numbers or strings.
        options: of the interval; percentiles are used with any number of patients.

    Returns:
        Estimate, with the reasons of :func:`.auc.auc_with_interval`.

    Raises:
        ValueError: for other shapes or values.

    References:
        As :func:`average_precision`; Field and Welsh (2007); Efron and Tibshirani (1993), chapter 13.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(90) % 3 == 0
        >>> precision = average_precision_with_interval(labels, labels + generator.normal(size=90), np.arange(90))
        >>> [round(number, 3) for number in (precision.value, precision.low, precision.high)]
        [0.629, 0.462, 0.775]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    return average_precision_per_class(labels[:, None], scores[:, None], patients, options)[0]


def average_precision_per_class(
    labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> tuple[Estimate, ...]:
    """Return :func:`average_precision_with_interval` of each class, all from the same resamples.

    Args:
        labels, scores, patients, options: as in :func:`.auc.auc_per_class`.

    Examples:
        >>> labels = np.stack([np.arange(90) % 3 == 0, np.arange(90) % 30 == 0], axis=1)
        >>> scores = np.tile(np.arange(90.0)[:, None], 2)
        >>> common, rare = average_precision_per_class(labels, scores, np.arange(90))
        >>> round(common.value, 3), rare.reason
        (0.333, 'too few cases (3 positive, 87 negative patients)')
    """
    columns = columns_of(labels, scores)
    index_patients(patients, len(np.asarray(labels)))
    estimates = []
    for column in columns:
        counts = count_cases(column[0], patients)
        reason = insufficient_cases(counts, options.min_patients)
        value = None if reason else average_precision(*column).value
        estimates.append(Estimate(value, counts=counts, reason=reason))
    present = [c for c, estimate in enumerate(estimates) if estimate.value is not None]
    replicates = average_precision_replicates([columns[c] for c in present], patients, options)
    for c, row in zip(present, replicates, strict=True):
        estimates[c] = with_percentiles(estimates[c], row, options)
    return tuple(estimates)
