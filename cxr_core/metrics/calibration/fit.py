"""Calibration of scores (Platt scaling, isotonic regression) and of probabilities (slope and intercept).

Both fits go from logit to probability: Platt's is a line in log-odds, the isotonic one a step function. Slope and
intercept are of the outcome's log-odds over the predicted ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.special import logit

from ...estimate import Estimate
from ..bootstrap import DEFAULTS, BootstrapOptions, multiplicities, with_percentiles
from ..cases import check_labels_and_scores, count_cases, index_patients, insufficient_cases, missing_class
from .logistic import logistic_lines, logistic_shifts, one_step_replicates

__all__ = [
    "IsotonicFit",
    "PlattFit",
    "Recalibration",
    "isotonic",
    "isotonic_replicates",
    "platt",
    "platt_replicates",
    "recalibration",
]

# arrays of images by resamples are cut so that a chunk stays in the processor's cache
_CACHED_ROWS = 32


@dataclass(frozen=True)
class PlattFit:
    """log-odds = slope x logit + intercept; both None where ``reason`` says why."""

    slope: float | None
    intercept: float | None
    reason: str | None


@dataclass(frozen=True, eq=False)
class IsotonicFit:
    """A curve that never falls: linear between knots, constant outside.

    Attributes:
        logits: (k,) float64, ascending.
        proportions: (k,) float64 in [0, 1], never falling: the proportion of positives. 0 and 1 at the ends are what
            these images show, not certainty.
    """

    logits: NDArray[np.float64]
    proportions: NDArray[np.float64]

    def predict(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return the proportion of positives at each logit."""
        return np.interp(np.asarray(logits), self.logits, self.proportions)


@dataclass(frozen=True)
class Recalibration:
    """Calibration slope, intercept and calibration in the large.

    Attributes:
        slope: 1 where predictions spread as outcomes do; below 1 where they are too extreme.
        intercept: with that slope; 0 where the slope is 1 and nothing is shifted.
        in_the_large: the intercept with the slope fixed at 1; above 0 where the label is commoner than predicted.
    """

    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate


def platt(labels: ArrayLike, logits: ArrayLike) -> PlattFit:
    """Return Platt scaling: the logistic regression of the label on the logit, by maximum likelihood.

    Platt moved the targets 0 and 1 a little inwards, against overfitting with few cases. That is not done here: a
    curve is fitted on 30 positive patients or more, where it changes little, and without it slope and intercept on
    the fitted images are 1 and 0, so that any departure on others is seen.

    A slope that is not positive is returned as it is: the score then does not rise with the label.

    Args:
        labels: (n,) bool or 0/1.
        logits: (n,) finite.

    Returns:
        PlattFit; without values and with reason ``"no positive"``, ``"no negative"``, ``"no image"``, ``"all scores
        are equal"`` or ``"scores separate the labels perfectly"``, where the likelihood has no maximum.

    Raises:
        ValueError: for other shapes or values.

    References:
        Platt, Probabilistic outputs for support vector machines, Advances in Large Margin Classifiers (1999) 61-74;
        Newton's method as in McCullagh and Nelder, Generalized Linear Models (1989), 4.4.

    Examples:
        >>> line = platt([0, 0, 1, 0, 1, 1], [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
        >>> round(line.slope, 3), round(line.intercept, 3) + 0
        (1.351, 0.0)
        >>> platt([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0]).reason
        'scores separate the labels perfectly'
    """
    labels, logits = check_labels_and_scores(labels, logits)
    reason = missing_class(count_cases(labels)) or ("all scores are equal" if logits.min() == logits.max() else None)
    if reason is None:
        slope, intercept = logistic_lines(labels, logits, np.ones((len(labels), 1)))[:, 0].tolist()
        if math.isfinite(slope):
            return PlattFit(slope, intercept, None)
        reason = "scores separate the labels perfectly"
    return PlattFit(None, None, reason)


