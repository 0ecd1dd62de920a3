"""Stored opinions beside the model: what ``reads concordance`` and the page Concordance show."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from ..errors import WrongArguments
from ..labels import NOTICE
from ..metrics import Concordance, Estimate, ReadingTime, Uncertain, concordance, reading_time
from ..store.read_tables import TimeRow, images_of_studies, opinion_rows, time_rows
from ..store.reader_names import reader_titles
from ..store.reads import ReadStore
from .clusters import Clusters, clustered_table, clusters_of
from .small_numbers import LEAST, withhold_small, withhold_small_times
from .stored import opinions_of_store, times_by_group

__all__ = [
    "ACCURACY",
    "ALL",
    "GROUPINGS",
    "NUMBERS",
    "ConcordanceReport",
    "Grouping",
    "concordance_report",
    "read_reference",
]

Grouping = Literal["label", "reader", "month"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)

ALL = "all"
"""Name of the group of all opinions."""

NUMBERS = ("agreement", "kappa", "reader_only", "model_only", "uncertain", "changed", "toward", "away")
ACCURACY = ("sensitivity", "specificity")


@dataclass(frozen=True, eq=False)
class ConcordanceReport:
    """Concordance of readers and model on stored opinions; what rests on few patients is withheld.

    Attributes:
        by: what the groups have in common.
        uncertain: how uncertain opinions count.
        groups: concordance of each group by name, of all opinions first; empty without an opinion.
        times: time per read by name of the group, of all reads first.
        readers: how many readers the opinions are of.
        referenced: how many opinions have a reference standard; None where these are of few patients.
        clusters: what counts as one patient.
        hidden: how many images of readers are left out, since the findings were not shown to their reader yet.
    """

    by: Grouping
    uncertain: Uncertain
    groups: Mapping[str, Concordance]
    times: Mapping[str, ReadingTime]
    readers: int
    referenced: int | None
    clusters: Clusters
    hidden: int = 0

    @property
    def excluded(self) -> str:
        """Return how many images are excluded and why, in a sentence; empty for none."""
        if not self.hidden:
            return ""
        image, its = ("image", "its") if self.hidden == 1 else ("images", "their")
        return f"Excluded: {self.hidden:,} {image} whose findings were not shown to {its} reader yet."

    def table(self) -> pd.DataFrame:
        """Return one row for each number of each group, with its interval, counts and the notice.

        A p-value stands beside the first of the two numbers that it compares. Clusters are what ``clustered_by`` says.
        """
        rows = [row for name, group in self.groups.items() for row in _rows(self.by, name, group)]
        estimate = Estimate.missing("none").columns()
        columns = ["notice", self.by, "opinions", "patients", "number", *estimate, "p_value"]
        return clustered_table(pd.DataFrame(rows, columns=columns), self.clusters)


def concordance_report(
    store: ReadStore,
    by: Grouping = "label",
    *,
    since: str = "",
    until: str = "",
    model_sha256: str = "",
    uncertain: Uncertain = "excluded",
    reference: Mapping[tuple[str, str], bool] | None = None,
    report: Callable[[int, int], None] = lambda done, steps: None,
) -> ConcordanceReport:
    """Return how readers and model agree, of stored opinions on findings that were shown to their reader.

    Args:
        store: of the reads.
        by: what opinions of a group have in common.
        since, until, model_sha256: as in :func:`.read_tables.read_rows`.
        uncertain: how uncertain opinions count.
        reference: as :func:`read_reference` returns it.
        report: called with the steps done and their number.

    Raises:
        StoreDamaged, PathUnusable: reads cannot be read, or a reader's number not be written.
    """
    rows = opinion_rows(store, since=since, until=until, model_sha256=model_sha256)
    of_all = list(time_rows(store, since=since, until=until, model_sha256=model_sha256))
    reads = [row for row in of_all if row.shown]
    hidden = len({(row.study, row.image, row.reader) for row in of_all if not row.shown})
    clusters = clusters_of([*rows, *reads], images_of_studies(store))
    titles = reader_titles(store, {*(row.reader for row in rows), *(row.reader for row in reads)}) if reads else {}
    opinions = opinions_of_store(rows, reference, clusters)
    opinions = replace(opinions, reader=np.array([titles[name] for name in opinions.reader.tolist()], dtype=np.str_))
    times = _times([replace(row, reader=titles[row.reader]) for row in reads], by, clusters)
    groups: dict[str, Concordance] = {}
    if len(opinions):
        keys = getattr(opinions, by)
        names = sorted({*keys.tolist()}, key=_in_order)
        report(0, len(names) + 1)
        total = concordance(opinions, uncertain=uncertain)
        for done, name in enumerate(names, 1):
            report(done, len(names) + 1)
            groups[name] = concordance(opinions.rows(keys == name), uncertain=uncertain)
        total, groups = withhold_small(total, groups, opinions, keys, uncertain, clusters.unit)
        groups = {ALL: total} | groups
    compared = opinions.reference != ""
    few = 0 < len(set(opinions.patient[compared].tolist())) < LEAST
    referenced = None if few else int(compared.sum())
    readers = len(set(opinions.reader.tolist()))
    return ConcordanceReport(by, uncertain, groups, times, readers, referenced, clusters, hidden)


def _times(rows: list[TimeRow], by: Grouping, clusters: Clusters) -> dict[str, ReadingTime]:
    unordered = times_by_group(rows, by)
    groups = {name: unordered[name] for name in sorted(unordered, key=_first_all)}
    patients = {name: [int(clusters.by_study[row.study]) for row in group] for name, group in groups.items()}
    times = {
        name: reading_time([row.seconds for row in group], np.array(patients[name], dtype=np.intp))
        for name, group in groups.items()
    }
    return withhold_small_times(times, {name: set(of) for name, of in patients.items()}, ALL, clusters.unit)


def _in_order(name: str) -> tuple[str, int]:
    """Order Reader 2 before Reader 10."""
    text, _, number = name.rpartition(" ")
    return (text, int(number)) if number.isascii() and number.isdigit() else (name, 0)


def _first_all(name: str) -> tuple[bool, tuple[str, int]]:
    return name != ALL, _in_order(name)


def _rows(by: str, name: str, group: Concordance) -> list[dict[str, object]]:
    beside = {"reader_only": group.disagreement_p, "toward": group.change_p}
    numbers = {number: (getattr(group, number), beside.get(number)) for number in NUMBERS}
    for number in ACCURACY:
        if (rate := getattr(group, number)) is not None:
            numbers |= {f"{number}_{when}": (getattr(rate, when), None) for when in ("before", "after")}
            numbers[f"{number}_difference"] = (rate.difference, rate.p_value)
    head = {"notice": NOTICE, by: name, "opinions": group.opinions, "patients": group.patients}
    return [
        head | {"number": number} | estimate.columns() | {"p_value": p_value}
        for number, (estimate, p_value) in numbers.items()
    ]


def read_reference(data: bytes, title: str = "The table") -> dict[tuple[str, str], bool]:
    """Return whether each finding is present, by SHA-256 or accession number of the image and label.

    Args:
        data: a CSV table in UTF-8 with the columns ``image``, ``label`` and ``present``, which is 1 or 0; further
            columns are not used.
        title: what messages call it. They quote nothing of its content.

    Raises:
        WrongArguments: it is no such table, or contradicts itself.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        absent = [name for name in ("image", "label", "present") if name not in (reader.fieldnames or ())]
        rows = [] if absent else list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongArguments(f"{title}: it cannot be read as CSV in UTF-8.") from error
    if absent:
        raise WrongArguments(
            f"{title}, line 1: the columns image, label and present are needed; {', '.join(absent)} missing."
        )
    known: dict[tuple[str, str], bool] = {}
    for number, row in enumerate(rows, 2):
        image, label, present = ((row[name] or "").strip() for name in ("image", "label", "present"))
        if not image or not label or present not in ("0", "1"):
            raise WrongArguments(f"{title}, line {number}: image, label and present (1 or 0) are needed.")
        if known.setdefault((image, label), present == "1") != (present == "1"):
            raise WrongArguments(f"{title}, line {number}: the same image and label with another answer.")
    return known
