"""Net benefit of acting on a probability (decision curve), and the distribution of probabilities by outcome.

Both are of probabilities: of scores that are not calibrated, a decision curve says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import check_probabilities, count_cases, index_patients, insufficient_cases
from .patient_sums import patient_sums, sum_replicates

__all__ = ["DecisionCurve", "OutcomeHistogram", "decision_curve", "outcome_histogram"]


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit by threshold, in true positives per image; that of calling no image positive is 0 everywhere.

    Attributes:
        thresholds: (k,) float64: the probability from which an image is called positive, and so the cost of a false
            positive relative to a false negative, t / (1 - t).
        model: k Estimates, of calling images at or over the threshold positive.
        treat_all: k Estimates, of calling every image positive.
        prevalence: that of these images, or the one given.
    """

    thresholds: NDArray[np.float64]
    model: tuple[Estimate, ...]
    treat_all: tuple[Estimate, ...]
    prevalence: float | None


@dataclass(frozen=True, eq=False)
class OutcomeHistogram:
    """Distribution of probabilities among positives and among negatives.

    Attributes:
        edges: (bins + 1,) float64 from 0 to 1.
        positives, negatives: (bins,) intp, images; an image on an edge belongs to the bin above it, 1 to the last.
    """

    edges: NDArray[np.float64]
    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]


def decision_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    thresholds: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    prevalence: float | None = None,
) -> DecisionCurve:
    """Return net benefit at thresholds, with intervals.

    It compares strategies at one threshold, not thresholds; which threshold is right depends on what false negatives
    and false positives cost, and not on these images.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients: (n,) whole numbers or strings.
        thresholds: (k,) in (0, 1).
        options: of the intervals; percentiles are used with any number of patients.
        prevalence: where the model is to be used, in (0, 1), if not that of these images. Probabilities are then to
            be those for that prevalence.

    Raises:
        ValueError: for other shapes or values.

    References:
        Vickers and Elkin, Medical Decision Making 26 (2006) 565-574; at another prevalence, Pepe et al., Statistics
        in Medicine 35 (2016) 1077-1096; Field and Welsh (2007) for the draws.

    Examples:
        >>> labels = np.arange(90) % 3 == 0
        >>> curve = decision_curve(labels, 0.2 + 0.4 * labels, np.arange(90), thresholds=[0.1, 0.3])
        >>> [round(benefit.value, 3) for benefit in curve.model]
        [0.259, 0.333]
        >>> [round(benefit.value, 3) for benefit in curve.treat_all]
        [0.259, 0.048]
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError("Thresholds outside (0, 1): (k,) probabilities between 0 and 1 are accepted.")
    if prevalence is not None and not 0 < prevalence < 1:
        raise ValueError(f"A prevalence of {prevalence}: a proportion between 0 and 1 is accepted.")
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        missing = (Estimate.missing(reason, counts),) * len(thresholds)
        return DecisionCurve(thresholds, missing, missing, prevalence)
    number, which = index_patients(patients, len(labels))
    above = probabilities >= thresholds[:, None]
    sums = np.concatenate(
        [patient_sums(rows, which, number) for rows in (labels, ~labels, labels & above, ~labels & above)]
    )
    values = _net_benefit(sums.sum(axis=1, keepdims=True), thresholds, prevalence)
    replicates = _net_benefit(sum_replicates(sums, options), thresholds, prevalence)
    model, treat_all = (
        tuple(
            with_percentiles(Estimate(float(value[0]), counts=counts), row, options)
            for value, row in zip(values[strategy], replicates[strategy], strict=True)
        )
        for strategy in (0, 1)
    )
    observed = counts.positive_images / len(labels)
    return DecisionCurve(thresholds, model, treat_all, observed if prevalence is None else prevalence)


def outcome_histogram(labels: ArrayLike, probabilities: ArrayLike, bins: int = 20) -> OutcomeHistogram:
    """Return the number of positives and of negatives with a probability in each of equal bins.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        bins: at least 1.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> histogram = outcome_histogram([0, 0, 1, 1], [0.1, 0.4, 0.35, 1.0], bins=4)
        >>> histogram.positives, histogram.negatives
        (array([0, 1, 0, 1]), array([1, 1, 0, 0]))
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is accepted.")
    positives, negatives = (np.histogram(probabilities[rows], bins=bins, range=(0, 1))[0] for rows in (labels, ~labels))
    return OutcomeHistogram(np.linspace(0, 1, bins + 1), positives, negatives)


def _net_benefit(
    sums: NDArray[np.float64], thresholds: NDArray[np.float64], prevalence: float | None
) -> NDArray[np.float64]:
    """Return (2, k, draws): of the model and of calling every image positive; NaN where a class is missing."""
    (positives, negatives), (true_positives, false_positives) = sums[:2], np.split(sums[2:], 2)
    cost = (thresholds / (1 - thresholds))[:, None]
    positive = positives / (positives + negatives) if prevalence is None else np.full(len(positives), prevalence)
    with np.errstate(invalid="ignore"):
        sensitivity, false_positive_rate = true_positives / positives, false_positives / negatives
    model = sensitivity * positive - cost * false_positive_rate * (1 - positive)
    return np.stack([model, positive - cost * (1 - positive) + np.zeros_like(model)])
