"""Agreement of probabilities with outcomes: calibration curve, calibration error, decomposition of the Brier score.

Bins hold equal numbers of images, since labels are rare and bins of equal width would leave most of them empty. All
of it depends on the number of bins, which belongs beside the number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ...estimate import PATIENT_BOOTSTRAP, PATIENT_BOOTSTRAP_BASIC, Counts, Estimate
from ..bootstrap import DEFAULTS, BootstrapOptions, multiplicities
from ..cases import check_probabilities, count_cases, index_patients, insufficient_cases
from ..proportions import patient_proportion

__all__ = [
    "BrierDecomposition",
    "CalibrationBin",
    "CalibrationError",
    "brier_decomposition",
    "calibration_curve",
    "calibration_error",
]


@dataclass(frozen=True)
class CalibrationBin:
    """One point of a calibration curve.

    Attributes:
        low, high: the lowest and highest probability in the bin.
        predicted: the mean probability.
        observed: the proportion of positive images, with its interval and counts.
    """

    low: float
    high: float
    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error: the mean distance of probability and outcome over bins.

    Attributes:
        error: Estimate in [0, 1].
        if_calibrated: about the error by chance alone of calibrated probabilities: the mean over resamples of
            patients of the same sum for the change of each bin's gap. An error near this is no sign of
            miscalibration. None where the error has no value.
        bins: the number of bins that hold an image; 0 where the error has no value.
    """

    error: Estimate
    if_calibrated: float | None
    bins: int


@dataclass(frozen=True)
class BrierDecomposition:
    """Brier score = reliability - resolution + uncertainty + within, to rounding.

    Attributes:
        brier: the score itself.
        reliability: mean squared distance of the mean probability and the proportion of positives of a group; 0 is
            best.
        resolution: mean squared distance of a group's proportion of positives and that of all; larger is better.
        uncertainty: the variance of the label, which no model changes.
        within: variation within groups; 0 where each group is one probability.
        groups: number of groups with an image; 0 where nothing has a value.
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
    options: BootstrapOptions = DEFAULTS,
) -> tuple[CalibrationBin, ...]:
    """Return the proportion of positives against the mean probability, in bins of equal numbers of images.

    Images of one probability stay together, so bins are equal only as far as ties allow, and fewer than asked for
    where they do not.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in [0, 1].
        patients: (n,) of whole numbers or strings.
        bins: at least 1.
        options: of the intervals, as in :func:`.proportions.patient_proportion`; ``min_patients`` counts the patients
            of a bin.

    Raises:
        ValueError: for other shapes or values.

    References:
        Van Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17 (2019) 230; edges
        are the quantiles of Hyndman and Fan's type 7, an image on an edge belongs below.

    Examples:
        >>> probabilities = np.linspace(0.05, 0.95, 60)
        >>> labels = np.arange(60) % 3 < 60 * probabilities // 20
        >>> curve = calibration_curve(labels, probabilities, np.arange(60), bins=3)
        >>> [(round(point.predicted, 2), round(point.observed.value, 2)) for point in curve]
        [(0.19, 0.0), (0.5, 0.35), (0.81, 0.6)]
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    group, patients = _bins(probabilities, bins), np.asarray(patients)
    index_patients(patients, len(labels))
    curve = []
    for k in range(int(group.max(initial=-1)) + 1):
        inside = group == k
        observed = patient_proportion(labels[inside], patients[inside], options)
        values = probabilities[inside]
        curve.append(CalibrationBin(float(values.min()), float(values.max()), float(values.mean()), observed))
    return tuple(curve)


