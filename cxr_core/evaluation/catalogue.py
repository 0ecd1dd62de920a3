"""The catalogue of the results of a run: an entry per figure or group of numbers, with functions, title and places.

The evaluation page, ``runs show``, the exported CSV and JSON, the HTML report and the model card are made from
:data:`CATALOGUE`. A new figure is a function in :mod:`cxr_core.metrics`, a display in :mod:`cxr_core.displays` and one
entry here; CONTRIBUTING.md shows it as a diff.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..metrics import (
    Estimate,
    average_precision_with_interval,
    mean_auc,
    patient_proportion,
)
from .calibration_entries import CALIBRATION_ENTRIES
from .entry import Column, Entry, Number, Place
from .localisation_entries import LOCALISATION_ENTRIES
from .operating_point_entries import OPERATING_POINT_ENTRIES
from .outcomes import ANY_FINDING, Outcome, outcomes
from .reader_entries import READER_ENTRIES
from .run_data import RunData

__all__ = ["CATALOGUE", "Column", "Entry", "Number", "entries"]


def entries(place: Place) -> tuple[Entry, ...]:
    """Return the entries that appear in a place, in order."""
    return tuple(entry for entry in CATALOGUE if place in entry.places)


def _mean_auc(run: RunData) -> Iterator[Number]:
    _, truth, scores, _ = outcomes(run.predictions, run.reference)
    # any finding, the last column, is not a label
    truth, scores = truth[:, :-1], scores[:, :-1]
    means = mean_auc(truth == 1, scores, run.patients, run.options, labelled=truth >= 0, micro=False)
    yield Number("mean_auc", "macro_auc", "", "", None, means.macro)
    yield Number("mean_auc", "weighted_auc", "", "", None, means.weighted)


def _group_aucs(run: RunData) -> Iterator[Number]:
    for group in run.groups:
        yield Number("groups", "auc", ANY_FINDING, group, None, run.aucs[group])


def _precision_recall(run: RunData, outcome: Outcome) -> dict[str, Estimate]:
    arrays = outcome.truth, outcome.scores, outcome.patients
    return {
        "average_precision": average_precision_with_interval(*arrays, run.options),
        "prevalence": patient_proportion(outcome.truth, outcome.patients, run.options),
    }


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "auc",
        "AUC per label",
        {"auc": Column("AUC", card=True)},
        per_label=lambda run, outcome: {"auc": run.aucs[outcome.label]},
        display="auc.AucDisplay",
    ),
    Entry(
        "mean_auc",
        "Mean AUC over the labels with enough cases",
        {
            "macro_auc": Column("Unweighted (macro)", card=True),
            "weighted_auc": Column("Weighted by positive images", card=True),
        },
        per_run=_mean_auc,
        cost=26,
    ),
    Entry("roc", "ROC curves", {}, display="roc.RocDisplay"),
    Entry(
        "precision_recall",
        "Precision-recall curves",
        {
            "average_precision": Column("average precision"),
            "prevalence": Column("prevalence (average precision by chance)", percent=True),
        },
        per_label=_precision_recall,
        display="precision_recall.PrecisionRecallDisplay",
        every_label=True,
        cost=6,
    ),
    Entry(
        "groups",
        "AUC of any finding by view, sex and age",
        {"auc": Column("AUC", card=True)},
        per_run=_group_aucs,
    ),
    *OPERATING_POINT_ENTRIES,
    *CALIBRATION_ENTRIES,
    Entry(
        "score_distribution",
        "Score distribution by outcome",
        {},
        display="score_distribution.ScoreDistributionDisplay",
        every_label=True,
    ),
    Entry(
        "net_benefit",
        "Net benefit (decision curves)",
        {},
        display="operating_point.NetBenefitDisplay",
        every_label=True,
        fitted=True,
    ),
    Entry("subgroups", "Subgroups", {}, display="subgroups.SubgroupDisplay", every_label=True, page="subgroups"),
    *READER_ENTRIES,
    *LOCALISATION_ENTRIES,
)
