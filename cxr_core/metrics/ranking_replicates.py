"""AUC and average precision in every resample of patients, exactly, without sorting again.

What either needs of a resample, the numbers of images at each level of the score, is one product of a sparse matrix of
counts for each patient with the multiplicities of the resample. Numbers of a run ask for the same AUC more than once,
by label, in a mean and against another model: the replicates of the last classes are kept.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .bootstrap import DEFAULTS, BootstrapOptions, exact_in_single, multiplicities
from .cases import index_patients

__all__ = ["Column", "auc_replicates", "average_precision_replicates"]

_MOST_KEPT = 512
"""Classes whose replicates are kept: 8 MB with 2,000 resamples."""

Column = tuple[NDArray[np.bool_], NDArray[np.float64]] | tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]
"""Labels and scores of one class; a third array gives the row of ``patients`` of each image, where not row by row."""


def auc_replicates(
    columns: Sequence[Column],
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    precision_follows: bool = False,
) -> NDArray[np.float64]:
    """Return the AUC of every class in every resample of patients, exactly, ties included.

    Args:
        columns: labels (m,) bool and scores (m,) float64 of each class, with both classes present.
        patients: (n,) whole numbers or strings.
        options: resamples and seed are used.
        precision_follows: whether the average precision of the same classes is asked for next: its replicates are then
            computed from the same products, which are most of the work, and kept.

    Returns:
        (classes, resamples) float64 in [0, 1]; NaN where a resample has no positive or no negative.

    References:
        Hanley and McNeil, Radiology 143 (1982) 29-36: pairs in the right order, a tie counting one half.

    Examples:
        >>> column = np.array([True, False, True, False]), np.array([0.9, 0.2, 0.6, 0.6])
        >>> auc_replicates([column], [1, 2, 3, 4], BootstrapOptions(resamples=3))
        array([[0.75, 1.  , 0.75]])
    """
    also = _average_precision if precision_follows else None
    return _replicates(columns, patients, options, _rarer_first, _auc, also)


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
    return _replicates(columns, patients, options, _as_given, _average_precision)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Images of each patient at each level of the score, the k distinct scores of the positives.

    Attributes:
        positives: (k, patients) at each level.
        below: (k + 1, patients) negatives at a level or between it and the one before; the last row is above all.
        tied: (t, patients) negatives at the levels that have any.
        tied_levels: (t,) these levels.
    """

    positives: sparse.csr_array
    below: sparse.csr_array
    tied: sparse.csr_array
    tied_levels: NDArray[np.intp]


class _Drawn(NamedTuple):
    """Images of r resamples at each level of the score.

    Attributes:
        positives: (k, r) at each level.
        negatives: (k + 1, r) below each level, from those below the lowest; the last row is all.
        tied: (t, r) negatives at the levels that have any.
        tied_levels: (t,) these levels.
    """

    positives: NDArray[np.float64]
    negatives: NDArray[np.floating]
    tied: NDArray[np.floating]
    tied_levels: NDArray[np.intp]


