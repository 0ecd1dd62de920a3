"""Thresholds, and what is found and missed at them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from .estimate import Estimate
from .intervals import BOOTSTRAP_FROM, count_cases
from .ranking import check_labels_and_scores
from .shares import Share, patient_share, patient_shares

__all__ = [
    "sensitivity_specificity",
    "share_flagged",
    "threshold_at_sensitivity",
    "threshold_at_specificity",
    "youden_threshold",
]


def threshold_at_specificity(
    labels: ArrayLike, scores: ArrayLike, specificity: float, upper: float = math.inf
) -> float:
    """Return the lowest threshold at which enough of the negatives are below.

    A film is above where its score is at or over the threshold. Every threshold between two adjacent
    distinct scores parts the films in the same way; the one midway is returned, so that the same films
    scored by another engine fall on the same side as long as scores differ by less than half that gap.

    The specificity it reaches on other films is not the one asked for, and on these it is no less.

    Args:
        labels: (n,) bool or 0/1, with at least one negative.
        scores: (n,) finite; higher means more likely positive.
        specificity: the share of negatives to be below, in (0, 1].
        upper: scores stay below this, 1 for probabilities. It matters only where even the highest score
            must be below: the threshold is then over it by half the gap to the second highest (by a half
            where there is no second), but no more than half way to ``upper``.

    Returns:
        The threshold; over the lowest score.

    Raises:
        ValueError: for other shapes or values, for no negative, or for scores that reach ``upper``.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if not 0 < specificity <= 1:
        raise ValueError(f"A specificity of {specificity}: a share over 0 and up to 1 is accepted.")
    if labels.all():
        raise ValueError("No negative film: a threshold at a specificity needs at least one.")
    if not scores.max() < upper:
        raise ValueError(f"Scores up to {scores.max()}: scores below {upper} are accepted.")
    distinct, where = np.unique(scores, return_inverse=True)
    negatives = np.cumsum(np.bincount(where[~labels], minlength=len(distinct)))
    # A quotient of whole numbers rounds as the written share does: 19 / 20 is 0.95, which 0.95 * 20
    # and a ceiling would not promise.
    below = int(np.searchsorted(negatives / negatives[-1], specificity))
    return _parting(distinct, below + 1, -math.inf, upper)


def threshold_at_sensitivity(
    labels: ArrayLike, scores: ArrayLike, sensitivity: float, lower: float = -math.inf
) -> float:
    """Return the highest threshold at which enough of the positives are at or over it.

    The mirror of :func:`threshold_at_specificity`: midway between two adjacent distinct scores. The
    sensitivity it reaches on other films is not the one asked for, and on these it is no less.

    Args:
        labels: (n,) bool or 0/1, with at least one positive.
        scores: (n,) finite; higher means more likely positive.
        sensitivity: the share of positives to be at or over it, in (0, 1].
        lower: scores stay above this, 0 for probabilities; where even the lowest score must be over the
            threshold, it lies below it by half the gap to the next, but no more than half way to this.

    Raises:
        ValueError: for other shapes or values, for no positive, or for scores that reach ``lower``.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if not 0 < sensitivity <= 1:
        raise ValueError(f"A sensitivity of {sensitivity}: a share over 0 and up to 1 is accepted.")
    if not labels.any():
        raise ValueError("No positive film: a threshold at a sensitivity needs at least one.")
    if not scores.min() > lower:
        raise ValueError(f"Scores down to {scores.min()}: scores over {lower} are accepted.")
    distinct, where = np.unique(scores, return_inverse=True)
    positives = np.cumsum(np.bincount(where[labels], minlength=len(distinct))[::-1])
    over = int(np.searchsorted(positives / positives[-1], sensitivity))
    return _parting(distinct, len(distinct) - 1 - over, lower, math.inf)


def youden_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold at which sensitivity and specificity add up to most; the highest of several.

    Args:
        labels: (n,) bool or 0/1, with at least one of each.
        scores: (n,) finite; higher means more likely positive.

    Raises:
        ValueError: for other shapes or values, or where a class is missing.

    Source: Youden, Index for rating diagnostic tests, Cancer 3 (1950) 32-35.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if labels.all() or not labels.any():
        raise ValueError("Youden's index needs at least one positive and one negative film.")
    distinct, where = np.unique(scores, return_inverse=True)
    below = [np.cumsum(np.bincount(where[kind], minlength=len(distinct)))[:-1] for kind in (labels, ~labels)]
    # sensitivity + specificity - 1, times both counts: whole numbers, so ties are ties
    index = np.concatenate([[0], below[1] * labels.sum() - below[0] * (~labels).sum(), [0]])
    first = len(index) - 1 - int(np.argmax(index[::-1]))
    return _parting(distinct, first, -math.inf, math.inf)


def _parting(distinct, first: int, lower: float, upper: float) -> float:
    """Return a threshold that ``distinct[first]`` is the lowest to be over, midway to the one below it."""
    gap = float(np.diff(distinct[-2:])[0] if first else np.diff(distinct[:2])[0]) if len(distinct) > 1 else 1.0
    low = float(distinct[first - 1]) if first else max(float(distinct[0]) - gap, lower)
    high = float(distinct[first]) if first < len(distinct) else min(low + gap, upper)
    middle = low + (high - low) / 2
    # Between neighbouring floating-point numbers there is no middle.
    return middle if middle > low else float(np.nextafter(low, math.inf))


def sensitivity_specificity(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> tuple[Estimate, Estimate]:
    """Return the share of positives at or over a threshold, and of negatives below it.

    Neither is the chance that a film called above is positive, which depends on how common the label
    is. The threshold is taken as given: where it was chosen on the same films, the intervals do not hold
    the error of that choice.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite; higher means more likely positive.
        threshold: a number or an infinity.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level: as in :func:`.intervals.patient_bootstrap_auc`.
        min_patients: positive patients below which sensitivity, and negative patients below which
            specificity, has no value.
        bootstrap_from: as in :func:`.shares.patient_share`.

    Returns:
        Sensitivity and specificity, both with the counts of positives and negatives. Value None with
        reason ``"no positive"`` or ``"no negative"``, or ``"too few cases: 3 positive patients"``.
        Intervals as in :func:`.shares.patient_share`.

    Raises:
        ValueError: for other shapes or values.

    Source: as :func:`.shares.patient_share`.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if math.isnan(threshold):
        raise ValueError("A threshold of NaN: a number is accepted.")
    above = scores >= threshold
    counts = count_cases(labels, patients)
    shares = [
        Share(event, among, counts, f"no {word}", f"{word} patients")
        for event, among, word in ((above, labels, "positive"), (~above, ~labels, "negative"))
    ]
    sensitivity, specificity = patient_shares(shares, patients, resamples, seed, level, min_patients, bootstrap_from)
    return sensitivity, specificity


def share_flagged(
    any_above: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> Estimate:
    """Return the share of films on which any label is above its threshold.

    A share of films, not of patients: a patient with many films weighs more.

    Args:
        any_above: (n,) bool or 0/1.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, bootstrap_from: as in :func:`.shares.patient_share`.
        min_patients: patients, flagged or not, below which there is no value.

    Returns:
        Estimate whose positives are the flagged films. Value None with reason ``"no film"`` or
        ``"too few cases: 3 patients"``.

    Raises:
        ValueError: for other shapes or values.

    Source: as :func:`.shares.patient_share`.
    """
    return patient_share(any_above, patients, None, resamples, seed, level, min_patients, bootstrap_from)
