"""Accuracy at a threshold: sensitivity, specificity, predictive values and likelihood ratios.

Sensitivity, specificity and likelihood ratios belong to the model and the kind of patients; predictive values depend
on the prevalence as well, and those of an enriched collection are no hospital's. The threshold is taken as given:
where it was chosen on the same images, the intervals do not hold the error of that choice, and values are too good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import FROM_PROPORTIONS, Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions
from .cases import check_labels_and_scores, check_threshold, count_cases
from .proportions import Proportion, patient_proportions

__all__ = [
    "AtThreshold",
    "PredictiveValues",
    "at_threshold",
    "predictive_values_at_prevalence",
    "sensitivity_specificity",
]


@dataclass(frozen=True)
class AtThreshold:
    """Accuracy at a threshold. All Estimates count positive and negative images.

    Attributes:
        threshold: an image is above where its score is at or over it.
        true_positives, false_negatives, false_positives, true_negatives: images.
        sensitivity: proportion of positives above.
        specificity: proportion of negatives below.
        positive_predictive_value: proportion of images above that are positive, at the prevalence of these images.
        negative_predictive_value: proportion of images below that are negative, at the prevalence of these images.
        positive_likelihood_ratio: sensitivity / (1 - specificity), the factor by which "above" multiplies the odds.
        negative_likelihood_ratio: (1 - sensitivity) / specificity, the factor by which "below" does.
    """

    threshold: float
    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int
    sensitivity: Estimate
    specificity: Estimate
    positive_predictive_value: Estimate
    negative_predictive_value: Estimate
    positive_likelihood_ratio: Estimate
    negative_likelihood_ratio: Estimate


@dataclass(frozen=True)
class PredictiveValues:
    """Predictive values at a prevalence, if sensitivity and specificity stay what they are.

    They seldom do: where a label is rarer it is often fainter too.
    """

    prevalence: float
    positive_predictive_value: Estimate
    negative_predictive_value: Estimate


def sensitivity_specificity(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> tuple[Estimate, Estimate]:
    """Return the proportion of positives at or over a threshold, and of negatives below it.

    Neither is the probability that an image called above is positive, which depends on the prevalence.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        threshold: a number or an infinity.
        patients: (n,) whole numbers or strings.
        options: of the intervals, as in :func:`.proportions.patient_proportion`; ``min_patients`` counts positive
            patients for sensitivity and negative patients for specificity.

    Returns:
        Sensitivity and specificity, both with the counts of positives and negatives. Value None with reason ``"no
        positive"`` or ``"no negative"``, or ``"too few cases (3 positive patients)"``.

    Raises:
        ValueError: for other shapes or values.

    References:
        Altman and Bland, BMJ 308 (1994) 1552; intervals as :func:`.proportions.patient_proportion`.

    Examples:
        >>> labels, scores = np.arange(60) % 3 == 0, np.arange(60) % 7
        >>> sensitivity, specificity = sensitivity_specificity(labels, scores, 3, np.arange(60))
        >>> sensitivity.value, round(sensitivity.low, 3), round(sensitivity.high, 3)
        (0.55, 0.342, 0.742)
    """
    labels, scores = check_labels_and_scores(labels, scores)
    wanted = _sensitivity_and_specificity(labels, scores >= check_threshold(threshold), count_cases(labels, patients))
    sensitivity, specificity = patient_proportions(wanted, patients, options)
    return sensitivity, specificity


def _sensitivity_and_specificity(
    labels: NDArray[np.bool_], above: NDArray[np.bool_], counts: Counts
) -> list[Proportion]:
    return [
        Proportion(above, labels, counts, "no positive", "positive {}"),
        Proportion(~above, ~labels, counts, "no negative", "negative {}"),
    ]


def at_threshold(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> AtThreshold:
    """Return counts, sensitivity, specificity, predictive values and likelihood ratios at a threshold.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        threshold: a number or an infinity.
        patients: (n,) whole numbers or strings.
        options: of the intervals, as in :func:`.proportions.patient_proportion`. ``min_patients`` counts positive
            patients for sensitivity, patients with an image above for the positive predictive value, and so on; a
            likelihood ratio needs both of its proportions.

    Raises:
        ValueError: for other shapes or values.

    References:
        Altman and Bland, BMJ 308 (1994) 1552 and 309 (1994) 102; Deeks and Altman, BMJ 329 (2004) 168-169; intervals
        of proportions as :func:`.proportions.patient_proportion`, of ratios by MOVER-R (Donner and Zou 2012).

    Examples:
        >>> labels, scores = np.arange(60) % 3 == 0, np.arange(60) % 7
        >>> point = at_threshold(labels, scores, 3, np.arange(60))
        >>> point.true_positives, point.false_negatives, point.false_positives, point.true_negatives
        (11, 9, 22, 18)
        >>> round(point.positive_predictive_value.value, 3), round(point.positive_likelihood_ratio.value, 3)
        (0.333, 1.0)
    """
    labels, scores = check_labels_and_scores(labels, scores)
    counts, above = count_cases(labels, patients), scores >= check_threshold(threshold)
    wanted = [
        *_sensitivity_and_specificity(labels, above, counts),
        Proportion(labels, above, counts, "no image above", "{} with an image above"),
        Proportion(~labels, ~above, counts, "no image below", "{} with an image below"),
    ]
    sensitivity, specificity, positive_value, negative_value = patient_proportions(wanted, patients, options)
    return AtThreshold(
        threshold=float(threshold),
        true_positives=int(np.sum(labels & above)),
        false_negatives=int(np.sum(labels & ~above)),
        false_positives=int(np.sum(~labels & above)),
        true_negatives=int(np.sum(~labels & ~above)),
        sensitivity=sensitivity,
        specificity=specificity,
        positive_predictive_value=positive_value,
        negative_predictive_value=negative_value,
        positive_likelihood_ratio=_ratio(sensitivity, _complement(specificity), "infinite: no negative is above"),
        negative_likelihood_ratio=_ratio(_complement(sensitivity), specificity, "infinite: no negative is below"),
    )


def predictive_values_at_prevalence(point: AtThreshold, prevalence: float) -> PredictiveValues:
    """Return predictive values at an assumed prevalence.

    Args:
        point: sensitivity and specificity.
        prevalence: proportion of positive images where the model is to be used, in (0, 1). It is taken as exact; the
            interval holds no error of it.

    Returns:
        Both values, with the counts and reasons of ``point``; None with reason where no image is called so.

    Raises:
        ValueError: for another prevalence.

    References:
        Bayes's theorem in odds; Mercaldo, Lau and Zhou, Statistics in Medicine 26 (2007) 2170-2183. The limits are
        those of the likelihood ratio, of which a predictive value is a rising or falling function.

    Examples:
        >>> labels, scores = np.arange(60) % 3 == 0, np.arange(60) % 7
        >>> point = at_threshold(labels, scores, 3, np.arange(60))
        >>> round(predictive_values_at_prevalence(point, 0.05).positive_predictive_value.value, 3)
        0.05
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"A prevalence of {prevalence}: a proportion between 0 and 1 is accepted.")
    odds = prevalence / (1 - prevalence)
    above = _predictive_value(point.sensitivity, _complement(point.specificity), odds, "no image above")
    # Of images below, the odds of the label against it; its complement is the value asked for.
    below = _predictive_value(_complement(point.sensitivity), point.specificity, odds, "no image below")
    return PredictiveValues(float(prevalence), above, _complement(below))


