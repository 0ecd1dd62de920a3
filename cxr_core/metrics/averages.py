"""One number for many classes: micro, macro and weighted means of AUC and of average precision.

A mean hides its classes, and it changes with which of them have enough cases: the classes it rests on are named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import columns_of, count_cases, index_patients, insufficient_cases
from .patient_sums import patient_sums, sum_replicates
from .precision_recall import average_precision
from .ranking_replicates import auc_replicates, average_precision_replicates
from .roc import roc_auc

__all__ = ["ClassMeans", "MeanComparison", "compare_mean_auc", "mean_auc", "mean_average_precision"]


@dataclass(frozen=True)
class ClassMeans:
    """Means over the classes that have enough cases.

    Counts of the three are of pairs of an image and a class; patients are those with any.

    Attributes:
        micro: all pairs of an image and a class in one ranking. It compares the score of one class with that of
            another, and common classes dominate it. None where it was not asked for.
        macro: the unweighted mean: each class weighs the same, so rare ones bring most of the noise.
        weighted: the mean weighted by the number of positive images.
        classes: columns that are included, in order; the same for the value and for every resample.
        excluded: (column, reason) of the others.
    """

    micro: Estimate | None
    macro: Estimate
    weighted: Estimate
    classes: tuple[int, ...]
    excluded: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class MeanComparison:
    """Unweighted means of the AUC of two models over the same classes and images.

    Attributes:
        first, second: of each model.
        difference: the first minus the second, from the same resamples of patients.
        classes: columns that are included, in order; the same for both models and every resample.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    classes: tuple[int, ...]


def mean_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    labelled: ArrayLike | None = None,
    micro: bool = True,
) -> ClassMeans:
    """Return means of the areas under the ROC curves with patient bootstrap intervals.

    All classes see the same resamples, so correlation between classes is in the interval.

    Args:
        labels: (n, classes) bool or 0/1.
        scores: (n, classes) finite.
        patients: (n,) whole numbers or strings.
        options: of the intervals; a class with fewer than ``min_patients`` positive or negative patients is excluded.
        labelled: (n, classes) bool, False where an image has no reference label of a class and is left out of it;
            None is True everywhere.
        micro: whether to compute the one ranking of all pairs; it costs more than the others together.

    Returns:
        ClassMeans; without values, and with reason ``"no class with enough cases"``, where all are excluded.

    Raises:
        ValueError: for other shapes or values.

    References:
        Hanley and McNeil (1982) as :func:`.roc.roc_auc`; the three means as in Sokolova and Lapalme, Information
        Processing and Management 45 (2009) 427-437; Field and Welsh (2007).

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.stack([np.arange(90) % 3 == 0, np.arange(90) % 30 == 0], axis=1)
        >>> mean = mean_auc(labels, labels + generator.normal(size=(90, 2)), np.arange(90), micro=False)
        >>> round(mean.macro.value, 3), mean.classes, mean.excluded
        (0.759, (0,), ((1, 'too few cases (3 positive, 87 negative patients)'),))
    """
    return _means(roc_auc, auc_replicates, labels, scores, patients, labelled, options, micro)


def mean_average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    labelled: ArrayLike | None = None,
    micro: bool = True,
) -> ClassMeans:
    """Return means of average precision with patient bootstrap intervals.

    Args:
        labels, scores, patients, options, labelled, micro: as in :func:`mean_auc`.

    References:
        As :func:`.precision_recall.average_precision` and :func:`mean_auc`.

    Examples:
        >>> labels = np.stack([np.arange(90) % 3 == 0, np.arange(90) % 4 == 0], axis=1)
        >>> mean = mean_average_precision(labels, labels * 1.0, np.arange(90))
        >>> mean.macro.value, mean.macro.reason
        (1.0, 'no interval: every resample gives the same value')
    """
    return _means(average_precision, average_precision_replicates, labels, scores, patients, labelled, options, micro)


