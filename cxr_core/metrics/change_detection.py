"""Detection of a change in a stream of reads, by one statistic over all series, with a bound on false alarms.

Of each series two charts are kept, for a rise and for a fall. A chart multiplies likelihood ratios of the values since
every moment at which the change may have begun, and adds these products up (Shiryaev and Roberts). The alarm is raised
when the mean of all charts reaches the number of reads that shall pass, on average, before a false alarm.

The bound holds for series that depend on one another, and for any distribution of which the standardised values have
no heavier tail than the normal one; it needs reads that are independent, so of a patient who returns within days only
the first is to be counted. An alarm says that the reads differ from the reference, not that the model is worse, and
not since when; no alarm does not say that nothing changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .cases import index_patients
from .proportions import wilson_limits

__all__ = [
    "ChangeOptions",
    "NumericReference",
    "ProportionReference",
    "detect_changes",
    "first_of_patient",
    "numeric_reference",
    "proportion_reference",
]

_LARGEST = 30.0
"""Largest logarithm of one factor; e^30 alone raises any alarm."""


@dataclass(frozen=True)
class ChangeOptions:
    """What the charts look for.

    Attributes:
        reads_per_false_alarm: mean number of reads before a false alarm, over all series together, at least 1.
        shift: of the mean of a number for which the charts are most sensitive, in standard deviations.
        odds_ratio: of a proportion for which the charts are most sensitive, over 1; its inverse for a fall.
        margin: standard errors of the reference by which it may itself be off without counting as a change.

    Raises:
        ValueError: for other values.
    """

    reads_per_false_alarm: float = 10_000
    shift: float = 0.2
    odds_ratio: float = 2.0
    margin: float = 1.5

    def __post_init__(self) -> None:
        """Refuse what is no such number."""
        if not (self.reads_per_false_alarm >= 1 and self.shift > 0 and self.odds_ratio > 1 and self.margin >= 0):
            raise ValueError(
                f"{self}: at least 1 read, a shift over 0, an odds ratio over 1 and a margin are accepted."
            )


DEFAULTS = ChangeOptions()
"""10,000 reads, 0.2 standard deviations, an odds ratio of 2, one and a half standard errors.

Chosen by ``python -m benchmarks.drift``: with one standard error references that are samples gave some 0.7 false alarms
in 10,000 reads, with one and a half none in 120,000; larger ones, and a shift of 0.3, detect small changes later.
"""


@dataclass(frozen=True, eq=False)
class NumericReference:
    """The distribution of a number in the reference, each patient with the same weight.

    Attributes:
        values: (m,) sorted.
        cumulative: (m,) weight up to and including each value, rising to 1.
        standard_error: of the mean of the standardised values, by patients.
        patients: with a value.
    """

    values: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    standard_error: float
    patients: int

    def standardise(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return normal scores: the standard normal quantile of the middle rank in the reference; NaN stays.

        Args:
            values: (n,).

        Returns:
            (n,) float64, of mean 0 and standard deviation 1 where values are as in the reference, and within the
            quantiles of half a patient: a single value, however far off, raises no alarm.

        Examples:
            >>> reference = numeric_reference(np.arange(100.0), np.arange(100))
            >>> reference.standardise([49.5, 97.0, 1e9]).round(2)
            array([0.  , 1.96, 2.58])
        """
        values = np.asarray(values, dtype=np.float64)
        steps = np.concatenate([[0.0], self.cumulative])
        below, upto = (steps[np.searchsorted(self.values, values, side=side)] for side in ("left", "right"))
        half = 0.5 / self.patients
        return np.where(np.isnan(values), np.nan, ndtri(np.clip((below + upto) / 2, half, 1 - half)))

    def factors(self, values: ArrayLike, options: ChangeOptions = DEFAULTS) -> NDArray[np.float64]:
        """Return (n, 2) logarithms of the likelihood ratio of a rise and of a fall; 0 where there is no value.

        Between normal distributions whose means lie ``shift`` apart, of which the first is off by the margin.
        """
        scores, margin = self.standardise(values)[:, None], options.margin * self.standard_error
        logs = options.shift * (np.array([1.0, -1.0]) * scores - margin) - options.shift**2 / 2
        return np.nan_to_num(logs)


@dataclass(frozen=True)
class ProportionReference:
    """A proportion in the reference, each patient with the same weight.

    Attributes:
        value: the proportion, in [0, 1].
        patients: with a value.
    """

    value: float
    patients: int

    def limits(self, margin: float) -> tuple[float, float]:
        """Return Wilson's limits with so many standard errors, patients as trials."""
        return wilson_limits(self.value, self.patients, margin) if margin else (self.value, self.value)

    def factors(self, values: ArrayLike, options: ChangeOptions = DEFAULTS) -> NDArray[np.float64]:
        """Return (n, 2) logarithms of the likelihood ratio of a rise and of a fall; 0 where there is no value.

        Args:
            values: (n,) 0, 1 or NaN.
            options: the odds ratio, and the margin: a rise is counted from the upper limit of the reference.
        """
        values = np.asarray(values, dtype=np.float64)
        columns = []
        for before, ratio in zip(
            self.limits(options.margin)[::-1], (options.odds_ratio, 1 / options.odds_ratio), strict=True
        ):
            before = min(max(before, 0.5 / self.patients), 1 - 0.5 / self.patients)
            after = ratio * before / (1 - before + ratio * before)
            columns.append(np.where(values == 1, math.log(after / before), math.log((1 - after) / (1 - before))))
        return np.where(np.isnan(values)[:, None], 0.0, np.stack(columns, axis=1))


