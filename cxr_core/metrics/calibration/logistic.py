"""Logistic regression of one variable, for thousands of weightings of the same images at once.

A patient resample is a weighting, so a bootstrap is one run of Newton's method on an array of images by
resamples: matrix products, and no loop over resamples. Source: McCullagh and Nelder, Generalized Linear
Models (1989), 4.4: for the logistic link Newton's method and scoring are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ..bootstrap import BootstrapOptions
from ..patient_sums import patient_sums, sum_replicates

__all__ = ["logistic_lines", "logistic_shifts", "one_step_replicates"]

_STEPS = 40
_SMALL_STEP = 1e-9
# over the standardised variable; a larger step overshoots
_LARGEST_STEP = 3.0
# where classes are separated perfectly the information falls to rounding error; overlapping images hold far more
_LEAST_INFORMATION = 1e-9


def logistic_lines(
    labels: NDArray[np.bool_],
    logits: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Fit slope and intercept for each column of weights.

    Args:
        labels: (n,) bool.
        logits: (n,) finite.
        weights: (n, r) not negative.
        start: (2,) slope and intercept from which the iteration starts.

    Returns:
        (2, r) float64; NaN where the likelihood has no maximum.

    Examples:
        >>> labels, logits = np.array([False, True, False, True]), np.array([-2.0, -1.0, 0.0, 1.0])
        >>> logistic_lines(labels, logits, np.ones((4, 1))).round(3)
        array([[0.908],
               [0.454]])
    """
    middle, spread = logits.mean(), logits.std()
    x = (logits - middle) / spread
    if start is None:
        first = np.array([0.0, logit(labels.mean())])
    else:
        # the same line over the standardised logit
        first = np.array([start[0] * spread, start[1] + start[0] * middle])
    slopes, levels = _newton(np.stack([x, np.ones_like(x)]), labels, weights, first, 0.0)
    return np.stack([slopes / spread, levels - slopes / spread * middle])


def logistic_shifts(
    labels: NDArray[np.bool_],
    logits: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return (r,) the intercept with the slope fixed at 1, for each column of weights (n, r)."""
    start = np.zeros(1) if start is None else start
    return _newton(np.ones((1, len(labels))), labels, weights, start, logits)[0]


def _newton(
    design: NDArray[np.float64],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    start: NDArray[np.float64],
    offset: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """Maximise the weighted likelihood of a logistic regression for every column of weights at once.

    Args:
        design: (k, n), k of 1 or 2.
        labels: (n,) bool.
        weights: (n, r) not negative.
        start: (k,) initial coefficients of every column.
        offset: (n,) or a number, added to the log-odds.

    Returns:
        (k, r); NaN where a class is missing or the likelihood has no maximum.
    """
    k = len(design)
    pairs = _pairs(k)
    products = np.stack([design[i] * design[j] for i, j in pairs])
    observed = (design * labels) @ weights
    shift = np.broadcast_to(offset, labels.shape)[:, None]
    coefficients = np.repeat(start[:, None], weights.shape[1], axis=1)
    coefficients[:, (labels @ weights == 0) | (~labels @ weights == 0)] = np.nan
    step = np.full_like(coefficients, np.inf)
    for _ in range(_STEPS):
        probability = expit(design.T @ coefficients + shift)
        weighted = weights * probability
        gradient = observed - design @ weighted
        weighted *= 1 - probability
        step = np.clip(
            _solve(dict(zip(pairs, products @ weighted, strict=True)), gradient), -_LARGEST_STEP, _LARGEST_STEP
        )
        coefficients = coefficients + step
        if not (np.abs(step) > _SMALL_STEP).any():
            break
    coefficients[:, ~(np.abs(step) <= _SMALL_STEP).all(axis=0)] = np.nan
    return coefficients


def _solve(matrix: dict[tuple[int, int], NDArray[np.float64]], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve the symmetric systems of one or two unknowns by Cramer's rule; NaN where one is singular."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(right) == 1:
            return np.where(matrix[0, 0] > 0, right / matrix[0, 0], np.nan)
        a, b, d = matrix[0, 0], matrix[0, 1], matrix[1, 1]
        determinant = a * d - b * b
        solved = np.stack([d * right[0] - b * right[1], a * right[1] - b * right[0]]) / determinant
        return np.where(determinant > _LEAST_INFORMATION, solved, np.nan)


def one_step_replicates(
    labels: NDArray[np.bool_],
    logits: NDArray[np.float64],
    which: NDArray[np.intp],
    fits: Sequence[NDArray[np.float64]],
    options: BootstrapOptions,
) -> NDArray[np.float64]:
    """Take one step of Newton's method from each fit of all images in each resample of patients.

    The step's error is of the order of its square, so it vanishes with many patients. A resample's sums of gradient
    and information are those of its patients: the work does not depend on the number of images. All fits are summed
    together, since most of the work is reading the draws.

    Args:
        labels: (n,) bool.
        logits: (n,) finite.
        which: (n,) the number of each image's patient.
        fits: each (2,) slope and intercept, or (1,) the intercept where the slope is fixed at 1; of all images, by
            maximum likelihood.
        options: resamples and seed are used.

    Returns:
        (coefficients of all fits, resamples) float64, in the order of ``fits``; NaN where the information is 0.

    References:
        Moulton and Zeger, Bootstrapping generalized linear models, Computational Statistics and Data Analysis 11
        (1991) 53-63, the one-step bootstrap.
    """
    terms = [_gradient_and_information(labels, logits, fit) for fit in fits]
    sums = sum_replicates(patient_sums(np.concatenate(terms), which, int(which.max()) + 1), options)
    of_fits = np.split(sums, np.cumsum([len(rows) for rows in terms])[:-1])
    return np.concatenate([fit[:, None] + _step(rows, len(fit)) for fit, rows in zip(fits, of_fits, strict=True)])


def _gradient_and_information(
    labels: NDArray[np.bool_], logits: NDArray[np.float64], fit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (k + k (k + 1) / 2, n): what each image adds to the gradient and the information at a fit (k,)."""
    design = np.stack([logits, np.ones_like(logits)])[-len(fit) :]
    probability = expit(fit @ design + (logits if len(fit) == 1 else 0))
    gradient = design * (labels - probability)
    information = [design[i] * design[j] * probability * (1 - probability) for i, j in _pairs(len(fit))]
    return np.stack([*gradient, *information])


def _step(sums: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return (k, resamples) Newton's step from sums of gradient and information."""
    return _solve(dict(zip(_pairs(k), sums[k:], strict=True)), sums[:k])


def _pairs(k: int) -> list[tuple[int, int]]:
    """Return the entries of a symmetric matrix (k, k) on and above its diagonal."""
    return [(i, j) for i in range(k) for j in range(i, k)]
