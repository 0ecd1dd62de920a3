"""Whether films that get a probability of 0.2 are positive one time in five: curve, error, parts of the Brier score.

Bins hold equal numbers of films, since labels are rare and bins of equal width would leave most of them empty.
All of it depends on the number of bins, which belongs beside the number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .estimate import MIRRORED, PATIENT_BOOTSTRAP, Estimate
from .intervals import count_cases, why_not
from .ranking import check_labels_and_scores
from .resampling import check_level, index_patients, multiplicities
from .shares import patient_share

__all__ = [
    "BrierParts",
    "CalibrationBin",
    "CalibrationError",
    "brier_parts",
    "calibration_curve",
    "calibration_error",
    "check_probabilities",
]


@dataclass(frozen=True)
class CalibrationBin:
    """One point of a calibration curve.

    Attributes:
        low, high: the lowest and highest probability in the bin.
        predicted: the mean probability.
        observed: the share of films that are positive, with its interval and counts.
    """

    low: float
    high: float
    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class CalibrationError:
    """The mean distance of probability and outcome over bins.

    Attributes:
        error: Estimate in [0, 1].
        if_calibrated: about the error that chance alone would show if the probabilities were right: the mean
            over resampled patients of the same sum for what a bin's gap moves by. An error near this is no
            sign of miscalibration. None where the error has no value.
        bins: the number of bins that hold a film; 0 where the error has no value.
    """

    error: Estimate
    if_calibrated: float | None
    bins: int


@dataclass(frozen=True)
class BrierParts:
    """Brier score = reliability - resolution + uncertainty + within, to rounding.

    Attributes:
        brier: the score itself.
        reliability: mean squared distance of the mean probability and the share of positives of a group; 0 is
            best.
        resolution: mean squared distance of a group's share of positives and that of all; larger is better.
        uncertainty: the variance of the label, which no model changes.
        within: what differs within groups; 0 where each group is one probability.
        groups: how many hold a film; 0 where nothing has a value.
        by: ``"equal-mass bins"`` or ``"distinct probabilities"``.
    """

    brier: Estimate
    reliability: Estimate
    resolution: Estimate
    uncertainty: Estimate
    within: Estimate
    groups: int
    by: str


def calibration_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    bins: int = 10,
    level: float = 0.95,
    min_patients: int = 10,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[CalibrationBin, ...]:
    """Return the share of positives against the mean probability, in bins of equal numbers of films.

    Films of one probability stay together, so bins are equal only as far as ties allow, and fewer than asked
    for where they do not.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients: (n,) of whole numbers or strings.
        bins: how many to make, at least 1.
        level, resamples, seed: of the intervals, as in :func:`.shares.patient_share`.
        min_patients: patients in a bin below which its share has no value.

    Raises:
        ValueError: for other shapes or values.

    Source: Van Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17 (2019)
    230; edges are the quantiles of Hyndman and Fan's type 7, a film on an edge belongs below.
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    group, patients = _bins(probabilities, bins), np.asarray(patients)
    index_patients(patients, len(labels))
    curve = []
    for k in range(int(group.max(initial=-1)) + 1):
        inside = group == k
        observed = patient_share(labels[inside], patients[inside], None, resamples, seed, level, min_patients)
        held = probabilities[inside]
        curve.append(CalibrationBin(float(held.min()), float(held.max()), float(held.mean()), observed))
    return tuple(curve)


