"""The AUC with its interval, for one class, for many, and for the difference of two models on the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import check_labels_and_scores, columns_of, count_cases, index_patients, insufficient_cases
from .delong import clustered_auc, clustered_test
from .ranking_replicates import auc_replicates
from .roc import auc_value

__all__ = [
    "ModelComparison",
    "auc_difference",
    "auc_of_subsets",
    "auc_per_class",
    "auc_with_interval",
    "compare_models",
    "holm",
]


@dataclass(frozen=True)
class ModelComparison:
    """Two models on one class.

    Attributes:
        difference: of the AUCs, the first minus the second; its interval is of this class alone.
        p_value: two-sided, of this class alone; None where there is no test, for the reason in ``difference`` or
            because the two order all images alike.
        adjusted_p_value: Holm's, over all classes that have a p-value: where it is under 0.05, the chance that any
            of those called different so is not is at most 5 %.
    """

    difference: Estimate
    p_value: float | None
    adjusted_p_value: float | None


def auc_with_interval(
    labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return the area under the ROC curve with its interval.

    Percentiles of the patient bootstrap where there are ``options.bootstrap_min_patients`` positive and as many
    negative patients; below, :func:`.delong.clustered_auc`. The Estimate names its method. The interval is the error
    of drawing these patients and not others like them. It holds no error of the labels, of a choice made on the same
    images, or of another hospital.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        patients: (n,) whole numbers or strings.
        options: of the interval.

    Returns:
        Estimate. The value is None with reason ``"no positive"`` and the like where a class is missing, and ``"too
        few cases (3 positive, 90 negative patients)"`` below ``options.min_patients`` or where more than 5 % of
        resamples lack a class. A value without an interval has its reason, such as that every resample gives the
        same value, as where no positive and negative are in the wrong order.

    Raises:
        ValueError: for other shapes or values.

    References:
        Hanley and McNeil (1982), as :func:`.roc.roc_auc`; Field and Welsh (2007) for the draws; Efron and Tibshirani
        (1993), chapter 13, for the percentiles.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(90) % 3 == 0
        >>> auc = auc_with_interval(labels, labels + generator.normal(size=90), np.arange(90) // 2)
        >>> [round(number, 3) for number in (auc.value, auc.low, auc.high)], auc.method
        ([0.685, 0.546, 0.792], 'clustered by patient, logit scale')
    """
    labels, scores = check_labels_and_scores(labels, scores)
    return auc_per_class(labels[:, None], scores[:, None], patients, options)[0]


def auc_per_class(
    labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> tuple[Estimate, ...]:
    """Return :func:`auc_with_interval` of each class, all from the same resamples.

    Args:
        labels: (n, classes) bool or 0/1.
        scores: (n, classes) finite.
        patients: (n,) whole numbers or strings.
        options: of the intervals.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.stack([np.arange(90) % 3 == 0, np.arange(90) % 30 == 0], axis=1)
        >>> common, rare = auc_per_class(labels, labels + generator.normal(size=(90, 2)), np.arange(90))
        >>> round(common.value, 3), rare.reason
        (0.759, 'too few cases (3 positive, 87 negative patients)')
    """
    columns, rows = columns_of(labels, scores), np.arange(len(np.asarray(labels)))
    which = index_patients(patients, len(rows))[1]
    return auc_of_subsets([(*column, rows) for column in columns], which, options)


def auc_of_subsets(
    subsets: Sequence[tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]],
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    precision_follows: bool = False,
) -> tuple[Estimate, ...]:
    """Return :func:`auc_with_interval` of several classes or subsets of images, all from the same resamples.

    Args:
        subsets: labels (m,) bool, scores (m,) and the rows (m,) of ``patients`` that they belong to.
        patients: (n,) whole numbers or strings, all of them: the number of patients of a subset varies from resample
            to resample, as it would with other patients.
        options: of the intervals.
        precision_follows: as in :func:`.ranking_replicates.auc_replicates`.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> labels, scores = np.array([True, False] * 20), np.arange(40.0)
        >>> rows = np.arange(40)
        >>> aucs = auc_of_subsets([(labels, scores, rows), (labels[:30], scores[:30], rows[:30])], rows)
        >>> [round(auc.value, 3) for auc in aucs]
        [0.475, 0.467]
    """
    patients = index_patients(patients, len(np.asarray(patients)))[1]
    estimates: list[Estimate] = []
    bootstrapped: list[int] = []
    for k, (labels, scores, rows) in enumerate(subsets):
        counts = count_cases(labels, patients[rows])
        if insufficient_cases(counts, options.min_patients) or counts.rarer_patients < options.bootstrap_min_patients:
            estimates.append(clustered_auc(labels, scores, patients[rows], options))
        else:
            estimates.append(Estimate(auc_value(labels, scores), counts=counts))
            bootstrapped.append(k)
    columns = [subsets[k] for k in bootstrapped]
    replicates = auc_replicates(columns, patients, options, precision_follows=precision_follows)
    for k, row in zip(bootstrapped, replicates, strict=True):
        estimates[k] = with_percentiles(estimates[k], row, options)
    return tuple(estimates)


