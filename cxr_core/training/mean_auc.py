"""The mean of a model's AUCs over its labels: the one number by which trainings are compared."""

from __future__ import annotations

import numpy as np

from ..metrics import count_cases, mean_auc
from ..model.card import Counts, Metric

__all__ = ["mean_auc_metric"]


def mean_auc_metric(
    labels: np.ndarray,
    scores: np.ndarray,
    patients: np.ndarray,
    *,
    min_patients: int,
    resamples: int,
    seed: int = 0,
) -> Metric:
    """Return the unweighted mean of the AUCs of the labels that have enough patients, with an interval.

    It is comparable only between models measured on the same films and the same labels. All labels see the
    same resamples of patients.

    Args:
        labels, scores: (n, classes).
        patients: (n,).
        min_patients: positive patients and negative patients that a label needs.
        resamples, seed: of the bootstrap.

    Returns:
        A Metric; its counts are of films with any of those labels and films with none. ``reason`` says how
        many labels it is the mean of, where that is not all of them.
    """
    mean = mean_auc(labels, scores, patients, None, resamples, seed, min_patients=min_patients, micro=False)
    found = np.asarray(labels, dtype=bool)[:, list(mean.classes)].any(axis=1)
    counts = Counts(*count_cases(found, patients))
    if not mean.classes:
        return Metric(None, None, None, counts, f"no label with {min_patients} positive and negative patients")
    reason = mean.macro.reason
    if mean.left_out:
        of = f"mean of {len(mean.classes)} of {labels.shape[1]} labels"
        reason = of if reason is None else f"{of}; {reason}"
    return Metric(mean.macro.value, mean.macro.low, mean.macro.high, counts, reason)
