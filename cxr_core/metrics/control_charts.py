"""Control charts from counts: the band in which a period's count or proportion lies while nothing has changed.

Limits are those of a future period, and hold the error of a reference with few cases. A point outside is expected once
in so many periods for each series, whether or not anything changed, so it is no alarm: the alarm is that of
:mod:`.change_detection`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy  # its statistics are imported on first use: they take longer than the rest
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .cases import check_level
from .change_detection import NumericReference, ProportionReference

__all__ = [
    "THREE_SIGMA",
    "StabilityIndex",
    "category_test",
    "count_limits",
    "mean_limits",
    "proportion_limits",
    "stability_index",
]

THREE_SIGMA = 0.9973
"""Probability that a normal value lies within three standard deviations: the usual limits of a control chart."""


def count_limits(counts: ArrayLike, level: float = THREE_SIGMA) -> tuple[int, int]:
    """Return the limits of the count of one more period of the same length, such as the reads of a day.

    Poisson's where the counts vary no more than Poisson's do, else those of a negative binomial distribution with the
    mean and variance of the counts. Week days and week-ends differ: they need a chart each.

    Args:
        counts: (periods,) whole numbers, at least 2 periods.
        level: probability that the count lies within the limits, at least.

    Returns:
        Lower and upper limit, both inside.

    Raises:
        ValueError: for other input.

    References:
        Shewhart, Economic Control of Quality of Manufactured Product (1931); Montgomery, Introduction to Statistical
        Quality Control (2013), 7.3.

    Examples:
        >>> count_limits([20, 24, 16, 21, 19])
        (8, 35)
    """
    check_level(level)
    counts = np.asarray(counts)
    if counts.ndim != 1 or len(counts) < 2 or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise ValueError(f"Counts of shape {counts.shape}, {counts.dtype}: whole numbers of 2 periods or more.")
    mean, variance = float(counts.mean()), float(counts.var(ddof=1))
    tails = (1 - level) / 2, (1 + level) / 2
    if variance <= mean:
        low, high = scipy.stats.poisson.ppf(tails, mean)
    else:
        low, high = scipy.stats.nbinom.ppf(tails, mean**2 / (variance - mean), mean / variance)
    return max(int(low), 0), int(high)


def proportion_limits(
    reference: ProportionReference, reads: ArrayLike, level: float = THREE_SIGMA
) -> NDArray[np.float64]:
    """Return the limits of a proportion of so many reads, such as that of refused images in a week.

    Beta-binomial: the reference is known no better than its patients allow (Jeffreys's prior).

    Args:
        reference: the proportion where nothing has changed.
        reads: (periods,) whole numbers, one for each period.
        level: probability that the proportion lies within the limits, at least.

    Returns:
        (periods, 2) lower and upper limit, both inside; NaN for no read.

    References:
        Montgomery (2013), 7.2; Gelman et al., Bayesian Data Analysis (2013), 2.4, for the prediction.

    Examples:
        >>> proportion_limits(ProportionReference(0.1, patients=500), [20, 200]).round(3)
        array([[0.   , 0.35 ],
               [0.035, 0.185]])
    """
    check_level(level)
    reads = np.asarray(reads)
    with_event = reference.value * reference.patients
    shape = with_event + 0.5, reference.patients - with_event + 0.5
    limits = np.full((len(reads), 2), np.nan)
    known = reads > 0
    for column, tail in enumerate(((1 - level) / 2, (1 + level) / 2)):
        limits[known, column] = scipy.stats.betabinom.ppf(tail, reads[known], *shape) / reads[known]
    return np.clip(limits, 0, 1)


def mean_limits(reference: NumericReference, reads: ArrayLike, level: float = THREE_SIGMA) -> NDArray[np.float64]:
    """Return the limits of the mean normal score of so many reads, such as of a label's scores in a week.

    Normal scores (:meth:`.NumericReference.standardise`) have mean 0 and standard deviation 1 while nothing has
    changed; the error of the reference's own mean is added.

    Args:
        reference: the distribution where nothing has changed.
        reads: (periods,) whole numbers, reads of different patients, one number for each period.
        level: probability that the mean lies within the limits.

    Returns:
        (periods, 2) lower and upper limit, in standard deviations; NaN for no read.

    References:
        Montgomery (2013), 6.3, the chart of individual means; normal scores as in :mod:`.change_detection`.

    Examples:
        >>> from cxr_core.metrics import numeric_reference
        >>> mean_limits(numeric_reference(np.arange(1000.0), np.arange(1000)), [25, 100]).round(2)
        array([[-0.61,  0.61],
               [-0.31,  0.31]])
    """
    check_level(level)
    number = np.asarray(reads, dtype=np.float64)
    variance = np.full(len(number), np.nan)
    np.divide(1.0, number, out=variance, where=number > 0)
    half = float(ndtri((1 + level) / 2)) * np.sqrt(variance + reference.standard_error**2)
    return np.stack([-half, half], axis=1)


@dataclass(frozen=True)
class StabilityIndex:
    """Population stability index of a distribution against its reference.

    Attributes:
        value: 0 where both are the same; None with too few reads.
        limit: which it exceeds in 5 % of samples of so many reads though nothing has changed; None without a value.
        reads: with a value.
        bins: of equal weight in the reference.
    """

    value: float | None
    limit: float | None
    reads: int
    bins: int


def stability_index(values: ArrayLike, reference: NumericReference, bins: int = 10) -> StabilityIndex:
    """Return how far the distribution of a number lies from the reference.

    The sum over bins of (p - q) log(p / q), where p and q are the proportions of reads and of the reference; half a
    read is added to each bin. A fixed limit such as 0.1 or 0.25 is not used: what chance gives depends on the reads.

    Args:
        values: (n,) of reads of different patients; NaN is left out.
        reference: its quantiles are the edges of the bins.
        bins: at most; fewer where many values are tied. At least 5 reads for each are needed.

    References:
        Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of Risk Model
        Validation 14 (2020) 89-100: under no change it is (1/n + 1/m) times chi-squared, m the reference's patients.

    Examples:
        >>> from cxr_core.metrics import numeric_reference
        >>> reference = numeric_reference(np.arange(1000.0), np.arange(1000))
        >>> same, other = stability_index(np.arange(0, 1000, 5), reference), stability_index(np.arange(500), reference)
        >>> round(same.value, 3), round(other.value, 2), round(same.limit, 2)
        (0.0, 2.63, 0.1)
    """
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers)]
    wanted = np.searchsorted(reference.cumulative, np.arange(1, bins) / bins, side="left")
    edges = np.unique(reference.values[np.minimum(wanted, len(reference.values) - 1)])
    edges = edges[edges < reference.values[-1]]  # so that no bin is empty in the reference
    upto = np.searchsorted(reference.values, edges, side="right") - 1
    weights = np.diff(np.concatenate([[0.0], reference.cumulative[upto], [1.0]]))
    counts = np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(weights))
    number = len(weights)
    if number < 2 or len(numbers) < 5 * number:
        return StabilityIndex(None, None, len(numbers), number)
    proportions = (counts + 0.5) / (len(numbers) + 0.5 * number)
    index = float(((proportions - weights) * np.log(proportions / weights)).sum())
    limit = float(scipy.stats.chi2.ppf(0.95, number - 1)) * (1 / len(numbers) + 1 / reference.patients)
    return StabilityIndex(index, limit, len(numbers), number)


def category_test(counts: Mapping[str, int], reference: Mapping[str, int]) -> float | None:
    """Return the p-value that two mixes of categories, such as views or sexes, are the same.

    Args:
        counts, reference: number of patients in each category, or of reads where each patient has one.

    Returns:
        P-value of Pearson's chi-squared test of homogeneity; None where one side is empty, only one category was
        seen, or a cell is expected to hold fewer than one.

    References:
        Pearson, Philosophical Magazine 50 (1900) 157-175; Cochran, Biometrics 10 (1954) 417-451, for the smallest
        expected count.

    Examples:
        >>> round(category_test({"PA": 30, "AP": 70}, {"PA": 45, "AP": 55}), 3)
        0.028
    """
    names = sorted({name for side in (counts, reference) for name, number in side.items() if number})
    table = np.array([[side.get(name, 0) for name in names] for side in (counts, reference)])
    if len(names) < 2 or not table.sum(axis=1).all():
        return None
    result = scipy.stats.chi2_contingency(table, correction=False)
    return float(result.pvalue) if result.expected_freq.min() >= 1 else None
