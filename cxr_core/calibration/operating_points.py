"""Operating points by name: a rule, the thresholds it sets, and their cross-validated rates.

Measured on the images they were set on, thresholds are optimistic. So each rule is applied to four fifths of the
patients and measured on the rest, in five folds by patient; the thresholds on the card are set on all patients. Every
rate counts states: a label is above where its score is at or over the threshold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..estimate import Estimate
from ..metrics import (
    BootstrapOptions,
    Proportion,
    count_cases,
    patient_folds,
    patient_mean,
    patient_proportions,
    sensitivity_specificity,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)
from ..metrics.bootstrap import DEFAULTS
from ..model.card import OperatingPoint, Threshold
from ..model.findings import MIN_PATIENTS
from .sample import CalibrationSet

__all__ = ["FOLDS", "HELD_OUT", "MOST_FLAGGED", "RULES", "ThresholdRule", "operating_points"]

MOST_FLAGGED = 0.20
"""At most this proportion of images without findings may have any label above at the default operating point.

Of all of them, and of those in each view with :data:`.findings.MIN_PATIENTS` patients without findings.
"""

FOLDS = 5
HELD_OUT = (
    f"{FOLDS} folds by patient: fitted on {FOLDS - 1}, evaluated on the held-out fold; "
    "thresholds and curves of the card are fitted on all patients"
)
PATIENTS_FOR_95 = 60
_STEPS = 1000


@dataclass(frozen=True)
class ThresholdRule:
    """How an operating point is set.

    Attributes:
        name: on the command line.
        description: what it does.
        set: calibration set and columns, to a threshold for each column.
        positive_patients: that a label needs for a threshold.
        most_flagged: largest proportion of images without findings that it flags, or None.
    """

    name: str
    description: str
    set: Callable[[CalibrationSet, Sequence[int]], dict[int, float]]
    positive_patients: int = MIN_PATIENTS
    most_flagged: float | None = None


def _one_specificity(sample: CalibrationSet, columns: Sequence[int], thousandths: int) -> dict[int, float]:
    return {
        c: threshold_at_specificity(sample.positive[:, c], sample.scores[:, c], thousandths / _STEPS, upper=1)
        for c in columns
    }


def _default(sample: CalibrationSet, columns: Sequence[int]) -> dict[int, float]:
    """Set one specificity for all labels, as low as the proportion flagged allows, overall and in each view."""
    clear = sample.select(sample.without_findings)
    groups = _limited_groups(clear)
    if not groups:
        # too few patients without findings to count
        return _one_specificity(sample, columns, 950)

    def few_enough(thousandths: int) -> bool:
        flagged = np.asarray(_above(clear, _one_specificity(sample, columns, thousandths)).any(axis=1))
        return all(np.mean(flagged[inside]) <= MOST_FLAGGED for inside in groups)

    # each proportion falls as the specificity rises, and at 1 nothing is flagged
    choices = range(_STEPS // 2, _STEPS)
    return _one_specificity(sample, columns, _STEPS // 2 + bisect_left(choices, True, key=few_enough))


def _limited_groups(clear: CalibrationSet) -> list[NDArray[np.bool_]]:
    """Return all images without findings, and those in each view, as far as there are enough patients to count."""
    views = [inside for group, inside in clear.groups.items() if group.startswith("view: ")]
    return [
        inside
        for inside in (np.ones(len(clear), dtype=bool), *views)
        if len(np.unique(clear.patients[inside])) >= MIN_PATIENTS
    ]


def _above(sample: CalibrationSet, thresholds: Mapping[int, float]) -> NDArray[np.bool_]:
    """Return (n, C) bool: the state above of each label that has a threshold."""
    above = np.zeros(sample.positive.shape, dtype=bool)
    for c, value in thresholds.items():
        above[:, c] = sample.scores[:, c] >= value
    return above


def _youden(sample: CalibrationSet, columns: Sequence[int]) -> dict[int, float]:
    return {c: youden_threshold(sample.positive[:, c], sample.scores[:, c]) for c in columns}


def _at_sensitivity(sensitivity: float) -> Callable[[CalibrationSet, Sequence[int]], dict[int, float]]:
    return lambda sample, columns: {
        c: threshold_at_sensitivity(sample.positive[:, c], sample.scores[:, c], sensitivity, lower=0) for c in columns
    }


RULES = (
    ThresholdRule(
        "default",
        "one specificity for all labels, the lowest (in steps of 0.001) at which at most "
        f"{MOST_FLAGGED:.0%} of images without findings have any label above, overall and in each view with "
        f"{MIN_PATIENTS} patients".replace("%", " %"),
        _default,
        most_flagged=MOST_FLAGGED,
    ),
    ThresholdRule("youden", "the largest sum of sensitivity and specificity of each label (Youden's index)", _youden),
    ThresholdRule("sensitivity-0.90", "sensitivity 0.90 of each label", _at_sensitivity(0.90)),
    ThresholdRule("sensitivity-0.95", "sensitivity 0.95 of each label", _at_sensitivity(0.95), PATIENTS_FOR_95),
    ThresholdRule(
        "specificity-0.95", "specificity 0.95 of each label", lambda s, columns: _one_specificity(s, columns, 950)
    ),
)


def operating_points(
    sample: CalibrationSet,
    images: str,
    *,
    not_shown: Mapping[str, str] = MappingProxyType({}),
    options: BootstrapOptions = DEFAULTS,
    report: Callable[[int, int], None] = lambda done, rules: None,
) -> dict[str, OperatingPoint]:
    """Return every operating point for which there are enough patients, the default first.

    A label with too few patients, or one that was not shown to discriminate, gets no threshold, and its reason. A rule
    for which no label has enough patients is omitted; the default never is.

    Args:
        sample: of patients that the model was not trained on.
        images: their description.
        not_shown: label to the reason why its discrimination was not shown.
        options: of the intervals; the seed also assigns the folds.
        report: called with the rules done and their number.
    """
    points = {}
    for done, rule in enumerate(RULES):
        report(done, len(RULES))
        reasons = {
            c: sample.why_not_fitted(c, rule.positive_patients) or not_shown.get(label)
            for c, label in enumerate(sample.labels)
        }
        columns = [c for c, reason in reasons.items() if reason is None]
        if columns or rule.name == "default":
            points[rule.name] = _point(rule, sample, columns, reasons, images, options)
    report(len(RULES), len(RULES))
    return points


def _point(
    rule: ThresholdRule,
    sample: CalibrationSet,
    columns: Sequence[int],
    reasons: Mapping[int, str | None],
    images: str,
    options: BootstrapOptions,
) -> OperatingPoint:
    thresholds = {
        label: Threshold(None, counts=sample.counts(c), reason=reasons[c]) for c, label in enumerate(sample.labels)
    }
    if not columns:
        return OperatingPoint(rule.name, rule.description, images, thresholds)
    values = rule.set(sample, columns)
    above = _held_out(rule, sample, columns, options.seed)
    for c in columns:
        positive = sample.positive[:, c]
        sensitivity, specificity = sensitivity_specificity(positive, above[:, c], 0.5, sample.patients, options)
        thresholds[sample.labels[c]] = Threshold(
            float(values[c]),
            sensitivity=sensitivity,
            specificity=specificity,
            counts=sample.counts(c),
        )
    any_above = np.asarray(above.any(axis=1))
    flagged = _flag_rates(sample, any_above, options)
    where_set = _flag_rates(sample, np.asarray(_above(sample, values).any(axis=1)), options)
    counts = count_cases(any_above, sample.patients)
    return OperatingPoint(
        name=rule.name,
        rule=rule.description,
        images=images,
        thresholds=thresholds,
        flagged_without_findings=flagged.pop(""),
        flagged_by_group=flagged,
        flagged_where_set=where_set.pop(""),
        flagged_by_group_where_set=where_set,
        labels_above_per_image=patient_mean(above.sum(axis=1), sample.patients, options, lowest=0, counts=counts),
        held_out=HELD_OUT,
        most_flagged=rule.most_flagged if _limited_groups(sample.select(sample.without_findings)) else None,
    )


def _flag_rates(sample: CalibrationSet, flagged: NDArray[np.bool_], options: BootstrapOptions) -> dict[str, Estimate]:
    """Return the proportion flagged among images without findings: of all under the empty name, and of each group."""
    clear = sample.without_findings
    among = {"": clear} | {group: clear & inside for group, inside in sample.groups.items()}
    estimates = patient_proportions(
        [Proportion(flagged, inside) for inside in among.values()], sample.patients, options
    )
    return dict(zip(among, estimates, strict=True))


def _held_out(rule: ThresholdRule, sample: CalibrationSet, columns: Sequence[int], seed: int) -> NDArray[np.bool_]:
    """Return (n, C) bool: which labels are above the thresholds set on the other folds."""
    fold = patient_folds(sample.patients, FOLDS, seed)
    above = np.zeros(sample.positive.shape, dtype=bool)
    for number in range(FOLDS):
        here = fold == number
        above[here] = _above(sample.select(here), rule.set(sample.select(~here), columns))
    return above
