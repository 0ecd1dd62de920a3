"""A statistic in every resample of patients at once, exactly, from counts for each patient.

A resample is a column of multiplicities (:mod:`.resampling`). What a statistic needs of it, such as the films
at each level of the score, is one product of a sparse matrix with those columns; nothing is sorted again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .resampling import index_patients, multiplicities

__all__ = ["auc_replicates", "average_precision_replicates", "patient_sums", "sum_replicates"]

_DENSE, _FEW_ROWS = 0.25, 8

Column = tuple[NDArray[np.bool_], NDArray[np.float64]] | tuple[NDArray[np.bool_], NDArray[np.float64], NDArray]


def auc_replicates(columns: Sequence[Column], patients: ArrayLike, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the AUC of every class in every resample of patients, exactly, ties included.

    Args:
        columns: labels (m,) bool and scores (m,) float64 of each class; both kinds must be there. A third
            array (m,) of rows of ``patients`` says whose films they are, where it is not row by row.
        patients: (n,) of whole numbers or strings.
        resamples, seed: as in :func:`.resampling.multiplicities`.

    Returns:
        (classes, resamples) float64 in [0, 1]; NaN where a resample has no positive or no negative.
    """
    return _replicates(columns, patients, resamples, seed, _rarer_first, _auc_of_draws)


def average_precision_replicates(
    columns: Sequence[Column], patients: ArrayLike, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return the average precision of every class in every resample of patients, exactly, ties included.

    Arguments as in :func:`auc_replicates`; a class needs a positive only.

    Returns:
        (classes, resamples) float64 in (0, 1]; NaN where a resample has no positive.
    """
    return _replicates(columns, patients, resamples, seed, lambda *column: column, _average_precision_of_draws)


def patient_sums(values: ArrayLike, which: NDArray[np.intp], patients: int) -> NDArray[np.float64]:
    """Return (m, patients) float64: the sum over the films of each patient of (m, n) values."""
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    return np.stack([np.bincount(which, weights=row, minlength=patients) for row in values])


def sum_replicates(sums: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return (m, resamples) float64: the sums over all films of every resample.

    Args:
        sums: (m, patients) float64, of each patient.
        resamples, seed: as in :func:`.resampling.multiplicities`.
    """
    chunks = multiplicities(sums.shape[1], resamples, seed, rows=len(sums))
    if len(sums) <= _FEW_ROWS or np.count_nonzero(sums) < _DENSE * sums.size:
        # counts of one label in one group are nought for most patients; and the threads of a dense product wait
        # for one another longer than a few rows take
        sums = sparse.csr_array(sums)
    return np.concatenate([sums @ drawn for drawn in chunks], axis=1)


def _replicates(columns, patients, resamples, seed, order, of_draws) -> NDArray[np.float64]:
    replicates = np.full((len(columns), resamples), np.nan)
    if not columns:
        return replicates
    number, which = index_patients(patients, len(np.asarray(patients)))
    counters = [
        _levels(*order(labels, scores), which[rows[0]] if rows else which, number) for labels, scores, *rows in columns
    ]
    done = 0
    for drawn in multiplicities(number, resamples, seed, rows=max(many.shape[0] for _, many in counters)):
        part = slice(done, done := done + drawn.shape[1])
        for c, (few, many) in enumerate(counters):
            replicates[c, part] = of_draws(few, many, drawn)
    return replicates


def _rarer_first(labels, scores):
    # The same pairs, seen from the other side: labels are rare, and the work is that of the rarer kind.
    return (~labels, -scores) if 2 * labels.sum() > len(labels) else (labels, scores)


def _levels(labels, scores, which, number) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Count the films of each patient at each level of score, for the positives and for the others.

    The k levels are the distinct scores of the positives. Films of the other class fall on a level
    or between two, in 2k + 1 rows: below the first, on the first, between first and second, and so on.
    Only k matters for the work of a resample.
    """
    levels, level = np.unique(scores[labels], return_inverse=True)
    others = scores[~labels]
    next_level = np.searchsorted(levels, others)
    row = 2 * next_level + (levels[np.minimum(next_level, len(levels) - 1)] == others)
    few = sparse.coo_array((np.ones(len(level)), (level, which[labels])), shape=(len(levels), number))
    many = sparse.coo_array((np.ones(len(row)), (row, which[~labels])), shape=(2 * len(levels) + 1, number))
    return few.tocsr(), many.tocsr()


def _auc_of_draws(few, many, drawn) -> NDArray[np.float64]:
    """Return the share of pairs that are in the right order, a tie counting one half (Hanley and McNeil 1982)."""
    rarer, other = few @ drawn, many @ drawn
    up_to = np.cumsum(other, axis=0)
    # Halves of whole numbers below 2**53 are exact, so the order of the sums does not matter.
    won = (rarer * (up_to[:-1:2] + other[1::2] / 2)).sum(axis=0)
    pairs = rarer.sum(axis=0) * up_to[-1]
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _average_precision_of_draws(few, many, drawn) -> NDArray[np.float64]:
    """Return the mean over positives of the precision at their score."""
    positive, negative = few @ drawn, many @ drawn
    found = np.cumsum(positive[::-1], axis=0)[::-1]
    below = np.cumsum(negative, axis=0)
    called = found + below[-1] - below[:-1:2]
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return np.divide(
        (positive * precision).sum(axis=0), found[0], out=np.full(drawn.shape[1], np.nan), where=found[0] > 0
    )