def compare_mean_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    other_scores: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    labelled: ArrayLike | None = None,
) -> MeanComparison:
    """Return the unweighted mean AUC of two models on the same images, and its difference.

    Both models see the same resamples of patients, and all classes do. The interval holds no error of a choice between
    the models that was made on the same images.

    Args:
        labels: (n, classes) bool or 0/1.
        scores, other_scores: (n, classes) finite each.
        patients, options, labelled: as in :func:`mean_auc`.

    References:
        As :func:`mean_auc`; the paired cluster bootstrap as in :func:`.auc.auc_difference`.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.stack([np.arange(90) % 3 == 0, np.arange(90) % 4 == 0], axis=1)
        >>> better, worse = labels + generator.normal(size=(2, 90, 2)) * [[[0.5]], [[2.0]]]
        >>> means = compare_mean_auc(labels, better, worse, np.arange(90))
        >>> [round(estimate.value, 3) for estimate in (means.first, means.second, means.difference)]
        [0.929, 0.682, 0.247]
    """
    columns, others = columns_of(labels, scores), columns_of(labels, other_scores)
    patients, images = np.asarray(patients), len(np.asarray(labels))
    known = _checked_labelled(labelled, images, len(columns))
    classes, first, second = [], [], []
    for c, ((truth, score), (_, other)) in enumerate(zip(columns, others, strict=True)):
        rows = np.flatnonzero(known[:, c])
        if not insufficient_cases(count_cases(truth[rows], patients[rows]), options.min_patients):
            classes.append(c)
            first.append((truth[rows], score[rows], rows))
            second.append((truth[rows], other[rows], rows))
    if not classes:
        none = Estimate.missing("no class with enough cases", Counts(0, 0, 0, 0))
        return MeanComparison(none, none, none, ())
    counts = count_cases(
        np.concatenate([truth for truth, *_ in first]), np.concatenate([patients[rows] for *_, rows in first])
    )
    values, draws = [], []
    for model in (first, second):
        values.append(float(np.mean([roc_auc(truth, score).value for truth, score, _ in model])))
        draws.append(auc_replicates(model, patients, options).mean(axis=0))
    one, two, difference = (
        _with_interval(value, counts, replicates, options)
        for value, replicates in zip([*values, values[0] - values[1]], [*draws, draws[0] - draws[1]], strict=True)
    )
    return MeanComparison(one, two, difference, tuple(classes))


def _checked_labelled(labelled: ArrayLike | None, images: int, classes: int) -> NDArray[np.bool_]:
    known = np.ones((images, classes), dtype=bool) if labelled is None else np.asarray(labelled)
    if known.dtype != bool or known.shape != (images, classes):
        raise ValueError(f"Labelled of shape {known.shape}, {known.dtype}: bool for each image and class is accepted.")
    return known


def _with_interval(
    value: float | None, counts: Counts, draws: NDArray[np.float64], options: BootstrapOptions
) -> Estimate:
    interval = with_percentiles(Estimate(value, counts=counts), draws, options)
    if interval.value is None:
        return Estimate(value, counts=counts, reason="no interval: more than 5 % of resamples lack a class")
    return interval


def _means(
    statistic: Callable[[ArrayLike, ArrayLike], Estimate],
    replicates_of: Callable[..., NDArray[np.float64]],
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    labelled: ArrayLike | None,
    options: BootstrapOptions,
    with_micro: bool,
) -> ClassMeans:
    columns = columns_of(labels, scores)
    patients, images = np.asarray(patients), len(np.asarray(labels))
    number, which = index_patients(patients, images)
    labelled = _checked_labelled(labelled, images, len(columns))
    included, classes, excluded = [], [], []
    for c, (truth, score) in enumerate(columns):
        rows = np.flatnonzero(labelled[:, c])
        reason = insufficient_cases(count_cases(truth[rows], patients[rows]), options.min_patients)
        if reason:
            excluded.append((c, reason))
        else:
            classes.append(c)
            included.append((truth[rows], score[rows], rows))
    if not included:
        none = Estimate.missing("no class with enough cases", Counts(0, 0, 0, 0))
        return ClassMeans(none if with_micro else None, none, none, (), tuple(excluded))
    pairs = tuple(np.concatenate(arrays) for arrays in zip(*included, strict=True))
    counts = count_cases(pairs[0], patients[pairs[2]])
    positives = np.array([truth.sum() for truth, *_ in included], dtype=np.float64)
    values = np.array([statistic(truth, score).value for truth, score, _ in included], dtype=np.float64)
    replicates = replicates_of(included, patients, options)
    positives_drawn = sum_replicates(
        np.concatenate([patient_sums(truth, which[rows], number) for truth, _, rows in included]), options
    )
    total = positives_drawn.sum(axis=0)
    weighted = np.full(len(total), np.nan)
    np.divide((positives_drawn * replicates).sum(axis=0), total, out=weighted, where=total > 0)

    def estimate(value: float | None, draws: NDArray[np.float64]) -> Estimate:
        return _with_interval(value, counts, draws, options)

    return ClassMeans(
        estimate(statistic(pairs[0], pairs[1]).value, replicates_of([pairs], patients, options)[0])
        if with_micro
        else None,
        estimate(float(values.mean()), replicates.mean(axis=0)),
        estimate(float(positives @ values / positives.sum()), weighted),
        tuple(classes),
        tuple(excluded),
    )