def calibration_error(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    bins: int = 10,
    options: BootstrapOptions = DEFAULTS,
) -> CalibrationError:
    """Return the expected calibration error over bins of equal numbers of images.

    Chance alone makes it larger than 0, the more so with few images and many bins: read it beside ``if_calibrated``.
    It does not see miscalibration that cancels within a bin.

    Args:
        labels, probabilities, patients, bins: as in :func:`calibration_curve`.
        options: of the interval. The bins are those of all images in every resample.

    Returns:
        CalibrationError. Its interval is the basic one, the percentiles mirrored at the value and cut at 0: resamples
        add chance to the error as the images did to the truth, and mirroring takes both away. Where chance alone
        would reach the value in more than (1 - level) / 2 of resamples, it begins at 0.

    Raises:
        ValueError: for other shapes or values.

    References:
        Naeini, Cooper and Hauskrecht, AAAI 2015, with the bins of Nguyen and O'Connor, EMNLP 2015; Efron and
        Tibshirani (1993), chapter 13; Davison and Hinkley, Bootstrap Methods (1997), 5.2.1.

    Examples:
        >>> probabilities = np.linspace(0.05, 0.95, 60)
        >>> error = calibration_error(np.arange(60) % 3 < 2, probabilities, np.arange(60), bins=3)
        >>> round(error.error.value, 3), round(error.if_calibrated, 3), error.bins
        (0.27, 0.097, 3)
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return CalibrationError(Estimate.missing(reason, counts), None, 0)
    group = _bins(probabilities, bins)
    gaps = _gaps(*_group_sums(labels, probabilities, group))
    value = float(np.abs(gaps).sum())
    replicates = _replicates(_gaps, labels, probabilities, group, patients, options)
    by_chance = np.abs(replicates - gaps).sum(axis=0)
    error = _basic(value, np.abs(replicates).sum(axis=0), counts, options)
    if error.low and value <= np.quantile(by_chance, options.tails[1]):
        error = replace(error, low=0.0)
    return CalibrationError(error, float(by_chance.mean()), len(gaps))


def brier_decomposition(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    bins: int | None = 10,
    options: BootstrapOptions = DEFAULTS,
) -> BrierDecomposition:
    """Return the decomposition of the Brier score into reliability, resolution and uncertainty.

    Args:
        labels, probabilities, patients: as in :func:`calibration_curve`.
        bins: of equal numbers of images; None groups by distinct probabilities, where the three components add up
            exactly. Where all probabilities differ that says nothing: each image is then its own group.
        options: of the intervals. Reliability and resolution, which chance makes larger, have basic intervals as in
            :func:`calibration_error`; the others percentiles.

    Raises:
        ValueError: for other shapes or values.

    References:
        Murphy, A new vector partition of the probability score, Journal of Applied Meteorology 12 (1973) 595-600;
        ``within`` is the sum of the two components of Stephenson, Coelho and Jolliffe, Weather and Forecasting 23
        (2008) 752-757.

    Examples:
        >>> labels = np.arange(60) % 3 == 0
        >>> brier = brier_decomposition(labels, np.where(np.arange(60) < 30, 0.2, 0.5), np.arange(60), bins=None)
        >>> round(brier.brier.value, 3), round(brier.reliability.value, 3), round(brier.uncertainty.value, 3)
        (0.245, 0.023, 0.222)
    """
    labels, probabilities = check_probabilities(labels, probabilities)
    counts = count_cases(labels, patients)
    by = "distinct probabilities" if bins is None else "equal-mass bins"
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        missing = Estimate.missing(reason, counts)
        return BrierDecomposition(missing, missing, missing, missing, missing, 0, by)
    group = np.unique(probabilities, return_inverse=True)[1] if bins is None else _bins(probabilities, bins)
    values = _components(*_group_sums(labels, probabilities, group))[:, 0]
    replicates = _replicates(_components, labels, probabilities, group, patients, options)
    brier, reliability, resolution, uncertainty, within = (
        interval(float(value), row, counts, options)
        for interval, value, row in zip(
            (_percentile, _basic, _basic, _percentile, _percentile), values, replicates, strict=True
        )
    )
    return BrierDecomposition(brier, reliability, resolution, uncertainty, within, int(group.max()) + 1, by)


def _bins(probabilities: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """Return (n,) the bin of each image, among those with an image."""
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is accepted.")
    if not len(probabilities):
        return np.zeros(0, dtype=np.intp)
    # In percent as scikit-learn has it: a rounding error here decides for an image that lies on an edge.
    edges = np.percentile(probabilities, np.linspace(0, 1, bins + 1) * 100)[1:-1]
    return np.unique(np.searchsorted(edges, probabilities), return_inverse=True)[1]


def _group_sums(
    labels: NDArray[np.bool_], probabilities: NDArray[np.float64], group: NDArray[np.intp]
) -> list[NDArray[np.float64]]:
    """Return (groups, 1) each: images, positives, sums of probabilities, and (1, 1) sum of squared differences."""
    sums = [np.bincount(group, weights=weights)[:, None] for weights in (np.ones(len(group)), labels, probabilities)]
    return [*sums, ((probabilities - labels) ** 2).sum()[None, None]]


def _replicates(
    statistic: Callable[..., NDArray[np.float64]],
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    group: NDArray[np.intp],
    patients: ArrayLike,
    options: BootstrapOptions,
) -> NDArray[np.float64]:
    number, which = index_patients(patients, len(labels))
    groups = int(group.max()) + 1
    counters = [
        sparse.coo_array((weights, (group, which)), shape=(groups, number)).tocsr()
        for weights in (np.ones(len(group)), labels.astype(np.float64), probabilities)
    ]
    # by column, so that the draws of a patient are read once for all groups
    counter = sparse.vstack(counters).tocsc()
    squared = np.bincount(which, weights=(probabilities - labels) ** 2, minlength=number)[None]
    return np.concatenate(
        [
            statistic(*np.split(counter @ drawn, 3), squared @ drawn)
            for drawn in multiplicities(number, options, tallest=groups)
        ],
        axis=1,
    )


def _gaps(
    images: NDArray[np.float64],
    positives: NDArray[np.float64],
    predicted: NDArray[np.float64],
    squared: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (groups, draws) mean probability minus proportion of positives, times the group's proportion of images."""
    return (predicted - positives) / images.sum(axis=0)


