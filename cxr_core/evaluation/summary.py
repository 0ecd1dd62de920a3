"""A run to numbers: what a command prints, an export writes and a page shows, computed in this one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import (
    BOOTSTRAP_FROM,
    UNKNOWN,
    AtThreshold,
    Estimate,
    Recalibration,
    Share,
    age_bands,
    at_threshold,
    auc_of_columns,
    brier_loss,
    mean_auc,
    patient_bootstrap_average_precision,
    patient_shares,
    recalibration,
    resamples_for,
)
from ..store import Predictions, RunRecord
from .outcomes import ANY_FINDING, outcomes

__all__ = [
    "SEEN_IN_TRAINING",
    "GroupNumber",
    "LabelNumbers",
    "MeanAuc",
    "Number",
    "RunSummary",
    "notes_of",
    "summarise",
    "times_words",
]

SEEN_IN_TRAINING = "images possibly seen in training"
"""Stands on every figure and export of a run on a data set that the model's card lists as training data."""

ONE_STEP_FROM = 10_000
"""Films from which the lines of resamples are one step from the line of all films; see ``metrics.recalibration``."""

_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class LabelNumbers:
    """The numbers of one label, or of any finding.

    Attributes:
        prevalence: the share of films that are positive.
        auc: area under the ROC curve.
        average_precision: to be read beside ``prevalence``, which chance alone would give.
        brier: of the probabilities; None where the card allows none.
        calibration: slope and intercepts of the outcome over the probabilities; None likewise.
        operating: what the threshold that the run keeps does; None where it keeps none. Of any finding: a film is
            above where any label is.
    """

    prevalence: Estimate
    auc: Estimate
    average_precision: Estimate
    brier: Estimate | None
    calibration: Recalibration | None
    operating: AtThreshold | None


@dataclass(frozen=True)
class MeanAuc:
    """The mean AUC over the labels that have enough cases, any finding not among them.

    Attributes:
        macro: each label weighs the same.
        weighted: by the number of positive films.
        labels: that are in it.
        left_out: (label, reason) of the others.
    """

    macro: Estimate
    weighted: Estimate
    labels: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GroupNumber:
    """The AUC of any finding among the films of one group, such as ``view`` ``PA``."""

    characteristic: str
    group: str
    auc: Estimate


@dataclass(frozen=True)
class Number:
    """One number by name: what is printed and what is exported, line by line.

    Attributes:
        metric: such as ``auc`` or ``sensitivity``.
        label: empty for a number of all labels.
        group: such as ``view: PA``; empty for all films.
        threshold: of the score, where the number has one.
        estimate: value, interval, counts.
    """

    metric: str
    label: str
    group: str
    threshold: float | None
    estimate: Estimate


@dataclass(frozen=True)
class RunSummary:
    """The numbers of a run against one reference.

    Attributes:
        record: of the run.
        reference: who says what the films show.
        labels: of each label that the reference knows, and of :data:`.outcomes.ANY_FINDING`.
        mean_auc: over the labels.
        flagged_without_findings: of the films without findings the share on which any label is above its
            threshold; None where the run keeps no threshold.
        groups: AUC of any finding by view, sex and age band.
        resamples: of patients, behind every interval that is of resamples.
        notes: what must stand beside every number.
    """

    record: RunRecord
    reference: str
    labels: dict[str, LabelNumbers]
    mean_auc: MeanAuc
    flagged_without_findings: Estimate | None
    groups: tuple[GroupNumber, ...]
    resamples: int
    notes: tuple[str, ...]

    @property
    def auc(self) -> dict[str, Estimate]:
        """The area of each label and of any finding."""
        return {label: numbers.auc for label, numbers in self.labels.items()}

    def numbers(self) -> Iterator[Number]:
        """Yield every number of the summary."""
        for metric in ("auc", "prevalence", "average_precision", "brier"):
            for label, numbers in self.labels.items():
                if getattr(numbers, metric) is not None:
                    yield Number(metric, label, "", None, getattr(numbers, metric))
        for label, numbers in self.labels.items():
            if numbers.calibration is not None:
                yield Number("calibration_slope", label, "", None, numbers.calibration.slope)
                yield Number("calibration_intercept", label, "", None, numbers.calibration.intercept)
        for label, numbers in self.labels.items():
            if (point := numbers.operating) is not None:
                threshold = None if label == ANY_FINDING else point.threshold
                for metric, estimate in (
                    ("sensitivity", point.sensitivity),
                    ("specificity", point.specificity),
                    ("ppv", point.positive_predictive_value),
                    ("npv", point.negative_predictive_value),
                ):
                    yield Number(metric, label, "", threshold, estimate)
        yield Number("macro_auc", "", "", None, self.mean_auc.macro)
        yield Number("weighted_auc", "", "", None, self.mean_auc.weighted)
        if self.flagged_without_findings is not None:
            yield Number("flagged_without_findings", "", "", None, self.flagged_without_findings)
        for group in self.groups:
            yield Number("auc", ANY_FINDING, f"{group.characteristic}: {group.group}", None, group.auc)


