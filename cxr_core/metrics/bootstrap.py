"""The patient bootstrap: resamples of patients, and statistics in every resample at once.

Images of one patient resemble one another, so patients are drawn, each with all images (the cluster bootstrap). A
resample is a column of multiplicities, how often each patient was drawn: any count of images in it is the product
of counts for each patient and that column, and nothing is sorted again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import PATIENT_BOOTSTRAP, Estimate
from .cases import check_labels, check_level, count_cases, index_patients, insufficient_cases, too_few_cases

__all__ = [
    "BOOTSTRAP_MIN_PATIENTS",
    "DEFAULTS",
    "MAX_UNDEFINED",
    "BootstrapOptions",
    "cached_draws",
    "default_resamples",
    "exact_in_single",
    "multiplicities",
    "patient_bootstrap",
    "percentile_interval",
    "with_percentiles",
]

BOOTSTRAP_MIN_PATIENTS = 200
"""Patients of the rarer class from which percentile intervals have their nominal coverage.

Below, a clustered interval is used where there is one: measured by ``python -m benchmarks.soak.coverage``, table in
docs/evaluation.md.
"""

MAX_UNDEFINED = 0.05
"""Largest proportion of resamples that may lack a class: beyond, the rest say little about them."""

_CHUNK_CELLS, _CACHED_CELLS, _COLUMNS_TOGETHER = 2**21, 2**26, 128
_EXACT_IN_SINGLE = 2**24
_MOST, _FEWEST, _WORK = 2000, 400, 50_000_000


@dataclass(frozen=True)
class BootstrapOptions:
    """How intervals are made.

    Attributes:
        resamples: number of resamples of patients, at least 1.
        seed: of NumPy's default generator; the same input and seed give the same interval.
        level: confidence level, in (0, 1).
        min_patients: positive patients and negative patients below which there is no value.
        bootstrap_min_patients: positive patients and negative patients from which percentiles of the bootstrap are
            used; below, the analytic clustered interval where there is one. 0 is always percentiles.
        pooled: whether patients with equal counts are drawn together, as in :func:`.patient_sums.sum_replicates`:
            faster where counts are small. Each number then has resamples of its own.

    Raises:
        ValueError: for a level outside (0, 1) or no resample.

    Examples:
        >>> BootstrapOptions(resamples=500, level=0.9)
        BootstrapOptions(resamples=500, seed=0, level=0.9, min_patients=10, bootstrap_min_patients=200, pooled=False)
    """

    resamples: int = 2000
    seed: int = 0
    level: float = 0.95
    min_patients: int = 10
    bootstrap_min_patients: int = BOOTSTRAP_MIN_PATIENTS
    pooled: bool = False

    def __post_init__(self) -> None:
        """Refuse a level that is none, and no resample."""
        check_level(self.level)
        if self.resamples < 1:
            raise ValueError(f"{self.resamples} resamples: at least 1 is accepted.")

    @property
    def tails(self) -> tuple[float, float]:
        """The two quantiles of an interval with this level, such as 0.025 and 0.975."""
        return (1 - self.level) / 2, (1 + self.level) / 2


DEFAULTS = BootstrapOptions()
"""2,000 resamples, 95 %, at least 10 patients of each class."""


def default_resamples(images: int) -> int:
    """Return the default number of resamples: 2,000 up to 25,000 images, 445 for 112,120.

    Images times resamples stay under 50 million, with no fewer than 400 resamples. With 400, Monte Carlo error moves
    an end of a 95 % interval by 0.13 standard errors, 3.4 % of the interval's width (a quantile's standard deviation,
    sqrt(p (1 - p) / R) over the density there): with so many images, in the fourth decimal of an AUC.

    Args:
        images: number of images, 0 or more.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), 19.3.

    Examples:
        >>> [default_resamples(images) for images in (1_000, 50_000, 112_120, 1_000_000)]
        [2000, 1000, 445, 400]
    """
    return int(min(max(_WORK // max(images, 1), _FEWEST), _MOST))


def multiplicities(
    patients: int,
    options: BootstrapOptions,
    tallest: int | None = None,
    dtype: type[np.float32] | type[np.float64] = np.float64,
) -> Iterator[NDArray[Any]]:
    """Draw as many patients as there are, with replacement, ``options.resamples`` times.

    Args:
        patients: number of patients P, at least 1.
        options: resamples R and seed (PCG64); the draws depend on these and P alone.
        tallest: rows of the tallest array that the caller makes from one chunk; chunks are narrower where it is tall.
        dtype: of the chunks; single precision where :func:`exact_in_single` says that it does.

    Yields:
        (P, r) whole numbers, each column adding up to P; the r of all chunks add up to R.

    Raises:
        ValueError: for no patient.

    References:
        Field and Welsh, Bootstrapping clustered data, Journal of the Royal Statistical Society B 69 (2007) 369-390.

    Examples:
        >>> (drawn,) = multiplicities(4, BootstrapOptions(resamples=3, seed=1))
        >>> drawn.shape, drawn.sum(axis=0)
        ((4, 3), array([4., 4., 4.]))
    """
    if patients < 1:
        raise ValueError(f"{patients} patients: at least 1 is accepted.")
    width = max(1, _CHUNK_CELLS // max(patients, tallest or 0))
    cached = cached_draws(patients, options)
    if cached is None:
        for drawn in _draw(patients, options.resamples, options.seed, width):
            yield drawn.astype(dtype)
        return
    # a few chunks at once: columns that lie together are converted many times faster
    together = width * max(1, _COLUMNS_TOGETHER // width)
    for start in range(0, options.resamples, together):
        columns = np.ascontiguousarray(cached[:, start : start + together])
        for first in range(0, columns.shape[1], width):
            yield columns[:, first : first + width].astype(dtype)


def cached_draws(patients: int, options: BootstrapOptions) -> NDArray[np.uint8] | None:
    """Return what :func:`multiplicities` yields as one read-only array (P, R), or None where it would be over 64 MB."""
    if patients * options.resamples > _CACHED_CELLS:
        return None
    with _drawing:
        return _cached_draws(patients, options.resamples, options.seed)


def exact_in_single(largest: float, patients: int) -> bool:
    """Return whether sums of whole numbers over a resample are exact in single precision, in half the memory.

    Args:
        largest: of the sums of one patient, without sign.
        patients: number of patients, as many as a resample draws.
    """
    return largest * patients <= _EXACT_IN_SINGLE


def _draw(patients: int, resamples: int, seed: int, width: int) -> Iterator[NDArray[np.intp]]:
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, width):
        r = min(width, resamples - start)
        drawn = generator.integers(0, patients, size=(r, patients))
        cells = (drawn * r + np.arange(r)[:, None]).ravel()
        yield np.bincount(cells, minlength=patients * r).reshape(patients, r)


_drawing = threading.Lock()
"""Threads that need the same draws at once draw them once."""


@lru_cache(maxsize=3)
def _cached_draws(patients: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return (P, R) draws: a run has hundreds of numbers from the same draws, and drawing is most of the work.

    One byte holds how often a patient is drawn: over 255 times, from 256 patients or more, comes once in 10^500.
    """
    chunks = _draw(patients, resamples, seed, max(1, _CHUNK_CELLS // patients))
    cached = np.concatenate([drawn.astype(np.uint8) for drawn in chunks], axis=1)
    cached.flags.writeable = False
    return cached


def percentile_interval(
    replicates: NDArray[np.float64], options: BootstrapOptions = DEFAULTS
) -> tuple[float | None, float | None, str | None]:
    """Return the percentile interval of bootstrap replicates.

    Percentiles go along with any rising function, so on the logit scale and back they are the same up to
    interpolation. They never leave the range of the statistic, and are a little too narrow with few patients.

    Args:
        replicates: (R,) float64; NaN where the statistic was undefined, which is dropped.
        options: the level is used.

    Returns:
        ``(low, high, None)``, or ``(None, None, reason)``: ``"too few cases"`` where more than 5 % were dropped, or
        that every resample gives the same value, which is no sign of certainty.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Examples:
        >>> low, high, reason = percentile_interval(np.arange(201.0))
        >>> round(low, 2), round(high, 2), reason
        (5.0, 195.0, None)
        >>> percentile_interval(np.ones(10))
        (None, None, 'no interval: every resample gives the same value')
    """
    defined = replicates[~np.isnan(replicates)]
    if len(replicates) - len(defined) > MAX_UNDEFINED * len(replicates):
        return None, None, "too few cases"
    if defined.min() == defined.max():
        return None, None, "no interval: every resample gives the same value"
    low, high = np.quantile(defined, options.tails)
    return float(low), float(high), None


def with_percentiles(
    estimate: Estimate,
    replicates: NDArray[np.float64],
    options: BootstrapOptions = DEFAULTS,
    too_few: str | None = None,
) -> Estimate:
    """Return the estimate with the percentile interval of its replicates.

    Args:
        estimate: with a value and counts.
        replicates: (R,) float64, NaN where undefined.
        options: the level is used.
        too_few: the reason where more than 5 % of replicates are undefined; the value is then missing. By default
            from the counts.
    """
    low, high, reason = percentile_interval(replicates, options)
    if reason == "too few cases":
        counted = too_few_cases(estimate.counts) if estimate.counts else reason
        return Estimate.missing(too_few or counted, estimate.counts)
    return replace(estimate, low=low, high=high, reason=reason, method=None if reason else PATIENT_BOOTSTRAP)


def patient_bootstrap(
    statistic: Callable[..., float | Estimate | None],
    labels: ArrayLike,
    *arrays: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> Estimate:
    """Return any statistic with a patient bootstrap interval, by one call for each resample.

    Args:
        statistic: called with labels and arrays of the same images, some of them more than once, in the order given;
            returns a finite number, an Estimate whose value is taken, or None (or NaN) where it is undefined.
        labels: (n,) bool or 0/1.
        arrays: each (n, ...), such as scores.
        patients: (n,) whole numbers or strings.
        options: of the interval.

    Returns:
        Estimate. Without a value where a class is missing, patients are too few, more than 5 % of resamples are
        undefined, or, with the reason ``"undefined on these images"``, the statistic is.

    Raises:
        ValueError: for other shapes or values.

    References:
        Field and Welsh (2007); Efron and Tibshirani (1993), chapter 13.

    Examples:
        >>> labels, scores = np.arange(40) % 2 == 0, np.arange(40) // 4
        >>> def difference_of_means(labels, scores):
        ...     return scores[labels].mean() - scores[~labels].mean() if 0 < labels.sum() < len(labels) else None
        >>> estimate = patient_bootstrap(difference_of_means, labels, scores, patients=np.arange(40))
        >>> estimate.value, round(estimate.low, 2), round(estimate.high, 2)
        (0.0, -1.75, 1.85)
    """
    labels, rows = check_labels(labels), [np.asarray(array) for array in arrays]
    for array in rows:
        if array.shape[:1] != labels.shape:
            raise ValueError(f"An array of shape {array.shape}: one row for each of {len(labels)} images is accepted.")
    number, which = index_patients(patients, len(labels))
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason is not None:
        return Estimate.missing(reason, counts)
    result = statistic(labels, *rows)
    value = _number(result)
    if math.isnan(value):
        reason = result.reason if isinstance(result, Estimate) else None
        return Estimate.missing(reason or "undefined on these images", counts)
    replicates = []
    for drawn in multiplicities(number, options):
        for times in drawn.T.astype(np.intp):
            images = np.repeat(np.arange(len(labels)), times[which])
            replicates.append(_number(statistic(labels[images], *(array[images] for array in rows))))
    return with_percentiles(Estimate(value, counts=counts), np.array(replicates), options)


def _number(result: float | Estimate | None) -> float:
    value = result.value if isinstance(result, Estimate) else result
    return math.nan if value is None else float(value)
