"""What is found against what is called: the precision-recall curve and average precision.

Both depend on how common the label is. Values of films with another prevalence do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .intervals import as_columns, count_cases, why_not, with_percentiles
from .ranking import check_labels_and_scores, missing_class
from .replicates import average_precision_replicates
from .resampling import check_level, index_patients

__all__ = [
    "PrecisionRecallCurve",
    "average_precision",
    "patient_bootstrap_average_precision",
    "precision_recall_curve",
]


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """The points of a precision-recall curve, one for each distinct score.

    There is no point where nothing is called: its precision would be 0 / 0, and the (0, 1) that is often drawn
    there is a convention.

    Attributes:
        recall: (k,) float64 in [0, 1], ascending: the share of positives with a score at or over the
            threshold, the sensitivity; None where there is no positive.
        precision: (k,) float64 in [0, 1]: the share of positives among films at or over it, the positive
            predictive value at the prevalence of these films.
        thresholds: (k,) float64, descending: the distinct scores.
        positives, negatives: number of films.
        reason: ``"no positive"`` or ``"no film"`` where recall is None.
    """

    recall: NDArray[np.float64] | None
    precision: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    positives: int
    negatives: int
    reason: str | None


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallCurve:
    """Return the empirical precision-recall curve.

    Points are not to be joined by straight lines: between two of them precision does not move with recall in
    proportion.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.

    Raises:
        ValueError: for other shapes or values.

    Source: Davis and Goadrich, The relationship between precision-recall and ROC curves, ICML 2006.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    distinct, where = np.unique(scores, return_inverse=True)
    found, called = (
        np.cumsum(np.bincount(where[kind], minlength=len(distinct))[::-1])
        for kind in (labels, np.ones(len(labels), dtype=bool))
    )
    return PrecisionRecallCurve(
        recall=found / positives if positives else None,
        precision=found / called,
        thresholds=distinct[::-1],
        positives=positives,
        negatives=negatives,
        reason=missing_class(positives, max(negatives, 1)) if len(labels) else "no film",
    )


def average_precision(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """Return the average precision, without an interval: the mean over positives of the precision at their score.

    The area under the steps of the precision-recall curve, not under straight lines. By chance alone it is
    about the prevalence, not one half; the two belong side by side.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.

    Returns:
        Estimate with value in (0, 1], 1 where no film is negative; None with reason ``"no positive"`` or
        ``"no film"``.

    Raises:
        ValueError: for other shapes or values.

    Source: Buckley and Voorhees, Evaluating evaluation measure stability, SIGIR 2000; ties move together as in
    :func:`precision_recall_curve`.
    """
    curve = precision_recall_curve(labels, scores)
    if curve.reason:
        return Estimate(None, None, None, curve.positives, curve.negatives, None, None, curve.reason)
    value = float(np.diff(curve.recall, prepend=0.0) @ curve.precision)
    return Estimate(min(value, 1.0), None, None, curve.positives, curve.negatives, None, None, None)


def patient_bootstrap_average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Estimate | tuple[Estimate, ...]:
    """Return average precision with an interval from resampled patients.

    Arguments, reasons and draws as in :func:`.intervals.patient_bootstrap_auc`; with few positives the value
    itself tends to be too high, and the interval follows it.

    Source: as :func:`average_precision`; Field and Welsh (2007); Efron and Tibshirani (1993), chapter 13.
    """
    check_level(level)
    columns = as_columns(labels, scores)
    index_patients(patients, len(np.asarray(labels)))
    estimates = []
    for column in columns:
        counts = count_cases(column[0], patients)
        reason = why_not(counts, min_patients)
        value = None if reason else average_precision(*column).value
        estimates.append(Estimate(value, None, None, *counts, reason))
    todo = [c for c, estimate in enumerate(estimates) if estimate.value is not None]
    replicates = average_precision_replicates([columns[c] for c in todo], patients, resamples, seed)
    for c, row in zip(todo, replicates, strict=True):
        estimates[c] = with_percentiles(estimates[c], row, level)
    return estimates[0] if np.ndim(labels) == 1 else tuple(estimates)
