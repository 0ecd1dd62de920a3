"""Whether acting on a probability does more good than harm: net benefit, and how probabilities are spread.

Both are of probabilities. Of scores that are not calibrated, a decision curve says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .intervals import count_cases, why_not, with_percentiles
from .reliability import check_probabilities
from .replicates import patient_sums, sum_replicates
from .resampling import check_level, index_patients

__all__ = ["DecisionCurve", "OutcomeHistogram", "decision_curve", "outcome_histogram"]


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit by threshold, in true positives a film; that of calling no film above is 0 everywhere.

    Attributes:
        thresholds: (k,) float64: the probability from which one acts, and so what a false alarm is held to
            cost against a miss: t / (1 - t) to 1.
        model: k Estimates, of acting on films at or over the threshold.
        everyone: k Estimates, of acting on every film.
        prevalence: that of these films, or as set.
    """

    thresholds: NDArray[np.float64]
    model: tuple[Estimate, ...]
    everyone: tuple[Estimate, ...]
    prevalence: float | None


@dataclass(frozen=True, eq=False)
class OutcomeHistogram:
    """How probabilities are spread among positives and among negatives.

    Attributes:
        edges: (bins + 1,) float64 from 0 to 1.
        positives, negatives: (bins,) intp, films; a film on an edge belongs to the bin over it, 1 to the last.
    """

    edges: NDArray[np.float64]
    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]


def decision_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    thresholds: ArrayLike,
    prevalence: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> DecisionCurve:
    """Return net benefit at thresholds, with intervals.

    It compares ways to act at one threshold, not thresholds; which threshold is right is a matter of what
    misses and false alarms cost, and not of these films.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients: (n,) of whole numbers or strings.
        thresholds: (k,) in (0, 1).
        prevalence: where the model is to be used, in (0, 1), if not that of these films. Probabilities are
            then to be those for that prevalence.
        resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`.

    Raises:
        ValueError: for other shapes or values.

    Source: Vickers and Elkin, Medical Decision Making 26 (2006) 565-574; at another prevalence, Pepe et al.,
    Statistics in Medicine 35 (2016) 1077-1096; Field and Welsh (2007) for the draws.
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    check_level(level)
    if thresholds.ndim != 1 or not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError("Thresholds beyond 0 and 1: (k,) probabilities between them are accepted.")
    if prevalence is not None and not 0 < prevalence < 1:
        raise ValueError(f"A prevalence of {prevalence}: a share between 0 and 1 is accepted.")
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        nothing = (Estimate(None, None, None, *counts, reason),) * len(thresholds)
        return DecisionCurve(thresholds, nothing, nothing, prevalence)
    number, which = index_patients(patients, len(labels))
    above = probabilities >= thresholds[:, None]
    sums = np.concatenate(
        [patient_sums(part, which, number) for part in (labels, ~labels, labels & above, ~labels & above)]
    )
    values = _net_benefit(sums.sum(axis=1, keepdims=True), thresholds, prevalence)
    replicates = _net_benefit(sum_replicates(sums, resamples, seed), thresholds, prevalence)
    model, everyone = (
        tuple(
            with_percentiles(Estimate(float(value[0]), None, None, *counts, None), row, level)
            for value, row in zip(values[kind], replicates[kind], strict=True)
        )
        for kind in (0, 1)
    )
    return DecisionCurve(thresholds, model, everyone, counts[0] / len(labels) if prevalence is None else prevalence)


def outcome_histogram(labels: ArrayLike, probabilities: ArrayLike, bins: int = 20) -> OutcomeHistogram:
    """Return how many positives and how many negatives have a probability in each of equal bins.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        bins: at least 1.

    Raises:
        ValueError: for other shapes or values.
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is accepted.")
    positives, negatives = (np.histogram(probabilities[kind], bins=bins, range=(0, 1))[0] for kind in (labels, ~labels))
    return OutcomeHistogram(np.linspace(0, 1, bins + 1), positives, negatives)


def _net_benefit(sums, thresholds, prevalence) -> NDArray[np.float64]:
    """Return (2, k, draws): of the model and of acting on every film; NaN where a class is missing."""
    (positives, negatives), (found, alarms) = sums[:2], np.split(sums[2:], 2)
    cost = (thresholds / (1 - thresholds))[:, None]
    share = positives / (positives + negatives) if prevalence is None else np.full(len(positives), prevalence)
    with np.errstate(invalid="ignore"):
        sensitivity, false_alarms = found / positives, alarms / negatives
    model = sensitivity * share - cost * false_alarms * (1 - share)
    return np.stack([model, share - cost * (1 - share) + np.zeros_like(model)])
