"""Comparison of two runs on the same images."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import TypeAdapter

from ..errors import WrongArguments
from ..metrics import (
    BootstrapOptions,
    Estimate,
    MeanComparison,
    ModelComparison,
    auc_of_subsets,
    compare_mean_auc,
    compare_models,
    default_resamples,
)
from ..model.folder import card_of
from ..store import RunRecord, StoredRun
from .images import digest_key, same_images
from .in_sample import is_in_sample
from .kept_results import KeptResult, Progress, Report, not_reported, result_key
from .label_threads import LabelThreads
from .outcomes import ANY_FINDING, outcomes
from .run_context import run_notes

__all__ = ["RunComparison", "compare_runs", "comparison_of", "kept_comparison", "views_in_common"]

_AUC_WORK, _TEST_WORK, _MEAN_WORK = 20, 12, 60
"""Of the AUCs and the test of a label, and of the means: hundredths of a processor's second with 112,120 images."""


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
        resamples: of patients, the same in every interval.
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
    resamples: int
    notes: tuple[str, ...]


def compare_runs(
    one: StoredRun,
    two: StoredRun,
    reference: str | None = None,
    view: str = "",
    report: Report = not_reported,
) -> RunComparison:
    """Compare two runs on their common images, against a reference standard of the first run.

    Intervals are of :func:`.metrics.default_resamples` of these images, as those of each run are of its own.

    Args:
        one, two: of the store.
        reference: of the first run; its first by default.
        view: ``PA`` or ``AP``, for the images of one view; empty for all images.
        report: called with the work that is done and with all work.

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
    truth, scores = truth[first], scores[first]
    # numbers in the order of the names: the same draws, and faster to look up
    which = np.unique(patients[first], return_inverse=True)[1]
    shared = [label for c, label in enumerate(labels) if label in other_labels and (truth[:, c] >= 0).any()]
    columns = [labels.index(label) for label in shared]
    truth, scores = truth[:, columns], scores[:, columns]
    other_scores = other_scores[second][:, [other_labels.index(label) for label in shared]]
    options = BootstrapOptions(default_resamples(len(first)))
    rows = [np.flatnonzero(truth[:, c] >= 0) for c in range(len(shared))]

    def aucs_of(c: int) -> tuple[Estimate, ...]:
        r = rows[c]
        return auc_of_subsets(
            [(truth[r, c] == 1, values[r, c], r) for values in (scores, other_scores)], which, options
        )

    progress = Progress(report)
    progress.begin((_AUC_WORK + _TEST_WORK) * len(shared) + _MEAN_WORK)
    aucs = {}
    with LabelThreads() as threads:
        for label, (ours, theirs) in zip(shared, threads.map(aucs_of, range(len(shared))), strict=True):
            aucs[label] = ours, theirs
            progress.step(_AUC_WORK)
        classes = ((truth[r, c] == 1, scores[r, c], other_scores[r, c], which[r]) for c, r in enumerate(rows))
        tests = compare_models(classes, options, on_class=lambda: progress.step(_TEST_WORK), map=threads.map)
    in_mean = [c for c, label in enumerate(shared) if label != ANY_FINDING]
    mean = compare_mean_auc(
        truth[:, in_mean] == 1,
        scores[:, in_mean],
        other_scores[:, in_mean],
        which,
        options,
        labelled=truth[:, in_mean] >= 0,
    )
    progress.step(_MEAN_WORK)
    return RunComparison(
        one.record,
        two.record,
        reference or next(iter(predictions.references)),
        view,
        len(first),
        aucs,
        dict(zip(shared, tests, strict=True)),
        mean,
        tuple(shared[in_mean[c]] for c in mean.classes),
        options.resamples,
        _notes(one.record, two.record),
    )


def comparison_of(
    one: StoredRun,
    two: StoredRun,
    reference: str | None = None,
    view: str = "",
    report: Report = not_reported,
) -> RunComparison:
    """Return :func:`compare_runs`, kept on disk if possible; ``report`` is not called if it is kept.

    Raises:
        PathUnusable: a file of a run was changed.
        WrongArguments: as :func:`compare_runs`.
    """

    def compute(report: Report) -> RunComparison:
        return compare_runs(one, two, reference, view, report)

    return _kept(one, two, reference, view).read_or_compute(compute, report)


def kept_comparison(
    one: StoredRun, two: StoredRun, reference: str | None = None, view: str = ""
) -> RunComparison | None:
    """Return :func:`comparison_of` if it is kept, else None; raises PathUnusable where a file of a run was changed."""
    return _kept(one, two, reference, view).read()


_ADAPTER = TypeAdapter(RunComparison)


def _kept(one: StoredRun, two: StoredRun, reference: str | None, view: str) -> KeptResult[RunComparison]:
    for run in (one, two):
        run.check()
    runs = [[asdict(run.record), is_in_sample(run.record, card_of(run.record.model_sha256))] for run in (one, two)]
    # images of which only one run keeps the names are matched by this key
    key = "" if one.record.image_names_kept == two.record.image_names_kept else _digest_of_key(one, two)
    name = reference or next(iter(one.record.references), "")
    return KeptResult(result_key("comparison", runs, key, name, view), _ADAPTER)


def _digest_of_key(one: StoredRun, two: StoredRun) -> str:
    hashed = two if one.record.image_names_kept else one
    return hashlib.sha256(digest_key(hashed.folder.parent, make=False) or b"").hexdigest()


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
