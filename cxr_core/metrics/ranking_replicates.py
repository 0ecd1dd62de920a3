"""AUC and average precision in every resample of patients, exactly, without sorting again.

What either needs of a resample, the numbers of images at each level of the score, is one product of a sparse matrix of
counts for each patient with the multiplicities of the resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .bootstrap import DEFAULTS, BootstrapOptions, multiplicities
from .cases import index_patients

__all__ = ["Column", "auc_replicates", "average_precision_replicates"]

Column = tuple[NDArray[np.bool_], NDArray[np.float64]] | tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]
"""Labels and scores of one class; a third array gives the row of ``patients`` of each image, where not row by row."""


def auc_replicates(
    columns: Sequence[Column], patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> NDArray[np.float64]:
    """Return the AUC of every class in every resample of patients, exactly, ties included.

    Args:
        columns: labels (m,) bool and scores (m,) float64 of each class, with both classes present.
        patients: (n,) whole numbers or strings.
        options: resamples and seed are used.

    Returns:
        (classes, resamples) float64 in [0, 1]; NaN where a resample has no positive or no negative.

    References:
        Hanley and McNeil, Radiology 143 (1982) 29-36: pairs in the right order, a tie counting one half.

    Examples:
        >>> column = np.array([True, False, True, False]), np.array([0.9, 0.2, 0.6, 0.6])
        >>> auc_replicates([column], [1, 2, 3, 4], BootstrapOptions(resamples=3))
        array([[0.75, 1.  , 0.75]])
    """
    return _replicates(columns, patients, options, _rarer_first, _auc_of_draws)


def average_precision_replicates(
    columns: Sequence[Column], patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> NDArray[np.float64]:
    """Return the average precision of every class in every resample of patients, exactly, ties included.

    Args:
        columns, patients, options: as in :func:`auc_replicates`; a class needs a positive only.

    Returns:
        (classes, resamples) float64 in (0, 1]; NaN where a resample has no positive.

    Examples:
        >>> column = np.array([True, False, True, False]), np.array([0.9, 0.2, 0.6, 0.6])
        >>> average_precision_replicates([column], [1, 2, 3, 4], BootstrapOptions(resamples=3)).round(3)
        array([[0.667, 1.   , 0.75 ]])
    """
    return _replicates(columns, patients, options, _as_given, _average_precision_of_draws)


def _replicates(
    columns: Sequence[Column],
    patients: ArrayLike,
    options: BootstrapOptions,
    order: Callable[..., tuple[NDArray[np.bool_], NDArray[np.float64]]],
    of_draws: Callable[..., NDArray[np.float64]],
) -> NDArray[np.float64]:
    replicates = np.full((len(columns), options.resamples), np.nan)
    if not columns:
        return replicates
    number, which = index_patients(patients, len(np.asarray(patients)))
    counters = []
    for column in columns:
        labels, scores = order(column[0], column[1])
        counters.append(_levels(labels, scores, which[column[2]] if len(column) == 3 else which, number))
    done = 0
    for drawn in multiplicities(number, options, tallest=max(many.shape[0] for _, many in counters)):
        chunk = slice(done, done := done + drawn.shape[1])
        for c, (few, many) in enumerate(counters):
            replicates[c, chunk] = of_draws(few, many, drawn)
    return replicates


def _rarer_first(
    labels: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Swap the classes where positives are the majority: the pairs are the same, and work is that of the rarer one."""
    return (~labels, -scores) if 2 * labels.sum() > len(labels) else (labels, scores)


def _as_given(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return labels, scores


def _levels(
    labels: NDArray[np.bool_], scores: NDArray[np.float64], which: NDArray[np.intp], number: int
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Count the images of each patient at each level of score, for the positives and for the negatives.

    The k levels are the distinct scores of the positives. Negatives fall on a level or between two, in 2k + 1 rows:
    below the first, on the first, between first and second, and so on. Only k matters for the work of a resample.
    """
    levels, level = np.unique(scores[labels], return_inverse=True)
    negatives = scores[~labels]
    next_level = np.searchsorted(levels, negatives)
    row = 2 * next_level + (levels[np.minimum(next_level, len(levels) - 1)] == negatives)
    few = sparse.coo_array((np.ones(len(level)), (level, which[labels])), shape=(len(levels), number))
    many = sparse.coo_array((np.ones(len(row)), (row, which[~labels])), shape=(2 * len(levels) + 1, number))
    return few.tocsr(), many.tocsr()


def _auc_of_draws(few: sparse.csr_array, many: sparse.csr_array, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the proportion of pairs in the right order, a tie counting one half (Hanley and McNeil 1982)."""
    rarer, commoner = few @ drawn, many @ drawn
    cumulative = np.cumsum(commoner, axis=0)
    # Halves of whole numbers below 2**53 are exact, so the order of the sums does not matter.
    ordered = (rarer * (cumulative[:-1:2] + commoner[1::2] / 2)).sum(axis=0)
    pairs = rarer.sum(axis=0) * cumulative[-1]
    return np.divide(ordered, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _average_precision_of_draws(
    few: sparse.csr_array, many: sparse.csr_array, drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over positives of the precision at their score."""
    positive, negative = few @ drawn, many @ drawn
    true_positives = np.cumsum(positive[::-1], axis=0)[::-1]
    below = np.cumsum(negative, axis=0)
    called = true_positives + below[-1] - below[:-1:2]
    precision = np.divide(true_positives, called, out=np.zeros_like(called), where=called > 0)
    total = true_positives[0]
    return np.divide((positive * precision).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
