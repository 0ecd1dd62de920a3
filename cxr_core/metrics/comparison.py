"""Two models on the same films: the difference of their areas under the ROC curve, for one class and for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from .clustered import clustered_test
from .estimate import Estimate
from .intervals import BOOTSTRAP_FROM, count_cases, why_not, with_percentiles
from .ranking import check_labels_and_scores, roc_auc
from .replicates import auc_replicates

__all__ = ["ModelComparison", "auc_difference", "compare_models", "holm"]


@dataclass(frozen=True)
class ModelComparison:
    """Two models on one class.

    Attributes:
        difference: of the areas, the first less the second; its interval is of this class alone.
        p_value: two-sided, of this class alone; None where there is no test, for the reason in ``difference``
            or because the two order all films alike.
        adjusted_p_value: Holm's, over all classes that have a p-value: where it is under 0.05, the chance
            that any of those called different so is not is at most 5 %.
    """

    difference: Estimate
    p_value: float | None
    adjusted_p_value: float | None


def auc_difference(
    labels: ArrayLike,
    scores: ArrayLike,
    others: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> Estimate:
    """Return how much larger the area under the ROC curve of ``scores`` is than that of ``others``.

    Both models see the same films and the same resamples of patients, so what makes a film hard for both
    cancels. An interval that excludes 0 says that the difference is not of these patients alone; it holds
    no error of a choice between the models that was made on the same films.

    Args:
        labels: (n,) bool or 0/1.
        scores, others: (n,) finite each, on any scale; higher means more likely positive.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`.
        bootstrap_from: positive and negative patients from which the interval is percentiles of resampled
            patients; below, it is that of :func:`.clustered.clustered_test`.

    Returns:
        Estimate in [-1, 1]; value None with the reasons of :func:`.intervals.patient_bootstrap_auc`.

    Raises:
        ValueError: for other shapes or values.

    Source: the paired cluster bootstrap; Field and Welsh (2007), Efron and Tibshirani (1993), chapter 13.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    others = check_labels_and_scores(labels, others)[1]
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        return Estimate(None, None, None, *counts, reason)
    if min(counts[2:]) < bootstrap_from:
        return clustered_test(labels, scores, others, patients, level, min_patients).difference
    value = roc_auc(labels, scores).value - roc_auc(labels, others).value
    ours, theirs = auc_replicates([(labels, scores), (labels, others)], patients, resamples, seed)
    return with_percentiles(Estimate(value, None, None, *counts, None), ours - theirs, level)


def compare_models(
    classes: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]], **options
) -> tuple[ModelComparison, ...]:
    """Compare two models on every class, with p-values adjusted for there being several.

    Args:
        classes: labels, scores, others and patients of each, as in :func:`auc_difference`. A class has its own films:
            those of which something is known.
        options: as in :func:`auc_difference`.

    Raises:
        ValueError: for other shapes or values.

    Source: :func:`auc_difference` for intervals, :func:`.clustered.clustered_test` for p-values, :func:`holm`.
    """
    level, min_patients = options.get("level", 0.95), options.get("min_patients", 10)
    differences = [auc_difference(*one, **options) for one in classes]
    p_values = [clustered_test(*one, level, min_patients).p_value for one in classes]
    return tuple(ModelComparison(*row) for row in zip(differences, p_values, holm(p_values), strict=True))


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return p-values adjusted for how many there are, by Holm's step-down; None stays None and does not count.

    Args:
        p_values: each in [0, 1], or None.

    Raises:
        ValueError: for others.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    known = [(p, k) for k, p in enumerate(p_values) if p is not None]
    if not all(0 <= p <= 1 for p, _ in known):
        raise ValueError("P-values outside 0 to 1 were found; those within, or None, are accepted.")
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, k) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[k] = float(largest)
    return tuple(adjusted)
