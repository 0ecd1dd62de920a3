"""Each reader minus the model at the reader's own point, against the majority of the other readers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import ndtr

from ..estimate import Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, exact_in_single, multiplicities, with_percentiles
from .cases import check_labels_and_scores, count_cases, index_patients, insufficient_cases
from .patient_sums import patient_sums
from .readers import majority_of_others

__all__ = ["ReaderDifference", "ReaderDifferences", "reader_differences"]

_MAX_LEVELS = 1024
"""Distinct scores of the model that are distinguished; with more, neighbours are taken as tied."""


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
    majorities, tied = map(
        np.stack, zip(*(majority_of_others(answers, reader) for reader in range(answers.shape[1])), strict=True)
    )
    scores = check_labels_and_scores(majorities[0], scores)[1]
    number, which = index_patients(patients, len(answers))
    paired = _Paired(majorities, tied, answers.T, scores, which, number, options.min_patients)
    values = paired.differences(np.ones((number, 1)))
    drawn = multiplicities(number, options, 4 * max(number, _MAX_LEVELS), paired.dtype) if number else ()
    replicates = np.concatenate([paired.differences(times) for times in drawn] or [values], axis=2)
    counts, ties = paired.counts, tied.sum(axis=1).tolist()
    readers = tuple(_difference(*one, options) for one in zip(counts, ties, values, replicates, strict=True))
    short, any_tie = min(counts, key=lambda one: (one.rarer_patients, one.images)), int(tied.any(axis=0).sum())
    if any(reader.sensitivity.value is None for reader in readers):
        return ReaderDifferences(readers, _missing(short, any_tie, options))
    return ReaderDifferences(
        readers, _difference(short, any_tie, values.mean(axis=0), replicates.mean(axis=0), options)
    )


class _Paired:
    """The readers and the model, as counts for each patient.

    Most images have one reference for all readers: what a resample has of these is counted once.

    Args:
        majorities, tied, called: (readers, n) the majority of the others, where it is tied, and the own answers.
        scores: (n,) of the model.
        which: (n,) the number of each image's patient.
        patients: number of patients.
        min_patients: of each class below which there are no differences.
    """

    def __init__(
        self,
        majorities: NDArray[np.bool_],
        tied: NDArray[np.bool_],
        called: NDArray[np.bool_],
        scores: NDArray[np.float64],
        which: NDArray[np.intp],
        patients: int,
        min_patients: int,
    ) -> None:
        self.counts = [
            count_cases(majority[~left_out], which[~left_out])
            for majority, left_out in zip(majorities, tied, strict=True)
        ]
        self._enough = [insufficient_cases(counts, min_patients) is None for counts in self.counts]
        exact, level = exact_in_single(np.bincount(which).max(initial=0), patients), _levels(scores)
        self.dtype = np.float32 if exact else np.float64
        shape = int(level.max(initial=0)) + 1, patients

        def counter(images: NDArray[np.bool_]) -> sparse.csr_array:
            ones = np.ones(int(images.sum()), self.dtype)
            return sparse.coo_array((ones, (level[images], which[images])), shape=shape).tocsr()

        classes = [majorities & ~tied, ~majorities & ~tied]
        common = [np.logical_and.reduce(of_class, axis=0) for of_class in classes]
        self._common = [counter(images) for images in common]
        self._others = [
            [counter(one & ~images) for one in of_class] for of_class, images in zip(classes, common, strict=True)
        ]
        # missed positives and false alarms of each reader; sparse, since a dense product would wait for its threads
        errors = np.concatenate([classes[0] & ~called, classes[1] & called])
        self._errors = sparse.csr_array(patient_sums(errors, which, patients).astype(self.dtype))

    def differences(self, drawn: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (readers, 2, draws): sensitivity and specificity of reader minus model; NaN without either class."""
        common = [counter @ drawn for counter in self._common]
        missed, alarms = np.split((self._errors @ drawn).astype(np.float64, copy=False), 2)
        found = np.full((len(self.counts), 2, drawn.shape[1]), np.nan)
        for reader in np.flatnonzero(self._enough):
            positives, negatives = (
                _cumulative(at_levels + others[reader] @ drawn)
                for at_levels, others in zip(common, self._others, strict=True)
            )
            found[reader] = _reader_minus_model(positives, negatives, missed[reader], alarms[reader])
        return found


def _cumulative(at_levels: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (levels + 1, draws): images below each level, from none to all."""
    return np.concatenate([np.zeros_like(at_levels[:1]), np.cumsum(at_levels, axis=0)])


def _reader_minus_model(
    positives: NDArray[np.floating],
    negatives: NDArray[np.floating],
    missed: NDArray[np.float64],
    alarms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (2, draws): sensitivity and specificity.

    Args:
        positives, negatives: (levels + 1, draws) of the reference, below each level of the model's score.
        missed, alarms: (draws,) of the reader.
    """
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
