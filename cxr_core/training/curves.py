"""Fit the curves from score to probability, and judge them on patients that they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit

from ..metrics import (
    brier_difference,
    brier_loss,
    isotonic,
    isotonic_replicates,
    log_loss,
    log_loss_difference,
    patient_folds,
    platt,
    platt_replicates,
    recalibration,
    share_flagged,
)
from ..metrics.resampling import LARGEST_DROPPED_SHARE
from ..model.calibration import Bin, Calibration, Curve, HeldOut
from .operating_points import FOLDS, HELD_OUT
from .sample import Origin, Sample, interval_of

__all__ = ["ISOTONIC_PATIENTS", "fit_calibration"]

ISOTONIC_PATIENTS = 500
"""An isotonic curve is tried with this many positive patients or more: with fewer its steps are noise."""

LEVEL = 0.95
RULE = (
    f"Platt scaling; with {ISOTONIC_PATIENTS} positive patients or more an isotonic curve instead, where its "
    "log loss on the patients left out is lower"
)
_KNOTS = 33
_BINS = 10
_DECIMALS = 6


def fit_calibration(
    sample: Sample,
    origin: Origin,
    weights_sha256: str,
    *,
    resamples: int = 2000,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, labels: None,
) -> Calibration:
    """Fit a curve for every label that enough patients carry.

    Args:
        sample: films of patients that the model was not trained on.
        origin: where they come from.
        weights_sha256: of the weights that made the logits.
        resamples, seed: of the intervals and of the folds.
        report: called with the labels done and their number.
    """
    curves = {}
    for c, label in enumerate(sample.labels):
        report(c, len(sample.labels))
        curves[label] = _curve(sample, c, resamples, seed)
    report(len(sample.labels), len(sample.labels))
    return Calibration(
        weights_sha256=weights_sha256,
        sampling=origin.sampling,
        films=origin.films,
        sources=sample.sources,
        reference=sample.reference,
        number_of_films=len(sample),
        number_of_patients=len(np.unique(sample.patients)),
        split=origin.split,
        split_sha256=origin.split_sha256,
        interval=f"{LEVEL:.0%}".replace("%", " %") + f", percentiles of {resamples} bootstrap resamples of patients",
        held_out=HELD_OUT,
        rule=RULE,
        per_label=curves,
    )


def _curve(sample: Sample, c: int, resamples: int, seed: int) -> Curve:
    positive, logits, patients = sample.positive[:, c], sample.logits[:, c], sample.patients
    counts = sample.counts(c) if sample.known[c] else None
    reason = sample.lacking(c)
    if reason is not None:
        return Curve(None, counts=counts, reason=reason)
    line = platt(positive, logits)
    if line.reason is not None or line.slope <= 0:
        reason = line.reason or "the score does not rise with the label on these films"
        return Curve(None, counts=counts, reason=reason)
    fold = patient_folds(patients, FOLDS, seed, positive)
    held = _crossfitted(_by_platt, positive, logits, fold)
    method = "platt"
    if counts.positive_patients >= ISOTONIC_PATIENTS:
        stepped = _crossfitted(_by_isotonic, positive, logits, fold)
        if _mean_log_loss(positive, stepped) < _mean_log_loss(positive, held):
            method, held = "isotonic", stepped
    edges = (_platt_edges if method == "platt" else _isotonic_edges)(positive, logits, patients, resamples, seed)
    if edges is None:
        return Curve(None, counts=counts, reason="too few cases: many resamples of patients give no curve")
    knots, low, high = edges
    platts = method == "platt"
    return Curve(
        method,
        slope=line.slope if platts else None,
        intercept=line.intercept if platts else None,
        logits=_rounded(knots),
        log_odds=() if platts else _rounded(logit(_by_isotonic(positive, logits, knots))),
        low=_rounded(low),
        high=_rounded(high),
        prevalence=float(positive.mean()),
        counts=counts,
        held_out=_judged(positive, held, expit(logits), patients, resamples, seed),
    )


def _by_platt(positive, logits, at) -> np.ndarray:
    line = platt(positive, logits)
    if line.reason is not None:
        # one class is missing in a fold, or parted perfectly: no more is known than how common it is
        return np.full(len(at), np.clip(positive.mean(), *_bounds(len(positive))))
    return expit(line.slope * at + line.intercept)


def _by_isotonic(positive, logits, at) -> np.ndarray:
    # linear in log-odds between knots, as the card's curve is
    curve = isotonic(positive, logits)
    return expit(np.interp(at, curve.logits, logit(np.clip(curve.shares, *_bounds(len(positive))))))


def _bounds(films: int) -> tuple[float, float]:
    """Return how near to 0 and 1 a share may be: half a film of all films."""
    return 0.5 / films, 1 - 0.5 / films


def _crossfitted(fit, positive, logits, fold) -> np.ndarray:
    """Return the probability of each film by a curve that its own fold had no part in."""
    held = np.empty(len(positive))
    for number in np.unique(fold):
        here = fold == number
        held[here] = fit(positive[~here], logits[~here], logits[here])
    tiny = np.finfo(np.float64).eps
    return np.clip(held, tiny, 1 - tiny)


def _mean_log_loss(positive, probability) -> float:
    return float(-np.mean(np.where(positive, np.log(probability), np.log1p(-probability))))


def _platt_edges(positive, logits, patients, resamples, seed):
    """Return knots, and the percentiles of the resampled lines there; None where too few resamples give one."""
    knots = np.linspace(logits.min() - 1, logits.max() + 1, _KNOTS)
    slopes, intercepts = platt_replicates(positive, logits, patients, resamples, seed)
    kept = np.isfinite(slopes)
    if np.mean(~kept) > LARGEST_DROPPED_SHARE:
        return None
    return knots, *_percentiles(slopes[kept] * knots[:, None] + intercepts[kept])


def _isotonic_edges(positive, logits, patients, resamples, seed):
    knots = np.unique(isotonic(positive, logits).logits.round(_DECIMALS))
    curves = isotonic_replicates(positive, logits, patients, knots, resamples, seed)
    low, high = _percentiles(logit(np.clip(curves, *_bounds(len(positive)))))
    # the bootstrap of steps is crude: the curve itself is never left outside
    value = logit(_by_isotonic(positive, logits, knots))
    return knots, np.minimum(low, value), np.maximum(high, value)


def _percentiles(curves) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(curves, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return low, high


def _rounded(values) -> tuple[float, ...]:
    return tuple(np.asarray(values).round(_DECIMALS).tolist())


def _judged(positive, held, score, patients, resamples, seed) -> HeldOut:
    options = {"resamples": resamples, "seed": seed}
    agreement = recalibration(positive, held, patients, **options)
    return HeldOut(
        slope=interval_of(agreement.slope),
        intercept=interval_of(agreement.intercept),
        in_the_large=interval_of(agreement.in_the_large),
        brier=interval_of(brier_loss(positive, held, patients, **options)),
        brier_uncalibrated=interval_of(brier_loss(positive, score, patients, **options)),
        brier_difference=interval_of(brier_difference(positive, held, score, patients, **options)),
        log_loss=interval_of(log_loss(positive, held, patients, **options)),
        log_loss_uncalibrated=interval_of(log_loss(positive, score, patients, **options)),
        log_loss_difference=interval_of(log_loss_difference(positive, held, score, patients, **options)),
        bins=tuple(
            Bin(
                predicted=float(held[films].mean()),
                observed=interval_of(share_flagged(positive[films], patients[films], **options)),
                films=len(films),
                patients=len(np.unique(patients[films])),
            )
            for films in np.array_split(np.argsort(held, kind="stable"), _BINS)
            if len(films)
        ),
    )