def auc_difference(
    labels: ArrayLike,
    scores: ArrayLike,
    other_scores: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> Estimate:
    """Return the AUC of ``scores`` minus that of ``other_scores``.

    Both models see the same images and the same resamples of patients, so what makes an image hard for both cancels.
    An interval that excludes 0 says that the difference is not due to these patients alone; it holds no error of a
    choice between the models that was made on the same images.

    Args:
        labels: (n,) bool or 0/1.
        scores, other_scores: (n,) finite each, on any scale; higher means more likely positive.
        patients: (n,) whole numbers or strings.
        options: of the interval; below ``bootstrap_min_patients`` it is that of :func:`.delong.clustered_test`.

    Returns:
        Estimate in [-1, 1]; value None with the reasons of :func:`auc_with_interval`.

    Raises:
        ValueError: for other shapes or values.

    References:
        The paired cluster bootstrap: Field and Welsh (2007), Efron and Tibshirani (1993), chapter 13.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(90) % 3 == 0
        >>> better, worse = labels + generator.normal(size=(2, 90)) * [[0.5], [2.0]]
        >>> difference = auc_difference(labels, better, worse, np.arange(90))
        >>> [round(number, 3) for number in (difference.value, difference.low, difference.high)]
        [0.321, 0.174, 0.468]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    other_scores = check_labels_and_scores(labels, other_scores)[1]
    counts = count_cases(labels, patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return Estimate.missing(reason, counts)
    if counts.rarer_patients < options.bootstrap_min_patients:
        return clustered_test(labels, scores, other_scores, patients, options).difference
    first, second = auc_replicates([(labels, scores), (labels, other_scores)], patients, options)
    value = auc_value(labels, scores) - auc_value(labels, other_scores)
    return with_percentiles(Estimate(value, counts=counts), first - second, options)


def compare_models(
    classes: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]],
    options: BootstrapOptions = DEFAULTS,
    *,
    on_class: Callable[[], None] = lambda: None,
    map: Callable[..., Iterator[Any]] = map,
) -> tuple[ModelComparison, ...]:
    """Compare two models on every class, with p-values adjusted for multiple comparisons.

    Args:
        classes: labels, scores, other scores and patients of each, as in :func:`auc_difference`. A class has its own
            images: those with a reference label.
        options: as in :func:`auc_difference`.
        on_class: called after each class.
        map: as the built-in one; that of an executor computes several classes at once.

    Raises:
        ValueError: for other shapes or values.

    References:
        :func:`auc_difference` for intervals, :func:`.delong.clustered_test` for p-values, :func:`holm`.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(90) % 3 == 0
        >>> better, worse = labels + generator.normal(size=(2, 90)) * [[0.5], [2.0]]
        >>> (comparison,) = compare_models([(labels, better, worse, np.arange(90))])
        >>> comparison.p_value == comparison.adjusted_p_value
        True
    """

    def of_class(arrays: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]) -> tuple[Estimate, float | None]:
        return auc_difference(*arrays, options), clustered_test(*arrays, options).p_value

    differences, p_values = [], []
    for difference, p_value in map(of_class, classes):
        differences.append(difference)
        p_values.append(p_value)
        on_class()
    return tuple(ModelComparison(*row) for row in zip(differences, p_values, holm(p_values), strict=True))


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return p-values adjusted for their number by Holm's step-down; None stays None and does not count.

    Args:
        p_values: each in [0, 1], or None.

    Raises:
        ValueError: for others.

    References:
        Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.

    Examples:
        >>> holm([0.01, None, 0.04, 0.03])
        (0.03, None, 0.06, 0.06)
    """
    present = [(p, k) for k, p in enumerate(p_values) if p is not None]
    if not all(0 <= p <= 1 for p, _ in present):
        raise ValueError("P-values outside [0, 1] were found; those within, or None, are accepted.")
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, k) in enumerate(sorted(present)):
        largest = max(largest, min(1.0, (len(present) - rank) * p))
        adjusted[k] = float(largest)
    return tuple(adjusted)
