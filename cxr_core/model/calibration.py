"""From a score to a probability, where the card allows one.

A curve was fitted on films of validation patients, whose share of positives it reproduces. Where those films
came one after another as in a clinic, the probability is shown. Where they were picked it would be wrong, and
none is shown until somebody says how common the label is: then all log-odds move by the difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Literal

import numpy as np
from pydantic.dataclasses import dataclass

from ..errors import ModelUnusable, WrongArguments
from .measure import STRICT, Counts, Interval

__all__ = [
    "Bin",
    "Calibration",
    "Curve",
    "HeldOut",
    "Sampling",
    "Scale",
    "assumed_prevalence",
    "check_calibration",
    "probability_scale",
]

Sampling = Literal["consecutive", "enriched", "unknown"]


@dataclass(frozen=True, config=STRICT)
class Bin:
    """Films of similar probability: the mean predicted, and the share that was positive with its interval."""

    predicted: float
    observed: Interval
    films: int
    patients: int


@dataclass(frozen=True, config=STRICT)
class HeldOut:
    """How good the curve is on patients that it was not fitted on.

    ``slope``, ``intercept`` and ``in_the_large`` are those of :class:`cxr_core.metrics.Recalibration`; ``brier``
    and ``log_loss`` are losses of the probability, ``*_uncalibrated`` those of the score as it comes, and
    ``*_difference`` the paired difference, under 0 where calibrating helped. ``bins`` hold equally many films.
    """

    slope: Interval
    intercept: Interval
    in_the_large: Interval
    brier: Interval
    brier_uncalibrated: Interval
    brier_difference: Interval
    log_loss: Interval
    log_loss_uncalibrated: Interval
    log_loss_difference: Interval
    bins: tuple[Bin, ...]


@dataclass(frozen=True, config=STRICT)
class Curve:
    """Logit to probability for one label, with the error of the curve.

    Attributes:
        method: ``platt``: log-odds = slope x logit + intercept. ``isotonic``: log-odds linear between
            ``logits`` and constant outside. None where ``reason`` says why there is no curve.
        slope, intercept: of Platt's line.
        logits: knots, ascending.
        log_odds: of an isotonic curve at the knots.
        low, high: log-odds at the knots, percentiles of the curves of patient resamples; linear between, and
            beyond the ends constant where isotonic, else going on as they end.
        prevalence: share of positive films among those that it was fitted on.
        counts: of those films.
        held_out: what the same fit is worth on patients that it did not see.
    """

    method: Literal["platt", "isotonic"] | None
    slope: float | None = None
    intercept: float | None = None
    logits: tuple[float, ...] = ()
    log_odds: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    prevalence: float | None = None
    counts: Counts | None = None
    held_out: HeldOut | None = None
    reason: str | None = None

    def at(self, logit: float) -> tuple[float, float, float]:
        """Return the log-odds at a logit: low, value, high."""
        low, high = (self._between(edge, logit) for edge in (self.low, self.high))
        if self.method == "platt":
            return low, self.slope * logit + self.intercept, high
        return low, self._between(self.log_odds, logit), high

    def _between(self, heights: tuple[float, ...], logit: float) -> float:
        if self.method == "platt":
            for end, inner in ((0, 1), (-1, -2)):
                beyond = logit - self.logits[end]
                if beyond * (self.logits[end] - self.logits[inner]) > 0:
                    rise = (heights[end] - heights[inner]) / (self.logits[end] - self.logits[inner])
                    return heights[end] + rise * beyond
        return float(np.interp(logit, self.logits, heights))


@dataclass(frozen=True, config=STRICT)
class Calibration:
    """The curves of all labels, and the films they come from.

    Attributes:
        weights_sha256: of the ``model.keras`` that made the scores; with others the loader refuses it.
        sampling: how the films were come by. Only ``consecutive`` gives a probability as it is.
        films: in words.
        sources: names of the data sets or folders.
        reference: who says what a film shows.
        split, split_sha256: which patients these are; empty where every film of a table was taken.
        interval: what the intervals of the curves are.
        held_out: how the films were kept apart on which the curves were judged.
        rule: how the method was chosen.
        per_label: a curve, or the reason there is none, for every label of the card.
    """

    weights_sha256: str
    sampling: Sampling
    films: str
    sources: tuple[str, ...]
    reference: str
    number_of_films: int
    number_of_patients: int
    split: str
    split_sha256: str
    interval: str
    held_out: str
    rule: str
    per_label: dict[str, Curve]


@plain_dataclass(frozen=True)
class Scale:
    """A label's way from logit to probability, moved to a prevalence where one is assumed.

    Attributes:
        curve: of the card.
        shift: added to all log-odds.
    """

    curve: Curve
    shift: float = 0.0

    def at(self, logit: float) -> tuple[float, float, float]:
        """Return the probability at a logit: low, value, high; each in (0, 1)."""
        low, value, high = (_expit(odds + self.shift) for odds in self.curve.at(logit))
        return low, value, high


def probability_scale(
    calibration: Calibration | None, label: str, prevalence: Mapping[str, float] | None = None
) -> Scale | None:
    """Return the scale on which a label's probability may be shown, or None where none may.

    Args:
        calibration: the card's.
        label: one of the card's.
        prevalence: assumed share of positive films, by label, as :func:`assumed_prevalence` returns it.

    Source of the shift: Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a
    priori probabilities, Neural Computation 14 (2002) 21-41. It holds where films with the label look alike in
    both places, and films without it do.
    """
    if calibration is None or calibration.per_label[label].method is None:
        return None
    curve = calibration.per_label[label]
    if prevalence is not None and label in prevalence:
        return Scale(curve, _logit(prevalence[label]) - _logit(curve.prevalence))
    return Scale(curve) if calibration.sampling == "consecutive" else None


def assumed_prevalence(
    calibration: Calibration | None, given: Mapping[str, float] | float | None
) -> dict[str, float] | None:
    """Return the prevalence to assume for each label that has a curve; None where none is given.

    Args:
        calibration: the card's.
        given: a share for every label, or shares of single ones.

    Raises:
        WrongArguments: for a share that is not between 0 and 1, a label that the card does not calibrate, or a
            card without calibration.
    """
    if given is None or given == {}:
        return None
    known = {} if calibration is None else {k: c for k, c in calibration.per_label.items() if c.method is not None}
    if not known:
        raise WrongArguments("A prevalence was given, and this model has no calibrated label that it could shift.")
    shares = dict(given) if isinstance(given, Mapping) else dict.fromkeys(known, given)
    for label, share in shares.items():
        if label not in known:
            why = getattr(calibration.per_label.get(label), "reason", None) or "no label of this model"
            raise WrongArguments(f"Prevalence of {label!r}: {why}. Accepted: {', '.join(known)}.")
        if not 0 < share < 1:
            raise WrongArguments(f"Prevalence of {label}: {share:g} found, a share between 0 and 1 is accepted.")
    return {label: float(share) for label, share in shares.items()}


def check_calibration(calibration: Calibration, labels: tuple[str, ...], model: str) -> None:
    """Refuse, with ModelUnusable, a calibration whose curves do not fit the card or cannot be drawn."""
    if set(calibration.per_label) != set(labels):
        raise ModelUnusable(f"Model card {model}: calibration does not name exactly the card's labels.")
    for label, curve in calibration.per_label.items():
        if curve.method is None:
            continue
        heights = [curve.low, curve.high] + ([curve.log_odds] if curve.method == "isotonic" else [])
        whole = all(len(row) == len(curve.logits) for row in heights) and len(curve.logits) > 1
        rising = all(a < b for a, b in zip(curve.logits, curve.logits[1:], strict=False))
        line = curve.method == "isotonic" or None not in (curve.slope, curve.intercept)
        if not (whole and rising and line and 0 < (curve.prevalence or 0) < 1):
            raise ModelUnusable(f"Model card {model}: the calibration of {label} is not whole.")


def _expit(odds: float) -> float:
    # both forms stay finite, each on its side
    return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))


def _logit(share: float) -> float:
    return math.log(share) - math.log1p(-share)
