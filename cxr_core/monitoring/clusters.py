"""What statistics of stored reads are clustered by: patients where the store knows them, studies elsewhere.

Reads of one patient resemble one another, so intervals are by patient. Without a stored identity nothing tells which
studies are of one patient; but the reads of a study are one cluster, whoever read it and as often as it was stored: the
studies of two readers are the same study where they share an image, by its digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import pandas as pd

from ..studies import StudyHeader

__all__ = ["ClusterUnit", "Clusters", "clustered_table", "clusters_of", "in_units"]

ClusterUnit = Literal["patients", "studies", "patients or studies"]
"""What is drawn by resampling, as tables and figures name it."""

_ONE: dict[ClusterUnit, str] = {
    "patients": "patient",
    "studies": "study",
    "patients or studies": "patient or study",
}

_Node = tuple[str, ...]


class _Row(Protocol):
    @property
    def study(self) -> str: ...
    @property
    def image(self) -> str: ...
    @property
    def header(self) -> StudyHeader | None: ...


@dataclass(frozen=True)
class Clusters:
    """The cluster of each stored study.

    Attributes:
        by_study: name of the cluster by id of the study; it says nothing of the patient.
        unit: what a cluster is: ``patients or studies`` where the patient of some is known.
    """

    by_study: Mapping[str, str]
    unit: ClusterUnit

    @property
    def one(self) -> str:
        """The unit in the singular."""
        return _ONE[self.unit]


def clusters_of(rows: Iterable[_Row], images: Iterable[tuple[str, str]] = ()) -> Clusters:
    """Return the clusters of reads or opinions.

    Studies are one cluster where they have the same patient (Patient ID and its issuer), the same Study Instance UID,
    or an image with the same digest; and so are those that are linked by others.

    Args:
        rows: of the statistic.
        images: id of the study and digest of further images that may link studies, such as all that are stored.
    """
    parents: dict[_Node, _Node] = {}

    def root(node: _Node) -> _Node:
        parents.setdefault(node, node)
        while parents[node] != node:
            parents[node] = node = parents[parents[node]]
        return node

    for study, image in images:
        parents[root(("image", image))] = root(("study", study))
    patients: set[_Node] = set()
    studies = dict.fromkeys((row.study, row.image, row.header) for row in rows)
    for study, image, header in studies:
        parents[root(("image", image))] = root(("study", study))
        if header is None:
            continue
        if header.study_uid:
            parents[root(("uid", header.study_uid))] = root(("study", study))
        if header.patient.patient_id:
            patient = ("patient", header.patient.issuer, header.patient.patient_id)
            parents[root(patient)] = root(("study", study))
            patients.add(patient)
    numbers: dict[_Node, str] = {}
    by_study = {study: numbers.setdefault(root(("study", study)), str(len(numbers))) for study, _, _ in studies}
    known = {root(patient) for patient in patients}
    unit: ClusterUnit = "patients or studies"
    if known >= numbers.keys():
        unit = "patients"
    elif not known:
        unit = "studies"
    return Clusters(by_study, unit)


def in_units(text: str, unit: ClusterUnit) -> str:
    """Return a text about patients in the words of another unit.

    Examples:
        >>> in_units("too few cases (9 patients)", "studies"), in_units("Wilson, clustered by patient", "studies")
        ('too few cases (9 studies)', 'Wilson, clustered by study')
    """
    return re.sub(r"\bpatients?\b", lambda word: unit if word[0] == "patients" else _ONE[unit], text)


def clustered_table(frame: pd.DataFrame, clusters: Clusters) -> pd.DataFrame:
    """Return a table of estimates with what its counts of patients are of.

    Args:
        frame: with the columns of :meth:`.Estimate.columns`; counts that are withheld are missing.
        clusters: what counts as one patient.

    Returns:
        The table with ``clusters`` instead of ``patients`` in the names of columns, and ``clustered_by`` at the end.
    """
    counts = ("opinions", "clusters", "positives", "negatives", "positive_clusters", "negative_clusters")
    renamed = frame.rename(columns=lambda name: str(name).replace("patients", "clusters"))
    return renamed.astype({name: "Int64" for name in counts if name in renamed}).assign(clustered_by=clusters.unit)
