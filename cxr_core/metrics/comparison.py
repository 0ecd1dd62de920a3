"""Two models on the same films: the difference of their areas under the ROC curve."""

from __future__ import annotations

from numpy.typing import ArrayLike

from .estimate import Estimate
from .intervals import auc_replicates, count_patients, too_few
from .ranking import check_labels_and_scores, missing_class, roc_auc
from .resampling import percentile_interval

__all__ = ["auc_difference"]


def auc_difference(
    labels: ArrayLike,
    scores: ArrayLike,
    others: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
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

    Returns:
        Estimate in [-1, 1]; value None with the reasons of :func:`.intervals.patient_bootstrap_auc`.

    Raises:
        ValueError: for other shapes or values.

    Source: the paired cluster bootstrap; Field and Welsh (2007), Efron and Tibshirani (1993), chapter 13.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    others = check_labels_and_scores(labels, others)[1]
    counts = (int(labels.sum()), int((~labels).sum()), *count_patients(labels, patients))
    reason = missing_class(*counts[:2]) or (too_few(*counts[2:]) if min(counts[2:]) < min_patients else None)
    if reason:
        return Estimate(None, None, None, *counts, reason)
    value = roc_auc(labels, scores).value - roc_auc(labels, others).value
    ours, theirs = auc_replicates([(labels, scores), (labels, others)], patients, resamples, seed)
    low, high, reason = percentile_interval(ours - theirs, level)
    if reason == "too few cases":
        return Estimate(None, None, None, *counts, too_few(*counts[2:]))
    return Estimate(value, low, high, *counts, reason)
