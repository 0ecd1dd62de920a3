"""One number for many classes: micro, macro and weighted means of AUC and of average precision.

A mean hides its classes, and it changes with which of them have enough cases: those it rests on are named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import PATIENT_BOOTSTRAP, Estimate
from .intervals import as_columns, count_cases, why_not
from .precision_recall import average_precision
from .ranking import roc_auc
from .replicates import auc_replicates, average_precision_replicates, patient_sums, sum_replicates
from .resampling import check_level, index_patients, percentile_interval

__all__ = ["ClassMeans", "mean_auc", "mean_average_precision"]


@dataclass(frozen=True)
class ClassMeans:
    """Means over the classes that have enough cases.

    Counts of the three are of pairs of a film and a class; patients are those with any.

    Attributes:
        micro: all pairs of a film and a class in one ranking. It compares the score of one class with that
            of another, and common classes rule it. None where it was not asked for.
        macro: the plain mean: each class weighs the same, so rare ones bring most of the noise.
        weighted: the mean weighted by the number of positive films.
        classes: the columns that are in it, in order; the same for the value and for every resample.
        left_out: (column, reason) of the others.
    """

    micro: Estimate | None
    macro: Estimate
    weighted: Estimate
    classes: tuple[int, ...]
    left_out: tuple[tuple[int, str], ...]


def mean_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    known: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    micro: bool = True,
) -> ClassMeans:
    """Return means of the areas under the ROC curves with intervals from resampled patients.

    All classes see the same resamples, so what they share between patients is in the interval.

    Args:
        labels: (n, classes) bool or 0/1.
        scores: (n, classes) finite.
        patients: (n,) of whole numbers or strings.
        known: (n, classes) bool, False where nothing is known of a class on a film, which is then left out of
            that class; None is everywhere.
        resamples, seed, level: as in :func:`.intervals.patient_bootstrap_auc`.
        min_patients: positive patients and negative patients below which a class is left out.
        micro: whether the one ranking of all pairs is wanted; it costs more than the others together.

    Returns:
        ClassMeans; without values, and with reason ``"no class with enough cases"``, where all are left out.

    Raises:
        ValueError: for other shapes or values.

    Source: Hanley and McNeil (1982) as :func:`.ranking.roc_auc`; the three means as in Sokolova and Lapalme,
    Information Processing and Management 45 (2009) 427-437; Field and Welsh (2007).
    """
    options = known, resamples, seed, level, min_patients, micro
    return _means(roc_auc, auc_replicates, labels, scores, patients, *options)


def mean_average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    known: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    micro: bool = True,
) -> ClassMeans:
    """Return means of average precision with intervals from resampled patients, as :func:`mean_auc`.

    Source: as :func:`.precision_recall.average_precision` and :func:`mean_auc`.
    """
    options = known, resamples, seed, level, min_patients, micro
    return _means(average_precision, average_precision_replicates, labels, scores, patients, *options)


def _means(
    statistic: Callable[..., Estimate],
    replicates_of: Callable[..., NDArray[np.float64]],
    labels,
    scores,
    patients,
    known,
    resamples,
    seed,
    level,
    min_patients,
    with_micro,
) -> ClassMeans:
    check_level(level)
    if np.ndim(labels) != 2:
        raise ValueError(f"Labels of shape {np.shape(labels)}: (n, classes) is accepted.")
    columns = as_columns(labels, scores)
    patients, films = np.asarray(patients), len(np.asarray(labels))
    number, which = index_patients(patients, films)
    known = np.ones((films, len(columns)), dtype=bool) if known is None else np.asarray(known)
    if known.dtype != bool or known.shape != (films, len(columns)):
        raise ValueError(f"Known of shape {known.shape}, {known.dtype}: bool for each film and class is accepted.")
    used, left_out = [], []
    for c, (truth, score) in enumerate(columns):
        rows = np.flatnonzero(known[:, c])
        reason = why_not(count_cases(truth[rows], patients[rows]), min_patients)
        if reason:
            left_out.append((c, reason))
        else:
            used.append((c, truth[rows], score[rows], rows))
    if not used:
        none = Estimate(None, None, None, 0, 0, 0, 0, "no class with enough cases")
        return ClassMeans(none if with_micro else None, none, none, (), tuple(left_out))
    classes = tuple(c for c, *_ in used)
    pairs = tuple(np.concatenate(part) for part in zip(*(column for _, *column in used), strict=True))
    counts = count_cases(pairs[0], patients[pairs[2]])
    positives = np.array([truth.sum() for _, truth, *_ in used], dtype=np.float64)
    values = np.array([statistic(*column[:2]).value for _, *column in used])
    replicates = replicates_of([tuple(column) for _, *column in used], patients, resamples, seed)
    in_draws = sum_replicates(
        np.concatenate([patient_sums(truth, which[rows], number) for _, truth, _, rows in used]), resamples, seed
    )
    total = in_draws.sum(axis=0)
    weighted = np.divide((in_draws * replicates).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
    micro = None
    if with_micro:
        draws = replicates_of([pairs], patients, resamples, seed)[0]
        micro = _estimate(statistic(*pairs[:2]).value, draws, counts, level)
    return ClassMeans(
        micro,
        _estimate(values.mean(), replicates.mean(axis=0), counts, level),
        _estimate(positives @ values / positives.sum(), weighted, counts, level),
        classes,
        tuple(left_out),
    )


def _estimate(value: float, replicates: NDArray[np.float64], counts: tuple[int, int, int, int], level) -> Estimate:
    low, high, reason = percentile_interval(replicates, level)
    if reason == "too few cases":
        reason = "no interval: more than 5 % of resamples lack a class"
    return Estimate(float(value), low, high, *counts, reason, None if reason else PATIENT_BOOTSTRAP)
