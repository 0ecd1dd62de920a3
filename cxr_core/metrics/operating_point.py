"""Thresholds at a given sensitivity or specificity, and at the largest Youden index."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cases import check_labels_and_scores

__all__ = ["threshold_at_sensitivity", "threshold_at_specificity", "youden_threshold"]


def threshold_at_specificity(
    labels: ArrayLike, scores: ArrayLike, specificity: float, upper: float = math.inf
) -> float:
    """Return the lowest threshold with at least a given specificity.

    An image is above where its score is at or over the threshold. Every threshold between two adjacent
    distinct scores splits the images in the same way; the one midway is returned, so that the same images
    scored by another engine fall on the same side as long as scores differ by less than half that gap.

    On these images the specificity is no less than the one asked for; on other images it may be.

    Args:
        labels: (n,) bool or 0/1, with at least one negative.
        scores: (n,) finite; higher means more likely positive.
        specificity: proportion of negatives below the threshold, in (0, 1].
        upper: upper bound of scores, 1 for probabilities. It matters only where even the highest score must be
            below: the threshold is then above it by half the gap to the second highest (by a half where there
            is no second), but no more than half way to ``upper``.

    Returns:
        The threshold; above the lowest score.

    Raises:
        ValueError: for other shapes or values, for no negative, or for scores that reach ``upper``.

    Examples:
        >>> threshold_at_specificity([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.9], specificity=0.75)
        0.35
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if not 0 < specificity <= 1:
        raise ValueError(f"A specificity of {specificity}: a proportion above 0 and up to 1 is accepted.")
    if labels.all():
        raise ValueError("No negative image: a threshold at a specificity needs at least one.")
    if not scores.max() < upper:
        raise ValueError(f"Scores up to {scores.max()}: scores below {upper} are accepted.")
    distinct, level = np.unique(scores, return_inverse=True)
    negatives = np.cumsum(np.bincount(level[~labels], minlength=len(distinct)))
    # A quotient of whole numbers rounds as the written decimal does: 19 / 20 is 0.95, which 0.95 * 20
    # and a ceiling would not promise.
    below = int(np.searchsorted(negatives / negatives[-1], specificity))
    return _midway(distinct, below + 1, -math.inf, upper)


def threshold_at_sensitivity(
    labels: ArrayLike, scores: ArrayLike, sensitivity: float, lower: float = -math.inf
) -> float:
    """Return the highest threshold with at least a given sensitivity.

    Midway between two adjacent distinct scores, as :func:`threshold_at_specificity`. On these images the sensitivity
    is no less than the one asked for; on other images it may be.

    Args:
        labels: (n,) bool or 0/1, with at least one positive.
        scores: (n,) finite; higher means more likely positive.
        sensitivity: proportion of positives at or over the threshold, in (0, 1].
        lower: lower bound of scores, 0 for probabilities. Where even the lowest score must be over the threshold,
            it lies below it by half the gap to the next, but no more than half way to ``lower``.

    Returns:
        The threshold; no higher than the highest score.

    Raises:
        ValueError: for other shapes or values, for no positive, or for scores that reach ``lower``.

    Examples:
        >>> round(threshold_at_sensitivity([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], sensitivity=1.0), 3)
        0.225
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if not 0 < sensitivity <= 1:
        raise ValueError(f"A sensitivity of {sensitivity}: a proportion above 0 and up to 1 is accepted.")
    if not labels.any():
        raise ValueError("No positive image: a threshold at a sensitivity needs at least one.")
    if not scores.min() > lower:
        raise ValueError(f"Scores down to {scores.min()}: scores over {lower} are accepted.")
    distinct, level = np.unique(scores, return_inverse=True)
    positives = np.cumsum(np.bincount(level[labels], minlength=len(distinct))[::-1])
    over = int(np.searchsorted(positives / positives[-1], sensitivity))
    return _midway(distinct, len(distinct) - 1 - over, lower, math.inf)


def youden_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold with the largest sum of sensitivity and specificity; the highest of several.

    Args:
        labels: (n,) bool or 0/1, with both classes.
        scores: (n,) finite; higher means more likely positive.

    Raises:
        ValueError: for other shapes or values, or where a class is missing.

    References:
        Youden, Index for rating diagnostic tests, Cancer 3 (1950) 32-35.

    Examples:
        >>> round(youden_threshold([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
        0.6
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if labels.all() or not labels.any():
        raise ValueError("Youden's index needs at least one positive and one negative image.")
    distinct, level = np.unique(scores, return_inverse=True)
    below = [np.cumsum(np.bincount(level[rows], minlength=len(distinct)))[:-1] for rows in (labels, ~labels)]
    # sensitivity + specificity - 1, times both counts: whole numbers, so ties are ties
    index = np.concatenate([[0], below[1] * labels.sum() - below[0] * (~labels).sum(), [0]])
    first = len(index) - 1 - int(np.argmax(index[::-1]))
    return _midway(distinct, first, -math.inf, math.inf)


def _midway(distinct: NDArray[np.float64], first: int, lower: float, upper: float) -> float:
    """Return the threshold midway between ``distinct[first]`` and the distinct score below it."""
    gap = float(np.diff(distinct[-2:])[0] if first else np.diff(distinct[:2])[0]) if len(distinct) > 1 else 1.0
    low = float(distinct[first - 1]) if first else max(float(distinct[0]) - gap, lower)
    high = float(distinct[first]) if first < len(distinct) else min(low + gap, upper)
    middle = low + (high - low) / 2
    # Between neighbouring floating-point numbers there is no middle.
    return middle if middle > low else float(np.nextafter(low, math.inf))
