"""Comparison of two runs on the same images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import WrongArguments
from ..metrics import Estimate, MeanComparison, ModelComparison, auc_of_subsets, compare_mean_auc, compare_models
from ..model.folder import card_of
from ..store import RunRecord, StoredRun
from .images import same_images
from .in_sample import is_in_sample
from .outcomes import ANY_FINDING, outcomes
from .summary import run_notes

__all__ = ["RunComparison", "compare_runs", "views_in_common"]


@dataclass(frozen=True)
class RunComparison:
    """Paired differences in AUC, first run minus second.

    Attributes:
        one, two: records of the runs.
        reference: name of the reference standard.
        view: the view that the images were restricted to; empty for all images.
        images: number of images in both runs.
        aucs: of each label, of the first run and of the second, on these images.
        differences: of the AUC of each label in both runs, paired by image and patient, with p-values adjusted by
            Holm's method over these labels.
        mean: unweighted means over the labels with enough cases, and their difference; any finding is not in it.
        labels_in_mean: these labels.
        notes: remarks that must accompany the numbers.
    """

    one: RunRecord
    two: RunRecord
    reference: str
    view: str
    images: int
    aucs: dict[str, tuple[Estimate, Estimate]]
    differences: dict[str, ModelComparison]
    mean: MeanComparison
    labels_in_mean: tuple[str, ...]
    notes: tuple[str, ...]


def compare_runs(one: StoredRun, two: StoredRun, reference: str | None = None, view: str = "") -> RunComparison:
    """Compare two runs on their common images, against a reference standard of the first run.

    Args:
        one, two: of the store.
        reference: of the first run; its first by default.
        view: ``PA`` or ``AP``, for the images of one view; empty for all images.

    Raises:
        WrongArguments: they have no image in common, or none of this view.
    """
    predictions = one.predictions()
    first, second = same_images(one, two)
    if not len(first):
        raise WrongArguments(f"Runs {one.record.id} and {two.record.id}: they have no image in common.")
    if view:
        chosen = predictions.views[first] == view
        if not chosen.any():
            raise WrongArguments(f"View {view!r}: no common image of the runs has this view.")
        first, second = first[chosen], second[chosen]
    labels, truth, scores, patients = outcomes(predictions, reference)
    other_labels, _, other_scores, _ = outcomes(two.predictions())
    truth, scores, patients = truth[first], scores[first], patients[first]
    shared = [label for c, label in enumerate(labels) if label in other_labels and (truth[:, c] >= 0).any()]
    columns = [labels.index(label) for label in shared]
    truth, scores = truth[:, columns], scores[:, columns]
    other_scores = other_scores[second][:, [other_labels.index(label) for label in shared]]
    rows = [np.flatnonzero(truth[:, c] >= 0) for c in range(len(shared))]
    tests = compare_models(
        [(truth[r, c] == 1, scores[r, c], other_scores[r, c], patients[r]) for c, r in enumerate(rows)]
    )
    one_aucs, two_aucs = (
        auc_of_subsets([(truth[r, c] == 1, values[r, c], r) for c, r in enumerate(rows)], patients)
        for values in (scores, other_scores)
    )
    in_mean = [c for c, label in enumerate(shared) if label != ANY_FINDING]
    mean = compare_mean_auc(
        truth[:, in_mean] == 1,
        scores[:, in_mean],
        other_scores[:, in_mean],
        patients,
        labelled=truth[:, in_mean] >= 0,
    )
    return RunComparison(
        one.record,
        two.record,
        reference or next(iter(predictions.references)),
        view,
        len(first),
        dict(zip(shared, zip(one_aucs, two_aucs, strict=True), strict=True)),
        dict(zip(shared, tests, strict=True)),
        mean,
        tuple(shared[in_mean[c]] for c in mean.classes),
        _notes(one.record, two.record),
    )


def views_in_common(one: StoredRun, two: StoredRun) -> tuple[str, ...]:
    """Return the views that the common images of two runs have, in alphabetical order; those not known are left out."""
    views = one.predictions().views[same_images(one, two)[0]]
    return tuple(sorted(set(views.tolist()) - {""}))


def _notes(*records: RunRecord) -> tuple[str, ...]:
    """Return the notes of two runs; one that is not of both names its run."""
    notes = [run_notes(record, is_in_sample(record, card_of(record.model_sha256))) for record in records]
    both = [note for note in notes[0] if note in notes[1]]
    return (
        *both,
        *(f"{r.id}: {note}" for r, of_run in zip(records, notes, strict=True) for note in of_run if note not in both),
    )
