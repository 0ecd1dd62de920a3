"""Analytic variance of the AUC: DeLong's for independent images, Obuchowski's for images clustered by patient.

The clustered interval is the one for patients too few for the bootstrap. Its measured coverage:
``python -m benchmarks.soak.coverage``, table in docs/evaluation.md. DeLong's is a quick check beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from ..estimate import CLUSTERED, CLUSTERED_LOGIT, INDEPENDENT_IMAGES, Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions
from .cases import (
    check_labels_and_scores,
    check_level,
    count_cases,
    index_patients,
    insufficient_cases,
    missing_class,
)
from .roc import auc_value, midranks

__all__ = ["PairedTest", "clustered_auc", "clustered_test", "delong_auc", "delong_test", "placements"]

PSEUDO_PATIENTS = 0.5
"""Patients with an AUC of one half that are added to the centre of a clustered interval, not to the value.

The logit of an AUC near 1 scatters more above the truth than below it, the more so with few patients; the half
observation added to a count before its logit is taken (Haldane, Annals of Human Genetics 20 (1956) 309-311; Anscombe,
Biometrika 43 (1956) 461-464) is here half a patient. Chosen by measured coverage.
"""


@dataclass(frozen=True)
class PairedTest:
    """The AUCs of two models on the same images.

    Attributes:
        difference: the first AUC minus the second, with its interval.
        statistic: difference over its standard error; None where that is 0 or unknown.
        p_value: two-sided; None with ``reason``. It is not the probability that the models are equal.
        reason: why there is no test.
    """

    difference: Estimate
    statistic: float | None
    p_value: float | None
    reason: str | None


def placements(
    labels: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each image's placement: the proportion of the other class on the right side of it.

    Args:
        labels: (n,) bool, with both classes.
        scores: (n,) finite.

    Returns:
        (positives,) float64, the proportion of negatives below, and (negatives,) float64, the proportion of positives
        above, a tie counting one half. The mean of either is the AUC.

    References:
        Sun and Xu, Fast implementation of DeLong's algorithm, IEEE Signal Processing Letters 21 (2014) 1389-1393:
        from midranks, so sorting is all the work.

    Examples:
        >>> placements(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
        (array([0.5, 1. ]), array([1. , 0.5]))
    """
    ranks = midranks(scores)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    below = (ranks[labels] - midranks(scores[labels])) / negatives
    above = 1 - (ranks[~labels] - midranks(scores[~labels])) / positives
    return below, above