def _components(
    images: NDArray[np.float64],
    positives: NDArray[np.float64],
    predicted: NDArray[np.float64],
    squared: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (5, draws): Brier score, reliability, resolution, uncertainty and the variation within groups."""
    divisor = np.maximum(images, 1)
    total, prevalence = images.sum(axis=0), positives.sum(axis=0) / images.sum(axis=0)
    brier = squared[0] / total
    reliability = ((predicted - positives) ** 2 / divisor).sum(axis=0) / total
    resolution = (images * (positives / divisor - prevalence) ** 2).sum(axis=0) / total
    uncertainty = prevalence * (1 - prevalence)
    return np.stack([brier, reliability, resolution, uncertainty, brier - reliability + resolution - uncertainty])


def _percentile(value: float, replicates: NDArray[np.float64], counts: Counts, options: BootstrapOptions) -> Estimate:
    if np.ptp(replicates) < 1e-15:
        return Estimate(value, counts=counts, reason="no interval: every resample gives the same value")
    low, high = np.quantile(replicates, options.tails)
    return Estimate(value, float(low), float(high), counts, method=PATIENT_BOOTSTRAP)


def _basic(value: float, replicates: NDArray[np.float64], counts: Counts, options: BootstrapOptions) -> Estimate:
    """Return the basic interval: percentiles mirrored at the value, cut at 0."""
    plain = _percentile(value, replicates, counts, options)
    if plain.low is None or plain.high is None:
        return plain
    low, high = max(2 * value - plain.high, 0.0), max(2 * value - plain.low, 0.0)
    return Estimate(value, low, high, counts, method=PATIENT_BOOTSTRAP_BASIC)