def numeric_reference(values: ArrayLike, patients: ArrayLike) -> NumericReference:
    """Return the reference of a number, such as the score of a label.

    Args:
        values: (n,) of the images of the reference; NaN where unknown, which is left out.
        patients: (n,) whole numbers or strings. Each patient has the same weight, however many images: where a
            patient of the stream counts once, so does one of the reference.

    Raises:
        ValueError: for fewer than 2 patients.

    Examples:
        >>> reference = numeric_reference([1.0, 2.0, 3.0, 9.0], ["a", "a", "b", "c"])
        >>> reference.cumulative.round(3)
        array([0.167, 0.333, 0.667, 1.   ])
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    number, which = index_patients(np.asarray(patients)[known], int(known.sum()))
    if number < 2:
        raise ValueError(f"A reference of {number} patients: at least 2 are accepted.")
    weights = 1 / np.bincount(which)[which] / number
    order = np.argsort(values[known], kind="stable")
    cumulative = np.minimum(np.cumsum(weights[order]), 1.0)
    cumulative[-1] = 1.0
    reference = NumericReference(values[known][order], cumulative, 0.0, number)
    means = np.bincount(which, weights=reference.standardise(values[known])) / np.bincount(which)
    return NumericReference(reference.values, cumulative, float(means.std(ddof=1) / math.sqrt(number)), number)


def proportion_reference(events: ArrayLike, patients: ArrayLike) -> ProportionReference:
    """Return the reference of a proportion, such as of images with a finding above its threshold.

    Args:
        events: (n,) bool, or 0, 1 and NaN where unknown, which is left out.
        patients: as in :func:`numeric_reference`.

    Examples:
        >>> proportion_reference([1, 0, 0, 0], ["a", "a", "b", "c"]).value.__round__(3)
        0.167
    """
    events = np.asarray(events, dtype=np.float64)
    known = ~np.isnan(events)
    number, which = index_patients(np.asarray(patients)[known], int(known.sum()))
    if number < 2:
        raise ValueError(f"A reference of {number} patients: at least 2 are accepted.")
    return ProportionReference(float((np.bincount(which, weights=events[known]) / np.bincount(which)).mean()), number)


def detect_changes(
    factors: NDArray[np.float64], options: ChangeOptions = DEFAULTS
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Return the statistic after each read, the alarms, and each chart's part of them.

    With R the chart of one series and direction, R(n) = (1 + R(n - 1)) L(n), where L(n) is the likelihood ratio of
    read n. While nothing has changed, R(n) - n has no upward drift, nor has its mean over the charts; so the mean
    number of reads until it reaches A is at least A, whatever the dependence of the charts.

    Args:
        factors: (n, charts) logarithms of L, in the order of the reads.
        options: ``reads_per_false_alarm`` is A. After an alarm all charts start again at 0.

    Returns:
        (n,) mean of the charts over A, 1 or more at an alarm; (alarms,) numbers of the reads at which there is one;
        (alarms, charts) each chart's proportion of the statistic there, which adds up to 1.

    References:
        Shiryaev, Theory of Probability and Its Applications 8 (1963) 22-46; Roberts, Technometrics 8 (1966) 411-430;
        Pollak, Annals of Statistics 15 (1987) 749-779, for the bound; means over several charts, Shin, Ramdas and
        Rinaldo, New England Journal of Statistics in Data Science 2 (2024) 229-260.

    Examples:
        >>> level, alarms, parts = detect_changes(np.log([[2.0, 0.5]] * 6), ChangeOptions(reads_per_false_alarm=20))
        >>> level.round(2).tolist(), alarms.tolist(), parts.round(2).tolist()
        ([0.06, 0.17, 0.37, 0.77, 1.57, 0.06], [4], [[0.98, 0.02]])
    """
    factors = np.exp(np.minimum(np.asarray(factors, dtype=np.float64), _LARGEST))
    level, alarms, parts = np.zeros(len(factors)), [], []
    state = np.zeros(factors.shape[1])
    for n, ratio in enumerate(factors):
        state = (1 + state) * ratio
        level[n] = state.mean() / options.reads_per_false_alarm
        if level[n] >= 1:
            alarms.append(n)
            parts.append(state / state.sum())
            state = np.zeros_like(state)
    return level, np.array(alarms, dtype=np.intp), np.array(parts).reshape(len(alarms), factors.shape[1])


def first_of_patient(days: ArrayLike, patients: ArrayLike, period: float = 30.0) -> NDArray[np.bool_]:
    """Return which reads are the first of their patient, or follow the last that counted by a period or more.

    Args:
        days: (n,) time of each read in days, in order.
        patients: (n,) strings or whole numbers; an empty string is an unknown patient, whose reads all count.
        period: in days.

    Examples:
        >>> first_of_patient([0, 1, 29, 31, 31], ["a", "b", "a", "a", ""])
        array([ True,  True, False,  True,  True])
    """
    last: dict[object, float] = {}
    counted = []
    for day, patient in zip(np.asarray(days, dtype=np.float64).tolist(), np.asarray(patients).tolist(), strict=True):
        first = patient == "" or day - last.get(patient, -math.inf) >= period
        counted.append(first)
        if first:
            last[patient] = day
    return np.array(counted, dtype=bool)