def delong_auc(labels: ArrayLike, scores: ArrayLike, level: float = 0.95, scale: str = "logit") -> Estimate:
    """Return the area under the ROC curve with DeLong's interval, images taken as independent.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        level: confidence level, in (0, 1).
        scale: ``"logit"``, which stays within (0, 1), or ``"area"``, which is cut there.

    Returns:
        Estimate. Value None with reason ``"no positive"`` and the like; a value without an interval where a class
        has one image, or where the AUC is 0 or 1 or its variance 0.

    Raises:
        ValueError: for other shapes or values.

    References:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; logit scale: Pepe, The Statistical
        Evaluation of Medical Tests (2003), section 5.2.

    Examples:
        >>> auc = delong_auc([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.7, 0.9])
        >>> [round(number, 3) for number in (auc.value, auc.low, auc.high)]
        [0.889, 0.261, 0.995]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    check_level(level)
    if scale not in ("logit", "area"):
        raise ValueError(f"A scale {scale!r}: 'logit' and 'area' are accepted.")
    counts = count_cases(labels)
    reason = missing_class(counts)
    if reason:
        return Estimate.missing(reason, counts)
    auc, variance = auc_value(labels, scores), _independent_variance(labels, [scores])
    if variance is None or _is_zero(variance) or (scale == "logit" and not 0 < auc < 1):
        return Estimate(auc, counts=counts, reason=_no_spread(variance, "image"))
    low, high = _limits(auc, variance, float(ndtri((1 + level) / 2)), scale)
    return Estimate(auc, low, high, counts, method=INDEPENDENT_IMAGES)


def clustered_auc(
    labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return the area under the ROC curve with an interval from the spread between patients, on the logit scale.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        patients: (n,) whole numbers or strings.
        options: level and min_patients are used.

    Returns:
        Estimate; without a value where a class is missing or patients are too few; without an interval where all
        images are in the right order, or all in the wrong one, or nothing varies between patients. The value is
        nearly always within the limits; they are no further from 1/2 than those around the AUC itself.

    Raises:
        ValueError: for other shapes or values.

    References:
        Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics 53 (1997) 567-578, for the
        variance; the logit scale as :func:`delong_auc`; Student's quantile with one degree less than there are
        patients of the rarer class, and a centre moved by :data:`PSEUDO_PATIENTS`, by measurement.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> patients = np.repeat(np.arange(60), 2)
        >>> labels = patients % 3 == 0
        >>> auc = clustered_auc(labels, labels + generator.normal(size=120), patients)
        >>> [round(number, 3) for number in (auc.value, auc.low, auc.high)]
        [0.78, 0.656, 0.858]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return Estimate.missing(reason, counts)
    auc, rarer = auc_value(labels, scores), counts.rarer_patients
    variance = _clustered_variance(labels, [scores], patients)
    if variance is None or _is_zero(variance) or not 0 < auc < 1:
        return Estimate(auc, counts=counts, reason=_no_spread(variance, "patient"))
    centre = (auc * rarer + PSEUDO_PATIENTS / 2) / (rarer + PSEUDO_PATIENTS)
    low, high = _limits(auc, variance, float(stdtrit(rarer - 1, options.tails[1])), centre=centre)
    return Estimate(auc, low, high, counts, method=CLUSTERED_LOGIT)


def delong_test(labels: ArrayLike, scores: ArrayLike, other_scores: ArrayLike, level: float = 0.95) -> PairedTest:
    """Compare the AUCs of two models on the same images, images taken as independent.

    Args:
        labels: (n,) bool or 0/1.
        scores, other_scores: (n,) finite each.
        level: of the interval of the difference, in (0, 1).

    Raises:
        ValueError: for other shapes or values.

    References:
        As :func:`delong_auc`.

    Examples:
        >>> labels = [0, 0, 0, 1, 1, 1]
        >>> test = delong_test(labels, [0.1, 0.2, 0.6, 0.5, 0.7, 0.9], [0.3, 0.2, 0.6, 0.5, 0.1, 0.9])
        >>> round(test.difference.value, 3), round(test.p_value, 3)
        (0.333, 0.317)
    """
    labels, scores = check_labels_and_scores(labels, scores)
    other_scores = check_labels_and_scores(labels, other_scores)[1]
    check_level(level)
    counts = count_cases(labels)
    reason = missing_class(counts)
    if reason:
        return PairedTest(Estimate.missing(reason, counts), None, None, reason)
    variance = _independent_variance(labels, [scores, other_scores])
    return _paired_test(labels, scores, other_scores, variance, counts, level)


def clustered_test(
    labels: ArrayLike,
    scores: ArrayLike,
    other_scores: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> PairedTest:
    """Compare the AUCs of two models on the same images of the same patients.

    Args:
        labels: (n,) bool or 0/1.
        scores, other_scores: (n,) finite each.
        patients: (n,) whole numbers or strings.
        options: level and min_patients are used.

    Raises:
        ValueError: for other shapes or values.

    References:
        Obuchowski (1997), as :func:`clustered_auc`; with one image of each patient it is DeLong's test but for
        Student's distribution.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(90) % 3 == 0
        >>> better, worse = labels + generator.normal(size=(2, 90)) * [[0.5], [2.0]]
        >>> round(clustered_test(labels, better, worse, np.arange(90) // 2).p_value, 3)
        0.0
    """
    labels, scores = check_labels_and_scores(labels, scores)
    other_scores = check_labels_and_scores(labels, other_scores)[1]
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return PairedTest(Estimate.missing(reason, counts), None, None, reason)
    variance = _clustered_variance(labels, [scores, other_scores], patients)
    return _paired_test(labels, scores, other_scores, variance, counts, options.level, counts.rarer_patients - 1)


def _paired_test(
    labels: NDArray[np.bool_],
    scores: NDArray[np.float64],
    other_scores: NDArray[np.float64],
    variance: float | None,
    counts: Counts,
    level: float,
    degrees: int | None = None,
) -> PairedTest:
    """Return the test from the variance of the difference: Student's with degrees of freedom, else the normal one."""
    difference = auc_value(labels, scores) - auc_value(labels, other_scores)
    if variance is None or _is_zero(variance):
        reason = _no_spread(variance, "image" if degrees is None else "patient")
        return PairedTest(Estimate(difference, counts=counts, reason=reason), None, None, reason)
    error, upper = math.sqrt(variance), (1 + level) / 2
    statistic = difference / error
    if degrees is None:
        method, quantile, tail = INDEPENDENT_IMAGES, float(ndtri(upper)), float(ndtr(-abs(statistic)))
    else:
        method, quantile, tail = CLUSTERED, float(stdtrit(degrees, upper)), float(stdtr(degrees, -abs(statistic)))
    estimate = Estimate(difference, difference - quantile * error, difference + quantile * error, counts, method=method)
    return PairedTest(estimate, statistic, 2 * tail, None)


def _is_zero(variance: float) -> bool:
    # Rounding leaves some 1e-17 times the counts where nothing varies.
    return variance <= 1e-24


def _no_spread(variance: float | None, unit: str) -> str:
    """Return why a variance gives no interval; ``unit`` is what varies, in the singular."""
    if variance is None:
        return f"no interval: only one positive or one negative {unit}"
    return f"no interval: no spread between {unit}s"


def _limits(
    auc: float, variance: float, quantile: float, scale: str = "logit", centre: float | None = None
) -> tuple[float, float]:
    """Return limits around an AUC; ``centre`` is the middle on the logit scale where it is not the AUC."""
    if scale == "area":
        half = quantile * math.sqrt(variance)
        return max(auc - half, 0.0), min(auc + half, 1.0)
    middle = float(logit(auc if centre is None else centre))
    half = quantile * math.sqrt(variance) / (auc * (1 - auc))
    return float(expit(middle - half)), float(expit(middle + half))


def _independent_variance(labels: NDArray[np.bool_], models: Sequence[NDArray[np.float64]]) -> float | None:
    """Return DeLong's variance of one AUC, or of the first minus the second; None where a class has one image."""
    below, above = (np.stack(rows) for rows in zip(*(placements(labels, s) for s in models), strict=True))
    if below.shape[1] < 2 or above.shape[1] < 2:
        return None
    covariance = sum(np.atleast_2d(np.cov(rows)) / rows.shape[1] for rows in (below, above))
    if len(models) == 1:
        return float(covariance[0, 0])
    return float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])


def _clustered_variance(
    labels: NDArray[np.bool_], models: Sequence[NDArray[np.float64]], patients: ArrayLike
) -> float | None:
    """Return Obuchowski's variance of one AUC, or of the first minus the second; None with one patient of a class."""
    number, which = index_patients(patients, len(labels))
    centred = [[rows - rows.mean() for rows in placements(labels, scores)] for scores in models]
    below, above = (first if len(centred) == 1 else first - centred[1][k] for k, first in enumerate(centred[0]))
    positive, negative = (
        np.bincount(which[rows], weights=values, minlength=number) / len(values)
        for rows, values in ((labels, below), (~labels, above))
    )
    with_positive, with_negative = (len(np.unique(which[rows])) for rows in (labels, ~labels))
    if min(with_positive, with_negative) < 2:
        return None
    return float(
        with_positive / (with_positive - 1) * (positive @ positive)
        + with_negative / (with_negative - 1) * (negative @ negative)
        + 2 * number / (number - 1) * (positive @ negative)
    )
