"""The store of reads and opinions, beside the studies that they are of.

A read is what the model stated of one image, as the reader saw it. An opinion is what the reader said of one finding;
opinions are only added, and the database refuses to change one. Whether the findings had been shown before an opinion
is taken from the database, never from the browser.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text

from ..errors import PathUnusable, WrongArguments
from ..model import ModelCard, Reading
from .card_files import save_card
from .database import transaction
from .identities import opened_identity
from .read_record import (
    OPINIONS,
    Opinion,
    OpinionValue,
    ReadOptions,
    ReadSummary,
    StoredImage,
    StoredRead,
    decode_read,
    encode_read,
    is_same_read,
)
from .sealing import open_text, seal_text
from .stored_studies import StudyStore, new_id, utc_now

__all__ = ["ReadStore"]

_SUMMARY = (
    "reads.id, reads.study, reads.image, reads.reader, reads.created, reads.revealed, reads.seconds, reads.model_id, "
    "reads.model_sha256, reads.operating_point, reads.quality, images.identity"
)
_READS = "FROM reads JOIN images ON images.study = reads.study AND images.digest = reads.image AND images.deleted = 0"
_CHOSEN = (
    "(:reader = '' OR reads.reader = :reader) AND (:since = '' OR reads.created >= :since) "
    "AND (:until = '' OR reads.created < :until) AND (:model = '' OR reads.model_id = :model) "
    "AND (:study = '' OR reads.study = :study) AND ((:label = '' AND :state = '') OR EXISTS ("
    "SELECT 1 FROM read_findings WHERE read_id = reads.id AND (:label = '' OR label = :label) "
    "AND (:state = '' OR state = :state))) ORDER BY reads.created DESC, reads.id"
)
_OPINIONS = "SELECT label, reader, number, read_id, opinion, revealed, comment, created FROM opinions"
_LAST_OPINION = (
    f"{_OPINIONS} WHERE study = :study AND image = :image AND reader = :reader AND label = :label "
    "ORDER BY number DESC LIMIT 1"
)
_IS_REVEALED = (
    "SELECT COUNT(*) FROM reads WHERE study = :study AND image = :image AND reader = :reader AND revealed IS NOT NULL"
)


class ReadStore(StudyStore):
    """Reads and opinions, and the studies that they are of."""

    def save_read(
        self,
        image: StoredImage,
        reading: Reading,
        options: ReadOptions,
        model_version: str,
        *,
        revealed: bool,
        pixels: int | None = None,
        answer_seconds: float | None = None,
        card: ModelCard | None = None,
    ) -> str:
        """Store what is shown of an image and return its id.

        Nothing is stored where the reader's last read of the image shows the same; small changes that were tried since
        are added to that.

        Args:
            image: of the reader.
            reading: as it is shown.
            options: how the reader had the image read.
            model_version: of the card.
            revealed: whether the reader sees the findings. An image whose findings were shown once stays so.
            pixels: checksum of the pixels as they lie in the file, where it is known.
            answer_seconds: from when the whole file was on the server to its reading, waiting included; None where
                the image was read again, or the time is not known.
            card: of the model, stored beside the read; None where it is not known.

        Raises PathUnusable where it cannot be written, or the image was deleted.
        """
        record = encode_read(reading, options, model_version, pixels, "" if card is None else save_card(card))
        key = {"study": image.study, "image": image.digest, "reader": image.reader}
        with transaction(self._engine, writing=True, lock="reads") as connection:
            present = "SELECT 1 FROM images WHERE study = :study AND digest = :image AND deleted = 0"
            if connection.execute(text(present), key).first() is None:
                raise PathUnusable("The image was deleted.")
            last = connection.execute(
                text(
                    "SELECT id, revealed, record, number FROM reads WHERE study = :study AND image = :image "
                    "AND reader = :reader ORDER BY number DESC LIMIT 1"
                ),
                key,
            ).first()
            now = utc_now()
            if last is not None:
                stored = open_text(last.record, f"read {last.id}")
                if is_same_read(stored, record):
                    if len(reading.under_changes) > len(decode_read(stored)[0].under_changes):
                        connection.execute(
                            text("UPDATE reads SET record = :record WHERE id = :id"),
                            {"id": last.id, "record": seal_text(record, f"read {last.id}")},
                        )
                    if revealed and last.revealed is None:
                        self._reveal(connection, last.id, now)
                    return str(last.id)
            read = new_id()
            connection.execute(
                text(
                    "INSERT INTO reads (id, study, image, reader, number, created, revealed, seconds, model_id, "
                    "model_sha256, operating_point, quality, record, answer_seconds) VALUES (:id, :study, :image, "
                    ":reader, :number, :created, :revealed, 0, :model_id, :model_sha256, :operating_point, :quality, "
                    ":record, :answer_seconds)"
                ),
                key
                | {
                    "id": read,
                    "number": 0 if last is None else last.number + 1,
                    "created": now,
                    "revealed": now if revealed or (last is not None and last.revealed is not None) else None,
                    "model_id": reading.model_id,
                    "model_sha256": reading.model_sha256,
                    "operating_point": reading.operating_point,
                    "quality": reading.quality.status,
                    "record": seal_text(record, f"read {read}"),
                    "answer_seconds": answer_seconds,
                },
            )
            for finding in reading.findings:
                connection.execute(
                    text("INSERT INTO read_findings VALUES (:read, :label, :score, :probability, :threshold, :state)"),
                    {
                        "read": read,
                        "label": finding.label,
                        "score": finding.score,
                        "probability": finding.probability,
                        "threshold": finding.threshold,
                        "state": finding.state,
                    },
                )
        return read

    @staticmethod
    def _reveal(connection: Connection, read: str, now: str) -> None:
        connection.execute(
            text("UPDATE reads SET revealed = :now WHERE id = :id AND revealed IS NULL"), {"id": read, "now": now}
        )

    def add_seconds(self, read: str, seconds: float) -> None:
        """Add to the time for which the image was on the reader's screen."""
        with transaction(self._engine, writing=True) as connection:
            connection.execute(
                text("UPDATE reads SET seconds = seconds + :seconds WHERE id = :id"), {"id": read, "seconds": seconds}
            )

    def read(self, read: str) -> StoredRead:
        """Return a read by its id or the beginning of it; raises WrongArguments where that matches none or several."""
        with transaction(self._engine) as connection:
            rows = connection.execute(
                text(
                    f"SELECT {_SUMMARY}, reads.record {_READS} WHERE reads.id LIKE :beginning ORDER BY reads.id LIMIT 2"
                ),
                {"beginning": f"{read}%" if read.isalnum() else ""},
            ).fetchall()
        if len(rows) != 1:
            raise WrongArguments(f"Read {read[:40]!r}: {'several ids begin with this' if rows else 'no such read'}.")
        return self._stored(rows[0])

    def last_read(self, image: StoredImage) -> StoredRead | None:
        """Return the last read of an image by its reader, or None."""
        with transaction(self._engine) as connection:
            row = connection.execute(
                text(
                    f"SELECT {_SUMMARY}, reads.record {_READS} WHERE reads.study = :study AND reads.image = :image "
                    "AND reads.reader = :reader ORDER BY reads.number DESC LIMIT 1"
                ),
                {"study": image.study, "image": image.digest, "reader": image.reader},
            ).first()
        return None if row is None else self._stored(row)

    @staticmethod
    def _stored(row: Row[Any]) -> StoredRead:
        return StoredRead(_summary(row), *decode_read(open_text(row.record, f"read {row.id}")))

    def list_reads(
        self,
        *,
        reader: str = "",
        since: str = "",
        until: str = "",
        model: str = "",
        label: str = "",
        state: str = "",
        study: str = "",
    ) -> tuple[ReadSummary, ...]:
        """Return reads, newest first; each argument that is not empty leaves out the others.

        Args:
            reader: who read.
            since, until: beginnings of times in UTC, such as ``2026-11-24``; ``until`` is not included.
            model: id of the model.
            label: of a finding that the model has.
            state: of that finding, or of any finding where no label is given.
            study: id of the study.
        """
        values = {
            "reader": reader, "since": since, "until": until, "model": model, "label": label, "state": state,
            "study": study,
        }  # fmt: skip
        with transaction(self._engine) as connection:
            rows = connection.execute(text(f"SELECT {_SUMMARY} {_READS} WHERE {_CHOSEN}"), values).fetchall()
        return tuple(_summary(row) for row in rows)

    def add_opinion(self, read: str, reader: str, label: str, opinion: OpinionValue, comment: str = "") -> Opinion:
        """Add an opinion on a finding; when this returns, it is on the disk. Earlier opinions stay.

        What equals the reader's last opinion on the finding, in whatever process that was given, is not added again:
        the last one is returned.

        Args:
            read: id of the read that was or would be shown.
            reader: who says it.
            label: of a finding of the read.
            opinion: present, absent or uncertain.
            comment: free text.

        Raises:
            WrongArguments: there is no such read or finding, or no such opinion.
            PathUnusable: it cannot be written at the moment, or the image was removed from the worklist.
        """
        if opinion not in OPINIONS:
            raise WrongArguments(f"An opinion is one of {', '.join(OPINIONS)}.")
        with transaction(self._engine, writing=True, lock="opinions") as connection:
            row = connection.execute(
                text(
                    f"SELECT reads.study, reads.image, images.removed {_READS} "
                    "JOIN read_findings ON read_findings.read_id = reads.id "
                    "WHERE reads.id = :read AND read_findings.label = :label"
                ),
                {"read": read, "label": label},
            ).first()
            if row is None:
                raise WrongArguments("No such read, or it has no such finding.")
            if row.removed is not None:
                raise PathUnusable("The image was removed from the worklist.")
            key = {"study": row.study, "image": row.image, "reader": reader, "label": label}
            last = connection.execute(text(_LAST_OPINION), key).first()
            if last is not None and (last.opinion, _opened_comment(last)) == (opinion, comment):
                return _opinion(last)
            number = 0 if last is None else last.number + 1
            revealed = connection.execute(text(_IS_REVEALED), key).scalar_one() > 0
            made = Opinion(label, reader, number, read, opinion, revealed, comment, utc_now())
            connection.execute(
                text(
                    "INSERT INTO opinions VALUES (:study, :image, :label, :reader, :number, :read, :opinion, "
                    ":revealed, :comment, :created)"
                ),
                key
                | {
                    "number": number,
                    "read": read,
                    "opinion": opinion,
                    "revealed": int(made.revealed),
                    "comment": seal_text(comment, _comment(read, label)) if comment else None,
                    "created": made.created,
                },
            )
        return made

    def opinions(self, study: str, image: str) -> tuple[Opinion, ...]:
        """Return all opinions on an image of a study, by label and reader, the first opinion first."""
        with transaction(self._engine) as connection:
            rows = connection.execute(
                text(f"{_OPINIONS} WHERE study = :study AND image = :image ORDER BY label, reader, number"),
                {"study": study, "image": image},
            ).fetchall()
        return tuple(map(_opinion, rows))


def _summary(row: Row[Any]) -> ReadSummary:
    _, _, header = opened_identity(row.study, row.image, row.identity)
    columns = (
        row.id, row.study, row.image, row.reader, row.created, row.revealed, row.seconds, row.model_id,
        row.model_sha256, row.operating_point, row.quality,
    )  # fmt: skip
    return ReadSummary(*columns, header=header)


def _opinion(row: Row[Any]) -> Opinion:
    return Opinion(
        row.label, row.reader, row.number, row.read_id, row.opinion, bool(row.revealed), _opened_comment(row),
        row.created,
    )  # fmt: skip


def _opened_comment(row: Row[Any]) -> str:
    return open_text(row.comment, _comment(row.read_id, row.label)) if row.comment else ""


def _comment(read: str, label: str) -> str:
    return f"comment {read} {label}"
