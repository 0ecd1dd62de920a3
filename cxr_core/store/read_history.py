"""Stored reads for the page History: which match a choice, and what a line of the table states of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import bindparam, text

from ..errors import StoreDamaged
from ..studies import StudyHeader
from .database import DAMAGED, transaction
from .identities import opened_identity
from .read_record import ReadSummary
from .reads import ReadStore
from .sealing import open_text

__all__ = [
    "Choices",
    "HistoryRow",
    "ReadChoice",
    "ReadKey",
    "hidden_images",
    "history_rows",
    "matching_reads",
    "present_choices",
    "stored_study",
]

_FROM = "FROM reads JOIN images ON images.study = reads.study AND images.digest = reads.image AND images.deleted = 0"
_HAS_FINDING = (
    "EXISTS (SELECT 1 FROM read_findings WHERE read_id = reads.id AND (:label = '' OR label = :label) "
    "AND (:state = '' OR state = :state))"
)
_AT_ONCE = 500
"""Reads of one query: databases limit the number of its parameters."""


@dataclass(frozen=True)
class ReadChoice:
    """Which reads are listed; what is empty leaves out none.

    Attributes:
        reader: who read.
        viewer: who looks. Findings of an image that this reader has and has not asked for yet are hidden, so that a
            choice by label or state leaves all reads of it out.
        since, until: times in UTC, ISO 8601; ``until`` is not included.
        model: id of the model.
        label: of a finding that the model has.
        state: of that finding, or of any finding where no label is given.
        study: id of the study.
        image: digest of the image.
        read: id of the read, in full.
    """

    reader: str = field(default="", repr=False)
    viewer: str = field(default="", repr=False)
    since: str = ""
    until: str = ""
    model: str = ""
    label: str = ""
    state: str = ""
    study: str = ""
    image: str = ""
    read: str = ""


class ReadKey(NamedTuple):
    """A read and its image."""

    read: str
    image: str


@dataclass(frozen=True, kw_only=True)
class HistoryRow(ReadSummary):
    """A line of the table of reads: a summary, without study and patient unless these were asked for.

    Attributes:
        view: as the gate names it; empty where unknown.
        model_version: of the card.
        prevalence: assumed prevalence by label, or None.
        states: state of each label, in the order of the card; empty where the image was refused.
        opinions: number of findings of the image that the reader gave an opinion of.
        name: of the file; empty unless identity is stored and was asked for.
        hidden: whether the findings are hidden from the viewer, who has the same image and has not asked for them.
    """

    view: str
    model_version: str
    prevalence: dict[str, float] | None
    states: dict[str, str]
    opinions: int
    name: str = field(default="", repr=False)
    hidden: bool = False

    @property
    def above(self) -> tuple[str, ...]:
        """Labels that are above their threshold."""
        return tuple(label for label, state in self.states.items() if state == "above")


@dataclass(frozen=True)
class Choices:
    """What the reads of a reader, or all, can be chosen by."""

    models: tuple[str, ...]
    labels: tuple[str, ...]
    readers: tuple[str, ...] = field(repr=False)


def matching_reads(store: ReadStore, choice: ReadChoice, words: str = "") -> list[ReadKey]:
    """Return the reads that match, newest first.

    Args:
        store: of the reads.
        choice: which.
        words: part of the patient's name or ID or of the accession number, as they are stored; upper and lower case
            are the same.
    """
    conditions = {
        "reader": "reads.reader = :reader",
        "since": "reads.created >= :since",
        "until": "reads.created < :until",
        "model": "reads.model_id = :model",
        "study": "reads.study = :study",
        "image": "reads.image = :image",
        "read": "reads.id = :read",
    }
    where = [condition for name, condition in conditions.items() if getattr(choice, name)]
    if choice.label or choice.state:
        where.append(_HAS_FINDING)
    columns = "reads.id, reads.image" + (", reads.study, images.identity" if words else "")
    query = f"SELECT {columns} {_FROM} WHERE {' AND '.join(where) or '1 = 1'} ORDER BY reads.created DESC, reads.id"
    used = {name: value for name, value in asdict(choice).items() if f":{name}" in query}
    with transaction(store._engine) as connection:
        rows = connection.execute(text(query), used).fetchall()
    if choice.label or choice.state:
        hidden = hidden_images(store, choice.viewer)
        rows = [row for row in rows if row.image not in hidden]
    if words:
        rows = [row for row in rows if _names(opened_identity(row.study, row.image, row.identity)[2], words.casefold())]
    return [ReadKey(row.id, row.image) for row in rows]


def hidden_images(store: ReadStore, viewer: str) -> frozenset[str]:
    """Return the digests of a reader's images whose findings this reader has not asked for, whoever read them too.

    An image that waits to be read is one of them; one that the gate refused, of which there are none, is not.
    """
    query = text(
        "SELECT images.digest, reads.id, reads.revealed, "
        "EXISTS (SELECT 1 FROM read_findings WHERE read_id = reads.id) AS has_findings "
        "FROM images JOIN studies ON studies.id = images.study "
        "LEFT JOIN reads ON reads.study = images.study AND reads.image = images.digest AND reads.reader = :viewer "
        "WHERE studies.reader = :viewer AND images.deleted = 0"
    )
    with transaction(store._engine) as connection:
        rows = connection.execute(query, {"viewer": viewer}).fetchall()
    shown = {row.digest for row in rows if row.revealed is not None}
    return frozenset(row.digest for row in rows if row.id is None or row.has_findings) - shown


def _names(header: StudyHeader | None, words: str) -> bool:
    if header is None:
        return False
    patient = header.patient
    return words in "\n".join((patient.name, patient.patient_id, header.accession_number)).casefold()


def history_rows(store: ReadStore, reads: Sequence[str], *, identity: bool, viewer: str = "") -> Iterator[HistoryRow]:
    """Yield the lines of reads in their order; those that were deleted since are left out.

    Args:
        store: of the reads.
        reads: their ids.
        identity: whether patient and study are read, where they are stored.
        viewer: who looks, as in :class:`ReadChoice`.

    Raises:
        StoreDamaged: a record cannot be read.
    """
    columns = (
        "reads.id, reads.study, reads.image, reads.reader, reads.created, reads.revealed, reads.seconds, "
        "reads.model_id, reads.model_sha256, reads.operating_point, reads.quality, reads.record, images.identity, "
        "(SELECT COUNT(DISTINCT label) FROM opinions WHERE opinions.study = reads.study "
        "AND opinions.image = reads.image AND opinions.reader = reads.reader) AS opinions"
    )
    query = text(f"SELECT {columns} {_FROM} WHERE reads.id IN :ids").bindparams(bindparam("ids", expanding=True))
    hidden = hidden_images(store, viewer)
    for start in range(0, len(reads), _AT_ONCE):
        ids = list(reads[start : start + _AT_ONCE])
        with transaction(store._engine) as connection:
            rows = {row.id: row for row in connection.execute(query, {"ids": ids})}
        for read in ids:
            if (row := rows.get(read)) is None:
                continue
            try:
                # without the checks of a reading that is shown: of thousands they would take minutes
                record = json.loads(open_text(row.record, f"read {row.id}"))
                reading = record["reading"]
                facts: dict[str, Any] = {
                    "view": str(reading["image"]["view"]),
                    "model_version": str(record["model_version"]),
                    "prevalence": reading["prevalence"],
                    "states": {finding["label"]: str(finding["state"]) for finding in reading["findings"]},
                }
            except (ValueError, KeyError, TypeError) as error:
                raise StoreDamaged(DAMAGED) from error
            name, _, header = opened_identity(row.study, row.image, row.identity if identity else None)
            yield HistoryRow(
                row.id, row.study, row.image, row.reader, row.created, row.revealed, row.seconds, row.model_id,
                row.model_sha256, row.operating_point, row.quality, header, opinions=row.opinions, name=name,
                hidden=row.image in hidden, **facts,
            )  # fmt: skip


def stored_study(store: ReadStore, reader: str, image: str) -> str:
    """Return the id of the study that a reader's image belongs to; empty where it is not stored."""
    query = text(
        "SELECT images.study FROM images JOIN studies ON studies.id = images.study "
        "WHERE studies.reader = :reader AND images.digest = :image AND images.deleted = 0"
    )
    with transaction(store._engine) as connection:
        return str(connection.execute(query, {"reader": reader, "image": image}).scalar() or "")


def present_choices(store: ReadStore, reader: str = "") -> Choices:
    """Return the models, labels and readers of the reads of a reader, or of all reads."""
    of_reader = "WHERE reads.reader = :reader" if reader else ""
    values = {"reader": reader} if reader else {}
    joined = f"JOIN read_findings ON read_findings.read_id = reads.id {of_reader}"

    def distinct(column: str, rest: str) -> tuple[str, ...]:
        query = text(f"SELECT DISTINCT {column} AS one {_FROM} {rest} ORDER BY one")
        return tuple(one for (one,) in connection.execute(query, values))

    with transaction(store._engine) as connection:
        return Choices(
            distinct("reads.model_id", of_reader),
            distinct("read_findings.label", joined),
            distinct("reads.reader", of_reader),
        )
