"""A run to numbers: what a command prints, an export writes and a page shows, computed in this one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import WrongArguments
from ..metrics import Estimate, auc_with_interval
from ..store import Predictions, RunRecord

__all__ = [
    "ANY_FINDING",
    "SEEN_IN_TRAINING",
    "RunSummary",
    "any_finding_score",
    "outcomes",
    "reader_outcomes",
    "run_notes",
    "summarise",
    "times_words",
]

ANY_FINDING = "Any finding"
"""A row of its own beside the labels: a film that shows anything, against one that does not.

By the reference's own word where it has one (the experts' "abnormal"), else by whether any label is positive.
"""

SEEN_IN_TRAINING = "images possibly seen in training"
"""Stands on every figure and export of a run on a data set that the model's card lists as training data."""

RESAMPLES = 2000


@dataclass(frozen=True)
class RunSummary:
    """The numbers of a run against one reference.

    Attributes:
        record: of the run.
        reference: who says what the films show.
        auc: Estimate of each label that the reference knows, and of :data:`ANY_FINDING`.
        mean_auc: over the labels that have a value.
        notes: what must stand beside every number.
    """

    record: RunRecord
    reference: str
    auc: dict[str, Estimate]
    mean_auc: float | None
    notes: tuple[str, ...]


def summarise(
    record: RunRecord, predictions: Predictions, reference: str | None = None, resamples: int = RESAMPLES
) -> RunSummary:
    """Return the numbers of a run.

    Args:
        record, predictions: of the run.
        reference: one of the run's; the first by default.
        resamples: of patients, for intervals.

    Raises:
        WrongArguments: for a reference that the run does not have.
    """
    labels, truth, scores, patients = outcomes(predictions, reference)
    auc = {}
    for c, label in enumerate(labels):
        said = truth[:, c] >= 0
        if said.any():
            auc[label] = auc_with_interval(truth[said, c] == 1, scores[said, c], patients[said], resamples)
    values = [estimate.value for label, estimate in auc.items() if label != ANY_FINDING and estimate.value is not None]
    return RunSummary(
        record,
        reference or next(iter(predictions.references)),
        auc,
        float(np.mean(values)) if values else None,
        run_notes(record),
    )


def outcomes(
    predictions: Predictions, reference: str | None = None
) -> tuple[tuple[str, ...], NDArray[np.int8], NDArray[np.float64], NDArray[np.str_]]:
    """Return labels with :data:`ANY_FINDING` last, (n, c) truth, (n, c) scores and (n,) patients.

    Truth is 1, 0, or -1 where the reference says nothing.
    """
    names = tuple(predictions.references)
    if reference is None:
        reference = names[0]
    if reference not in names:
        raise WrongArguments(f"Reference {reference!r}: the run has {', '.join(names)}.")
    truth = predictions.references[reference]
    anything = np.where((truth >= 0).any(axis=1), (truth == 1).any(axis=1), -1).astype(np.int8)
    own = predictions.any_finding.get(reference, anything)
    anything = np.where(own >= 0, own, anything)
    labels = (*predictions.labels.tolist(), ANY_FINDING)
    scores = np.column_stack([predictions.scores, any_finding_score(predictions.scores)])
    return labels, np.column_stack([truth, anything]), scores, predictions.patients


def reader_outcomes(predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return (n, readers, c) single readers' answers to the labels of :func:`outcomes`; None without readers.

    Of :data:`ANY_FINDING` it is their own answer where they were asked, else whether they gave any label.
    """
    readers = predictions.readers
    if readers is None:
        return None
    anything = readers.answers.any(axis=2) if readers.any_finding is None else readers.any_finding
    return np.concatenate([readers.answers, anything[..., None]], axis=2)


def any_finding_score(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) how much speaks for any finding: the mean log-odds of (n, c) scores, brought back to (0, 1).

    For ranking only. It takes no label's threshold and no label's prevalence into account.
    """
    clipped = np.clip(scores, 1e-12, 1 - 1e-12)
    return 1 / (1 + np.exp(-np.mean(np.log(clipped) - np.log1p(-clipped), axis=1)))


def run_notes(record: RunRecord) -> tuple[str, ...]:
    """Return what must stand beside every number of a run."""
    notes = [SEEN_IN_TRAINING] if record.seen_in_training else []
    if record.evaluated_before:
        notes.append(f"these films were evaluated {times_words(record.evaluated_before)} before")
    return tuple(notes)


def times_words(times: int) -> str:
    """Return how often, in words."""
    return {1: "once", 2: "twice"}.get(times, f"{times} times")
