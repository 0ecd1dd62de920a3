"""The area under the ROC curve where patients have several films: DeLong's parts, summed for each patient.

This is the interval where patients are too few for percentiles of the bootstrap. What it holds and what it does
not hold of the truth is measured: ``python -m tests.soak.coverage``, table in docs/evaluation.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from .delong import PairedTest, area_limits, no_spread, placements
from .estimate import CLUSTERED, CLUSTERED_LOGIT, Estimate
from .intervals import BOOTSTRAP_FROM, as_columns, count_cases, why_not, with_percentiles
from .ranking import check_labels_and_scores, roc_auc
from .replicates import auc_replicates
from .resampling import check_level, index_patients

__all__ = ["auc_of_columns", "auc_with_interval", "clustered_auc", "clustered_test"]

PSEUDO_PATIENTS = 0.5
"""So many patients of no worth (an area of one half) move the middle of the interval of an area, not the area.

The logit of an area near 1 scatters more above the truth than below it, the more so with few patients; the half
observation added to a count before its logit is taken (Haldane, Annals of Human Genetics 20 (1956) 309-311;
Anscombe, Biometrika 43 (1956) 461-464) is here half a patient. Chosen by measured coverage.
"""


def auc_with_interval(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> Estimate | tuple[Estimate, ...]:
    """Return the area under the ROC curve with the interval that holds the truth as often as it says.

    Percentiles of resampled patients where there are ``bootstrap_from`` positive and as many negative
    patients; below, :func:`clustered_auc`. The Estimate names its method.

    Args:
        labels: (n,) or (n, classes) bool or 0/1.
        scores: of the same shape, finite; higher means more likely positive.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`.
        bootstrap_from: positive patients and negative patients.

    Returns:
        An Estimate, or a tuple of one for each class, with the reasons of
        :func:`.intervals.patient_bootstrap_auc` and of :func:`clustered_auc`.

    Raises:
        ValueError: for other shapes or values.

    Source: as the two.
    """
    columns = as_columns(labels, scores)
    everyone = np.arange(len(np.asarray(labels)))
    estimates = auc_of_columns(
        [(*column, everyone) for column in columns],
        patients,
        resamples,
        seed,
        level,
        min_patients,
        bootstrap_from,
    )
    return estimates[0] if np.ndim(labels) == 1 else estimates


def auc_of_columns(
    columns: Sequence[tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]],
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> tuple[Estimate, ...]:
    """Return :func:`auc_with_interval` of each of several classes or groups of films, all from the same resamples.

    Args:
        columns: labels (m,) bool, scores (m,) and the rows (m,) of ``patients`` that they are of.
        patients: (n,) of whole numbers or strings. Of all of them, so a group has not the same number of
            patients in every resample, as it would not have with other patients.
        resamples, seed, level, min_patients, bootstrap_from: as in :func:`auc_with_interval`.

    Raises:
        ValueError: for other shapes or values.
    """
    check_level(level)
    patients = index_patients(patients, len(np.asarray(patients)))[1]
    estimates, todo = [], []
    for labels, scores, rows in columns:
        counts = count_cases(labels, patients[rows])
        if min(counts[2:]) < bootstrap_from or why_not(counts, min_patients):
            estimates.append(clustered_auc(labels, scores, patients[rows], level, min_patients))
            continue
        todo.append(len(estimates))
        estimates.append(Estimate(roc_auc(labels, scores).value, None, None, *counts, None))
    replicates = auc_replicates([columns[k] for k in todo], patients, resamples, seed)
    for k, row in zip(todo, replicates, strict=True):
        estimates[k] = with_percentiles(estimates[k], row, level)
    return tuple(estimates)


def clustered_auc(
    labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, level: float = 0.95, min_patients: int = 10
) -> Estimate:
    """Return the area under the ROC curve with an interval from the spread between patients, on the logit scale.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        patients: (n,) of whole numbers or strings.
        level: of the interval, in (0, 1).
        min_patients: positive patients and negative patients below which there is no value.

    Returns:
        Estimate; value None with reason ``"no positive"`` and the like or ``"too few cases: 3 positive, 90
        negative patients"``; a value without interval where all films are in the right order, or all in the
        wrong one, or nothing varies between patients. The value is nearly always within the limits; they
        are no further from 1/2 than those about the area itself.

    Raises:
        ValueError: for other shapes or values.

    Source: Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics 53 (1997) 567-578, for
    the variance; the logit scale as :func:`.delong.delong_auc`; Student's quantile with one degree less than
    there are patients of the rarer kind, and a middle moved by :data:`PSEUDO_PATIENTS`, by measurement.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    check_level(level)
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        return Estimate(None, None, None, *counts, reason)
    area, rarer = roc_auc(labels, scores).value, min(counts[2:])
    variance = _variance(labels, [scores], patients)
    reason = no_spread(variance, area, unit="patient")
    if reason:
        return Estimate(area, None, None, *counts, reason)
    centre = (area * rarer + PSEUDO_PATIENTS / 2) / (rarer + PSEUDO_PATIENTS)
    low, high = area_limits(area, variance, float(stdtrit(rarer - 1, (1 + level) / 2)), centre=centre)
    return Estimate(area, low, high, *counts, None, CLUSTERED_LOGIT)


def clustered_test(
    labels: ArrayLike,
    scores: ArrayLike,
    others: ArrayLike,
    patients: ArrayLike,
    level: float = 0.95,
    min_patients: int = 10,
) -> PairedTest:
    """Compare the areas of two models on the same films of the same patients.

    Args:
        labels: (n,) bool or 0/1.
        scores, others: (n,) finite each.
        patients: (n,) of whole numbers or strings.
        level, min_patients: as in :func:`clustered_auc`.

    Raises:
        ValueError: for other shapes or values.

    Source: Obuchowski (1997), as :func:`clustered_auc`; with one film of each patient it is DeLong's test but
    for Student's distribution.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    others = check_labels_and_scores(labels, others)[1]
    check_level(level)
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        return PairedTest(Estimate(None, None, None, *counts, reason), None, None, reason)
    difference = roc_auc(labels, scores).value - roc_auc(labels, others).value
    variance = _variance(labels, [scores, others], patients)
    reason = no_spread(variance, unit="patient")
    if reason:
        return PairedTest(Estimate(difference, None, None, *counts, reason), None, None, reason)
    degrees = min(counts[2:]) - 1
    error, quantile = math.sqrt(variance), float(stdtrit(degrees, (1 + level) / 2))
    estimate = Estimate(
        difference, difference - quantile * error, difference + quantile * error, *counts, None, CLUSTERED
    )
    statistic = difference / error
    return PairedTest(estimate, statistic, float(2 * stdtr(degrees, -abs(statistic))), None)


def _variance(labels: NDArray[np.bool_], models: list[NDArray[np.float64]], patients: ArrayLike) -> float | None:
    """Return Obuchowski's variance of one area, or of the first less the second; None with one patient of a kind."""
    number, which = index_patients(patients, len(labels))
    parts = [[part - part.mean() for part in placements(labels, scores)] for scores in models]
    below, above = (first if len(parts) == 1 else first - parts[1][k] for k, first in enumerate(parts[0]))
    positive, negative = (
        np.bincount(which[kind], weights=part, minlength=number) / len(part)
        for kind, part in ((labels, below), (~labels, above))
    )
    with_positive, with_negative = (len(np.unique(which[kind])) for kind in (labels, ~labels))
    if min(with_positive, with_negative) < 2:
        return None
    return float(
        with_positive / (with_positive - 1) * (positive @ positive)
        + with_negative / (with_negative - 1) * (negative @ negative)
        + 2 * number / (number - 1) * (positive @ negative)
    )