def summarise(
    record: RunRecord,
    predictions: Predictions,
    reference: str | None = None,
    resamples: int | None = None,
    report: Callable[[int, int], None] = lambda done, steps: None,
) -> RunSummary:
    """Return the numbers of a run.

    Args:
        record, predictions: of the run.
        reference: one of the run's; the first by default.
        resamples: of patients, for intervals; None is :func:`.metrics.resamples_for` so many films.
        report: called with the steps done and their number.

    Raises:
        WrongArguments: for a reference that the run does not have.
    """
    labels, truth, scores, patients = outcomes(predictions, reference)
    resamples = resamples_for(len(predictions)) if resamples is None else resamples
    # numbers in the order of the names: the same draws, and faster to look through
    patients = np.unique(patients, return_inverse=True)[1]
    known = [c for c in range(len(labels)) if (truth[:, c] >= 0).any()]
    steps = len(known) + 3
    report(0, steps)
    columns, groups = _columns(truth, scores, known), _groups(predictions, truth[:, -1])
    of_groups = [(truth[rows, -1] == 1, scores[rows, -1], rows) for *_, rows in groups]
    areas = auc_of_columns([*columns, *of_groups], patients, resamples)
    report(1, steps)
    above = _above(record, predictions)
    numbers = {}
    for done, (c, column, auc) in enumerate(zip(known, columns, areas[: len(known)], strict=True)):
        probabilities = predictions.probabilities[:, c] if labels[c] != ANY_FINDING else None
        threshold = record.thresholds.get(labels[c])
        called = above.any(axis=1) if labels[c] == ANY_FINDING and above.size else None
        numbers[labels[c]] = _of_label(column, auc, patients, probabilities, threshold, called, resamples)
        report(done + 2, steps)
    flagged = None
    if above.size:
        clear = truth[:, -1] == 0
        flagged = patient_shares([Share(above.any(axis=1), clear)], patients, resamples)[0]
    mean = _mean(labels[:-1], truth[:, :-1], scores[:, :-1], patients, resamples)
    report(steps, steps)
    return RunSummary(
        record,
        reference or next(iter(predictions.references)),
        numbers,
        mean,
        flagged,
        tuple(
            GroupNumber(characteristic, group, auc)
            for (characteristic, group, _), auc in zip(groups, areas[len(known) :], strict=True)
        ),
        resamples,
        notes_of(record),
    )


def _columns(truth, scores, known: list[int]) -> list[tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]]:
    """Return truth, scores and rows of the films of which the reference says something, for each label."""
    rows_of = [np.flatnonzero(truth[:, c] >= 0) for c in known]
    return [(truth[rows, c] == 1, scores[rows, c], rows) for c, rows in zip(known, rows_of, strict=True)]


def _of_label(column, auc: Estimate, patients, probabilities, threshold, called, resamples: int) -> LabelNumbers:
    positive, scores, rows = column
    whose = patients[rows]
    brier = calibration = operating = None
    if probabilities is not None and not np.isnan(probabilities[rows]).any():
        held = probabilities[rows]
        brier = brier_loss(positive, held, whose, resamples=resamples)
        calibration = recalibration(
            positive,
            # a log-odds needs some doubt
            np.clip(held, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY),
            whose,
            resamples,
            one_step=len(rows) >= ONE_STEP_FROM or min(auc.positive_patients, auc.negative_patients) >= BOOTSTRAP_FROM,
        )
    if threshold is not None:
        operating = at_threshold(positive, scores, threshold, whose, resamples)
    elif called is not None:
        # not a score's threshold: above is a film with any label above
        operating = at_threshold(positive, called[rows].astype(np.float64), 0.5, whose, resamples)
    return LabelNumbers(
        patient_shares([Share(positive)], whose, resamples)[0],
        auc,
        patient_bootstrap_average_precision(positive, scores, whose, resamples),
        brier,
        calibration,
        operating,
    )


def _above(record: RunRecord, predictions: Predictions) -> NDArray[np.bool_]:
    """Return (n, labels with a threshold) whether a film is at or over it."""
    labels = predictions.labels.tolist()
    return np.stack(
        [predictions.scores[:, labels.index(label)] >= value for label, value in record.thresholds.items()]
        or [np.zeros(0, dtype=bool)],
        axis=1,
    )


def _mean(labels, truth, scores, patients, resamples: int) -> MeanAuc:
    found = mean_auc(truth == 1, scores, patients, truth >= 0, resamples, micro=False)
    return MeanAuc(
        found.macro,
        found.weighted,
        tuple(labels[c] for c in found.classes),
        tuple((labels[c], reason) for c, reason in found.left_out),
    )


def _groups(predictions: Predictions, anything: NDArray[np.int8]) -> list[tuple[str, str, NDArray[np.intp]]]:
    """Return (characteristic, group, rows) of the films of which anything is known."""
    groups = []
    for characteristic, names in (
        ("view", predictions.views),
        ("sex", predictions.sexes),
        ("age", age_bands(predictions.ages)),
    ):
        names = np.where(names == "", UNKNOWN, names)
        found = set(names[anything >= 0].tolist())
        order = {"under 18": "0", UNKNOWN: "~"}
        for name in sorted(found if found != {UNKNOWN} else (), key=lambda group: order.get(group, group)):
            groups.append((characteristic, name, np.flatnonzero((names == name) & (anything >= 0))))
    return groups


def notes_of(record: RunRecord) -> tuple[str, ...]:
    """Return what must stand beside every number of a run."""
    notes = [SEEN_IN_TRAINING] if record.seen_in_training else []
    if record.evaluated_before:
        notes.append(f"these films were evaluated {times_words(record.evaluated_before)} before")
    return tuple(notes)


def times_words(times: int) -> str:
    """Return how often, in words."""
    return {1: "once", 2: "twice"}.get(times, f"{times} times")
