"""Sample size: how wide the interval of a metric is with given numbers of patients, and how many a width needs.

All take each patient as one independent observation. Several images of a patient tell more than one and less than as
many patients, so that the widths hold for studies of one image a patient. They are planning figures: the interval of
an estimate that was made from data is that of the estimate itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri

from .cases import check_level
from .proportions import wilson_limits

__all__ = [
    "auc_half_width",
    "binormal_log_odds",
    "calibration_slope_half_width",
    "patients_needed",
    "proportion_half_width",
]

MOST_PATIENTS = 10**9
"""Largest number that :func:`patients_needed` looks for."""

_NODES = 80  # of the Gauss-Hermite quadrature: more changes no digit that is shown


def auc_half_width(auc: float, positives: float, negatives: float, level: float = 0.95) -> float:
    """Return half the width of the interval of an AUC.

    With A the AUC, n and m the positive and negative patients, and k = (n + m) / 2 - 1, the variance is
    A (1 - A) [1 + k (1 - A) / (2 - A) + k A / (1 + A)] / (n m); the half-width is the normal quantile times its root.

    Args:
        auc: anticipated or observed, in (0, 1).
        positives, negatives: numbers of patients, at least 1.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: for other numbers.

    References:
        Hanley and McNeil, Radiology 143 (1982) 29-36, as modified by Newcombe, Statistics in Medicine 25 (2006)
        559-573, method 4; used for external validation by Riley et al., Statistics in Medicine 40 (2021) 4230-4251.

    Examples:
        >>> round(auc_half_width(0.8, 77, 4175), 3)  # 4,252 patients, 1.8 % positive, as in Riley et al.
        0.05
    """
    quantile = _quantile(level)
    if not 0 < auc < 1 or min(positives, negatives) < 1:
        raise ValueError(f"AUC {auc}, {positives} and {negatives} patients: an AUC in (0, 1), 1 or more are accepted.")
    others = (positives + negatives) / 2 - 1
    spread = 1 + others * ((1 - auc) / (2 - auc) + auc / (1 + auc))
    return quantile * math.sqrt(auc * (1 - auc) * spread / (positives * negatives))


def proportion_half_width(proportion: float, patients: float, level: float = 0.95) -> float:
    """Return half the width of Wilson's interval, as of a sensitivity (positive) or specificity (negative patients).

    Args:
        proportion: anticipated or observed, in [0, 1].
        patients: number of patients it is a proportion of, at least 1.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: for other numbers.

    References:
        Wilson, Journal of the American Statistical Association 22 (1927) 209-212. Riley et al., BMJ 384 (2024)
        e074821, plan with Wald's interval, which has no width at a proportion of 0 or 1.

    Examples:
        >>> round(proportion_half_width(0.8, 245), 3)
        0.05
    """
    quantile = _quantile(level)
    if not 0 <= proportion <= 1 or patients < 1:
        raise ValueError(f"{proportion} of {patients} patients: a proportion in [0, 1] of 1 or more is accepted.")
    low, high = wilson_limits(proportion, patients, quantile)
    return (high - low) / 2


def calibration_slope_half_width(
    log_odds: ArrayLike, patients: float, weights: ArrayLike | None = None, level: float = 0.95
) -> float:
    """Return half the width of the interval of the calibration slope of a calibrated model (slope 1, intercept 0).

    With p the probability at log-odds x, the Fisher information of intercept and slope per patient is I_a = mean of
    p (1 - p), I_b = mean of x^2 p (1 - p), I_ab = mean of x p (1 - p); the squared standard error of the slope is
    I_a / (N (I_a I_b - I_ab^2)).

    Args:
        log_odds: (n,) finite; the model's log-odds of patients like those of the study.
        patients: their number N in the study, positive and negative together, at least 1.
        weights: (n,) not negative, how often each log-odds occurs; equal by default.
        level: confidence level, in (0, 1).

    Returns:
        Half-width; infinite where the log-odds do not vary.

    Raises:
        ValueError: for other shapes or values.

    References:
        Riley et al., Statistics in Medicine 40 (2021) 4230-4251, criterion for the calibration slope.

    Examples:
        >>> log_odds = np.random.default_rng(0).normal(-5, 2.5, 100_000)
        >>> round(calibration_slope_half_width(log_odds, 4544), 2)  # as in Riley et al.
        0.1
    """
    quantile = _quantile(level)
    x = np.asarray(log_odds, dtype=np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 1 or not x.size or w.shape != x.shape or not np.isfinite(x).all() or w.min() < 0 or patients < 1:
        raise ValueError("Log-odds: (n,) finite, weights of the same shape, and 1 patient or more are accepted.")
    p = expit(x)
    information = w / w.sum() * p * (1 - p)
    total, mean = float(information.sum()), float(information @ x)
    squares = float(information @ (x - mean / total) ** 2)  # I_b - I_ab^2 / I_a, without its cancellation
    # rounding of the mean leaves a square of this order where the log-odds do not vary
    if squares <= 1e-24 * total * max(1.0, float(np.abs(x).max())) ** 2:
        return math.inf
    return quantile / math.sqrt(patients * squares)


def binormal_log_odds(auc: float, prevalence: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log-odds of a calibrated model with a given AUC, as (values, weights), each (160,) float64.

    Scores of positive and of negative patients are normal with the same variance. With d = sqrt(2) times the normal
    quantile of the AUC, the log-odds then are normal in each class with standard deviation d and means
    logit(prevalence) + d^2 / 2 and - d^2 / 2.

    Args:
        auc: in (0.5, 1).
        prevalence: proportion of positive patients, in (0, 1).

    Raises:
        ValueError: for other numbers.

    References:
        Green and Swets, Signal Detection Theory and Psychophysics (1966); as the option ``lpcstat`` of R's
        pmvalsampsize, which draws at random; here by Gauss-Hermite quadrature.

    Examples:
        >>> values, weights = binormal_log_odds(0.75, 0.2)
        >>> round(float(weights @ expit(values)), 6)  # calibrated: the mean probability is the prevalence
        0.2
    """
    if not 0.5 < auc < 1 or not 0 < prevalence < 1:
        raise ValueError(f"AUC {auc}, prevalence {prevalence}: in (0.5, 1) and (0, 1) are accepted.")
    distance = math.sqrt(2) * float(ndtri(auc))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    middle = float(logit(prevalence))
    values = [middle + sign * distance**2 / 2 + distance * nodes for sign in (-1, 1)]
    return np.concatenate(values), np.concatenate([(1 - prevalence) * weights, prevalence * weights])


def patients_needed(half_width: Callable[[int], float], wanted: float) -> int | None:
    """Return the smallest number of patients at which an interval is at most as wide as wanted.

    Args:
        half_width: of a number of patients; must not grow with it.
        wanted: half-width, above 0.

    Returns:
        The number; None where a thousand million patients are not enough.

    Examples:
        >>> patients_needed(lambda n: proportion_half_width(0.9, n), 0.05)
        141
    """
    if not wanted > 0:
        raise ValueError(f"A half-width of {wanted}: a number above 0 is accepted.")
    enough = 1
    while half_width(enough) > wanted:
        enough *= 2
        if enough > MOST_PATIENTS:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if half_width(middle) <= wanted else (middle, enough)
    return enough


def _quantile(level: float) -> float:
    check_level(level)
    return float(ndtri((1 + level) / 2))