def _predictive_value(top: Estimate, bottom: Estimate, odds: float, empty: str) -> Estimate:
    if top.value is None or bottom.value is None:
        return Estimate(None, counts=top.counts, reason=(top if top.value is None else bottom).reason)
    if top.value == bottom.value == 0:
        return Estimate.missing(empty, top.counts)
    value = odds * top.value / (odds * top.value + bottom.value)
    limits = _ratio_limits(top, bottom)
    if limits is None:
        return Estimate(value, counts=top.counts, reason=top.reason or bottom.reason)
    low, high = (1.0 if math.isinf(ratio) else odds * ratio / (odds * ratio + 1) for ratio in limits)
    return Estimate(value, low, high, top.counts, method=FROM_PROPORTIONS)


def _ratio(top: Estimate, bottom: Estimate, infinite: str) -> Estimate:
    if top.value is None or bottom.value is None:
        return Estimate(None, counts=top.counts, reason=(top if top.value is None else bottom).reason)
    if bottom.value == 0:
        return Estimate.missing(infinite, top.counts)
    limits = _ratio_limits(top, bottom)
    if limits is None or math.isinf(limits[1]):
        reason = top.reason or bottom.reason or "no upper limit"
        return Estimate(top.value / bottom.value, counts=top.counts, reason=reason)
    return Estimate(top.value / bottom.value, *limits, top.counts, method=FROM_PROPORTIONS)


def _ratio_limits(top: Estimate, bottom: Estimate) -> tuple[float, float] | None:
    """Return limits of a ratio of two proportions from the limits of each (MOVER-R); None where one has none.

    The two are taken as independent. Images of the same patient make both proportions of a likelihood ratio rise
    together, which leaves the interval rather too wide.

    References:
        Donner and Zou, Statistical Methods in Medical Research 21 (2012) 347-359; Newcombe, the same journal 25
        (2016) 1774-1778.
    """
    a, low_a, high_a = top.value, top.low, top.high
    b, low_b, high_b = bottom.value, bottom.low, bottom.high
    if a is None or low_a is None or high_a is None or b is None or low_b is None or high_b is None:
        return None
    lower = a * b - math.sqrt(max((a * b) ** 2 - low_a * high_b * (2 * a - low_a) * (2 * b - high_b), 0))
    upper = a * b + math.sqrt(max((a * b) ** 2 - high_a * low_b * (2 * a - high_a) * (2 * b - low_b), 0))
    under_lower, under_upper = (end * (2 * b - end) for end in (high_b, low_b))
    # Where the upper limit of the bottom is twice its value, the quotient is one of two zeros: its limit is the same
    # as with the root expanded.
    low = lower / under_lower if abs(under_lower) > 1e-12 else low_a * (2 * a - low_a) / max(2 * a * b, 1e-300)
    return max(low, 0.0), upper / under_upper if under_upper > 0 else math.inf


def _complement(proportion: Estimate) -> Estimate:
    """Return 1 - proportion, with its limits exchanged."""
    value, low, high = (
        None if number is None else 1 - number for number in (proportion.value, proportion.high, proportion.low)
    )
    return Estimate(value, low, high, proportion.counts, proportion.reason, proportion.method)
