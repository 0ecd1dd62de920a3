"""Entries of the catalogue on calibration: of the run's probabilities, and cross-validated where a run is in-sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..metrics import (
    BOOTSTRAP_MIN_PATIENTS,
    Estimate,
    Recalibration,
    brier_loss,
    calibration_error,
    count_cases,
    recalibration,
)
from .entry import Column, Entry, Number
from .outcomes import Outcome
from .run_data import RunData

__all__ = ["CALIBRATION_ENTRIES"]

ONE_STEP_FROM = 10_000
"""Images from which resampled recalibrations are one Newton step from the fit; see ``metrics.recalibration``."""

_GROUP_WORK = 4
"""Of one label in one group, as :attr:`.entry.Entry.cost`."""

_MIN_PROBABILITY = 1e-6
"""Probabilities are clipped to this before their log-odds are taken."""


def _calibration(run: RunData, outcome: Outcome) -> dict[str, Estimate]:
    if outcome.probabilities is None:
        return {}
    cases = count_cases(outcome.truth, outcome.patients)
    converged = len(outcome.rows) < ONE_STEP_FROM and cases.rarer_patients < BOOTSTRAP_MIN_PATIENTS
    everything = np.ones(len(outcome.rows), dtype=bool)
    # in-sample, the interval says nothing: it need not take the time
    line = _recalibration(run, outcome, everything, one_step=run.cross_validation is not None or not converged)
    error = calibration_error(outcome.truth, outcome.probabilities, outcome.patients, options=run.options)
    by_chance = error.error if error.if_calibrated is None else Estimate(error.if_calibrated, counts=cases)
    return {
        "brier": brier_loss(outcome.truth, outcome.probabilities, outcome.patients, run.options),
        "calibration_slope": line.slope,
        "calibration_in_the_large": line.in_the_large,
        "calibration_intercept": line.intercept,
        "calibration_error": error.error,
        "calibration_error_by_chance": by_chance,
    }


def _recalibration(run: RunData, outcome: Outcome, inside: NDArray[np.bool_], *, one_step: bool) -> Recalibration:
    """Return the recalibration on some of the label's images; ``inside`` is (n,) bool."""
    return recalibration(
        outcome.truth[inside],
        np.clip(np.asarray(outcome.probabilities)[inside], _MIN_PROBABILITY, 1 - _MIN_PROBABILITY),
        outcome.patients[inside],
        run.options,
        one_step=one_step,
    )


def _cross_validated_calibration(run: RunData, outcome: Outcome) -> dict[str, Estimate]:
    curve = run.cross_validation.curves.get(outcome.label) if run.cross_validation else None
    if curve is None or curve.held_out is None:
        return {}
    held_out = curve.held_out
    images = sum(group.images for group in held_out.bins)
    gaps = [group.images * abs(group.observed.value_or_nan - group.predicted) for group in held_out.bins]
    error = sum(gaps) / images
    estimates = {
        "cross_validated_brier": held_out.brier,
        "cross_validated_calibration_slope": held_out.slope,
        "cross_validated_calibration_in_the_large": held_out.in_the_large,
        "cross_validated_calibration_intercept": held_out.intercept,
        "cross_validated_calibration_error": Estimate(error, reason="not on the card")
        if np.isfinite(error)
        else Estimate.missing("too few cases in a bin"),
    }
    return {metric: replace(estimate, counts=curve.counts) for metric, estimate in estimates.items()}


def _calibration_groups(run: RunData) -> Iterator[Number]:
    """Yield slope and calibration in the large of each label by view and sex, with intervals of one Newton step.

    A run with cross-validated ones has no others.
    """

    def of_group(pair: tuple[str, str]) -> Recalibration:
        group, label = pair
        outcome = run.outcomes[label]
        return _recalibration(run, outcome, np.isin(outcome.rows, run.groups[group]), one_step=True)

    pairs = _groups_and_labels(run)
    lines = dict(zip(pairs, run.each(of_group, pairs, _GROUP_WORK), strict=True))
    labels = list(run.outcomes)
    for group, label in sorted(pairs, key=lambda pair: labels.index(pair[1])):
        line = lines[group, label]
        yield Number("calibration_groups", "calibration_slope", label, group, None, line.slope)
        yield Number("calibration_groups", "calibration_in_the_large", label, group, None, line.in_the_large)


def _groups_and_labels(run: RunData) -> list[tuple[str, str]]:
    """Return the pairs that have a calibration, group by group, since the labels of a group share their draws."""
    labels = [label for label, outcome in run.outcomes.items() if outcome.probabilities is not None]
    groups = [group for group in run.groups if run.cross_validation is None and not group.startswith("age: ")]
    return [(group, label) for group in groups for label in labels]


def _cross_validated_calibration_groups(run: RunData) -> Iterator[Number]:
    entry = "calibration_groups_cross_validated"
    for label, curve in run.cross_validation.curves.items() if run.cross_validation else ():
        for group, agreement in curve.held_out.by_group.items() if curve.held_out else ():
            for metric, estimate in (("slope", agreement.slope), ("in_the_large", agreement.in_the_large)):
                counted = replace(estimate, counts=agreement.counts)
                yield Number(entry, f"cross_validated_calibration_{metric}", label, group, None, counted)


_BY_VIEW_AND_SEX = "Calibration by view and sex"

CALIBRATION_ENTRIES: tuple[Entry, ...] = (
    Entry(
        "calibration_cross_validated",
        "Calibration",
        {
            "cross_validated_brier": Column("Brier score"),
            "cross_validated_calibration_slope": Column("slope (ideal: 1)"),
            "cross_validated_calibration_in_the_large": Column("calibration in the large (ideal: 0)", signed=True),
            "cross_validated_calibration_intercept": Column("intercept, fitted with the slope", signed=True),
            "cross_validated_calibration_error": Column("expected calibration error"),
        },
        per_label=_cross_validated_calibration,
        display="calibration.CrossValidatedCalibrationDisplay",
        every_label=True,
        cross_validated=True,
    ),
    Entry(
        "calibration",
        "Calibration",
        {
            "brier": Column("Brier score"),
            "calibration_slope": Column("slope (ideal: 1)"),
            "calibration_in_the_large": Column("calibration in the large (ideal: 0)", signed=True),
            "calibration_intercept": Column("intercept, fitted with the slope", signed=True),
            "calibration_error": Column("expected calibration error"),
            "calibration_error_by_chance": Column("expected calibration error of a calibrated model, about"),
        },
        per_label=_calibration,
        display="calibration.CalibrationDisplay",
        every_label=True,
        absent="the model card allows no probabilities.",
        fitted=True,
        cost=14,
    ),
    Entry(
        "calibration_groups_cross_validated",
        _BY_VIEW_AND_SEX,
        {
            "cross_validated_calibration_slope": Column("slope (ideal: 1)"),
            "cross_validated_calibration_in_the_large": Column("calibration in the large (ideal: 0)", signed=True),
        },
        per_run=_cross_validated_calibration_groups,
        cross_validated=True,
    ),
    Entry(
        "calibration_groups",
        _BY_VIEW_AND_SEX,
        {
            "calibration_slope": Column("slope (ideal: 1)"),
            "calibration_in_the_large": Column("calibration in the large (ideal: 0)", signed=True),
        },
        per_run=_calibration_groups,
        fitted=True,
        cost=_GROUP_WORK,
        parts=lambda run: len(_groups_and_labels(run)),
    ),
)
