"""A run to numbers: what a command prints, an export writes and a page shows, computed in this one place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..metrics import (
    BOOTSTRAP_FROM,
    UNKNOWN,
    Estimate,
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
from ..store import Localisation, Predictions, RunRecord
from .boxes import box_numbers
from .numbers import GroupNumber, LabelNumbers, MeanAuc, RunSummary
from .outcomes import ANY_FINDING, outcomes

__all__ = ["SEEN_IN_TRAINING", "notes_of", "summarise", "times_words"]

SEEN_IN_TRAINING = "images possibly seen in training"
"""Stands on every figure and export of a run on a data set that the model's card lists as training data."""

ONE_STEP_FROM = 10_000
"""Films from which the lines of resamples are one step from the line of all films; see ``metrics.recalibration``."""

_LEAST_PROBABILITY = 1e-6


def summarise(
    record: RunRecord,
    predictions: Predictions,
    reference: str | None = None,
    resamples: int | None = None,
    localisation: Localisation | None = None,
    report: Callable[[int, int], None] = lambda done, steps: None,
) -> RunSummary:
    """Return the numbers of a run.

    Args:
        record, predictions: of the run.
        reference: one of the run's; the first by default.
        resamples: of patients, for intervals; None is :func:`.metrics.resamples_for` so many films.
        localisation: of the run, where it has one.
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
        {} if localisation is None else box_numbers(localisation, resamples),
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