def platt_replicates(
    labels: ArrayLike, logits: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> NDArray[np.float64]:
    """Return Platt scaling in every resample of patients.

    Args:
        labels, logits: as in :func:`platt`, which must give a line for them.
        patients: (n,) whole numbers or strings.
        options: resamples and seed are used.

    Returns:
        (2, resamples) float64: slopes and intercepts; NaN where a resample gives none.

    Raises:
        ValueError: for other shapes or values, or where :func:`platt` gives no line.

    References:
        As :func:`platt`; Field and Welsh (2007) for the draws.

    Examples:
        >>> labels, logits = np.arange(60) % 3 == 0, np.arange(60) % 7 - 3.0
        >>> platt_replicates(labels, logits, np.arange(60), BootstrapOptions(resamples=4)).shape
        (2, 4)
    """
    labels, logits = check_labels_and_scores(labels, logits)
    line = platt(labels, logits)
    if line.reason:
        raise ValueError(f"No line on the images themselves: {line.reason}.")
    number, which = index_patients(patients, len(labels))
    start = np.array([line.slope, line.intercept], dtype=np.float64)
    chunks = multiplicities(number, options, tallest=_CACHED_ROWS * len(labels))
    return np.concatenate([logistic_lines(labels, logits, drawn[which], start) for drawn in chunks], axis=1)


def isotonic(labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None) -> IsotonicFit:
    """Return isotonic regression: the curve that never falls and is nearest to the labels in squared error.

    It follows any rising shape and therefore also chance: with few positives its steps are noise.

    Args:
        labels: (n,) bool or 0/1; n at least 1.
        logits: (n,) finite; images with the same logit share a value.
        weights: (n,) not negative, with a positive sum; None is 1 each.

    Raises:
        ValueError: for other shapes or values, or for no image.

    References:
        Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD 2002;
        pool adjacent violators, Ayer et al., Annals of Mathematical Statistics 26 (1955) 641-647.

    Examples:
        >>> fit = isotonic([0, 1, 0, 1], [-2.0, -1.0, 0.0, 1.0])
        >>> fit.logits, fit.proportions
        (array([-2., -1.,  0.,  1.]), array([0. , 0.5, 0.5, 1. ]))
        >>> fit.predict([-3.0, 0.5])
        array([0.  , 0.75])
    """
    labels, logits = check_labels_and_scores(labels, logits)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.shape != labels.shape or not weights.sum() > 0:
        raise ValueError("No image with a weight: an isotonic curve needs at least one.")
    used = weights > 0
    distinct, level = np.unique(logits[used], return_inverse=True)
    weight = np.bincount(level, weights=weights[used])
    proportion = np.bincount(level, weights=weights[used] * labels[used]) / weight
    fitted = isotonic_regression(proportion, weights=weight)
    ends = np.unique(np.concatenate([fitted.blocks[:-1], fitted.blocks[1:] - 1]))
    # sums of weights round: a proportion stays in [0, 1]
    return IsotonicFit(distinct[ends], np.clip(fitted.x[ends], 0, 1))


def isotonic_replicates(
    labels: ArrayLike,
    logits: ArrayLike,
    patients: ArrayLike,
    at: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> NDArray[np.float64]:
    """Return the isotonic curve at given logits in every resample of patients.

    The bootstrap of an isotonic curve is not consistent: its intervals are a guide, and rather narrow.

    Args:
        labels, logits: as in :func:`isotonic`.
        patients: (n,) whole numbers or strings.
        at: (k,) logits.
        options: resamples and seed are used.

    Returns:
        (k, resamples) float64 in [0, 1].

    References:
        Sen, Banerjee and Woodroofe, Annals of Statistics 38 (2010) 1953-1977.

    Examples:
        >>> labels, logits = np.arange(60) % 3 == 0, np.arange(60) % 7 - 3.0
        >>> isotonic_replicates(labels, logits, np.arange(60), [0.0], BootstrapOptions(resamples=4)).shape
        (1, 4)
    """
    labels, logits = check_labels_and_scores(labels, logits)
    number, which = index_patients(patients, len(labels))
    columns = [
        isotonic(labels, logits, times[which]).predict(at)
        for drawn in multiplicities(number, options)
        for times in drawn.T
    ]
    return np.stack(columns, axis=1)


def recalibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    one_step: bool = False,
) -> Recalibration:
    """Return calibration slope, intercept and calibration in the large, with intervals.

    Only honest on images that the predictions were not fitted on: there, a fitted curve gives 1, 0 and 0 whatever it
    is worth. A slope of 1 is no sign that single bins agree.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in (0, 1).
        patients: (n,) whole numbers or strings.
        options: of the intervals, percentiles with any number of patients.
        one_step: take one step of Newton's method in each resample, from the lines of all images, instead of
            iterating to convergence: sums over each patient then do, whatever the number of images.

    Returns:
        Recalibration of Estimates, with the reasons of :func:`platt` and of the bootstrap.

    Raises:
        ValueError: for other shapes or values.

    References:
        Cox, Two further applications of a model for binary regression, Biometrika 45 (1958) 562-565; Van Calster et
        al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17 (2019) 230; Moulton and Zeger,
        Computational Statistics and Data Analysis 11 (1991) 53-63, for one step.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> probabilities = generator.uniform(0.1, 0.9, size=300)
        >>> result = recalibration(generator.random(300) < probabilities, probabilities, np.arange(300))
        >>> [round(number, 2) for number in (result.slope.value, result.slope.low, result.slope.high)]
        [1.17, 0.91, 1.51]
    """
    labels, probabilities = check_labels_and_scores(labels, probabilities)
    if len(probabilities) and not (probabilities.min() > 0 and probabilities.max() < 1):
        raise ValueError("Probabilities of 0 or 1, or outside [0, 1], were found; those between 0 and 1 are accepted.")
    predicted = logit(probabilities)
    counts = count_cases(labels, patients)
    line = platt(labels, predicted)
    reason = insufficient_cases(counts, options.min_patients) or line.reason
    if reason is not None:
        missing = Estimate.missing(reason, counts)
        return Recalibration(missing, missing, missing)
    number, which = index_patients(patients, len(labels))
    start = np.array([line.slope, line.intercept], dtype=np.float64)
    shift = logistic_shifts(labels, predicted, np.ones((len(labels), 1)))
    chunks = []
    if one_step:
        chunks.append(one_step_replicates(labels, predicted, which, (start, shift), options))
    else:
        for drawn in multiplicities(number, options, tallest=_CACHED_ROWS * len(labels)):
            weights = drawn[which]
            lines = logistic_lines(labels, predicted, weights, start)
            chunks.append(np.stack([*lines, logistic_shifts(labels, predicted, weights, shift)]))
    slope, intercept, in_the_large = (
        _with_percentiles(Estimate(float(value), counts=counts), row, options)
        for value, row in zip((*start, *shift), np.concatenate(chunks, axis=1), strict=True)
    )
    return Recalibration(slope, intercept, in_the_large)


def _with_percentiles(estimate: Estimate, replicates: NDArray[np.float64], options: BootstrapOptions) -> Estimate:
    """Return the interval; the value stays where too many resamples give none."""
    interval = with_percentiles(estimate, replicates, options)
    return interval if interval.value is not None else replace(estimate, reason=interval.reason)
