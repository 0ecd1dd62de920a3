"""From scores to probabilities, and whether probabilities are what they say.

Two curves from logit to probability: Platt's line in log-odds, and the isotonic step function. Two
numbers of agreement: slope and intercept of the outcome's log-odds over those that were predicted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.special import logit

from .estimate import PATIENT_BOOTSTRAP, Estimate
from .intervals import count_patients
from .logistic import logistic_lines, logistic_shifts
from .logistic_step import one_step_replicates
from .ranking import check_labels_and_scores, missing_class
from .resampling import check_level, index_patients, multiplicities, percentile_interval

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

# arrays of films by resamples are cut so that a chunk stays near the processor
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
        shares: (k,) float64 in [0, 1], never falling: the share of positives. 0 and 1 at the ends are
            what was seen, not what is known.
    """

    logits: NDArray[np.float64]
    shares: NDArray[np.float64]

    def at(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return the share at each logit."""
        return np.interp(logits, self.logits, self.shares)


@dataclass(frozen=True)
class Recalibration:
    """How the outcome follows the predicted log-odds.

    Attributes:
        slope: 1 where predictions spread as outcomes do; under 1 where they are too extreme.
        intercept: with that slope; 0 where slope is 1 and nothing is shifted.
        in_the_large: the intercept with the slope held at 1; over 0 where the label is commoner than
            predicted.
    """

    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate


def platt(labels: ArrayLike, logits: ArrayLike) -> PlattFit:
    """Return Platt's line: the logistic regression of the label on the logit, by maximum likelihood.

    Platt moved the targets 0 and 1 a little inwards, against overfitting with few cases. That is not done
    here: a curve is fitted on 30 positive patients or more, where it changes little, and without it slope and
    intercept on the fitted films are 1 and 0, so that any departure on others is seen.

    A slope that is not positive is returned as it is: the score then does not rise with the label.

    Args:
        labels: (n,) bool or 0/1.
        logits: (n,) finite.

    Returns:
        PlattFit; without values and with reason ``"no positive"``, ``"no negative"``, ``"no film"``, ``"all
        scores are the same"`` or ``"scores part the labels perfectly"``, where the likelihood has no maximum.

    Raises:
        ValueError: for other shapes or values.

    Source: Platt, Probabilistic outputs for support vector machines, Advances in Large Margin Classifiers
    (1999) 61-74; Newton's method as in McCullagh and Nelder, Generalized Linear Models (1989), 4.4.
    """
    labels, logits = check_labels_and_scores(labels, logits)
    reason = _undefined(labels, logits)
    if reason is None:
        slope, intercept = logistic_lines(labels, logits, np.ones((len(labels), 1)))[:, 0].tolist()
        if math.isfinite(slope):
            return PlattFit(slope, intercept, None)
        reason = "scores part the labels perfectly"
    return PlattFit(None, None, reason)


def platt_replicates(
    labels: ArrayLike, logits: ArrayLike, patients: ArrayLike, resamples: int = 2000, seed: int = 0
) -> NDArray[np.float64]:
    """Return Platt's line in every resample of patients.

    Args:
        labels, logits: as in :func:`platt`, which must give a line for them.
        patients: (n,) of whole numbers or strings.
        resamples, seed: as in :func:`.resampling.multiplicities`.

    Returns:
        (2, resamples) float64: slopes and intercepts; NaN where a resample gives none.

    Raises:
        ValueError: for other shapes or values, or where :func:`platt` gives no line.

    Source: as :func:`platt`; Field and Welsh (2007) for the draws.
    """
    labels, logits = check_labels_and_scores(labels, logits)
    whole = platt(labels, logits)
    if whole.reason:
        raise ValueError(f"No line on the films themselves: {whole.reason}.")
    number, which = index_patients(patients, len(labels))
    start = np.array([whole.slope, whole.intercept])
    chunks = multiplicities(number, resamples, seed, rows=_CACHED_ROWS * len(labels))
    return np.concatenate([logistic_lines(labels, logits, drawn[which], start) for drawn in chunks], axis=1)


def isotonic(labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None) -> IsotonicFit:
    """Return the curve that never falls and is nearest to the labels in squared error.

    It follows any rising shape and therefore also chance: with few positives its steps are noise.

    Args:
        labels: (n,) bool or 0/1; n at least 1.
        logits: (n,) finite; films with the same one share a value.
        weights: (n,) not negative, with a positive sum; None is 1 each.

    Raises:
        ValueError: for other shapes or values, or for no film.

    Source: Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability
    estimates, KDD 2002; pool adjacent violators, Ayer et al., Annals of Mathematical Statistics 26
    (1955) 641-647.
    """
    labels, logits = check_labels_and_scores(labels, logits)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.shape != labels.shape or not weights.sum() > 0:
        raise ValueError("No film with a weight: an isotonic curve needs at least one.")
    kept = weights > 0
    distinct, where = np.unique(logits[kept], return_inverse=True)
    weight = np.bincount(where, weights=weights[kept])
    share = np.bincount(where, weights=weights[kept] * labels[kept]) / weight
    fitted = isotonic_regression(share, weights=weight)
    ends = np.unique(np.concatenate([fitted.blocks[:-1], fitted.blocks[1:] - 1]))
    # sums of weights round: a share is a share
    return IsotonicFit(distinct[ends], np.clip(fitted.x[ends], 0, 1))


def isotonic_replicates(
    labels: ArrayLike,
    logits: ArrayLike,
    patients: ArrayLike,
    at: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the isotonic curve at given logits in every resample of patients.

    The bootstrap of an isotonic curve is not consistent: its intervals are a guide, and rather narrow
    (Sen, Banerjee and Woodroofe, Annals of Statistics 38 (2010) 1953-1977).

    Args:
        labels, logits: as in :func:`isotonic`.
        patients, resamples, seed: as in :func:`platt_replicates`.
        at: (k,) logits.

    Returns:
        (k, resamples) float64 in [0, 1].
    """
    labels, logits = check_labels_and_scores(labels, logits)
    number, which = index_patients(patients, len(labels))
    columns = [
        isotonic(labels, logits, times[which]).at(at)
        for drawn in multiplicities(number, resamples, seed)
        for times in drawn.T
    ]
    return np.stack(columns, axis=1)


def recalibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    *,
    one_step: bool = False,
) -> Recalibration:
    """Return slope and intercepts of the outcome's log-odds over the predicted ones, with intervals.

    Only honest on films that the predictions were not fitted on: there, a fitted curve gives 1, 0 and 0
    whatever it is worth. A slope of 1 is no sign that single bins agree.

    Args:
        labels: (n,) bool or 0/1.
        probabilities: (n,) in (0, 1).
        patients, resamples, seed, level, min_patients: as in :func:`.intervals.patient_bootstrap_auc`.
        one_step: take one step of Newton's method in each resample, from the lines of all films, instead of
            going on to its end: sums over each patient then do, whatever the number of films.

    Returns:
        Recalibration of Estimates, with the reasons of :func:`platt` and of the bootstrap.

    Raises:
        ValueError: for other shapes or values.

    Source: Cox, Two further applications of a model for binary regression, Biometrika 45 (1958) 562-565;
    Van Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17 (2019) 230;
    Moulton and Zeger, Computational Statistics and Data Analysis 11 (1991) 53-63, for one step.
    """
    labels, probabilities = check_labels_and_scores(labels, probabilities)
    check_level(level)
    if len(probabilities) and not (probabilities.min() > 0 and probabilities.max() < 1):
        raise ValueError("Probabilities of 0 or 1, or beyond, were found; those between are accepted.")
    predicted = logit(probabilities)
    counts = (int(labels.sum()), int((~labels).sum()), *count_patients(labels, patients))
    few = f"too few cases: {counts[2]} positive, {counts[3]} negative patients"
    line = platt(labels, predicted)
    reason = missing_class(*counts[:2]) or (few if min(counts[2:]) < min_patients else line.reason)
    if reason is not None:
        none = Estimate(None, None, None, *counts, reason)
        return Recalibration(none, none, none)
    number, which = index_patients(patients, len(labels))
    shift = logistic_shifts(labels, predicted, np.ones((len(labels), 1)))
    start, replicates = np.array([line.slope, line.intercept]), []
    if one_step:
        replicates += [one_step_replicates(labels, predicted, which, fit, resamples, seed) for fit in (start, shift)]
        replicates = [np.concatenate(replicates)]
    chunks = () if one_step else multiplicities(number, resamples, seed, rows=_CACHED_ROWS * len(labels))
    for drawn in chunks:
        weights = drawn[which]
        lines = logistic_lines(labels, predicted, weights, start)
        replicates.append(np.stack([*lines, logistic_shifts(labels, predicted, weights, shift)]))
    estimates = []
    for value, row in zip((*start.tolist(), float(shift[0])), np.concatenate(replicates, axis=1), strict=True):
        low, high, why = percentile_interval(row, level)
        why = few if why == "too few cases" else why
        estimates.append(Estimate(value, low, high, *counts, why, None if why else PATIENT_BOOTSTRAP))
    return Recalibration(*estimates)


def _undefined(labels, logits) -> str | None:
    """Return why there is no line, or None."""
    missing = missing_class(int(labels.sum()), int((~labels).sum()))
    return missing or ("all scores are the same" if logits.min() == logits.max() else None)
