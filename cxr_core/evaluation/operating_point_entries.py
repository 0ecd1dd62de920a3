"""Entries of the catalogue at the operating point: of the run's states; cross-validated where a run is in-sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..metrics import Estimate, Proportion, at_threshold, count_cases, patient_proportions
from .entry import Column, Entry, Number
from .outcomes import ANY_FINDING, Outcome
from .run_data import RunData

__all__ = ["OPERATING_POINT_ENTRIES", "flag_rates"]


def _above(run: RunData, outcome: Outcome) -> NDArray[np.bool_] | None:
    """Return (n,) whether an image is at or above the label's threshold; None where the run has none of it."""
    if outcome.label == ANY_FINDING and run.above.size:
        return np.asarray(run.above[outcome.rows].any(axis=1))
    threshold = run.record.thresholds.get(outcome.label)
    return None if threshold is None else outcome.scores >= threshold


def _confusion_matrix(run: RunData, outcome: Outcome) -> dict[str, Estimate]:
    above, positive = _above(run, outcome), outcome.truth
    if above is None:
        return {}
    cells = {
        "true_positives": positive & above,
        "false_negatives": positive & ~above,
        "false_positives": ~positive & above,
        "true_negatives": ~positive & ~above,
    }
    cases = count_cases(positive, outcome.patients)
    return {name: Estimate(int(cell.sum()), counts=cases) for name, cell in cells.items()}


def _operating_point(run: RunData, outcome: Outcome) -> dict[str, Estimate]:
    above = _above(run, outcome)
    if above is None:
        return {}
    point = at_threshold(outcome.truth, above, 0.5, outcome.patients, run.options)
    return {
        "sensitivity": point.sensitivity,
        "specificity": point.specificity,
        "ppv": point.positive_predictive_value,
        "npv": point.negative_predictive_value,
        "positive_likelihood_ratio": point.positive_likelihood_ratio,
        "negative_likelihood_ratio": point.negative_likelihood_ratio,
    }


def _cross_validated_operating_point(run: RunData, outcome: Outcome) -> dict[str, Estimate]:
    threshold = run.cross_validation.point.thresholds.get(outcome.label) if run.cross_validation else None
    if threshold is None or threshold.sensitivity is None or threshold.specificity is None:
        return {}
    return {
        "cross_validated_sensitivity": threshold.sensitivity,
        "cross_validated_specificity": threshold.specificity,
    }


def flag_rates(run: RunData) -> dict[str, Estimate]:
    """Return the proportion of images without findings on which any label is at or above its threshold.

    Returns:
        Of all images under the empty name, and of each view, sex and age band, such as ``view: PA``; empty where the
        run has no thresholds.
    """
    if not run.above.size:
        return {}
    normal = np.zeros(len(run.predictions), dtype=bool)
    if ANY_FINDING in run.outcomes:
        overall = run.outcomes[ANY_FINDING]
        normal[overall.rows] = ~overall.truth
    flagged, number = run.above.any(axis=1), np.arange(len(run.predictions))
    among = {"": normal} | {group: normal & np.isin(number, rows) for group, rows in run.groups.items()}
    rates = patient_proportions([Proportion(flagged, inside) for inside in among.values()], run.patients, run.options)
    return dict(zip(among, rates, strict=True))


def _flagged(run: RunData) -> Iterator[Number]:
    for group, rate in flag_rates(run).items():
        yield Number("flagged", "flagged_without_findings", "", group, None, rate)


def _cross_validated_flagged(run: RunData) -> Iterator[Number]:
    point = None if run.cross_validation is None else run.cross_validation.point
    if point is None or point.flagged_without_findings is None:
        return
    for group, rate in {"": point.flagged_without_findings, **point.flagged_by_group}.items():
        yield Number("flagged_cross_validated", "cross_validated_flagged_without_findings", "", group, None, rate)


_FLAGGED = "Images without findings flagged (any label at or above its threshold)"

OPERATING_POINT_ENTRIES: tuple[Entry, ...] = (
    Entry(
        "confusion_matrix",
        "Confusion matrix at the operating point",
        {
            "true_positives": Column("true positives", decimals=0),
            "false_negatives": Column("false negatives", decimals=0),
            "false_positives": Column("false positives", decimals=0),
            "true_negatives": Column("true negatives", decimals=0),
        },
        per_label=_confusion_matrix,
        at_threshold=True,
        missing="not evaluated",
        fitted=True,
    ),
    Entry(
        "operating_point_cross_validated",
        "Operating point",
        {
            "cross_validated_sensitivity": Column("sensitivity", percent=True, card=True),
            "cross_validated_specificity": Column("specificity", percent=True, card=True),
        },
        per_label=_cross_validated_operating_point,
        cross_validated=True,
    ),
    Entry(
        "operating_point",
        "Operating point",
        {
            "sensitivity": Column("sensitivity", percent=True, card=True),
            "specificity": Column("specificity", percent=True, card=True),
            "ppv": Column("PPV at the run's prevalence", percent=True),
            "npv": Column("NPV at the run's prevalence", percent=True),
            "positive_likelihood_ratio": Column("positive likelihood ratio"),
            "negative_likelihood_ratio": Column("negative likelihood ratio"),
        },
        per_label=_operating_point,
        at_threshold=True,
        cost=2,
        absent="none is stored with this run.",
        missing="not evaluated",
        fitted=True,
    ),
    Entry(
        "flagged_cross_validated",
        _FLAGGED,
        {"cross_validated_flagged_without_findings": Column("flagged", percent=True, card=True, images=True)},
        per_run=_cross_validated_flagged,
        cross_validated=True,
    ),
    Entry(
        "flagged",
        _FLAGGED,
        {"flagged_without_findings": Column("flagged", percent=True, card=True, images=True)},
        per_run=_flagged,
        fitted=True,
    ),
)
