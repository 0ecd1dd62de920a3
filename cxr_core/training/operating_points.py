"""Operating points by name: a rule, the thresholds it gives, and what they are worth on other patients.

Thresholds flatter themselves on the films they were set on. So each rule is applied to four fifths of the
patients and judged on the rest, five times over (cross-fitting, by patient); the thresholds that the card
keeps are set on all of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import (
    patient_folds,
    patient_mean,
    sensitivity_specificity,
    share_flagged,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)
from ..model.card import OperatingPoint, Threshold
from ..model.findings import MIN_PATIENTS
from .sample import Sample, metric_of

__all__ = ["FOLDS", "HELD_OUT", "MOST_FLAGGED", "RULES", "Rule", "operating_points"]

MOST_FLAGGED = 0.20
"""At most this share of films without findings may have any label above at the default operating point."""

FOLDS = 5
HELD_OUT = (
    f"{FOLDS} folds by patient: set on {FOLDS - 1}, judged on the one left out, in turn; "
    "what the card keeps is set on all of them"
)
PATIENTS_FOR_95 = 60
_STEPS = 1000


@dataclass(frozen=True)
class Rule:
    """How an operating point is set.

    Attributes:
        name: on the command line.
        words: what it does.
        set: sample and the columns to set to a threshold for each of them.
        positive_patients: that a label needs to get one.
    """

    name: str
    words: str
    set: Callable[[Sample, Sequence[int]], dict[int, float]]
    positive_patients: int = MIN_PATIENTS


def _one_specificity(sample: Sample, columns: Sequence[int], thousandths: int) -> dict[int, float]:
    return {
        c: threshold_at_specificity(sample.positive[:, c], sample.scores[:, c], thousandths / _STEPS, upper=1)
        for c in columns
    }


def _default(sample: Sample, columns: Sequence[int]) -> dict[int, float]:
    """Set one specificity for all labels, as low as the share flagged allows."""
    clear = sample.scores[sample.clear]
    if len(np.unique(sample.patients[sample.clear])) < MIN_PATIENTS:
        # nothing to count on
        return _one_specificity(sample, columns, 950)

    def few_enough(thousandths: int) -> bool:
        thresholds = _one_specificity(sample, columns, thousandths)
        flagged = np.any([clear[:, c] >= value for c, value in thresholds.items()], axis=0)
        return bool(np.mean(flagged) <= MOST_FLAGGED)

    # the share falls as the specificity rises, and at 1 nothing is flagged
    choices = range(_STEPS // 2, _STEPS)
    return _one_specificity(sample, columns, _STEPS // 2 + bisect_left(choices, True, key=few_enough))


def _youden(sample: Sample, columns: Sequence[int]) -> dict[int, float]:
    return {c: youden_threshold(sample.positive[:, c], sample.scores[:, c]) for c in columns}


def _at_sensitivity(sensitivity: float) -> Callable[[Sample, Sequence[int]], dict[int, float]]:
    return lambda sample, columns: {
        c: threshold_at_sensitivity(sample.positive[:, c], sample.scores[:, c], sensitivity, lower=0) for c in columns
    }


RULES = (
    Rule(
        "default",
        "one specificity for all labels, the lowest (in steps of 0.001) at which at most "
        f"{MOST_FLAGGED:.0%} of films without findings have any label above".replace("%", " %"),
        _default,
    ),
    Rule("youden", "the largest sum of sensitivity and specificity of each label (Youden's index)", _youden),
    Rule("sensitivity-0.90", "sensitivity 0.90 of each label", _at_sensitivity(0.90)),
    Rule("sensitivity-0.95", "sensitivity 0.95 of each label", _at_sensitivity(0.95), PATIENTS_FOR_95),
    Rule("specificity-0.95", "specificity 0.95 of each label", lambda s, columns: _one_specificity(s, columns, 950)),
)


def operating_points(
    sample: Sample,
    films: str,
    *,
    resamples: int = 2000,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, rules: None,
) -> dict[str, OperatingPoint]:
    """Return every operating point that the counts of a sample carry, the default first.

    A label that too few patients carry gets no threshold, and its reason. A rule that no label carries is
    left out; the default never is.

    Args:
        sample: films of patients that the model was not trained on.
        films: what they are, in words.
        resamples, seed: of the intervals and of the folds.
        report: called with the rules done and their number.
    """
    points = {}
    for done, rule in enumerate(RULES):
        report(done, len(RULES))
        reasons = {c: sample.lacking(c, rule.positive_patients) for c in range(len(sample.labels))}
        columns = [c for c, reason in reasons.items() if reason is None]
        if columns or rule.name == "default":
            points[rule.name] = _point(rule, sample, columns, reasons, films, resamples, seed)
    report(len(RULES), len(RULES))
    return points


def _point(rule, sample: Sample, columns, reasons, films, resamples, seed) -> OperatingPoint:
    thresholds = {
        label: Threshold(None, counts=sample.counts(c) if sample.known[c] else None, reason=reasons[c])
        for c, label in enumerate(sample.labels)
    }
    if not columns:
        return OperatingPoint(rule.name, rule.words, films, thresholds)
    values = rule.set(sample, columns)
    above = _held_out(rule, sample, columns, seed)
    options = {"resamples": resamples, "seed": seed}
    for c in columns:
        positive = sample.positive[:, c]
        sensitivity, specificity = sensitivity_specificity(positive, above[:, c], 0.5, sample.patients, **options)
        thresholds[sample.labels[c]] = Threshold(
            float(values[c]),
            sensitivity=metric_of(sensitivity, positive, sample.patients),
            specificity=metric_of(specificity, positive, sample.patients),
            counts=sample.counts(c),
        )
    clear, any_above = sample.clear, above.any(axis=1)
    where_set = np.any([sample.scores[:, c] >= value for c, value in values.items()], axis=0)

    def share(flagged):
        flagged, patients = flagged[clear], sample.patients[clear]
        return metric_of(share_flagged(flagged, patients, **options), flagged, patients)

    per_film = patient_mean(above.sum(axis=1), sample.patients, lowest=0, **options)
    return OperatingPoint(
        name=rule.name,
        rule=rule.words,
        films=films,
        thresholds=thresholds,
        flagged_without_findings=share(any_above),
        flagged_where_set=share(where_set),
        labels_above_per_film=metric_of(per_film, any_above, sample.patients),
        held_out=HELD_OUT,
    )


def _held_out(rule, sample: Sample, columns, seed) -> np.ndarray:
    """Return (n, C) bool: which labels are above by thresholds that other patients set."""
    fold = patient_folds(sample.patients, FOLDS, seed)
    above = np.zeros(sample.positive.shape, dtype=bool)
    for number in range(FOLDS):
        here = fold == number
        for c, value in rule.set(sample.select(~here), columns).items():
            above[here, c] = sample.scores[here, c] >= value
    return above
