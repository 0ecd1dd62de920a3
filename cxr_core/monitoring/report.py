"""Reads of one model over time beside its validation images: what ``reads monitor`` and the page Monitoring show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ..errors import WrongArguments
from ..model.card import Familiarity
from ..store import RunStore, StoredRun
from ..store.read_history import hidden_images
from ..store.read_tables import images_of_studies, read_rows
from ..store.reads import ReadStore
from .alarms import Watch, watch
from .clusters import Clusters, clusters_of
from .periods import category_table, distribution_table, mix_table, period_table
from .reads import reads_of_run
from .reference import MonitoringReference, reference_of, with_familiarity, without_warnings
from .stored import reads_of_store

__all__ = ["MonitoringReport", "monitoring_report", "validation_run"]


@dataclass(frozen=True, eq=False)
class MonitoringReport:
    """Reads of one model, compared with its validation images.

    Attributes:
        reads: the table, as in :mod:`.reads`.
        reference: what they are compared with.
        periods: of :func:`.period_table`.
        distributions: of :func:`.distribution_table`, all periods together.
        mixes: of :func:`.mix_table`, all periods together.
        categories: of :func:`.category_table`, all periods together.
        watch: the statistic of the alarm; None without a read.
        clusters: what counts as one patient.
        hidden: how many of their images are left out, since the findings are hidden from the viewer.
    """

    reads: pd.DataFrame
    reference: MonitoringReference
    periods: pd.DataFrame
    distributions: pd.DataFrame
    mixes: pd.DataFrame
    categories: pd.DataFrame
    watch: Watch | None
    clusters: Clusters
    hidden: int = 0


def validation_run(runs: RunStore, weights: str, run: str = "") -> StoredRun:
    """Return the run whose images the reads of a model are compared with.

    Args:
        runs: the store of runs.
        weights: SHA-256 of the model's weights.
        run: id of the run; by default that on validation patients with the most images, then the newest.

    Raises:
        WrongArguments: there is none, or the named one is of another model or has no operating point.
    """
    if run:
        stored = runs.get(run)
        if stored.record.model_sha256 != weights or not stored.record.thresholds:
            raise WrongArguments("--run: the run is of another model, or has no operating point.")
        return stored
    suitable = [
        stored
        for stored in runs.list()
        if stored.record.model_sha256 == weights and stored.record.part == "validation" and stored.record.thresholds
    ]
    if not suitable:
        raise WrongArguments(
            "There is no run of this model on validation patients to compare with: name one with --run, or make one "
            "with `evaluate`."
        )
    return max(suitable, key=lambda stored: (stored.record.images, stored.record.created))


def monitoring_report(
    store: ReadStore,
    run: StoredRun,
    familiarity: Familiarity | None = None,
    *,
    by: Literal["day", "week"] = "week",
    since: str = "",
    until: str = "",
    viewer: str = "",
    report: Callable[[int, int], None] = lambda done, reads: None,
) -> MonitoringReport:
    """Return the reads of the model of a run beside its images.

    Args:
        store: of the reads.
        run: of the model, with thresholds; of its validation patients.
        familiarity: of the model's card.
        by: length of a period.
        since, until: as in :func:`.read_tables.read_rows`.
        viewer: reader who sees the report. Images of this reader that wait for the own reading are left out, whoever
            read them too (:func:`.read_history.hidden_images`); by default none is.
        report: called with the reads done and their number.

    Raises:
        StoreDamaged, PathUnusable: reads or run cannot be read.
    """
    record = run.record
    of_run = reference_of(reads_of_run(run.predictions(), record.thresholds), record.name)
    reference = with_familiarity(without_warnings(of_run), familiarity)
    of_all = list(read_rows(store, since=since, until=until, model_sha256=record.model_sha256, report=report))
    # after the reads: what is hidden now was hidden then, and what was added since is not among them
    hidden = hidden_images(store, viewer) if viewer else frozenset()
    rows = [row for row in of_all if row.image not in hidden]
    clusters = clusters_of(rows, images_of_studies(store))
    reads = reads_of_store(rows, record.thresholds, None if familiarity is None else familiarity.threshold, clusters)
    return MonitoringReport(
        reads,
        reference,
        period_table(reads, reference, by),
        distribution_table(reads, reference),
        mix_table(reads, reference),
        category_table(reads),
        watch(reads, reference) if len(reads) else None,
        clusters,
        len({row.image for row in of_all} & hidden),
    )
