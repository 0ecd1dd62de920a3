"""Calibration on a model card: score to probability, where the card allows one.

A curve was fitted on images of validation patients and reproduces their prevalence. Where those images are consecutive,
as in a clinic, the probability is shown. Where the sample is enriched or unknown it would be wrong, and none is shown
until a local prevalence is assumed: then all log-odds are shifted by the difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..errors import ModelUnusable, WrongArguments
from ..estimate import Counts, Estimate

__all__ = [
    "Bin",
    "Calibration",
    "Curve",
    "GroupAgreement",
    "HeldOut",
    "Sampling",
    "Scale",
    "assumed_prevalence",
    "check_calibration",
    "discrimination_not_shown",
    "probability_scale",
]

Sampling = Literal["consecutive", "enriched", "unknown"]


_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Bin:
    """Images of similar probability: the mean predicted, and the observed proportion of positives."""

    predicted: float
    observed: Estimate
    images: int
    patients: int


@dataclass(frozen=True, config=_STRICT)
class GroupAgreement:
    """Slope and calibration in the large of the cross-validated probabilities, on the images of one view or sex."""

    slope: Estimate
    in_the_large: Estimate
    counts: Counts


@dataclass(frozen=True, config=_STRICT)
class HeldOut:
    """Performance of the curve on patients that it was not fitted on.

    ``slope``, ``intercept`` and ``in_the_large`` are those of :class:`cxr_core.metrics.Recalibration`; ``brier``
    and ``log_loss`` are losses of the probability, ``*_uncalibrated`` those of the uncalibrated score, and
    ``*_difference`` the paired difference, below 0 where calibration helped. ``bins`` hold equally many images;
    ``by_group`` is empty where neither view nor sex is known, and on cards of earlier versions.
    """

    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate
    brier: Estimate
    brier_uncalibrated: Estimate
    brier_difference: Estimate
    log_loss: Estimate
    log_loss_uncalibrated: Estimate
    log_loss_difference: Estimate
    bins: tuple[Bin, ...]
    by_group: dict[str, GroupAgreement] = Field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class Curve:
    """Logit to probability for one label, with the error of the curve.

    Attributes:
        method: ``platt``: log-odds = slope x logit + intercept. ``isotonic``: log-odds linear between
            ``logits`` and constant outside. None where ``reason`` says why there is no curve.
        slope, intercept: of Platt's line.
        logits: knots, ascending.
        log_odds: of an isotonic curve at the knots.
        low, high: log-odds at the knots, percentiles of the curves of patient resamples; linear between, and
            beyond the ends constant where isotonic, else extrapolated.
        prevalence: proportion of positive images among those that it was fitted on.
        counts: of those images.
        auc: of the score on those images, whether there is a curve or not; None on cards of earlier versions.
        held_out: performance of the same fit on held-out patients.
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
    auc: Estimate | None = None
    held_out: HeldOut | None = None
    reason: str | None = None

    def at(self, logit: float) -> tuple[float, float, float]:
        """Return the log-odds at a logit: low, value, high."""
        low, high = (self._interpolate(limit, logit) for limit in (self.low, self.high))
        if self.method == "platt" and self.slope is not None and self.intercept is not None:
            return low, self.slope * logit + self.intercept, high
        return low, self._interpolate(self.log_odds, logit), high

    def _interpolate(self, heights: tuple[float, ...], logit: float) -> float:
        if self.method == "platt":
            for end, inner in ((0, 1), (-1, -2)):
                beyond = logit - self.logits[end]
                if beyond * (self.logits[end] - self.logits[inner]) > 0:
                    rise = (heights[end] - heights[inner]) / (self.logits[end] - self.logits[inner])
                    return heights[end] + rise * beyond
        return float(np.interp(logit, self.logits, heights))


@dataclass(frozen=True, config=_STRICT)
class Calibration:
    """The curves of all labels, and the images they come from.

    Attributes:
        weights_sha256: of the ``model.keras`` that made the scores; with others the loader refuses it.
        sampling: how the images were sampled. Only ``consecutive`` gives a probability without an assumption.
        images: description.
        sources: names of the data sets or folders.
        reference: the reference standard.
        split, split_sha256: the split and its hash; empty where every image of a table was used.
        interval: how the intervals of the curves were made.
        held_out: how the images for the performance were held out.
        rule: how the method was chosen.
        per_label: a curve, or the reason there is none, for every label of the card.
    """

    weights_sha256: str
    sampling: Sampling
    images: str
    sources: tuple[str, ...]
    reference: str
    number_of_images: int
    number_of_patients: int
    split: str
    split_sha256: str
    interval: str
    held_out: str
    rule: str
    per_label: dict[str, Curve]

    @property
    def calibrated(self) -> dict[str, Curve]:
        """The labels that have a curve."""
        return {label: curve for label, curve in self.per_label.items() if curve.method is not None}