def _replicates(
    columns: Sequence[Column],
    patients: ArrayLike,
    options: BootstrapOptions,
    order: Callable[..., tuple[NDArray[np.bool_], NDArray[np.float64]]],
    statistic: Callable[[_Drawn], NDArray[np.float64]],
    also: Callable[[_Drawn], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Return a statistic of every class in every resample; keep also another of the classes that ``order`` leaves."""
    replicates = np.full((len(columns), options.resamples), np.nan)
    if not columns:
        return replicates
    number, which = index_patients(patients, len(np.asarray(patients)))
    asked = f"{number} {options.resamples} {options.seed}"
    digests, counters, others = [], {}, {}
    for c, column in enumerate(columns):
        labels, scores = order(column[0], column[1])
        of_images = which[column[2]] if len(column) == 3 else which
        digests.append(_digest(labels, scores, of_images, f"{statistic.__name__} {asked}"))
        known = _kept.get(digests[c])
        if known is None:
            counters[c] = _levels(labels, scores, of_images, number)
            if also is not None and labels is column[0]:
                others[c] = _digest(labels, scores, of_images, f"{also.__name__} {asked}"), np.empty(options.resamples)
        else:
            replicates[c] = known
    if not counters:
        return replicates
    tallest = max(number, *(levels.below.shape[0] for levels in counters.values()))
    done = 0
    single = all(levels.below.dtype == np.float32 for levels in counters.values())
    # a quarter of the usual width, so that what a class makes of a chunk stays in the processor's cache
    for drawn in multiplicities(number, options, 4 * tallest, np.float32 if single else np.float64):
        chunk = slice(done, done := done + drawn.shape[1])
        for c, levels in counters.items():
            images = _drawn(levels, drawn)
            replicates[c, chunk] = statistic(images)
            if also is not None and c in others:
                others[c][1][chunk] = also(images)
    for c in counters:
        _kept.put(digests[c], replicates[c])
    for digest, row in others.values():
        _kept.put(digest, row)
    return replicates


class _Kept:
    """Replicates of the classes that were asked for last. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()

    def get(self, digest: bytes) -> NDArray[np.float64] | None:
        with self._lock:
            if digest in self._rows:
                self._rows.move_to_end(digest)
            return self._rows.get(digest)

    def put(self, digest: bytes, row: NDArray[np.float64]) -> None:
        with self._lock:
            self._rows[digest] = row.copy()
            while len(self._rows) > _MOST_KEPT:
                self._rows.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()


_kept = _Kept()


def _digest(labels: NDArray[np.bool_], scores: NDArray[np.float64], which: NDArray[np.intp], asked: str) -> bytes:
    """Return a digest of all that decides the replicates of a class."""
    digest = hashlib.blake2b(f"{asked} {len(labels)}".encode(), digest_size=16)
    for array in (labels, scores.astype(np.float64, copy=False), which):
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _rarer_first(
    labels: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Swap the classes where positives are the majority: the pairs are the same, and work is that of the rarer one."""
    return (~labels, -scores) if 2 * labels.sum() > len(labels) else (labels, scores)


def _as_given(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return labels, scores


def _levels(labels: NDArray[np.bool_], scores: NDArray[np.float64], which: NDArray[np.intp], number: int) -> _Levels:
    """Count the images of each patient at each level of score. Only the number of levels matters for a resample's work.

    The counts are in single precision, half the memory, where no resample can reach a number that is not exact in it.
    """
    levels, level = np.unique(scores[labels], return_inverse=True)
    negatives, patients = scores[~labels], which[~labels]
    row = np.searchsorted(levels, negatives)
    tie = levels[np.minimum(row, len(levels) - 1)] == negatives
    tied_levels, tied_row = np.unique(row[tie], return_inverse=True)
    dtype = np.float32 if exact_in_single(np.bincount(which).max(initial=0), number) else np.float64

    def counts(rows: NDArray[np.intp], columns: NDArray[np.intp], height: int) -> sparse.csr_array:
        return sparse.coo_array((np.ones(len(rows), dtype), (rows, columns)), shape=(height, number)).tocsr()

    return _Levels(
        counts(level, which[labels], len(levels)),
        counts(row, patients, len(levels) + 1),
        counts(tied_row, patients[tie], len(tied_levels)),
        tied_levels,
    )


def _drawn(levels: _Levels, drawn: NDArray[np.floating]) -> _Drawn:
    """Count the images of resamples; ``drawn`` is (patients, r), of :func:`.bootstrap.multiplicities`."""
    # whole numbers and their sums are exact: no order of the sums matters
    positives = (levels.positives @ drawn).astype(np.float64, copy=False)
    return _Drawn(positives, np.cumsum(levels.below @ drawn, axis=0), levels.tied @ drawn, levels.tied_levels)


def _auc(images: _Drawn) -> NDArray[np.float64]:
    """Return the proportion of pairs in the right order, a tie counting one half (Hanley and McNeil 1982)."""
    # Products of whole numbers and their sums, below 2**53, are exact, and so are halves: no order of the sums matters.
    ordered = (images.positives * images.negatives[:-1]).sum(axis=0)
    if len(images.tied_levels):
        ordered -= (images.positives[images.tied_levels] * images.tied).sum(axis=0) / 2
    pairs = images.positives.sum(axis=0) * images.negatives[-1]
    return np.divide(ordered, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _average_precision(images: _Drawn) -> NDArray[np.float64]:
    """Return the mean over positives of the precision at their score."""
    true_positives = np.cumsum(images.positives[::-1], axis=0)[::-1]
    called = true_positives + images.negatives[-1] - images.negatives[:-1]
    if len(images.tied_levels):
        called[images.tied_levels] += images.tied
    precision = np.divide(true_positives, called, out=np.zeros_like(called), where=called > 0)
    total = true_positives[0]
    precisions = (images.positives * precision).sum(axis=0)
    return np.divide(precisions, total, out=np.full(len(total), np.nan), where=total > 0)