def calibration_error(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    bins: int = 10,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> CalibrationError:
    """Return the expected calibration error over bins of equal numbers of films.

    Chance alone makes it larger than 0, the more so with few films and many bins: read it beside
    ``if_calibrated``. It sees no miscalibration that cancels within a bin.

    Args:
        labels, probabilities, patients, bins: as in :func:`calibration_curve`.
        resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`. The bins are those
            of all films in every resample.

    Returns:
        CalibrationError. Its interval is the basic one, the percentiles mirrored at the value and cut at 0:
        resamples add chance to the error as the films did to the truth, and mirroring takes both away. Where
        chance alone would reach the value in more than (1 - level) / 2 of resamples, it begins at 0.

    Raises:
        ValueError: for other shapes or values.

    Source: Naeini, Cooper and Hauskrecht, AAAI 2015, with the bins of Nguyen and O'Connor, EMNLP 2015; Efron
    and Tibshirani (1993), chapter 13; Davison and Hinkley, Bootstrap Methods (1997), 5.2.1.
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    check_level(level)
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        return CalibrationError(Estimate(None, None, None, *counts, reason), None, 0)
    group = _bins(probabilities, bins)
    gaps = _gaps(*_group_sums(labels, probabilities, group))
    value = float(np.abs(gaps).sum())
    moved = _of_draws(_gaps, labels, probabilities, group, patients, resamples, seed)
    by_chance = np.abs(moved - gaps).sum(axis=0)
    error = _mirrored(value, np.abs(moved).sum(axis=0), counts, level)
    if error.low and value <= np.quantile(by_chance, (1 + level) / 2):
        error = replace(error, low=0.0)
    return CalibrationError(error, float(by_chance.mean()), len(gaps))


def brier_parts(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    bins: int | None = 10,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> BrierParts:
    """Return the parts of the Brier score.

    Args:
        labels, probabilities, patients: as in :func:`calibration_curve`.
        bins: of equal numbers of films; None groups by distinct probabilities, where the three parts add up
            alone. Where all probabilities differ that says nothing: each film is then its own group.
        resamples, seed, level, min_patients: as in :func:`calibration_error`. Reliability and resolution, which
            chance makes larger, have mirrored intervals as there; the others percentiles.

    Raises:
        ValueError: for other shapes or values.

    Source: Murphy, A new vector partition of the probability score, Journal of Applied Meteorology 12 (1973)
    595-600; ``within`` is the sum of the two components of Stephenson, Coelho and Jolliffe, Weather and
    Forecasting 23 (2008) 752-757.
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    check_level(level)
    counts = count_cases(labels, patients)
    by = "distinct probabilities" if bins is None else "equal-mass bins"
    reason = why_not(counts, min_patients)
    if reason:
        return BrierParts(*[Estimate(None, None, None, *counts, reason)] * 5, 0, by)
    group = np.unique(probabilities, return_inverse=True)[1] if bins is None else _bins(probabilities, bins)
    values = _parts(*_group_sums(labels, probabilities, group))[:, 0]
    replicates = _of_draws(_parts, labels, probabilities, group, patients, resamples, seed)
    estimates = [
        (_mirrored if name in ("reliability", "resolution") else _plain)(float(value), row, counts, level)
        for name, value, row in zip(
            ("brier", "reliability", "resolution", "uncertainty", "within"), values, replicates, strict=True
        )
    ]
    return BrierParts(*estimates, int(group.max()) + 1, by)


def check_probabilities(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels as (n,) bool and probabilities as (n,) float64; ValueError beyond 0 and 1."""
    labels, probabilities = check_labels_and_scores(labels, probabilities)
    if len(probabilities) and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError("Probabilities beyond 0 and 1 were found; numbers in [0, 1] are accepted.")
    return labels, probabilities


def _bins(probabilities, bins: int) -> NDArray[np.intp]:
    """Return (n,) the bin of each film, of those that hold any."""
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is accepted.")
    if not len(probabilities):
        return np.zeros(0, dtype=np.intp)
    # In percent as scikit-learn has it: a rounding error here decides for a film that lies on an edge.
    edges = np.percentile(probabilities, np.linspace(0, 1, bins + 1) * 100)[1:-1]
    return np.unique(np.searchsorted(edges, probabilities), return_inverse=True)[1]


def _group_sums(labels, probabilities, group) -> list[NDArray[np.float64]]:
    """Return (groups, 1) each: films, positives, sums of probabilities, and (1, 1) sum of squared differences."""
    sums = [np.bincount(group, weights=weights)[:, None] for weights in (np.ones(len(group)), labels, probabilities)]
    return [*sums, ((probabilities - labels) ** 2).sum()[None, None]]


def _of_draws(statistic, labels, probabilities, group, patients, resamples, seed) -> NDArray[np.float64]:
    number, which = index_patients(patients, len(labels))
    counters = [
        sparse.coo_array((weights, (group, which)), shape=(int(group.max()) + 1, number)).tocsr()
        for weights in (np.ones(len(group)), labels.astype(np.float64), probabilities)
    ]
    squared = np.bincount(which, weights=(probabilities - labels) ** 2, minlength=number)[None]
    return np.concatenate(
        [
            statistic(*(counter @ drawn for counter in counters), squared @ drawn)
            for drawn in multiplicities(number, resamples, seed, rows=counters[0].shape[0])
        ],
        axis=1,
    )


def _gaps(films, positives, predicted, _) -> NDArray[np.float64]:
    """Return (groups, draws) mean probability less share of positives, times the share of films in the group."""
    return (predicted - positives) / films.sum(axis=0)


def _parts(films, positives, predicted, squared) -> NDArray[np.float64]:
    held = np.maximum(films, 1)
    total, share = films.sum(axis=0), positives.sum(axis=0) / films.sum(axis=0)
    brier = squared[0] / total
    reliability = ((predicted - positives) ** 2 / held).sum(axis=0) / total
    resolution = (films * (positives / held - share) ** 2).sum(axis=0) / total
    uncertainty = share * (1 - share)
    return np.stack([brier, reliability, resolution, uncertainty, brier - reliability + resolution - uncertainty])


def _plain(value: float, replicates, counts, level) -> Estimate:
    if np.ptp(replicates) < 1e-15:
        return Estimate(value, None, None, *counts, "no interval: every resample gives the same value")
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), *counts, None, PATIENT_BOOTSTRAP)


def _mirrored(value: float, replicates, counts, level) -> Estimate:
    plain = _plain(value, replicates, counts, level)
    if plain.reason:
        return plain
    low, high = max(2 * value - plain.high, 0.0), max(2 * value - plain.low, 0.0)
    return Estimate(value, low, high, *counts, None, MIRRORED)
