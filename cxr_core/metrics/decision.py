"""What a film called above or below is worth: predictive values and likelihood ratios at a threshold.

Sensitivity, specificity and likelihood ratios belong to the model and the kind of patients; predictive values
belong also to how common the label is, and those of an enriched collection are no hospital's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .estimate import FROM_SHARES, Estimate
from .intervals import BOOTSTRAP_FROM, count_cases
from .ranking import check_labels_and_scores
from .shares import Share, patient_shares

__all__ = ["AtThreshold", "ValuesAtPrevalence", "at_threshold", "values_at_prevalence"]


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold does on these films. All Estimates count positive and negative films.

    Attributes:
        threshold: a film is above where its score is at or over it.
        true_positives, false_negatives, false_positives, true_negatives: films.
        sensitivity, specificity: of positives the share above, of negatives the share below.
        positive_predictive_value, negative_predictive_value: of films above the share of positives, of films
            below the share of negatives, at the prevalence of these films.
        positive_likelihood_ratio: sensitivity over 1 - specificity: by how much "above" multiplies the odds.
        negative_likelihood_ratio: 1 - sensitivity over specificity: by how much "below" does.
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
class ValuesAtPrevalence:
    """Predictive values where the label is as common as said, if sensitivity and specificity stay what they are.

    They seldom do: where a label is rarer it is often fainter too.
    """

    prevalence: float
    positive_predictive_value: Estimate
    negative_predictive_value: Estimate


def at_threshold(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> AtThreshold:
    """Return what a threshold does, with intervals.

    The threshold is taken as given: where it was chosen on the same films, the intervals do not hold the error
    of that choice, and the values are too good.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        threshold: a number or an infinity.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, bootstrap_from: as in :func:`.shares.patient_share`.
        min_patients: patients below which a share has no value: positive ones for sensitivity, with a film
            above for the positive predictive value, and so on; a likelihood ratio needs both of its shares.

    Raises:
        ValueError: for other shapes or values.

    Source: Altman and Bland, BMJ 308 (1994) 1552 and 309 (1994) 102; Deeks and Altman, BMJ 329 (2004) 168-169;
    intervals of shares as :func:`.shares.patient_share`, of ratios as :func:`_ratio_limits`.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if math.isnan(threshold):
        raise ValueError("A threshold of NaN: a number is accepted.")
    counts, above = count_cases(labels, patients), scores >= threshold
    shares = [
        Share(event, among, counts, f"no {word}", f"{word} patients")
        for event, among, word in ((above, labels, "positive"), (~above, ~labels, "negative"))
    ] + [
        Share(event, among, counts, f"no film {word}", f"patients with a film {word}")
        for event, among, word in ((labels, above, "above"), (~labels, ~above, "below"))
    ]
    sensitivity, specificity, *predictive = patient_shares(
        shares, patients, resamples, seed, level, min_patients, bootstrap_from
    )
    return AtThreshold(
        float(threshold),
        *(int(np.sum(kind & called)) for kind, called in ((labels, above), (labels, ~above))),
        *(int(np.sum(kind & called)) for kind, called in ((~labels, above), (~labels, ~above))),
        sensitivity,
        specificity,
        *predictive,
        _ratio(sensitivity, _complement(specificity), "infinite: no negative is above"),
        _ratio(_complement(sensitivity), specificity, "infinite: no negative is below"),
    )


def values_at_prevalence(point: AtThreshold, prevalence: float) -> ValuesAtPrevalence:
    """Return predictive values at a prevalence that the user sets.

    Args:
        point: sensitivity and specificity.
        prevalence: the share of films that are positive where the model is to be used, in (0, 1). It is taken
            as known; the interval holds no error of it.

    Returns:
        Both values, with the counts and reasons of ``point``; None with reason where nothing is called so.

    Raises:
        ValueError: for another prevalence.

    Source: Bayes's theorem in odds; Mercaldo, Lau and Zhou, Statistics in Medicine 26 (2007) 2170-2183. The
    limits are those of the likelihood ratio, of which a predictive value is a rising or falling function.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"A prevalence of {prevalence}: a share between 0 and 1 is accepted.")
    odds = prevalence / (1 - prevalence)
    above = _value_from(point.sensitivity, _complement(point.specificity), odds, "no film above")
    # Of films below, the odds of the label against it; its complement is the value asked for.
    below = _value_from(_complement(point.sensitivity), point.specificity, odds, "no film below")
    return ValuesAtPrevalence(float(prevalence), above, _complement(below))


def _value_from(top: Estimate, bottom: Estimate, odds: float, empty: str) -> Estimate:
    counts = _counts(top)
    reason = top.reason if top.value is None else bottom.reason if bottom.value is None else None
    if reason is None and top.value == bottom.value == 0:
        reason = empty
    if reason is not None:
        return Estimate(None, None, None, *counts, reason)
    value = odds * top.value / (odds * top.value + bottom.value)
    limits = _ratio_limits(top, bottom)
    if limits is None:
        return Estimate(value, None, None, *counts, top.reason or bottom.reason)
    low, high = (1.0 if math.isinf(ratio) else odds * ratio / (odds * ratio + 1) for ratio in limits)
    return Estimate(value, low, high, *counts, None, FROM_SHARES)


def _ratio(top: Estimate, bottom: Estimate, infinite: str) -> Estimate:
    counts = _counts(top)
    reason = top.reason if top.value is None else bottom.reason if bottom.value is None else None
    if reason is None and bottom.value == 0:
        reason = infinite
    if reason is not None:
        return Estimate(None, None, None, *counts, reason)
    limits = _ratio_limits(top, bottom)
    if limits is None or math.isinf(limits[1]):
        return Estimate(top.value / bottom.value, None, None, *counts, top.reason or bottom.reason or "no upper limit")
    return Estimate(top.value / bottom.value, *limits, *counts, None, FROM_SHARES)


def _ratio_limits(top: Estimate, bottom: Estimate) -> tuple[float, float] | None:
    """Return limits of a ratio of two shares from the limits of each (MOVER-R); None where one has none.

    The two are taken as independent. Films of the same patient make both shares of a likelihood ratio rise
    together, which leaves the interval rather too wide.

    Source: Donner and Zou, Statistical Methods in Medical Research 21 (2012) 347-359; Newcombe, the same
    journal 25 (2016) 1774-1778.
    """
    if top.low is None or bottom.low is None:
        return None
    a, b = top.value, bottom.value
    lower = a * b - math.sqrt(max((a * b) ** 2 - top.low * bottom.high * (2 * a - top.low) * (2 * b - bottom.high), 0))
    upper = a * b + math.sqrt(max((a * b) ** 2 - top.high * bottom.low * (2 * a - top.high) * (2 * b - bottom.low), 0))
    under_lower, under_upper = (end * (2 * b - end) for end in (bottom.high, bottom.low))
    # Where the upper limit of the bottom is twice its value, the quotient is one of two zeros: its limit is the
    # same as with the root expanded.
    low = lower / under_lower if abs(under_lower) > 1e-12 else top.low * (2 * a - top.low) / max(2 * a * b, 1e-300)
    return max(low, 0.0), upper / under_upper if under_upper > 0 else math.inf


def _complement(share: Estimate) -> Estimate:
    """Return 1 - share, with its limits turned round."""
    value, low, high = (None if end is None else 1 - end for end in (share.value, share.high, share.low))
    return Estimate(value, low, high, *_counts(share), share.reason, share.method)


def _counts(estimate: Estimate) -> tuple[int, int, int | None, int | None]:
    return estimate.positives, estimate.negatives, estimate.positive_patients, estimate.negative_patients
