"""How sure a ROC curve is: a band around it, from resampled patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import count_cases, why_not
from .ranking import check_labels_and_scores
from .resampling import check_level, index_patients, multiplicities

__all__ = ["RocBand", "roc_band"]


@dataclass(frozen=True, eq=False)
class RocBand:
    """Limits of the sensitivity at given false positive rates.

    Pointwise: at each rate by itself, not for the curve as a whole, which strays from such a band somewhere more
    often than one time in twenty.

    Attributes:
        false_positive_rate: (k,) float64 in [0, 1].
        low, high: (k,) float64 in [0, 1], or None with a reason.
        positive_patients, negative_patients: whom it rests on.
        reason: why there is no band, or None.
    """

    false_positive_rate: NDArray[np.float64]
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None
    positive_patients: int
    negative_patients: int
    reason: str | None


def roc_band(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    rates: ArrayLike | None = None,
    resamples: int = 500,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> RocBand:
    """Return percentiles of the sensitivity at each false positive rate over resamples of patients.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        patients: (n,) of whole numbers or strings.
        rates: (k,) ascending, in [0, 1]; 101 from 0 to 1 by default.
        resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`. A resample without a
            positive or a negative is left out.

    Raises:
        ValueError: for other shapes or values.

    Source: Macskassy and Provost, Confidence bands for ROC curves, ROCAI 2004: vertical averaging, with the draws
    of Field and Welsh (2007) instead of theirs.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    check_level(level)
    rates = np.linspace(0, 1, 101) if rates is None else np.asarray(rates, dtype=np.float64)
    if rates.ndim != 1 or not ((rates >= 0) & (rates <= 1)).all() or (np.diff(rates) < 0).any():
        raise ValueError("False positive rates beyond 0 and 1, or not ascending: (k,) ascending shares are accepted.")
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        return RocBand(rates, None, None, *counts[2:], reason)
    number, which = index_patients(patients, len(labels))
    order = np.argsort(-scores, kind="stable")
    # the last film of each distinct score: ties move together
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    which, positive = which[order], labels[order]
    curves = []
    for drawn in multiplicities(number, resamples, seed, rows=len(labels)):
        for times in drawn.T:
            curve = _sensitivity_at(rates, times[which], positive, ends)
            if curve is not None:
                curves.append(curve)
    low, high = np.quantile(np.array(curves), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return RocBand(rates, low, high, *counts[2:], None)


def _sensitivity_at(rates, weights, positive, ends) -> NDArray[np.float64] | None:
    found = np.cumsum(np.where(positive, weights, 0.0))[ends]
    called = np.cumsum(weights)[ends] - found
    if not found[-1] or not called[-1]:
        return None
    rate = np.concatenate([[0.0], called / called[-1]])
    sensitivity = np.concatenate([[0.0], found / found[-1]])
    # a vertical step is read at its top, as the curve is: what is found before another false alarm
    top = np.flatnonzero(np.append(np.diff(rate) > 0, True))
    return np.interp(rates, rate[top], sensitivity[top])
