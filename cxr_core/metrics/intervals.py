"""How sure a number is: bootstrap over patients, and Wilson's interval for a share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import ndtri

from .estimate import Estimate
from .ranking import check_labels_and_scores, missing_class, roc_auc
from .resampling import check_level, index_patients, multiplicities, percentile_interval

__all__ = [
    "auc_replicates",
    "count_patients",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "too_few",
    "wilson",
]


def count_patients(labels: ArrayLike, patients: ArrayLike) -> tuple[int, int]:
    """Return the number of patients with any positive film, and with any negative film.

    One patient may be both, so the two can add up to more than there are patients.

    Args:
        labels: (n,) bool or 0/1.
        patients: (n,) of whole numbers or strings.

    Raises:
        ValueError: for other shapes or values.
    """
    labels = _check_labels(labels)
    number, which = index_patients(patients, len(labels))
    positive, negative = (
        int(np.bincount(which[kind], minlength=number).astype(bool).sum()) for kind in (labels, ~labels)
    )
    return positive, negative


def patient_bootstrap_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Estimate | tuple[Estimate, ...]:
    """Return the area under the ROC curve with an interval from resampled patients.

    The interval is the error of drawing these patients and not others like them. It holds no error of
    the labels, of a choice made on the same films, or of another hospital.

    All classes see the same resamples.

    Args:
        labels: (n,) or (n, classes) bool or 0/1.
        scores: of the same shape, finite; higher means more likely positive.
        patients: (n,) of whole numbers or strings.
        resamples: how many times as many patients as there are get drawn with replacement.
        seed: of the draws; the same input and seed give the same interval.
        level: of the interval, in (0, 1).
        min_patients: positive patients and negative patients below which there is no value.

    Returns:
        An Estimate, or a tuple of one for each class. The value is None with reason ``"no positive"``
        and the like where a class is missing; ``"too few cases: 3 positive, 90 negative patients"``
        below ``min_patients`` or where more than 5 % of resamples lack a class. A value without an
        interval has the reason that every resample gives the same value, as where no positive and
        negative are in the wrong order.

    Raises:
        ValueError: for other shapes or values.

    Source: Hanley and McNeil (1982), as :func:`.ranking.roc_auc`; Field and Welsh (2007) for the draws;
    Efron and Tibshirani (1993), chapter 13, for the percentiles.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    check_level(level)
    if labels.ndim not in (1, 2) or labels.shape != scores.shape:
        raise ValueError(
            f"Labels of shape {labels.shape} and scores of shape {scores.shape}: "
            "two arrays of the same shape (n,) or (n, classes) are accepted."
        )
    columns = [(labels, scores)] if labels.ndim == 1 else list(zip(labels.T, scores.T, strict=True))
    columns = [check_labels_and_scores(*column) for column in columns]
    index_patients(patients, len(labels))
    estimates = [_enough(*column, patients, min_patients) for column in columns]
    todo = [c for c, estimate in enumerate(estimates) if estimate.value is not None]
    replicates = auc_replicates([columns[c] for c in todo], patients, resamples, seed)
    for c, row in zip(todo, replicates, strict=True):
        estimates[c] = _with_interval(estimates[c], row, level)
    return estimates[0] if labels.ndim == 1 else tuple(estimates)


