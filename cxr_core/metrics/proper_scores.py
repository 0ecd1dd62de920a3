"""How far probabilities are from outcomes: Brier score and log loss, and their difference on the same films.

Both are losses: lower is better. Both hold calibration and discrimination together, and both depend on
how common the label is, so values of different films do not compare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import PATIENT_BOOTSTRAP, Estimate
from .intervals import count_patients
from .ranking import check_labels_and_scores, missing_class
from .replicates import patient_sums, sum_replicates
from .resampling import check_level, index_patients, percentile_interval

__all__ = [
    "brier_difference",
    "brier_loss",
    "log_loss",
    "log_loss_difference",
    "patient_bootstrap_mean",
]


def brier_loss(labels: ArrayLike, probabilities: ArrayLike, patients: ArrayLike, **options) -> Estimate:
    """Return the mean squared difference of probability and outcome, in [0, 1].

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients, options: as in :func:`patient_bootstrap_mean`.

    Raises:
        ValueError: for other shapes or values.

    Source: Brier, Monthly Weather Review 78 (1950) 1-3, in the form for two outcomes.
    """
    return patient_bootstrap_mean(_squared(labels, probabilities), labels, patients, **options)


def log_loss(labels: ArrayLike, probabilities: ArrayLike, patients: ArrayLike, **options) -> Estimate:
    """Return the mean negative log-likelihood of the outcome, in nats.

    Probabilities are held away from 0 and 1 by the spacing of float64 there, 2.2e-16, so one film that
    was certain and wrong costs 36 and not infinity.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients, options: as in :func:`patient_bootstrap_mean`.

    Raises:
        ValueError: for other shapes or values.

    Source: Good, Rational decisions, Journal of the Royal Statistical Society B 14 (1952) 107-114.
    """
    return patient_bootstrap_mean(_surprise(labels, probabilities), labels, patients, **options)


def brier_difference(
    labels: ArrayLike, after: ArrayLike, before: ArrayLike, patients: ArrayLike, **options
) -> Estimate:
    """Return the Brier score of ``after`` minus that of ``before`` on the same films: under 0 is better.

    The interval is of the difference, every resample holding both; intervals of the two that overlap say
    nothing. Arguments as in :func:`brier_loss`.
    """
    return patient_bootstrap_mean(_squared(labels, after) - _squared(labels, before), labels, patients, **options)


def log_loss_difference(
    labels: ArrayLike, after: ArrayLike, before: ArrayLike, patients: ArrayLike, **options
) -> Estimate:
    """Return the log loss of ``after`` minus that of ``before`` on the same films, as :func:`brier_difference`."""
    return patient_bootstrap_mean(_surprise(labels, after) - _surprise(labels, before), labels, patients, **options)


def patient_bootstrap_mean(
    values: ArrayLike,
    labels: ArrayLike | None,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Estimate:
    """Return the mean of a number over films, with an interval from resampled patients.

    A mean over films, not over patients: a patient with many films weighs more.

    Args:
        values: (n,) finite, one number a film.
        labels: (n,) bool or 0/1; counted in the estimate, and both kinds must be there. None for a number that
            has nothing to do with a label: all films are then counted as positive.
        patients, resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`.

    Raises:
        ValueError: for other shapes or values.

    Source: Field and Welsh (2007); Efron and Tibshirani (1993), chapter 13: a ratio of sums over patients.
    """
    everyone = labels is None
    labels, values = check_labels_and_scores(np.ones(np.shape(values), bool) if everyone else labels, values)
    check_level(level)
    counts = (int(labels.sum()), int((~labels).sum()), *count_patients(labels, patients))
    if everyone:
        reason = f"too few cases: {counts[2]} patients" if counts[2] < min_patients else None
    else:
        reason = missing_class(*counts[:2])
        if reason is None and min(counts[2:]) < min_patients:
            reason = f"too few cases: {counts[2]} positive, {counts[3]} negative patients"
    if reason is not None:
        return Estimate(None, None, None, *counts, reason)
    number, which = index_patients(patients, len(labels))
    # every patient has a film, so no resample is without
    done, of = sum_replicates(patient_sums(np.stack([values, np.ones(len(values))]), which, number), resamples, seed)
    low, high, why = percentile_interval(done / of, level)
    return Estimate(float(values.mean()), low, high, *counts, why, None if why else PATIENT_BOOTSTRAP)


def _squared(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    labels, probabilities = _check(labels, probabilities)
    return (probabilities - labels) ** 2


def _surprise(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    labels, probabilities = _check(labels, probabilities)
    tiny = np.finfo(np.float64).eps
    kept = np.clip(probabilities, tiny, 1 - tiny)
    return -np.where(labels, np.log(kept), np.log1p(-kept))


def _check(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, probabilities = check_labels_and_scores(labels, probabilities)
    if len(probabilities) and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError("Probabilities beyond 0 and 1 were found.")
    return labels, probabilities