def discrimination_not_shown(curve: Curve) -> str | None:
    """Return why the calibration images do not show that a score discriminates, or None where they do.

    They do where the 95 % interval of the AUC lies above 0.5 and that of the cross-validated calibration slope above 0.
    On a card of an earlier version, which has no AUC here, only the slope speaks, where there is one.
    """
    auc, slope = curve.auc, None if curve.held_out is None else curve.held_out.slope
    if auc is not None and (auc.value is None or auc.low is None or auc.high is None):
        return f"{_NOT_SHOWN}: AUC not known ({auc.reason})"
    if auc is not None and auc.low is not None and auc.low <= 0.5:
        return f"{_NOT_SHOWN}: AUC {_with_limits(auc)}"
    if slope is None:
        return None if auc is None else f"{_NOT_SHOWN}: {curve.reason}"
    if slope.low is None or slope.low <= 0:
        return f"{_NOT_SHOWN}: cross-validated calibration slope {_with_limits(slope)}"
    return None


_NOT_SHOWN = "discrimination not shown"


def _with_limits(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return f"not known ({estimate.reason})"
    return f"{estimate.value:.2f}, {estimate.low:.2f} to {estimate.high:.2f}"


@plain_dataclass(frozen=True)
class Scale:
    """A label's scale from logit to probability, shifted to a prevalence where one is assumed.

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
    """Return the probability scale of a label, or None where the card allows no probability.

    Args:
        calibration: the card's.
        label: one of the card's.
        prevalence: assumed proportion of positive images, by label, as :func:`assumed_prevalence` returns it.

    Source of the shift: Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a
    priori probabilities, Neural Computation 14 (2002) 21-41. It holds where images with the label look alike in
    both places, and images without it do.
    """
    curve = None if calibration is None else calibration.per_label[label]
    if calibration is None or curve is None or curve.method is None or curve.prevalence is None:
        return None
    if prevalence is not None and label in prevalence:
        return Scale(curve, _logit(prevalence[label]) - _logit(curve.prevalence))
    return Scale(curve) if calibration.sampling == "consecutive" else None


def assumed_prevalence(
    calibration: Calibration | None, given: Mapping[str, float] | float | None
) -> dict[str, float] | None:
    """Return the prevalence to assume for each label that has a curve; None where none is given.

    Args:
        calibration: the card's.
        given: one prevalence for every label, or prevalences by label.

    Raises:
        WrongArguments: for a prevalence that is not between 0 and 1, a label that the card does not calibrate, or a
            card without calibration.
    """
    if given is None or given == {}:
        return None
    curves = {} if calibration is None else calibration.calibrated
    if calibration is None or not curves:
        raise WrongArguments("A prevalence was given, but this model has no calibrated label that it could shift.")
    prevalence = dict(given) if isinstance(given, Mapping) else dict.fromkeys(curves, given)
    for label, value in prevalence.items():
        if label not in curves:
            reason = calibration.per_label[label].reason if label in calibration.per_label else None
            raise WrongArguments(
                f"Prevalence of {label!r}: {reason or 'no label of this model'}. Accepted: {', '.join(curves)}."
            )
        if not 0 < value < 1:
            raise WrongArguments(f"Prevalence of {label}: {value:g} found, a number between 0 and 1 is accepted.")
    return {label: float(value) for label, value in prevalence.items()}


def check_calibration(calibration: Calibration, labels: tuple[str, ...], model: str) -> None:
    """Refuse, with ModelUnusable, a calibration whose curves do not fit the card or cannot be drawn."""
    if set(calibration.per_label) != set(labels):
        raise ModelUnusable(f"Model card {model}: calibration does not name exactly the card's labels.")
    for label, curve in calibration.per_label.items():
        if curve.method is None:
            continue
        heights = [curve.low, curve.high] + ([curve.log_odds] if curve.method == "isotonic" else [])
        complete = all(len(row) == len(curve.logits) for row in heights) and len(curve.logits) > 1
        rising = all(a < b for a, b in zip(curve.logits, curve.logits[1:], strict=False))
        line = curve.method == "isotonic" or None not in (curve.slope, curve.intercept)
        if not (complete and rising and line and 0 < (curve.prevalence or 0) < 1):
            raise ModelUnusable(f"Model card {model}: the calibration of {label} is incomplete.")


def _expit(odds: float) -> float:
    # both forms stay finite, each on its side
    return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))


def _logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)
