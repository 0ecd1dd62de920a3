"""DeLong's variance of the area under the ROC curve, for one model or several on the same films.

A quick check beside the bootstrap over patients. It takes films as independent; :mod:`.clustered` has the form
for patients with several films.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri
from scipy.stats import rankdata

from .estimate import BY_FILM, Estimate
from .ranking import check_labels_and_scores, missing_class, roc_auc
from .resampling import check_level

__all__ = ["PairedTest", "delong_auc", "delong_test", "placements"]


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same films.

    Attributes:
        difference: of the areas, the first less the second, with its interval.
        statistic: difference over its standard error; None where that is 0 or unknown.
        p_value: two-sided, of a difference as large as this or larger where there is none; None with
            ``reason``. It is not the chance that the models are equal.
        reason: why there is no test.
    """

    difference: Estimate
    statistic: float | None
    p_value: float | None
    reason: str | None


def placements(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Return each film's part of the area: the share of the other class on the right side of it.

    Args:
        labels: (n,) bool, with both kinds.
        scores: (n,) finite.

    Returns:
        (positives,) float64, the share of negatives below, and (negatives,) float64, the share of positives
        above, a tie counting one half. The mean of either is the area.

    Source: Sun and Xu, Fast implementation of DeLong's algorithm, IEEE Signal Processing Letters 21 (2014)
    1389-1393: from midranks, so sorting is all the work.
    """
    among_all = rankdata(scores)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    below = (among_all[labels] - rankdata(scores[labels])) / negatives
    above = 1 - (among_all[~labels] - rankdata(scores[~labels])) / positives
    return below, above


def delong_auc(labels: ArrayLike, scores: ArrayLike, level: float = 0.95, scale: str = "logit") -> Estimate:
    """Return the area under the ROC curve with DeLong's interval, films taken as independent.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        level: of the interval, in (0, 1).
        scale: ``"logit"``, which stays within (0, 1), or ``"area"``, which is cut there.

    Returns:
        Estimate. Value None with reason ``"no positive"`` and the like; a value without an interval where
        a class has one film, or where the area is 0 or 1 or its variance 0.

    Raises:
        ValueError: for other shapes or values.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; logit scale: Pepe, The
    Statistical Evaluation of Medical Tests (2003), section 5.2.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    check_level(level)
    if scale not in ("logit", "area"):
        raise ValueError(f"A scale {scale!r}: 'logit' and 'area' are accepted.")
    counts = (int(labels.sum()), int((~labels).sum()), None, None)
    reason = missing_class(*counts[:2])
    if reason:
        return Estimate(None, None, None, *counts, reason)
    area = roc_auc(labels, scores).value
    variance = _covariance(labels, [scores])
    reason = no_spread(None if variance is None else float(variance[0, 0]), area if scale == "logit" else None)
    if reason:
        return Estimate(area, None, None, *counts, reason)
    low, high = area_limits(area, float(variance[0, 0]), float(ndtri((1 + level) / 2)), scale)
    return Estimate(area, low, high, *counts, None, BY_FILM)


def delong_test(labels: ArrayLike, scores: ArrayLike, others: ArrayLike, level: float = 0.95) -> PairedTest:
    """Compare the areas of two models on the same films, films taken as independent.

    Args:
        labels: (n,) bool or 0/1.
        scores, others: (n,) finite each.
        level: of the interval of the difference, in (0, 1).

    Raises:
        ValueError: for other shapes or values.

    Source: as :func:`delong_auc`.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    others = check_labels_and_scores(labels, others)[1]
    check_level(level)
    counts = (int(labels.sum()), int((~labels).sum()), None, None)
    reason = missing_class(*counts[:2])
    if reason:
        return PairedTest(Estimate(None, None, None, *counts, reason), None, None, reason)
    difference = roc_auc(labels, scores).value - roc_auc(labels, others).value
    covariance = _covariance(labels, [scores, others])
    variance = None if covariance is None else float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    reason = no_spread(variance)
    if reason:
        return PairedTest(Estimate(difference, None, None, *counts, reason), None, None, reason)
    error, z = math.sqrt(variance), float(ndtri((1 + level) / 2))
    statistic = difference / error
    estimate = Estimate(difference, difference - z * error, difference + z * error, *counts, None, BY_FILM)
    return PairedTest(estimate, statistic, float(2 * ndtr(-abs(statistic))), None)


def no_spread(variance: float | None, area: float | None = None, unit: str = "film") -> str | None:
    """Return why a variance gives no interval, or None.

    Args:
        variance: of the area or of the difference; None where one of a class cannot tell.
        area: that of an interval on the logit scale, which 0 and 1 have none on.
        unit: what varies, in the singular.
    """
    if variance is None:
        return f"no interval: one positive or one negative {unit} alone"
    # Rounding leaves some 1e-17 times the counts where nothing varies.
    if variance <= 1e-24 or (area is not None and not 0 < area < 1):
        return f"no interval: no spread between {unit}s"
    return None


def area_limits(
    area: float, variance: float, quantile: float, scale: str = "logit", centre: float | None = None
) -> tuple[float, float]:
    """Return the limits about an area; ``centre`` is the middle on the logit scale where it is not the area."""
    if scale == "area":
        half = quantile * math.sqrt(variance)
        return max(area - half, 0.0), min(area + half, 1.0)
    middle, half = (
        float(logit(area if centre is None else centre)),
        quantile * math.sqrt(variance) / (area * (1 - area)),
    )
    return float(expit(middle - half)), float(expit(middle + half))


def _covariance(labels: NDArray[np.bool_], models: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """Return the (models, models) covariance of the areas; None where a class has one film."""
    parts = [placements(labels, scores) for scores in models]
    below, above = (np.stack(kind) for kind in zip(*parts, strict=True))
    if below.shape[1] < 2 or above.shape[1] < 2:
        return None
    covariance = [np.atleast_2d(np.cov(kind)) / kind.shape[1] for kind in (below, above)]
    return covariance[0] + covariance[1]
