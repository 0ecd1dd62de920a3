"""Proportions and means over images with their intervals, clustered by patient where patients have several images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from ..estimate import CLUSTERED, CLUSTERED_WILSON, WILSON, Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import check_labels, check_level, count_cases, index_patients, too_few_cases
from .patient_sums import patient_sums, sum_replicates

__all__ = [
    "Proportion",
    "clustered_wilson",
    "patient_mean",
    "patient_proportion",
    "patient_proportions",
    "wilson",
]


@dataclass(frozen=True, eq=False)
class Proportion:
    """A proportion to compute: of the images in the denominator, those with an event.

    Attributes:
        event: (n,) bool or 0/1.
        among: (n,) bool, the images of the denominator; None is all.
        counts: of the Estimate, where they are not images with and without the event.
        empty: the reason where the denominator is empty.
        kind: of the patients that ``min_patients`` counts, for the reason; ``{}`` stands for the word "patients".
    """

    event: ArrayLike
    among: ArrayLike | None = None
    counts: Counts | None = None
    empty: str = "no image"
    kind: str = "{}"


def wilson(successes: int, trials: int, level: float = 0.95) -> Estimate:
    """Return a proportion with Wilson's score interval.

    Only right where trials are independent: where each patient has one image, or patients are counted. With several
    images of a patient it is too narrow; use :func:`patient_proportion`.

    Args:
        successes: whole number in [0, trials].
        trials: whole number, 0 or more.
        level: confidence level, in (0, 1).

    Returns:
        Estimate whose positives are the successes; value None with reason ``"no trial"`` for none.

    Raises:
        ValueError: for other numbers.

    References:
        Wilson, Journal of the American Statistical Association 22 (1927) 209-212; without continuity correction.

    Examples:
        >>> estimate = wilson(8, 10)
        >>> estimate.value, round(estimate.low, 3), round(estimate.high, 3)
        (0.8, 0.49, 0.943)
    """
    check_level(level)
    if not 0 <= successes <= trials or successes != int(successes) or trials != int(trials):
        raise ValueError(f"{successes} of {trials}: whole numbers, no more successes than trials, are accepted.")
    counts = Counts(*(int(successes), int(trials - successes)) * 2)
    if trials == 0:
        return Estimate.missing("no trial", counts)
    value = successes / trials
    return Estimate(value, *wilson_limits(value, trials, float(ndtri((1 + level) / 2))), counts, method=WILSON)


def clustered_wilson(
    events: NDArray[np.float64], images: NDArray[np.float64], level: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's limits of a proportion of images, with their effective number as trials.

    Images of one patient tell less than as many patients would. The images are divided by the design effect, the
    variance of the proportion between patients over that of independent images; it is taken as no less than 1, and
    Student's quantile replaces the normal one, since that variance rests on few patients.

    Args:
        events: (patients,) number of images with the event, of each patient.
        images: (patients,) number of images of each patient, at least 1; not all or none with the event, at least
            two patients.
        level: confidence level, in (0, 1).

    References:
        Rao and Scott, A simple method for the analysis of clustered binary data, Biometrics 48 (1992) 577-585, for
        the design effect; Korn and Graubard, Survey Methodology 24 (1998) 193-201, for Student's quantile; Wilson
        (1927).

    Examples:
        >>> low, high = clustered_wilson(np.array([2.0, 0.0, 3.0, 1.0]), np.array([2.0, 2.0, 3.0, 3.0]))
        >>> round(low, 3), round(high, 3)
        (0.114, 0.946)
    """
    number, total = len(images), images.sum()
    value = events.sum() / total
    variance = number / (number - 1) * ((events - value * images) ** 2).sum() / total**2
    effective = min(value * (1 - value) / variance, total) if variance > 0 else total
    return wilson_limits(value, effective, float(stdtrit(number - 1, (1 + level) / 2)))