def auc_replicates(
    columns: list[tuple[NDArray[np.bool_], NDArray[np.float64]]],
    patients: ArrayLike,
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the AUC of every class in every resample of patients, exactly, ties included.

    Args:
        columns: labels (n,) bool and scores (n,) float64 of each class; both kinds must be there.
        patients: (n,) of whole numbers or strings.
        resamples, seed: as in :func:`.resampling.multiplicities`.

    Returns:
        (classes, resamples) float64 in [0, 1]; NaN where a resample has no positive or no negative.
    """
    replicates = np.full((len(columns), resamples), np.nan)
    if not columns:
        return replicates
    films = len(columns[0][0])
    number, which = index_patients(patients, films)
    counters = [_levels(*column, which, number) for column in columns]
    done = 0
    for drawn in multiplicities(number, resamples, seed, rows=films + 1):
        part = slice(done, done := done + drawn.shape[1])
        for c, (few, many) in enumerate(counters):
            replicates[c, part] = _auc_of_draws(few, many, drawn)
    return replicates


def _levels(labels, scores, which, number) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Count the films of each patient at each level of score, for the rarer class and for the other.

    The k levels are the distinct scores of the rarer class. Films of the other class fall on a level
    or between two, in 2k + 1 rows: below the first, on the first, between first and second, and so on.
    Only k matters for the work of a resample, and labels are rare.
    """
    if 2 * labels.sum() > len(labels):
        # The same pairs, seen from the other side.
        labels, scores = ~labels, -scores
    levels, level = np.unique(scores[labels], return_inverse=True)
    others = scores[~labels]
    next_level = np.searchsorted(levels, others)
    row = 2 * next_level + (levels[np.minimum(next_level, len(levels) - 1)] == others)
    few = sparse.coo_array((np.ones(len(level)), (level, which[labels])), shape=(len(levels), number))
    many = sparse.coo_array((np.ones(len(row)), (row, which[~labels])), shape=(2 * len(levels) + 1, number))
    return few.tocsr(), many.tocsr()


def _auc_of_draws(few, many, drawn) -> NDArray[np.float64]:
    rarer, other = few @ drawn, many @ drawn
    up_to = np.cumsum(other, axis=0)
    # Halves of whole numbers below 2**53 are exact, so the order of the sums does not matter.
    won = (rarer * (up_to[:-1:2] + other[1::2] / 2)).sum(axis=0)
    pairs = rarer.sum(axis=0) * up_to[-1]
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def patient_bootstrap(
    statistic: Callable[..., float | Estimate | None],
    labels: ArrayLike,
    *arrays: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Estimate:
    """Return any statistic with an interval from resampled patients, one call for each resample.

    Args:
        statistic: called with labels and arrays of the same films, some of them more than once, in the
            order given; returns a finite number, an Estimate whose value is taken, or None (or NaN) where
            it is undefined.
        labels: (n,) bool or 0/1.
        arrays: each (n, ...), such as scores.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, min_patients: as in :func:`patient_bootstrap_auc`, with the same draws.

    Returns:
        An Estimate, with the reasons of :func:`patient_bootstrap_auc`; ``"undefined on these films"``
        where the statistic itself is None and gives no reason.

    Raises:
        ValueError: for other shapes or values.

    Source: Field and Welsh (2007); Efron and Tibshirani (1993), chapter 13.
    """
    labels, arrays = _check_labels(labels), tuple(np.asarray(array) for array in arrays)
    check_level(level)
    for array in arrays:
        if array.shape[:1] != labels.shape:
            raise ValueError(f"An array of shape {array.shape}: one row for each of {len(labels)} films is accepted.")
    number, which = index_patients(patients, len(labels))
    counts = (int(labels.sum()), int((~labels).sum()), *count_patients(labels, patients))
    reason = missing_class(*counts[:2]) or (too_few(*counts[2:]) if min(counts[2:]) < min_patients else None)
    if reason is None:
        answer = statistic(labels, *arrays)
        reason = answer.reason if isinstance(answer, Estimate) and answer.value is None else None
        value = _number(answer)
        reason = reason or ("undefined on these films" if math.isnan(value) else None)
    if reason is not None:
        return Estimate(None, None, None, *counts, reason)
    replicates = []
    for drawn in multiplicities(number, resamples, seed):
        for times in drawn.T.astype(np.intp):
            films = np.repeat(np.arange(len(labels)), times[which])
            replicates.append(_number(statistic(labels[films], *(array[films] for array in arrays))))
    return _with_interval(Estimate(value, None, None, *counts, None), np.array(replicates), level)


def wilson(successes: int, trials: int, level: float = 0.95) -> Estimate:
    """Return a share with Wilson's score interval.

    Only right where trials are independent: where each patient has one film, or patients are what is
    counted. With several films of a patient it is too narrow; use the patient bootstrap.

    Args:
        successes: whole number in [0, trials].
        trials: whole number, 0 or more.
        level: of the interval, in (0, 1).

    Returns:
        Estimate whose positives are the successes; value None with reason ``"no trial"`` for none.

    Raises:
        ValueError: for other numbers.

    Source: Wilson, Journal of the American Statistical Association 22 (1927) 209-212; without
    continuity correction.
    """
    check_level(level)
    if not 0 <= successes <= trials or successes != int(successes) or trials != int(trials):
        raise ValueError(f"{successes} of {trials}: whole numbers, no more successes than trials, are accepted.")
    counts = (int(successes), int(trials - successes), None, None)
    if trials == 0:
        return Estimate(None, None, None, *counts, "no trial")
    z, share = float(ndtri((1 + level) / 2)), successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # At the ends the limit is 0 or 1 exactly, which rounding would miss by a little.
    low = 0.0 if successes == 0 else max(middle - half, 0.0)
    high = 1.0 if successes == trials else min(middle + half, 1.0)
    return Estimate(share, low, high, *counts, None)


def _enough(labels, scores, patients, min_patients) -> Estimate:
    """Return the AUC without its interval, or why there is none."""
    plain = roc_auc(labels, scores)
    in_each = count_patients(labels, patients)
    reason = plain.reason or (too_few(*in_each) if min(in_each) < min_patients else None)
    return Estimate(None if reason else plain.value, None, None, plain.positives, plain.negatives, *in_each, reason)


def _with_interval(estimate: Estimate, replicates, level) -> Estimate:
    low, high, reason = percentile_interval(replicates, level)
    counts = (estimate.positives, estimate.negatives, estimate.positive_patients, estimate.negative_patients)
    if reason == "too few cases":
        return Estimate(None, None, None, *counts, too_few(*counts[2:]))
    return Estimate(estimate.value, low, high, *counts, reason)


def too_few(positive_patients: int, negative_patients: int) -> str:
    """Return the reason for which nothing is said of so few patients."""
    return f"too few cases: {positive_patients} positive, {negative_patients} negative patients"


def _number(answer: float | Estimate | None) -> float:
    value = answer.value if isinstance(answer, Estimate) else answer
    return math.nan if value is None else float(value)


def _check_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    return check_labels_and_scores(labels, np.zeros(np.shape(labels)))[0]
