"""Logistic regression of one variable, for thousands of weightings of the same films at once.

A patient resample is a weighting, so a bootstrap is one run of Newton's method on an array of films by
resamples: matrix products, and no loop over resamples. Source: McCullagh and Nelder, Generalized Linear
Models (1989), 4.4: for the logistic link Newton's method and scoring are the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

__all__ = ["logistic_lines", "logistic_shifts", "solve"]

_STEPS = 40
_SMALL_STEP = 1e-9
# over the standardised variable; what goes farther in one step has lost its way
_LARGEST_STEP = 3.0
# where classes part perfectly the information falls to rounding error; films that overlap hold far more
_LEAST_INFORMATION = 1e-9


def logistic_lines(labels, logits, weights, start=None) -> NDArray[np.float64]:
    """Return slope and intercept for each column of weights (n, r): (2, r), NaN where there is none."""
    middle, spread = logits.mean(), logits.std()
    x = (logits - middle) / spread
    if start is None:
        first = np.array([0.0, logit(labels.mean())])
    else:
        # the same line over the standardised logit
        first = np.array([start[0] * spread, start[1] + start[0] * middle])
    slopes, levels = _newton(np.stack([x, np.ones_like(x)]), labels, weights, first, 0.0)
    return np.stack([slopes / spread, levels - slopes / spread * middle])


def logistic_shifts(labels, logits, weights, start=0.0) -> NDArray[np.float64]:
    """Return the intercept with the slope held at 1, for each column of weights: (r,)."""
    return _newton(np.ones((1, len(labels))), labels, weights, np.array([start], float).reshape(1), logits)[0]


def _newton(design, labels, weights, start, offset) -> NDArray[np.float64]:
    """Maximise the weighted likelihood of a logistic regression for every column of weights at once.

    Args:
        design: (k, n), k of 1 or 2.
        labels: (n,) bool.
        weights: (n, r) not negative.
        start: (k,), from where every column sets out.
        offset: (n,) or a number, added to the log-odds.

    Returns:
        (k, r); NaN where a class is missing or the likelihood has no maximum.
    """
    k = len(design)
    pairs = [(i, j) for i in range(k) for j in range(i, k)]
    products = np.stack([design[i] * design[j] for i, j in pairs])
    observed = (design * labels) @ weights
    offset = np.broadcast_to(offset, labels.shape)[:, None]
    found = np.repeat(start[:, None], weights.shape[1], axis=1)
    found[:, (labels @ weights == 0) | (~labels @ weights == 0)] = np.nan
    step = np.full_like(found, np.inf)
    for _ in range(_STEPS):
        chance = expit(design.T @ found + offset)
        weighted = weights * chance
        gradient = observed - design @ weighted
        weighted *= 1 - chance
        step = np.clip(
            solve(dict(zip(pairs, products @ weighted, strict=True)), gradient), -_LARGEST_STEP, _LARGEST_STEP
        )
        found = found + step
        if not (np.abs(step) > _SMALL_STEP).any():
            break
    found[:, ~(np.abs(step) <= _SMALL_STEP).all(axis=0)] = np.nan
    return found


def solve(matrix, right) -> NDArray[np.float64]:
    """Solve the symmetric systems of one or two unknowns by Cramer's rule; NaN where one is singular."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(right) == 1:
            return np.where(matrix[0, 0] > 0, right / matrix[0, 0], np.nan)
        a, b, d = matrix[0, 0], matrix[0, 1], matrix[1, 1]
        determinant = a * d - b * b
        solved = np.stack([d * right[0] - b * right[1], a * right[1] - b * right[0]]) / determinant
        return np.where(determinant > _LEAST_INFORMATION, solved, np.nan)
