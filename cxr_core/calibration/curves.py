"""Calibration curves from score to probability, fitted by label and validated on held-out patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from ..estimate import Estimate
from ..metrics import (
    BootstrapOptions,
    auc_with_interval,
    brier_difference,
    brier_loss,
    count_cases,
    isotonic,
    isotonic_replicates,
    log_loss,
    log_loss_difference,
    patient_folds,
    patient_proportion,
    platt,
    platt_replicates,
    recalibration,
)
from ..metrics.bootstrap import DEFAULTS, MAX_UNDEFINED
from ..model.calibration import Bin, Calibration, Curve, GroupAgreement, HeldOut
from .operating_points import FOLDS, HELD_OUT
from .sample import CalibrationSet, CalibrationSource

__all__ = ["ISOTONIC_PATIENTS", "fit_calibration"]

ISOTONIC_PATIENTS = 500
"""An isotonic curve is tried with this many positive patients or more: with fewer its steps are noise."""

RULE = (
    f"Platt scaling; with {ISOTONIC_PATIENTS} positive patients or more an isotonic curve instead, where its "
    "log loss on the held-out patients is lower"
)
_KNOTS = 33
_BINS = 10
_DECIMALS = 6

Floats = NDArray[np.float64]
Fit = Callable[[NDArray[np.bool_], Floats, Floats], Floats]
"""Labels, logits, and other logits, to the probabilities at those by the curve of the former."""


def fit_calibration(
    sample: CalibrationSet,
    source: CalibrationSource,
    weights_sha256: str,
    *,
    options: BootstrapOptions = DEFAULTS,
    report: Callable[[int, int], None] = lambda done, labels: None,
) -> Calibration:
    """Fit a curve for every label with enough positive and negative patients.

    Args:
        sample: of patients that the model was not trained on.
        source: where they come from.
        weights_sha256: of the weights that made the logits.
        options: of the intervals; the seed also assigns the folds.
        report: called with the labels done and their number.
    """
    curves = {}
    for c, label in enumerate(sample.labels):
        report(c, len(sample.labels))
        curves[label] = _curve(sample, c, options)
    report(len(sample.labels), len(sample.labels))
    return Calibration(
        weights_sha256=weights_sha256,
        sampling=source.sampling,
        images=source.images,
        sources=sample.sources,
        reference=sample.reference,
        number_of_images=len(sample),
        number_of_patients=len(np.unique(sample.patients)),
        split=source.split,
        split_sha256=source.split_sha256,
        interval=f"{options.level:.0%}".replace("%", " %")
        + f", percentiles of {options.resamples} bootstrap resamples of patients",
        held_out=HELD_OUT,
        rule=RULE,
        per_label=curves,
    )


def _curve(sample: CalibrationSet, c: int, options: BootstrapOptions) -> Curve:
    positive, logits, patients = sample.positive[:, c], sample.logits[:, c], sample.patients
    counts = sample.counts(c)
    reason = sample.why_not_fitted(c)
    if counts is None:
        return Curve(None, reason=reason)
    auc = _without_counts(auc_with_interval(positive, sample.scores[:, c], patients, options))
    if reason is not None:
        return Curve(None, counts=counts, auc=auc, reason=reason)
    line = platt(positive, logits)
    if line.slope is None or line.slope <= 0:
        reason = line.reason or "the score does not rise with the label on these images"
        return Curve(None, counts=counts, auc=auc, reason=reason)
    fold = patient_folds(patients, FOLDS, options.seed, positive)
    held = _crossfitted(_by_platt, positive, logits, fold)
    method: Literal["platt", "isotonic"] = "platt"
    if counts.positive_patients >= ISOTONIC_PATIENTS:
        stepped = _crossfitted(_by_isotonic, positive, logits, fold)
        if _mean_log_loss(positive, stepped) < _mean_log_loss(positive, held):
            method, held = "isotonic", stepped
    edges = (_platt_edges if method == "platt" else _isotonic_edges)(positive, logits, patients, options)
    if edges is None:
        reason = "too few cases (many resamples of patients give no curve)"
        return Curve(None, counts=counts, auc=auc, reason=reason)
    knots, low, high = edges
    platts = method == "platt"
    return Curve(
        method,
        slope=line.slope if platts else None,
        intercept=line.intercept if platts else None,
        logits=_rounded(knots),
        log_odds=() if platts else _rising(logit(_by_isotonic(positive, logits, knots))),
        low=_rounded(low),
        high=_rounded(high),
        prevalence=float(positive.mean()),
        counts=counts,
        auc=auc,
        held_out=_held_out_metrics(positive, held, expit(logits), patients, options, sample.groups),
    )


def _by_platt(positive: NDArray[np.bool_], logits: Floats, at: Floats) -> Floats:
    line = platt(positive, logits)
    if line.slope is None or line.intercept is None:
        # one class is missing in a fold, or separated perfectly: only the prevalence is known
        return np.full(len(at), np.clip(positive.mean(), *_bounds(len(positive))))
    return np.asarray(expit(line.slope * at + line.intercept))


def _by_isotonic(positive: NDArray[np.bool_], logits: Floats, at: Floats) -> Floats:
    # linear in log-odds between knots, as the card's curve is
    curve = isotonic(positive, logits)
    log_odds = logit(np.clip(curve.proportions, *_bounds(len(positive))))
    return np.asarray(expit(np.interp(at, curve.logits, log_odds)))


def _bounds(images: int) -> tuple[float, float]:
    """Return the smallest and largest probability: half an image from 0 and 1."""
    return 0.5 / images, 1 - 0.5 / images


def _crossfitted(fit: Fit, positive: NDArray[np.bool_], logits: Floats, fold: NDArray[np.integer]) -> Floats:
    """Return the cross-fitted probability of each image, by the curve of the other folds."""
    held = np.empty(len(positive))
    for number in np.unique(fold):
        here = fold == number
        held[here] = fit(positive[~here], logits[~here], logits[here])
    tiny = np.finfo(np.float64).eps
    return np.clip(held, tiny, 1 - tiny)


def _mean_log_loss(positive: NDArray[np.bool_], probability: Floats) -> float:
    return float(-np.mean(np.where(positive, np.log(probability), np.log1p(-probability))))


def _platt_edges(
    positive: NDArray[np.bool_], logits: Floats, patients: np.ndarray, options: BootstrapOptions
) -> tuple[Floats, Floats, Floats] | None:
    """Return knots, and the percentiles of the resampled lines there; None where too few resamples give one."""
    knots = np.linspace(logits.min() - 1, logits.max() + 1, _KNOTS)
    slopes, intercepts = platt_replicates(positive, logits, patients, options)
    finite = np.isfinite(slopes)
    if np.mean(~finite) > MAX_UNDEFINED:
        return None
    return knots, *_percentiles(slopes[finite] * knots[:, None] + intercepts[finite], options.level)


def _isotonic_edges(
    positive: NDArray[np.bool_], logits: Floats, patients: np.ndarray, options: BootstrapOptions
) -> tuple[Floats, Floats, Floats]:
    knots = np.unique(isotonic(positive, logits).logits.round(_DECIMALS))
    curves = isotonic_replicates(positive, logits, patients, knots, options)
    low, high = _percentiles(logit(np.clip(curves, *_bounds(len(positive)))), options.level)
    # the bootstrap of steps is crude: the interval always contains the curve
    value = np.array(_rising(logit(_by_isotonic(positive, logits, knots))))
    return knots, np.minimum(low, value), np.maximum(high, value)


def _percentiles(curves: Floats, level: float) -> tuple[Floats, Floats]:
    low, high = np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return low, high


def _rising(values: ArrayLike) -> tuple[float, ...]:
    """Return the rounded log-odds of a step curve, each a little above the one before.

    Where the curve is level, images on either side of a threshold would show the threshold's own probability.
    """
    return _rounded(np.asarray(values).round(_DECIMALS) + np.arange(np.size(values)) * 10.0**-_DECIMALS)


def _rounded(values: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(values).round(_DECIMALS).tolist())


def _held_out_metrics(
    positive: NDArray[np.bool_],
    held: Floats,
    score: Floats,
    patients: np.ndarray,
    options: BootstrapOptions,
    groups: Mapping[str, NDArray[np.bool_]],
) -> HeldOut:
    agreement = recalibration(positive, held, patients, options)
    return HeldOut(
        slope=_without_counts(agreement.slope),
        intercept=_without_counts(agreement.intercept),
        in_the_large=_without_counts(agreement.in_the_large),
        brier=_without_counts(brier_loss(positive, held, patients, options)),
        brier_uncalibrated=_without_counts(brier_loss(positive, score, patients, options)),
        brier_difference=_without_counts(brier_difference(positive, held, score, patients, options)),
        log_loss=_without_counts(log_loss(positive, held, patients, options)),
        log_loss_uncalibrated=_without_counts(log_loss(positive, score, patients, options)),
        log_loss_difference=_without_counts(log_loss_difference(positive, held, score, patients, options)),
        bins=tuple(
            Bin(
                predicted=float(held[images].mean()),
                observed=_without_counts(patient_proportion(positive[images], patients[images], options)),
                images=len(images),
                patients=len(np.unique(patients[images])),
            )
            for images in np.array_split(np.argsort(held, kind="stable"), _BINS)
            if len(images)
        ),
        by_group={
            group: _group_agreement(positive[inside], held[inside], patients[inside], options)
            for group, inside in groups.items()
            if group.startswith(("view: ", "sex: "))
        },
    )


def _group_agreement(
    positive: NDArray[np.bool_], held: Floats, patients: np.ndarray, options: BootstrapOptions
) -> GroupAgreement:
    agreement = recalibration(positive, held, patients, options)
    return GroupAgreement(
        _without_counts(agreement.slope), _without_counts(agreement.in_the_large), count_cases(positive, patients)
    )


def _without_counts(estimate: Estimate) -> Estimate:
    """Return the estimate as the card keeps it where the counts stand beside it."""
    return replace(estimate, counts=None)