def wilson_limits(value: float, trials: float, z: float) -> tuple[float, float]:
    middle = (value + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(value * (1 - value) / trials + z**2 / (4 * trials**2))
    # At the ends the limit is 0 or 1 exactly, which rounding would miss by a little.
    low = 0.0 if value == 0 else max(float(middle - half), 0.0)
    high = 1.0 if value == 1 else min(float(middle + half), 1.0)
    return low, high


def patient_proportion(
    event: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS, *, among: ArrayLike | None = None
) -> Estimate:
    """Return the proportion of images with an event, such as those with any label above its threshold.

    A proportion of images, not of patients: a patient with many images weighs more.

    Args:
        event: (n,) bool or 0/1.
        patients: (n,) whole numbers or strings.
        options: of the interval; ``min_patients`` counts patients with an image in the denominator, and
            ``bootstrap_min_patients`` patients with, and patients without the event.
        among: (n,) bool, the images of the denominator; None is all.

    Returns:
        Estimate whose positives are the images with the event. The interval is Wilson's where each patient has one
        image; else percentiles of the patient bootstrap where there are enough patients, and Wilson's clustered by
        patient where not. A proportion of 0 or 1 is the same in every resample; its interval is Wilson's with each
        patient as one trial. Value None with reason ``"no image"`` or ``"too few cases (3 patients)"``.

    Raises:
        ValueError: for other shapes or values.

    References:
        Field and Welsh (2007), as in :mod:`.bootstrap`; Efron and Tibshirani (1993), chapter 13;
        :func:`clustered_wilson`; Wilson (1927).

    Examples:
        >>> flagged, patients = np.arange(60) % 4 == 0, np.arange(60) // 3
        >>> rate = patient_proportion(flagged, patients)
        >>> rate.value, round(rate.low, 3), round(rate.high, 3), rate.method
        (0.25, 0.153, 0.381, 'Wilson, clustered by patient')
    """
    return patient_proportions([Proportion(event, among)], patients, options)[0]


def patient_proportions(
    proportions: Sequence[Proportion], patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> tuple[Estimate, ...]:
    """Return :func:`patient_proportion` of each, all from the same resamples, which are drawn once.

    Args:
        proportions: of the same n images.
        patients: (n,) whole numbers or strings.
        options: of the intervals.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> above, positive = np.arange(60) % 4 == 0, np.arange(60) % 2 == 0
        >>> wanted = [Proportion(above, positive), Proportion(~above, ~positive)]
        >>> [rate.value for rate in patient_proportions(wanted, np.arange(60))]
        [0.5, 1.0]
    """
    estimates: list[Estimate] = []
    bootstrapped: list[int] = []
    sums: list[NDArray[np.float64]] = []
    for k, proportion in enumerate(proportions):
        event = check_labels(proportion.event)
        among = np.ones(len(event), dtype=bool) if proportion.among is None else check_labels(proportion.among)
        number, which = index_patients(patients, len(event))
        patients = which  # numbers in the order of the names: the same draws, and faster to look up
        counts = proportion.counts or count_cases(event[among], which[among])
        images = np.bincount(which[among], minlength=number).astype(np.float64)
        events = np.bincount(which[among & event], minlength=number).astype(np.float64)
        estimate = _without_resamples(events, images, counts, proportion, options)
        if estimate is None:
            bootstrapped.append(k)
            sums += [events, images]
            estimate = Estimate(float(events.sum() / images.sum()), counts=counts)
        estimates.append(estimate)
    if bootstrapped:
        replicates = sum_replicates(np.stack(sums), options)
        for k, images, events_drawn, images_drawn in zip(
            bootstrapped, sums[1::2], replicates[::2], replicates[1::2], strict=True
        ):
            draws = np.full(len(images_drawn), np.nan)
            np.divide(events_drawn, images_drawn, out=draws, where=images_drawn > 0)
            too_few = too_few_cases(int((images > 0).sum()), proportions[k].kind)
            estimates[k] = with_percentiles(estimates[k], draws, options, too_few)
    return tuple(estimates)


def _without_resamples(
    events: NDArray[np.float64],
    images: NDArray[np.float64],
    counts: Counts,
    proportion: Proportion,
    options: BootstrapOptions,
) -> Estimate | None:
    """Return the estimate from counts of each patient; None where the interval is one of resamples."""
    present = images > 0
    trials = int(present.sum())
    if not trials:
        return Estimate.missing(proportion.empty, counts)
    if trials < options.min_patients:
        return Estimate.missing(too_few_cases(trials, proportion.kind), counts)
    total, successes = int(images.sum()), int(events.sum())
    value = successes / total
    if total == trials or value in (0.0, 1.0):
        interval = wilson(successes if total == trials else int(value) * trials, trials, options.level)
        return Estimate(value, interval.low, interval.high, counts, method=WILSON)
    if min((events > 0).sum(), (events < images).sum()) >= options.bootstrap_min_patients:
        return None
    if trials == 1:
        return Estimate(value, counts=counts, reason="no interval: only one patient")
    low, high = clustered_wilson(events[present], images[present], options.level)
    return Estimate(value, low, high, counts, method=CLUSTERED_WILSON)


def patient_mean(
    values: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    lowest: float = -math.inf,
    highest: float = math.inf,
    counts: Counts | None = None,
) -> Estimate:
    """Return the mean of a number over images.

    A mean over images, not over patients: a patient with many images weighs more.

    Args:
        values: (n,) finite, one number an image.
        patients: (n,) whole numbers or strings.
        options: of the interval; ``bootstrap_min_patients`` patients in all give percentiles of the bootstrap, fewer
            the spread between patients with Student's quantile.
        lowest, highest: range of the number; the interval is cut there.
        counts: of the Estimate, where the number belongs to a label; by default all images count as positive.

    Returns:
        Estimate. Value None with reason ``"no image"`` or ``"too few cases (3 patients)"``.

    Raises:
        ValueError: for other shapes or values.

    References:
        Field and Welsh (2007); a ratio of sums over patients, linearised, as in Cochran, Sampling Techniques (1977),
        6.4.

    Examples:
        >>> mean = patient_mean(np.arange(40) % 5, np.arange(40) // 2)
        >>> mean.value, round(mean.low, 2), round(mean.high, 2)
        (2.0, 1.52, 2.48)
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"Values of shape {values.shape}: (n,) finite numbers are accepted.")
    number, which = index_patients(patients, len(values))
    counts = counts or Counts(len(values), 0, number, 0)
    if number < max(options.min_patients, 1):
        return Estimate.missing(too_few_cases(number) if number else "no image", counts)
    sums = patient_sums(np.stack([values, np.ones(len(values))]), which, number)
    value = float(sums[0].sum() / sums[1].sum())
    if number >= options.bootstrap_min_patients:
        totals, images = sum_replicates(sums, options)
        return with_percentiles(Estimate(value, counts=counts), totals / images, options)
    residuals = sums[0] - value * sums[1]
    if number == 1 or not np.abs(residuals).max() > 1e-12:
        return Estimate(value, counts=counts, reason="no interval: no spread between patients")
    error = math.sqrt(number / (number - 1) * float(residuals @ residuals)) / len(values)
    half = float(stdtrit(number - 1, options.tails[1])) * error
    return Estimate(value, max(value - half, lowest), min(value + half, highest), counts, method=CLUSTERED)
