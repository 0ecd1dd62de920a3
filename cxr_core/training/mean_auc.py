"""The mean of a model's AUCs over its labels: the one number by which trainings are compared."""

from __future__ import annotations

import numpy as np

from ..metrics import count_patients, roc_auc
from ..metrics.intervals import auc_replicates
from ..metrics.resampling import percentile_interval
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
    enough = [c for c in range(labels.shape[1]) if min(count_patients(labels[:, c], patients)) >= min_patients]
    found = labels[:, enough].any(axis=1)
    counts = Counts(int(found.sum()), int((~found).sum()), *count_patients(found, patients))
    if not enough:
        return Metric(None, None, None, counts, f"no label with {min_patients} positive and negative patients")
    value = float(np.mean([roc_auc(labels[:, c], scores[:, c]).value for c in enough]))
    columns = [(labels[:, c].astype(bool), scores[:, c].astype(np.float64)) for c in enough]
    low, high, reason = percentile_interval(auc_replicates(columns, patients, resamples, seed).mean(axis=0), 0.95)
    if len(enough) < labels.shape[1]:
        of = f"mean of {len(enough)} of {labels.shape[1]} labels"
        reason = of if reason is None else f"{of}; {reason}"
    return Metric(value, low, high, counts, reason)
