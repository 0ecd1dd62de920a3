"""One class of a run, as arrays: what every display of a class starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import WrongArguments
from ..evaluation import ANY_FINDING, outcomes
from ..labels import display_name
from ..store import Predictions

__all__ = ["Outcome", "outcome_of", "outcomes_of"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The n films of a run for which the reference says whether they show a class.

    Attributes:
        label: of the class; :data:`cxr_core.evaluation.ANY_FINDING` is one too.
        reference: who says so.
        truth: (n,) bool.
        scores: (n,) float64 in [0, 1].
        probabilities: (n,) float64 in [0, 1], or None where the model's card allows none.
        patients: (n,) intp, numbers of patients, whole-run: what is computed over and over takes numbers faster.
        rows: (n,) intp, of the run's films.
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
        """As a sentence would write it."""
        return display_name(self.label)


def outcomes_of(predictions: Predictions, reference: str | None = None) -> dict[str, Outcome]:
    """Return every class that a reference says anything of, in the order of the labels, any finding last."""
    labels, truth, scores, patients = outcomes(predictions, reference)
    patients = np.unique(patients, return_inverse=True)[1]
    named = reference or next(iter(predictions.references))
    found = {}
    for c, label in enumerate(labels):
        rows = np.flatnonzero(truth[:, c] >= 0)
        if not len(rows):
            continue
        probabilities = None
        if label != ANY_FINDING:
            own = predictions.probabilities[rows, c]
            probabilities = None if np.isnan(own).any() else own
        found[label] = Outcome(label, named, truth[rows, c] == 1, scores[rows, c], probabilities, patients[rows], rows)
    return found


def outcome_of(predictions: Predictions, label: str, reference: str | None = None) -> Outcome:
    """Return one class; raises WrongArguments where the reference says nothing of it."""
    found = outcomes_of(predictions, reference)
    if label not in found:
        raise WrongArguments(f"Label {label!r}: the run has {', '.join(found) or 'none'}.")
    return found[label]
