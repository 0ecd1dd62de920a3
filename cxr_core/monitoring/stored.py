"""Stored reads and opinions as the tables of concordance and monitoring."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from ..metrics import Opinions
from ..store.read_tables import OpinionRow, ReadRow, TimeRow
from ..studies import StudyHeader
from .clusters import Clusters, clusters_of
from .reads import SCORE
from .reference import UNFAMILIAR

__all__ = ["opinions_of_store", "reads_of_store", "reason_kind", "times_by_group"]

_DAYS_OF_A_YEAR, _LONGEST_REASON = 365.25, 90


def reads_of_store(
    rows: Iterable[ReadRow],
    thresholds: Mapping[str, float],
    familiar_within: float | None = None,
    clusters: Clusters | None = None,
) -> pd.DataFrame:
    """Return stored reads as a table of reads, as in :mod:`.reads`.

    Args:
        rows: of one model. An image that several people read, or that lies in several studies, counts once, by the
            first read.
        thresholds: of the evaluated labels, on the scale of the scores; those of the model's card. The states of the
            reads are not used: a reader may have chosen another operating point.
        familiar_within: largest distance of an image that is like the training images; that of the model's card.
        clusters: of the studies, by default of these rows; they are the patients of the table.

    Returns:
        The table. Age, sex and device are known where identity is stored.
        Distances from the training images and the time to the answer are those of reads since they are stored.
    """
    rows = list(rows)
    patients = (clusters or clusters_of(rows)).by_study
    seen: set[str] = set()
    columns: dict[str, list[object]] = {}
    for row in rows:
        if row.image in seen:
            continue
        seen.add(row.image)
        scores = {label: row.findings[label][0] for label in thresholds if label in row.findings}
        above = any(score >= thresholds[label] for label, score in scores.items())
        values: dict[str, object] = {
            "time": row.created,
            "patient": patients[row.study],
            "quality": row.quality,
            "view": row.view,
            "sex": "" if row.header is None else row.header.patient.sex,
            "age": _age(row.header),
            "distance": _or_nan(row.distance),
            "seconds": _or_nan(row.answer_seconds),
            "flagged": float(above) if scores else np.nan,
            UNFAMILIAR: _beyond(row.distance, familiar_within),
            "reasons": tuple(dict.fromkeys(map(reason_kind, row.reasons))),
            "device": "" if row.header is None else f"{row.header.manufacturer} {row.header.device}".strip(),
        }
        values |= {SCORE + label: scores.get(label, np.nan) for label in thresholds}
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    texts = ["time", "patient", "quality", "view", "sex", "reasons", "device"]
    numbers = ["age", "distance", "seconds", "flagged", UNFAMILIAR, *(SCORE + label for label in thresholds)]
    table = pd.DataFrame(columns, columns=[*texts, *numbers])
    return table.assign(
        time=pd.to_datetime(table["time"], utc=True, format="ISO8601"),
        **{name: table[name].astype(np.float64) for name in numbers},
    )


def reason_kind(reason: str) -> str:
    """Return what reasons of the gate have in common that differ in numbers and explanations.

    Examples:
        >>> reason_kind("not read: modality CT; radiographs (CR, DX) are accepted")
        'modality CT'
        >>> reason_kind("unlike the training images of the model: distance 1.80, beyond 1.56")
        'unlike the training images of the model'
    """
    kind = re.split(r"[:;(]", reason.removeprefix("not read: "), maxsplit=1)[0].strip()
    return re.sub(r"\d+(?:[.,]\d+)+|\d{4,}", "…", kind)[:_LONGEST_REASON]


def _beyond(distance: float | None, limit: float | None) -> float:
    return float("nan") if distance is None or limit is None else float(distance > limit)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def opinions_of_store(
    rows: Iterable[OpinionRow],
    reference: Mapping[tuple[str, str], bool] | None = None,
    clusters: Clusters | None = None,
) -> Opinions:
    """Return stored opinions as the argument of :func:`.metrics.concordance`.

    Args:
        rows: of any readers and models. Findings that were not evaluated are left out.
        reference: whether the finding is present, by digest or, where identity is stored, accession number of the
            image, and label; where it is known. That of the digest leads.
        clusters: of the studies, by default of these rows; they are the patients of the table.
    """
    evaluated = [row for row in rows if row.state != "not_evaluated"]
    reference = reference or {}
    patients = (clusters or clusters_of(evaluated)).by_study
    known = {True: "present", False: "absent", None: ""}

    def column(values: Iterable[str]) -> np.ndarray:
        return np.array(list(values), dtype=np.str_)

    return Opinions(
        patient=column(patients[row.study] for row in evaluated),
        reader=column(row.reader for row in evaluated),
        label=column(row.label for row in evaluated),
        month=column(row.created[:7] for row in evaluated),
        above=np.array([row.state == "above" for row in evaluated], dtype=bool),
        first=column(row.first for row in evaluated),
        final=column(row.final for row in evaluated),
        reference=column(known[_present(row, reference)] for row in evaluated),
        shown=column("" if row.shown == "not_evaluated" else row.shown for row in evaluated),
    )


def times_by_group(rows: Iterable[TimeRow], by: Literal["label", "reader", "month"]) -> dict[str, list[TimeRow]]:
    """Return the reads with a known time: all of them, and those of each reader or month; a read is of all labels.

    Args:
        rows: of any models. A time of 0 is unknown.
        by: what the groups are beside ``all``.
    """
    groups: dict[str, list[TimeRow]] = {}
    for row in rows:
        groups.setdefault("all", []).append(row)
        if by != "label":
            groups.setdefault(row.reader if by == "reader" else row.created[:7], []).append(row)
    return {name: [row for row in group if row.seconds] for name, group in groups.items()}


def _present(row: OpinionRow, reference: Mapping[tuple[str, str], bool]) -> bool | None:
    accession = "" if row.header is None else row.header.accession_number
    return reference.get((row.image, row.label), reference.get((accession, row.label)) if accession else None)


def _age(header: StudyHeader | None) -> float:
    if header is None or header.patient.birth_date is None or header.study_date is None:
        return float("nan")
    return float((header.study_date - header.patient.birth_date).days / _DAYS_OF_A_YEAR)
