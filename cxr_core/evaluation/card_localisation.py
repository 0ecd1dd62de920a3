"""Where the heat maps point, for a model card: the tables of runs with boxes or masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import WrongArguments
from ..metrics import BootstrapOptions, default_resamples
from ..model.card import ModelCard
from ..model.localisation import LocalisationTable
from ..store import StoredRun
from .box_sources import SOURCES
from .boxes import box_numbers
from .card_metrics import check_weights

__all__ = ["MAP_INTERVAL", "localisation_tables"]

MAP_INTERVAL = (
    "95 %, by patient: hit rates Wilson's, clustered by patient, means and differences Student's, from 200 patients on "
    "bootstrap percentiles; p: random signs of the patients' differences, Holm's method over the labels of a source"
)


def localisation_tables(card: ModelCard, runs: Sequence[StoredRun]) -> tuple[LocalisationTable, ...]:
    """Return where the maps point, for the card: a table of each run, in their order.

    Args:
        card: of the model that made the runs.
        runs: with boxes or masks, of images that the model was not trained on.

    Raises:
        WrongArguments: a run was made with other weights, has no boxes or no average maps, or its images may have
            trained the model.
    """
    tables = []
    for run in runs:
        check_weights(run, card)
        record, rows = run.record, run.localisation()
        if rows is None or rows.average_hits is None or rows.source not in SOURCES:
            raise WrongArguments(
                f"Run {record.id}: no boxes, or of an earlier version. Make it again: evaluate ... --boxes CSV."
            )
        if record.part == "train" or (record.part == "all" and record.seen_in_training):
            raise WrongArguments(
                f"Run {record.id}: its images may have trained the model. Accepted: runs of patients who did not, "
                "such as evaluate ... --split embedded --part held-out."
            )
        source = SOURCES[rows.source]
        numbers = box_numbers(rows, BootstrapOptions(default_resamples(len(rows))))
        tables.append(
            LocalisationTable(
                weights_sha256=card.weights_sha256,
                source=rows.source,
                description=source.description,
                same_label=source.same_label,
                images=f"images of {record.part} patients" if record.part != "all" else "images",
                data=record.data,
                split="" if record.split == "none" else record.split,
                split_sha256=record.split_sha256,
                number_of_images=len(np.unique(rows.images)),
                number_of_patients=len(np.unique(rows.patients)),
                interval=MAP_INTERVAL,
                per_label={label: one.localisation for label, one in numbers.items()},
            )
        )
    return tuple(tables)
