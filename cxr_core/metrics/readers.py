"""Human readers in the ROC plane, and each reader minus the model at the reader's own point.

The reference standard is the majority of the other readers, for the reader and for the model alike: a reader who is
part of a reference agrees with it by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import ndtr

from ..estimate import Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, exact_in_single, multiplicities, with_percentiles
from .cases import check_labels_and_scores, count_cases, index_patients, insufficient_cases
from .diagnostic_accuracy import sensitivity_specificity
from .patient_sums import patient_sums

__all__ = [
    "ReaderDifference",
    "ReaderDifferences",
    "ReaderPoint",
    "majority_members",
    "majority_of_others",
    "reader_differences",
    "reader_points",
]

_MAX_LEVELS = 1024
"""Distinct scores of the model that are distinguished; with more, neighbours are taken as tied."""

_MAX_MEMBERS = 10
"""Readers of whom every subset is tried by :func:`majority_members`."""


@dataclass(frozen=True)
class ReaderPoint:
    """One reader in the ROC plane.

    Attributes:
        sensitivity, specificity: against the majority of the other readers, with their intervals.
        ties: images left out, on which as many of the others answer yes as no.
    """

    sensitivity: Estimate
    specificity: Estimate
    ties: int


def majority_of_others(answers: ArrayLike, reader: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the majority answer of the other readers, and where they are evenly split.

    Args:
        answers: (n, readers) bool, at least three readers.
        reader: column of the reader who is judged.

    Returns:
        (n,) bool, True where more than half of the others answer yes; (n,) bool, True where exactly half do.

    Raises:
        ValueError: for other shapes or types.

    Examples:
        >>> majority_of_others(np.array([[True, True, True], [False, True, False]]), reader=0)
        (array([ True, False]), array([False,  True]))
    """
    answers = np.asarray(answers)
    if answers.ndim != 2 or answers.shape[1] < 3 or answers.dtype != bool:
        raise ValueError(f"Answers of shape {answers.shape}, {answers.dtype}: (n, 3 readers or more) bool is accepted.")
    others = np.delete(answers, reader, axis=1)
    yes, count = others.sum(axis=1), others.shape[1]
    return 2 * yes > count, 2 * yes == count


