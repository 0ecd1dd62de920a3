"""Two runs on the same films."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WrongArguments
from ..metrics import ModelComparison, compare_models
from ..store import RunRecord, StoredRun
from .image_names import same_images
from .outcomes import outcomes
from .summary import notes_of

__all__ = ["RunComparison", "compare_runs"]


@dataclass(frozen=True)
class RunComparison:
    """How much better the first run is than the second.

    Attributes:
        one, two: records of the runs.
        reference: who says what the films show.
        films: how many both have.
        differences: of the AUC of each label that both have, paired by films and patients; Holm's p-values are
            over these labels.
        notes: what must stand beside every number.
    """

    one: RunRecord
    two: RunRecord
    reference: str
    films: int
    differences: dict[str, ModelComparison]
    notes: tuple[str, ...]


def compare_runs(one: StoredRun, two: StoredRun, reference: str | None = None) -> RunComparison:
    """Compare two runs on the films that both have, against the first run's reference.

    Raises:
        WrongArguments: they have no film in common.
    """
    ours, theirs = one.predictions(), two.predictions()
    first, second = same_images(one, two)
    if not len(first):
        raise WrongArguments(f"Runs {one.record.id} and {two.record.id}: they have no film in common.")
    labels, truth, scores, patients = outcomes(ours, reference)
    other_labels, _, others, _ = outcomes(theirs)
    found = {}
    for c, label in enumerate(labels):
        said = truth[first, c] >= 0
        if label not in other_labels or not said.any():
            continue
        rows, other_rows = first[said], second[said]
        found[label] = (
            truth[rows, c] == 1,
            scores[rows, c],
            others[other_rows, other_labels.index(label)],
            patients[rows],
        )
    differences = dict(zip(found, compare_models(list(found.values())), strict=True))
    notes = {note for run in (one, two) for note in notes_of(run.record)}
    named = reference or next(iter(ours.references))
    return RunComparison(one.record, two.record, named, len(first), differences, tuple(sorted(notes)))
