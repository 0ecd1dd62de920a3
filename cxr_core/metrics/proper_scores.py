"""How far probabilities are from outcomes: Brier score and log loss, and their difference on the same films.

Both are losses: lower is better. Both hold calibration and discrimination together, and both depend on
how common the label is, so values of different films do not compare.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .intervals import count_cases, why_not
from .ranking import check_labels_and_scores
from .shares import patient_mean

__all__ = [
    "brier_difference",
    "brier_loss",
    "log_loss",
    "log_loss_difference",
]


def brier_loss(labels: ArrayLike, probabilities: ArrayLike, patients: ArrayLike, **options) -> Estimate:
    """Return the mean squared difference of probability and outcome, in [0, 1].

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients, options: as in :func:`.shares.patient_mean`.

    Raises:
        ValueError: for other shapes or values.

    Source: Brier, Monthly Weather Review 78 (1950) 1-3, in the form for two outcomes.
    """
    return _mean(_squared(labels, probabilities), labels, patients, 0, 1, **options)


def log_loss(labels: ArrayLike, probabilities: ArrayLike, patients: ArrayLike, **options) -> Estimate:
    """Return the mean negative log-likelihood of the outcome, in nats.

    Probabilities are held away from 0 and 1 by the spacing of float64 there, 2.2e-16, so one film that
    was certain and wrong costs 36 and not infinity.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients, options: as in :func:`.shares.patient_mean`.

    Raises:
        ValueError: for other shapes or values.

    Source: Good, Rational decisions, Journal of the Royal Statistical Society B 14 (1952) 107-114.
    """
    return _mean(_surprise(labels, probabilities), labels, patients, 0, math.inf, **options)


def brier_difference(
    labels: ArrayLike, after: ArrayLike, before: ArrayLike, patients: ArrayLike, **options
) -> Estimate:
    """Return the Brier score of ``after`` minus that of ``before`` on the same films: under 0 is better.

    The interval is of the difference, every resample holding both; intervals of the two that overlap say
    nothing. Arguments as in :func:`brier_loss`.
    """
    return _mean(_squared(labels, after) - _squared(labels, before), labels, patients, -1, 1, **options)


def log_loss_difference(
    labels: ArrayLike, after: ArrayLike, before: ArrayLike, patients: ArrayLike, **options
) -> Estimate:
    """Return the log loss of ``after`` minus that of ``before`` on the same films, as :func:`brier_difference`."""
    difference = _surprise(labels, after) - _surprise(labels, before)
    return _mean(difference, labels, patients, -math.inf, math.inf, **options)


def _mean(
    values: NDArray[np.float64],
    labels: ArrayLike,
    patients: ArrayLike,
    lowest: float,
    highest: float,
    *,
    min_patients: int = 10,
    **options,
) -> Estimate:
    """Return the mean of a loss, counted by label: both kinds must be there."""
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason is not None:
        return Estimate(None, None, None, *counts, reason)
    limits = {"lowest": lowest, "highest": highest}
    return patient_mean(values, patients, min_patients=min_patients, counts=counts, **limits, **options)


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