def reader_points(
    answers: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> tuple[ReaderPoint, ...]:
    """Return each reader's sensitivity and specificity against the majority of the others.

    The reference differs from reader to reader and is itself only opinion; images on which the others are evenly
    split are left out and counted. So a point near the model's curve does not say that the model reads as well as
    that reader: the curve is drawn against another reference.

    Args:
        answers: (n, readers) bool, at least three readers.
        patients: (n,) whole numbers or strings.
        options: of the intervals, as in :func:`.diagnostic_accuracy.sensitivity_specificity`.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> answers = np.stack([np.arange(60) % 2 == 0, np.arange(60) % 4 == 0, np.arange(60) % 2 == 0], axis=1)
        >>> [(point.sensitivity.value, point.ties) for point in reader_points(answers, np.arange(60))]
        [(1.0, 15), (0.5, 0), (1.0, 15)]
    """
    answers, patients = np.asarray(answers), np.asarray(patients)
    points = []
    for reader in range(answers.shape[1]):
        majority, tied = majority_of_others(answers, reader)
        called = answers[~tied, reader].astype(np.float64)
        rates = sensitivity_specificity(majority[~tied], called, 0.5, patients[~tied], options)
        points.append(ReaderPoint(*rates, int(tied.sum())))
    return tuple(points)


@dataclass(frozen=True)
class ReaderDifference:
    """A reader minus the model on the same images, against the majority of the other readers.

    Attributes:
        sensitivity: of the reader minus that of the model at the reader's specificity, in [-1, 1].
        specificity: of the reader minus that of the model at the reader's sensitivity, in [-1, 1].
        sensitivity_p, specificity_p: two-sided p-values, not adjusted; None where there is no interval.
        ties: images left out, on which as many of the others answer yes as no.
    """

    sensitivity: Estimate
    specificity: Estimate
    sensitivity_p: float | None
    specificity_p: float | None
    ties: int


@dataclass(frozen=True)
class ReaderDifferences:
    """Every reader minus the model.

    Attributes:
        readers: one for each reader, in the order of the columns.
        mean: over these readers, who are taken as fixed: only patients are resampled. Counts are those of the reader
            with the fewest patients of the rarer class; ``ties`` are images left out for any reader.
    """

    readers: tuple[ReaderDifference, ...]
    mean: ReaderDifference


def reader_differences(
    answers: ArrayLike, scores: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> ReaderDifferences:
    """Return each reader's sensitivity and specificity minus the model's at the reader's own point.

    With TPR(f) the model's empirical ROC curve, linear between its points, and (f, t) the reader's false and true
    positive rate on the same images, the differences are t - TPR(f), and the same with the classes exchanged. So the
    model's threshold is chosen on these same images, again in every resample: it is in-sample, and a threshold that
    was set elsewhere would do worse or, by chance, better.

    Args:
        answers: (n, readers) bool, at least three readers.
        scores: (n,) finite scores of the model; higher means more likely positive.
        patients: (n,) whole numbers or strings.
        options: of the intervals, percentiles with any number of patients.

    Returns:
        ReaderDifferences; a p-value is that of the difference over its standard error in the resamples, by the
        normal distribution. Value None where a class is missing or has patients too few.

    Raises:
        ValueError: for other shapes or values.

    References:
        Paired comparison at one operating point: Pepe, The Statistical Evaluation of Medical Tests (2003), 5.2 and
        8.3; the paired cluster bootstrap: Field and Welsh (2007).

    Examples:
        >>> truth = np.arange(80) % 2 == 0
        >>> answers = np.stack([truth, truth, truth ^ (np.arange(80) % 10 == 0)], axis=1)
        >>> differences = reader_differences(answers, truth + np.arange(80) % 7 / 5, np.arange(80))
        >>> round(differences.readers[2].sensitivity.value, 3), round(differences.mean.sensitivity.value, 3)
        (0.1, 0.221)
    """
    answers = np.asarray(answers)
    references = [majority_of_others(answers, reader) for reader in range(answers.shape[1])]
    scores = check_labels_and_scores(references[0][0], scores)[1]
    number, which = index_patients(patients, len(answers))
    paired = []
    for reader, (majority, tied) in enumerate(references):
        rows, ties = np.flatnonzero(~tied), int(tied.sum())
        own = majority[rows], answers[rows, reader], scores[rows], which[rows]
        paired.append(_Paired(*own, number, ties, options.min_patients))
    values = np.stack([one.differences(np.ones((number, 1))) for one in paired])
    dtype = np.float32 if all(one.exact for one in paired) else np.float64
    drawn = multiplicities(number, options, 4 * max(number, _MAX_LEVELS), dtype) if number else ()
    chunks = [np.stack([one.differences(times) for one in paired]) for times in drawn]
    replicates = np.concatenate(chunks or [values], axis=2)
    readers = tuple(
        _difference(one.counts, one.ties, values[k], replicates[k], options) for k, one in enumerate(paired)
    )
    short = min(paired, key=lambda one: (one.counts.rarer_patients, one.counts.images))
    ties = int(np.any([tied for _, tied in references], axis=0).sum())
    if any(reader.sensitivity.value is None for reader in readers):
        return ReaderDifferences(readers, _missing(short.counts, ties, options))
    return ReaderDifferences(
        readers, _difference(short.counts, ties, values.mean(axis=0), replicates.mean(axis=0), options)
    )


class _Paired:
    """One reader and the model on the images that are not tied, as counts for each patient."""

    def __init__(
        self,
        labels: NDArray[np.bool_],
        called: NDArray[np.bool_],
        scores: NDArray[np.float64],
        which: NDArray[np.intp],
        patients: int,
        ties: int,
        min_patients: int,
    ) -> None:
        self.counts, self.ties = count_cases(labels, which), ties
        self.enough = insufficient_cases(self.counts, min_patients) is None
        self.exact, level = exact_in_single(np.bincount(which).max(initial=0), patients), _levels(scores)
        dtype = np.float32 if self.exact else np.float64
        shape = int(level.max(initial=0)) + 1, patients
        self.positives, self.negatives = (
            sparse.csr_array((np.ones(int(rows.sum()), dtype), (level[rows], which[rows])), shape=shape)
            for rows in (labels, ~labels)
        )
        # missed positives and false alarms of the reader; sparse, since a dense product would wait for its threads
        errors = np.stack([labels & ~called, ~labels & called])
        self.errors = sparse.csr_array(patient_sums(errors, which, patients).astype(dtype))

    def differences(self, drawn: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (2, draws): sensitivity and specificity of reader minus model; NaN where a class is missing."""
        if not self.enough:
            return np.full((2, drawn.shape[1]), np.nan)
        start = np.zeros((1, drawn.shape[1]), drawn.dtype)
        # images of each class below each level, from none to all
        positives, negatives = (
            np.concatenate([start, np.cumsum(counts @ drawn, axis=0)]) for counts in (self.positives, self.negatives)
        )
        missed, alarms = (self.errors @ drawn).astype(np.float64, copy=False)
        with np.errstate(invalid="ignore", divide="ignore"):
            positives_over, negatives_over = ((below[-1] - below)[::-1] for below in (positives, negatives))
            caught = _caught(positives_over, negatives_over, alarms)
            sensitivity = 1 - missed / positives[-1] - caught / positives[-1]
            specificity = 1 - alarms / negatives[-1] - _caught(negatives, positives, missed) / negatives[-1]
        return np.stack([sensitivity, specificity])


def _levels(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return (n,) rank of each score among the distinct ones, or among some thousand groups of neighbours."""
    distinct, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    if len(distinct) <= _MAX_LEVELS:
        return level
    return ((np.cumsum(counts) - counts) * _MAX_LEVELS // len(scores))[level]


def _caught(
    caught: NDArray[np.floating], passed: NDArray[np.floating], allowed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (draws,) how many wanted images are caught before more than ``allowed`` others are passed.

    Linear within a level that holds both, as the ROC curve is drawn there.

    Args:
        caught, passed: (levels + 1, draws) wanted and other images up to each level, from none to all.
        allowed: (draws,).
    """
    columns = np.arange(len(allowed))
    last = (passed <= allowed.astype(passed.dtype)).sum(axis=0) - 1
    following = np.minimum(last + 1, len(passed) - 1)
    step, whole = passed[following, columns] - passed[last, columns], caught[last, columns]
    part = np.divide(allowed - passed[last, columns], step, out=np.zeros_like(allowed), where=step > 0)
    return np.asarray(whole + part * (caught[following, columns] - whole))


def _difference(
    counts: Counts, ties: int, values: NDArray[np.float64], replicates: NDArray[np.float64], options: BootstrapOptions
) -> ReaderDifference:
    if insufficient_cases(counts, options.min_patients):
        return _missing(counts, ties, options)
    estimates, p_values = [], []
    for value, draws in zip(values[:, 0], replicates, strict=True):
        estimate = with_percentiles(Estimate(float(value), counts=counts), draws, options)
        error = float(np.nanstd(draws, ddof=1)) if estimate.low is not None else 0.0
        estimates.append(estimate)
        p_values.append(2 * float(ndtr(-abs(value) / error)) if error else None)
    return ReaderDifference(estimates[0], estimates[1], p_values[0], p_values[1], ties)


def _missing(counts: Counts, ties: int, options: BootstrapOptions) -> ReaderDifference:
    missing = Estimate.missing(insufficient_cases(counts, options.min_patients) or "no image", counts)
    return ReaderDifference(missing, missing, None, None, ties)


def majority_members(answers: ArrayLike, reference: ArrayLike) -> tuple[int, ...]:
    """Return the readers whose majority a reference standard is, on every image and label; empty where there are none.

    Args:
        answers: (n, readers, labels) bool.
        reference: (n, labels) 1 positive, 0 negative, below 0 not stated.

    Returns:
        Columns of the fewest such readers; odd numbers of at most ten readers are tried.

    Examples:
        >>> answers = np.array([[[True], [True], [False]], [[False], [True], [False]], [[True], [False], [True]]])
        >>> majority_members(answers, np.array([[1], [0], [1]]))
        (0,)
    """
    answers, reference = np.asarray(answers, dtype=bool), np.asarray(reference)
    stated, readers = reference >= 0, answers.shape[1]
    if readers > _MAX_MEMBERS or not stated.any():
        return ()
    subsets: Sequence[tuple[int, ...]] = [
        members for size in range(1, readers + 1, 2) for members in combinations(range(readers), size)
    ]
    for members in subsets:
        majority = 2 * answers[:, members].sum(axis=1) > len(members)
        if (majority == (reference == 1))[stated].all():
            return members
    return ()
