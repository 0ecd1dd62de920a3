"""How sure a number is: the bootstrap over patients, and what it needs of cases."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import PATIENT_BOOTSTRAP, Estimate
from .ranking import check_labels_and_scores, missing_class, roc_auc
from .replicates import auc_replicates
from .resampling import check_level, index_patients, multiplicities, percentile_interval

__all__ = [
    "BOOTSTRAP_FROM",
    "as_columns",
    "check_labels",
    "count_cases",
    "count_patients",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "too_few",
    "why_not",
    "with_percentiles",
]

BOOTSTRAP_FROM = 200
"""Patients of the rarer kind from which percentiles of resampled patients hold the truth as often as they say.

Below, a clustered interval is used where there is one: measured by ``python -m tests.soak.coverage``, table in
docs/evaluation.md.
"""


def count_patients(labels: ArrayLike, patients: ArrayLike) -> tuple[int, int]:
    """Return the number of patients with any positive film, and with any negative film.

    One patient may be both, so the two can add up to more than there are patients.

    Args:
        labels: (n,) bool or 0/1.
        patients: (n,) of whole numbers or strings.

    Raises:
        ValueError: for other shapes or values.
    """
    labels = check_labels(labels)
    number, which = index_patients(patients, len(labels))
    positive, negative = (
        int(np.bincount(which[kind], minlength=number).astype(bool).sum()) for kind in (labels, ~labels)
    )
    return positive, negative


def count_cases(labels: ArrayLike, patients: ArrayLike) -> tuple[int, int, int, int]:
    """Return positive and negative films, and patients with any of them: the counts of an Estimate."""
    labels = check_labels(labels)
    return int(labels.sum()), int((~labels).sum()), *count_patients(labels, patients)


def why_not(counts: tuple[int, int, int, int], min_patients: int) -> str | None:
    """Return why nothing is said of so few cases, or None: a class is missing, or patients are too few."""
    return missing_class(*counts[:2]) or (too_few(*counts[2:]) if min(counts[2:]) < min_patients else None)


def patient_bootstrap_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Estimate | tuple[Estimate, ...]:
    """Return the area under the ROC curve with an interval from resampled patients.

    The interval is the error of drawing these patients and not others like them. It holds no error of
    the labels, of a choice made on the same films, or of another hospital.

    All classes see the same resamples.

    Args:
        labels: (n,) or (n, classes) bool or 0/1.
        scores: of the same shape, finite; higher means more likely positive.
        patients: (n,) of whole numbers or strings.
        resamples: how many times as many patients as there are get drawn with replacement.
        seed: of the draws; the same input and seed give the same interval.
        level: of the interval, in (0, 1).
        min_patients: positive patients and negative patients below which there is no value.

    Returns:
        An Estimate, or a tuple of one for each class. The value is None with reason ``"no positive"``
        and the like where a class is missing; ``"too few cases: 3 positive, 90 negative patients"``
        below ``min_patients`` or where more than 5 % of resamples lack a class. A value without an
        interval has the reason that every resample gives the same value, as where no positive and
        negative are in the wrong order.

    Raises:
        ValueError: for other shapes or values.

    Source: Hanley and McNeil (1982), as :func:`.ranking.roc_auc`; Field and Welsh (2007) for the draws;
    Efron and Tibshirani (1993), chapter 13, for the percentiles.
    """
    check_level(level)
    columns = as_columns(labels, scores)
    estimates = []
    for column in columns:
        counts = count_cases(column[0], patients)
        reason = why_not(counts, min_patients)
        estimates.append(Estimate(None if reason else roc_auc(*column).value, None, None, *counts, reason))
    todo = [c for c, estimate in enumerate(estimates) if estimate.value is not None]
    replicates = auc_replicates([columns[c] for c in todo], patients, resamples, seed)
    for c, row in zip(todo, replicates, strict=True):
        estimates[c] = with_percentiles(estimates[c], row, level)
    return estimates[0] if np.ndim(labels) == 1 else tuple(estimates)


def patient_bootstrap(
    statistic: Callable[..., float | Estimate | None],
    labels: ArrayLike,
    *arrays: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Estimate:
    """Return any statistic with an interval from resampled patients, one call for each resample.

    Args:
        statistic: called with labels and arrays of the same films, some of them more than once, in the
            order given; returns a finite number, an Estimate whose value is taken, or None (or NaN) where
            it is undefined.
        labels: (n,) bool or 0/1.
        arrays: each (n, ...), such as scores.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, min_patients: as in :func:`patient_bootstrap_auc`, with the same draws.

    Returns:
        An Estimate, with the reasons of :func:`patient_bootstrap_auc`; ``"undefined on these films"``
        where the statistic itself is None and gives no reason.

    Raises:
        ValueError: for other shapes or values.

    Source: Field and Welsh (2007); Efron and Tibshirani (1993), chapter 13.
    """
    labels, arrays = check_labels(labels), tuple(np.asarray(array) for array in arrays)
    check_level(level)
    for array in arrays:
        if array.shape[:1] != labels.shape:
            raise ValueError(f"An array of shape {array.shape}: one row for each of {len(labels)} films is accepted.")
    number, which = index_patients(patients, len(labels))
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason is None:
        answer = statistic(labels, *arrays)
        reason = answer.reason if isinstance(answer, Estimate) and answer.value is None else None
        value = _number(answer)
        reason = reason or ("undefined on these films" if math.isnan(value) else None)
    if reason is not None:
        return Estimate(None, None, None, *counts, reason)
    replicates = []
    for drawn in multiplicities(number, resamples, seed):
        for times in drawn.T.astype(np.intp):
            films = np.repeat(np.arange(len(labels)), times[which])
            replicates.append(_number(statistic(labels[films], *(array[films] for array in arrays))))
    return with_percentiles(Estimate(value, None, None, *counts, None), np.array(replicates), level)


def with_percentiles(estimate: Estimate, replicates: NDArray[np.float64], level: float) -> Estimate:
    """Return the estimate with the percentiles of its replicates, or without a value where too many have none."""
    low, high, reason = percentile_interval(replicates, level)
    counts = (estimate.positives, estimate.negatives, estimate.positive_patients, estimate.negative_patients)
    if reason == "too few cases":
        return Estimate(None, None, None, *counts, too_few(*counts[2:]))
    return Estimate(estimate.value, low, high, *counts, reason, None if reason else PATIENT_BOOTSTRAP)


def too_few(positive_patients: int, negative_patients: int) -> str:
    """Return the reason for which nothing is said of so few patients."""
    return f"too few cases: {positive_patients} positive, {negative_patients} negative patients"


def _number(answer: float | Estimate | None) -> float:
    value = answer.value if isinstance(answer, Estimate) else answer
    return math.nan if value is None else float(value)


def as_columns(labels: ArrayLike, scores: ArrayLike) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Return labels and scores of each class, from (n,) or (n, classes) of each.

    Raises:
        ValueError: for other shapes or values.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim not in (1, 2) or labels.shape != scores.shape:
        raise ValueError(
            f"Labels of shape {labels.shape} and scores of shape {scores.shape}: "
            "two arrays of the same shape (n,) or (n, classes) are accepted."
        )
    columns = [(labels, scores)] if labels.ndim == 1 else list(zip(labels.T, scores.T, strict=True))
    return [check_labels_and_scores(*column) for column in columns]


def check_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Return labels as (n,) bool; ValueError for others."""
    return check_labels_and_scores(labels, np.zeros(np.shape(labels)))[0]
