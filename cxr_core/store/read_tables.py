"""Stored reads and opinions in bulk, for concordance and monitoring: what the model stated, and what readers said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import text

from ..errors import StoreDamaged
from ..studies import StudyHeader
from .database import DAMAGED, transaction
from .identities import opened_identity
from .read_record import OpinionValue, first_opinion
from .reads import ReadStore
from .sealing import open_text

__all__ = [
    "OpinionRow",
    "ReadRow",
    "TimeRow",
    "images_of_studies",
    "opinion_rows",
    "read_rows",
    "state_of_store",
    "stored_models",
    "stored_months",
    "time_rows",
]

_OF_IMAGES = (
    "FROM reads JOIN images ON images.study = reads.study AND images.digest = reads.image AND images.deleted = 0"
)
_CHOSEN = (
    "(:since = '' OR reads.created >= :since) AND (:until = '' OR reads.created < :until) "
    "AND (:model = '' OR reads.model_sha256 = :model)"
)
_IS_FIRST = (
    "NOT EXISTS (SELECT 1 FROM reads AS earlier WHERE earlier.study = reads.study AND earlier.image = reads.image "
    "AND earlier.reader = reads.reader AND earlier.model_sha256 = reads.model_sha256 "
    "AND earlier.number < reads.number)"
)
_SECONDS = (
    "(SELECT SUM(seconds) FROM reads AS shown WHERE shown.study = reads.study AND shown.image = reads.image "
    "AND shown.reader = reads.reader AND shown.model_sha256 = reads.model_sha256) AS seconds"
)
_FIRST_READS = f"{_OF_IMAGES} WHERE {_CHOSEN} AND {_IS_FIRST} ORDER BY reads.created, reads.id"
_READS = (
    "SELECT reads.id, reads.study, reads.image, reads.reader, reads.created, reads.model_id, reads.model_sha256, "
    f"reads.quality, reads.record, reads.answer_seconds, images.identity {_FIRST_READS}"
)
_TIMES = f"SELECT reads.study, reads.image, reads.reader, reads.created, images.identity, {_SECONDS} {_FIRST_READS}"
_HIDDEN = (
    "SELECT study, image, reader FROM reads GROUP BY study, image, reader HAVING COUNT(revealed) = 0 "
    "AND MAX(CASE WHEN EXISTS (SELECT 1 FROM read_findings WHERE read_id = reads.id) THEN 1 ELSE 0 END) = 1"
)
_OF_OPINIONS = (
    "FROM opinions JOIN reads ON reads.id = opinions.read_id "
    "JOIN images ON images.study = reads.study AND images.digest = reads.image AND images.deleted = 0 "
    "JOIN read_findings ON read_findings.read_id = opinions.read_id AND read_findings.label = opinions.label"
)
_OPINIONS = (
    "SELECT opinions.study, opinions.image, opinions.reader, opinions.label, opinions.opinion, opinions.revealed, "
    f"read_findings.state, reads.created, reads.model_sha256 {_OF_OPINIONS} "
    "ORDER BY opinions.study, opinions.image, opinions.label, opinions.reader, opinions.number"
)
_IMAGES = "SELECT study, digest, identity FROM images WHERE deleted = 0"


_MODELS = (
    "SELECT model_sha256, MAX(model_id) AS model_id "
    f"{_OF_IMAGES} GROUP BY model_sha256 ORDER BY MAX(reads.created) DESC"
)
_MONTHS = f"SELECT DISTINCT SUBSTR(reads.created, 1, 7) AS month {_OF_IMAGES} ORDER BY month DESC"
_STATE = (
    "SELECT (SELECT COUNT(*) FROM reads), (SELECT MAX(created) FROM reads), (SELECT COUNT(revealed) FROM reads), "
    "(SELECT SUM(seconds) FROM reads), (SELECT COUNT(*) FROM opinions), (SELECT MAX(created) FROM opinions), "
    "(SELECT COUNT(*) FROM images WHERE deleted = 0)"
)


@dataclass(frozen=True)
class ReadRow:
    """One read of one image, with its findings.

    Attributes:
        study, image: the study's id and the image's digest.
        reader: who read.
        created: when the model had read the image, UTC, ISO 8601.
        model_id, model_sha256: the model.
        quality: the gate's verdict.
        view: as the gate names it; empty where unknown.
        findings: score and state of each label; empty where the image was refused.
        header: study and patient; None unless identity is stored.
        reasons: why the image was refused, and its warnings.
        distance: from the training images (familiarity); None where it was not measured or not stored.
        answer_seconds: from when the whole file was on the server to its reading; None where not known.
    """

    study: str
    image: str
    reader: str = field(repr=False)
    created: str
    model_id: str
    model_sha256: str
    quality: str
    view: str
    findings: dict[str, tuple[float, str]]
    header: StudyHeader | None = field(default=None, repr=False)
    reasons: tuple[str, ...] = ()
    distance: float | None = None
    answer_seconds: float | None = None


@dataclass(frozen=True)
class TimeRow:
    """The time of one read of one image.

    Attributes:
        study, image, reader, created, header: as in :class:`ReadRow`.
        seconds: for how long the image was on the reader's screen, whatever was shown of this model's findings: with
            another operating point, say, they are stored again, and the time goes to what is on the screen.
        shown: whether the findings were shown to the reader; True as well for a refused image, which has none.
    """

    study: str
    image: str
    reader: str = field(repr=False)
    created: str
    seconds: float
    header: StudyHeader | None = field(default=None, repr=False)
    shown: bool = True


@dataclass(frozen=True)
class OpinionRow:
    """The opinions of one reader on one finding of one image, and the model's state.

    Attributes:
        study, image, reader, label: of the finding.
        created: as in :class:`ReadRow`, of the read that the first opinion is of; of that of the earliest one where
            there is no first.
        state: of the finding in this read.
        first: first opinion, as in :func:`.read_record.first_opinion`; empty where the reader saw the findings before
            any.
        final: last opinion once the findings were shown, which is ``first`` where it was not changed.
        shown: state of the finding in the read that the last opinion is of; another one than ``state`` where, say,
            another operating point was chosen between.
        header: as in :class:`ReadRow`.
    """

    study: str
    image: str
    reader: str = field(repr=False)
    label: str
    created: str
    state: str
    first: OpinionValue | str
    final: OpinionValue | str
    shown: str
    header: StudyHeader | None = field(default=None, repr=False)


def read_rows(
    store: ReadStore,
    *,
    since: str = "",
    until: str = "",
    model_sha256: str = "",
    report: Callable[[int, int], None] = lambda done, reads: None,
) -> Iterator[ReadRow]:
    """Yield the first read of each image by each reader, in order of time.

    Args:
        store: of the reads.
        since, until: beginnings of times in UTC, such as ``2026-11``; ``until`` is not included.
        model_sha256: of the model's weights; all models where it is empty.
        report: called with the reads done and their number.

    Raises:
        StoreDamaged: a record cannot be read.
    """
    with transaction(store._engine) as connection:
        rows = connection.execute(text(_READS), {"since": since, "until": until, "model": model_sha256}).fetchall()
    for done, row in enumerate(rows):
        report(done, len(rows))
        try:
            # without the checks of a reading that is shown: of thousands they would take minutes
            reading = json.loads(open_text(row.record, f"read {row.id}"))["reading"]
            findings = {one["label"]: (float(one["score"]), str(one["state"])) for one in reading["findings"]}
            view, reasons = str(reading["image"]["view"]), tuple(map(str, reading["quality"]["reasons"]))
            distance = None if reading.get("distance") is None else float(reading["distance"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(DAMAGED) from error
        _, _, header = opened_identity(row.study, row.image, row.identity)
        yield ReadRow(
            row.study, row.image, row.reader, row.created, row.model_id, row.model_sha256, row.quality,
            view, findings, header, reasons, distance, row.answer_seconds,
        )  # fmt: skip


def stored_models(store: ReadStore) -> dict[str, str]:
    """Return the id of each model that reads are of, by the SHA-256 of its weights; that of the last read first."""
    with transaction(store._engine) as connection:
        rows = connection.execute(text(_MODELS)).fetchall()
    return {row.model_sha256: row.model_id for row in rows}


def stored_months(store: ReadStore) -> tuple[str, ...]:
    """Return the months of which there are reads, such as ``2026-11``, UTC, the last one first."""
    with transaction(store._engine) as connection:
        return tuple(month for (month,) in connection.execute(text(_MONTHS)))


def state_of_store(store: ReadStore) -> tuple[object, ...]:
    """Return what is another one when reads or opinions were added, changed or deleted."""
    with transaction(store._engine) as connection:
        return tuple(connection.execute(text(_STATE)).one())


def time_rows(store: ReadStore, *, since: str = "", until: str = "", model_sha256: str = "") -> Iterator[TimeRow]:
    """Yield the time of the reads of :func:`read_rows`, which findings are not read for; the arguments are the same."""
    with transaction(store._engine) as connection:
        rows = connection.execute(text(_TIMES), {"since": since, "until": until, "model": model_sha256}).fetchall()
        hidden = {tuple(row) for row in connection.execute(text(_HIDDEN))}
    for row in rows:
        header = opened_identity(row.study, row.image, row.identity)[2]
        shown = (row.study, row.image, row.reader) not in hidden
        yield TimeRow(row.study, row.image, row.reader, row.created, row.seconds, header, shown)


def images_of_studies(store: ReadStore) -> list[tuple[str, str]]:
    """Return id of the study and digest of every stored image."""
    with transaction(store._engine) as connection:
        return [(row.study, row.digest) for row in connection.execute(text(_IMAGES))]


def opinion_rows(store: ReadStore, *, since: str = "", until: str = "", model_sha256: str = "") -> list[OpinionRow]:
    """Return the opinions of each reader on each finding that was shown to the reader, in order of the reads.

    Whatever was computed of the others would tell what is hidden from who gave the opinion.

    Args:
        store, since, until, model_sha256: as in :func:`read_rows`; time and model are those of the read that the first
            opinion is of.

    Returns:
        One row per study, image, reader and label. Comments are not read.
    """
    with transaction(store._engine) as connection:
        # all of them: which one is the first does not depend on the selection
        rows = connection.execute(text(_OPINIONS)).fetchall()
        hidden = {tuple(row) for row in connection.execute(text(_HIDDEN))}
        identities = {(row.study, row.digest): row.identity for row in connection.execute(text(_IMAGES))}
    headers: dict[tuple[str, str], StudyHeader | None] = {}
    opinions = []
    for (study, image, reader, label), group in groupby(rows, key=itemgetter(0, 1, 2, 3)):
        if (study, image, reader) in hidden:
            continue
        given: list[Any] = list(group)
        first = first_opinion(given)
        counted = first or given[0]
        if counted.created < since or (until and counted.created >= until):
            continue
        if model_sha256 and counted.model_sha256 != model_sha256:
            continue
        if (study, image) not in headers:
            # opened once, and not for every label
            headers[study, image] = opened_identity(study, image, identities.get((study, image)))[2]
        opinions.append(
            OpinionRow(
                study, image, reader, label, counted.created, counted.state, first.opinion if first else "",
                given[-1].opinion, given[-1].state, headers[study, image],
            )
        )  # fmt: skip
    return sorted(opinions, key=attrgetter("created", "study", "image", "label"))
