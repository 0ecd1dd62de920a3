"""Brier score and log loss of probabilities, and their difference on the same images.

Both are losses: lower is better. Both measure calibration and discrimination together, and both depend on the
prevalence, so values of different images do not compare.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...estimate import Estimate
from ..bootstrap import DEFAULTS, BootstrapOptions
from ..cases import check_probabilities, count_cases, insufficient_cases
from ..proportions import patient_mean

__all__ = ["brier_difference", "brier_loss", "log_loss", "log_loss_difference"]


def brier_loss(
    labels: ArrayLike, probabilities: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return the Brier score: the mean squared difference of probability and outcome, in [0, 1]; lower is better.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients: (n,) whole numbers or strings.
        options: of the interval, as in :func:`.proportions.patient_mean`; both classes must be present.

    Raises:
        ValueError: for other shapes or values.

    References:
        Brier, Monthly Weather Review 78 (1950) 1-3, in the form for two outcomes.

    Examples:
        >>> labels = np.arange(40) % 4 == 0
        >>> round(brier_loss(labels, 0.1 + 0.6 * labels, np.arange(40)).value, 4)
        0.03
    """
    return _mean(_squared(labels, probabilities), labels, patients, 0, 1, options)


def log_loss(
    labels: ArrayLike, probabilities: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return the mean negative log-likelihood of the outcome, in nats; lower is better.

    Probabilities are clipped to 2.2e-16 from 0 and 1, the spacing of float64 there, so one image that was certain
    and wrong costs 36 and not infinity.

    Args:
        labels, probabilities, patients, options: as in :func:`brier_loss`, which raises as this does.

    References:
        Good, Rational decisions, Journal of the Royal Statistical Society B 14 (1952) 107-114.

    Examples:
        >>> labels = np.arange(40) % 4 == 0
        >>> round(log_loss(labels, 0.1 + 0.6 * labels, np.arange(40)).value, 4)
        0.1682
    """
    return _mean(_negative_log_likelihood(labels, probabilities), labels, patients, 0, math.inf, options)


def brier_difference(
    labels: ArrayLike,
    after: ArrayLike,
    before: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> Estimate:
    """Return the Brier score of ``after`` minus that of ``before`` on the same images: below 0 is better.

    The interval is of the difference, every resample holding both; whether intervals of the two overlap says nothing.

    Args:
        labels: (n,) bool or 0/1.
        after, before: (n,) in [0, 1].
        patients, options: as in :func:`brier_loss`.

    Examples:
        >>> labels = np.arange(40) % 4 == 0
        >>> round(brier_difference(labels, 0.1 + 0.6 * labels, np.full(40, 0.25), np.arange(40)).value, 4)
        -0.1575
    """
    return _mean(_squared(labels, after) - _squared(labels, before), labels, patients, -1, 1, options)


def log_loss_difference(
    labels: ArrayLike,
    after: ArrayLike,
    before: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> Estimate:
    """Return the log loss of ``after`` minus that of ``before`` on the same images: below 0 is better.

    Args:
        labels, after, before, patients, options: as in :func:`brier_difference`.

    Examples:
        >>> labels = np.arange(40) % 4 == 0
        >>> round(log_loss_difference(labels, 0.1 + 0.6 * labels, np.full(40, 0.25), np.arange(40)).value, 4)
        -0.3941
    """
    difference = _negative_log_likelihood(labels, after) - _negative_log_likelihood(labels, before)
    return _mean(difference, labels, patients, -math.inf, math.inf, options)


def _mean(
    values: NDArray[np.float64],
    labels: ArrayLike,
    patients: ArrayLike,
    lowest: float,
    highest: float,
    options: BootstrapOptions,
) -> Estimate:
    """Return the mean of a loss, counted by label: both classes must be present."""
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason is not None:
        return Estimate.missing(reason, counts)
    return patient_mean(values, patients, options, lowest=lowest, highest=highest, counts=counts)


def _squared(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    labels, probabilities = check_probabilities(labels, probabilities)
    return (probabilities - labels) ** 2


def _negative_log_likelihood(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    labels, probabilities = check_probabilities(labels, probabilities)
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, tiny, 1 - tiny)
    return -np.where(labels, np.log(clipped), np.log1p(-clipped))
