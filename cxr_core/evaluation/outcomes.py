"""Truth and scores of the images of a run, per label: the arrays from which numbers and figures are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import WrongArguments
from ..labels import ANY_FINDING, display_name
from ..store import Predictions

__all__ = [
    "ANY_FINDING",
    "Outcome",
    "any_finding_score",
    "checked_reference",
    "outcome_of",
    "outcomes",
    "outcomes_of",
    "reader_outcomes",
]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The n images of a run for which the reference standard states a label.

    Attributes:
        label: a label, or :data:`ANY_FINDING`.
        reference: name of the reference standard.
        truth: (n,) bool.
        scores: (n,) float64 in [0, 1].
        probabilities: (n,) float64 in [0, 1]; None if the model card allows none.
        patients: (n,) intp, numbered over the whole run.
        rows: (n,) intp, rows of the images in the run.
    """

    label: str
    reference: str
    truth: NDArray[np.bool_]
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None
    patients: NDArray[np.intp]
    rows: NDArray[np.intp]

    @property
    def name(self) -> str:
        """The displayed name of the label."""
        return display_name(self.label)


def checked_reference(predictions: Predictions, reference: str | None = None) -> str:
    """Return the reference standard to use, the run's first by default; raises WrongArguments for an unknown one."""
    names = tuple(predictions.references)
    if reference is None:
        return names[0]
    if reference not in names:
        raise WrongArguments(f"Reference {reference!r}: the run has {', '.join(names)}.")
    return reference


def outcomes(
    predictions: Predictions, reference: str | None = None
) -> tuple[tuple[str, ...], NDArray[np.int8], NDArray[np.float64], NDArray[np.str_]]:
    """Return labels with :data:`ANY_FINDING` last, (n, c) truth, (n, c) scores and (n,) patients.

    Any finding is taken from the reference standard where it states it (the experts' "abnormal"), else it is whether
    any label is positive.

    Truth is 1, 0, or -1 where the reference standard does not state it.
    """
    reference = checked_reference(predictions, reference)
    truth = predictions.references[reference]
    any_label = np.where((truth >= 0).any(axis=1), (truth == 1).any(axis=1), -1).astype(np.int8)
    stated = predictions.any_finding.get(reference, any_label)
    overall = np.where(stated >= 0, stated, any_label)
    labels = (*predictions.labels.tolist(), ANY_FINDING)
    scores = np.column_stack([predictions.scores, any_finding_score(predictions.scores)])
    return labels, np.column_stack([truth, overall]), scores, predictions.patients


def outcomes_of(predictions: Predictions, reference: str | None = None) -> dict[str, Outcome]:
    """Return the outcome of every label of the reference standard, :data:`ANY_FINDING` last."""
    labels, truth, scores, patients = outcomes(predictions, reference)
    # numbers are faster to resample than strings
    patient_numbers = np.unique(patients, return_inverse=True)[1]
    reference = checked_reference(predictions, reference)
    by_label = {}
    for c, label in enumerate(labels):
        rows = np.flatnonzero(truth[:, c] >= 0)
        if not len(rows):
            continue
        probabilities = None
        if label != ANY_FINDING and not np.isnan(predictions.probabilities[rows, c]).any():
            probabilities = predictions.probabilities[rows, c]
        arrays = truth[rows, c] == 1, scores[rows, c], probabilities, patient_numbers[rows], rows
        by_label[label] = Outcome(label, reference, *arrays)
    return by_label


def outcome_of(predictions: Predictions, label: str, reference: str | None = None) -> Outcome:
    """Return the outcome of one label; raises WrongArguments if the reference standard does not have it."""
    by_label = outcomes_of(predictions, reference)
    if label not in by_label:
        raise WrongArguments(f"Label {label!r}: the run has {', '.join(by_label) or 'none'}.")
    return by_label[label]


def reader_outcomes(predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return (n, readers, c) answers of individual readers for the labels of :func:`outcomes`; None without readers.

    For :data:`ANY_FINDING` it is the answer of the reader if there is one, else whether any label is positive.
    """
    readers = predictions.readers
    if readers is None:
        return None
    overall = readers.any_finding
    if overall is None:
        overall = np.asarray(readers.answers.any(axis=2), dtype=np.bool_)
    return np.concatenate([readers.answers, overall[..., None]], axis=2)


def any_finding_score(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) score of any finding: the mean log-odds of (n, c) scores, mapped back to (0, 1).

    For ranking only: it ignores the labels' thresholds and prevalences.
    """
    clipped = np.clip(scores, 1e-12, 1 - 1e-12)
    log_odds: NDArray[np.float64] = np.mean(np.log(clipped) - np.log1p(-clipped), axis=1)
    return 1 / (1 + np.exp(-log_odds))
