"""Alarms of the DICOM network: images that were kept out, and studies that have images of two patients.

What was kept out is a row, until an administrator has acknowledged it or its instance is deleted. A study of two
patients is an alarm while images of two patients are here: it ends when those of the wrong one are deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from ..errors import WrongArguments
from ..settings import settings
from .database import DATABASE, open_migrated, transaction
from .pacs_records import Alarm, AlarmKind, SentResults, StoredInstance, StudyPatient
from .stored_studies import new_id, utc_now

__all__ = ["AlarmStore", "add_alarm"]

_ADDED = text(
    "INSERT INTO pacs_alarms (id, sop_instance_uid, dataset_sha256, bytes, source, created, last_seen, times, kind) "
    "VALUES (:id, :sop_instance_uid, :dataset_sha256, :bytes, :source, :now, :now, 1, :kind) "
    "ON CONFLICT (sop_instance_uid, dataset_sha256) DO UPDATE SET source = :source, last_seen = :now, "
    "kind = CASE WHEN pacs_alarms.kind = 'patient' THEN 'patient' ELSE :kind END, times = pacs_alarms.times + 1"
)
_KEPT_OUT = text(
    "SELECT pacs_alarms.id, pacs_alarms.sop_instance_uid, study_uid, pacs_alarms.dataset_sha256, pacs_alarms.bytes, "
    "pacs_alarms.source, pacs_alarms.created, last_seen, times, acknowledged, kind FROM pacs_alarms "
    "JOIN pacs_instances ON pacs_instances.sop_instance_uid = pacs_alarms.sop_instance_uid AND deleted = 0 "
    "WHERE (:all = 1 OR acknowledged IS NULL) AND (:study = '' OR study_uid = :study)"
)
_OF_FURTHER_PATIENTS = text(
    "SELECT study_uid, sop_instance_uid, dataset_sha256, bytes, source, received FROM pacs_instances AS further "
    "WHERE deleted = 0 AND patient_number > 1 AND (:study = '' OR study_uid = :study) "
    "AND EXISTS (SELECT 1 FROM pacs_instances AS other WHERE other.study_uid = further.study_uid "
    "AND other.deleted = 0 AND other.patient_number > 0 AND other.patient_number < further.patient_number) "
    "ORDER BY received DESC, sop_instance_uid"
)
_IMAGES = text(
    "SELECT sop_instance_uid, COALESCE(patient_number, 0) AS number, source, received FROM pacs_instances "
    "WHERE study_uid = :study AND deleted = 0 AND is_result = 0 ORDER BY received, sop_instance_uid"
)
_SENT = text(
    "SELECT DISTINCT pacs_jobs.sop_instance_uid AS image, destination, pacs_results.sop_instance_uid AS result, "
    "pacs_results.series_uid AS series, pacs_results.verified IS NOT NULL AS verified FROM pacs_results "
    "JOIN pacs_jobs ON pacs_jobs.id = pacs_results.job "
    "JOIN pacs_instances ON pacs_instances.sop_instance_uid = pacs_jobs.sop_instance_uid "
    "WHERE study_uid = :study AND deleted = 0 AND sent IS NOT NULL"
)
"""Two jobs of an image, such as for two destinations, may have the same result."""
_ACKNOWLEDGED = text("UPDATE pacs_alarms SET acknowledged = COALESCE(acknowledged, :now) WHERE id = :id")


class AlarmStore:
    """Alarms of one database.

    Args:
        url: of the database, as SQLAlchemy accepts it; by default the setting ``database_url``.
        runs: folder of runs, in which the database is by default.
    """

    def __init__(self, url: str | None = None, runs: Path | None = None) -> None:
        runs = runs or settings().runs
        self._engine: Engine = open_migrated(
            url or settings().database_url or f"sqlite:///{runs / DATABASE}", runs, self
        )

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def alarms(self, *, acknowledged: bool = False, study_uid: str = "") -> tuple[Alarm, ...]:
        """Return the alarms that no administrator has acknowledged, or all; the last one first.

        Args:
            acknowledged: whether those that were acknowledged are returned, too.
            study_uid: of the study whose alarms are returned; by default those of all.
        """
        with transaction(self._engine) as connection:
            kept_out = connection.execute(_KEPT_OUT, {"all": int(acknowledged), "study": study_uid})
            alarms = [*(Alarm(*row) for row in kept_out), *_studies_of_two_patients(connection, study_uid)]
        return tuple(sorted(alarms, key=lambda alarm: (alarm.last, alarm.id), reverse=True))

    def study_patients(self, study_uid: str) -> tuple[StudyPatient, ...]:
        """Return the patients of a study by number, with their images; those whose patient is not known come last."""
        with transaction(self._engine) as connection:
            images = connection.execute(_IMAGES, {"study": study_uid}).all()
            sent = connection.execute(_SENT, {"study": study_uid}).all()
        patients = []
        for number in sorted({row.number for row in images}, key=lambda number: (number == 0, number)):
            rows = [row for row in images if row.number == number]
            uids = tuple(row.sop_instance_uid for row in rows)
            sources = tuple(dict.fromkeys(row.source for row in rows))
            results = _by_destination(row for row in sent if row.image in uids)
            patients.append(StudyPatient(number, uids, sources, rows[0].received, results))
        return tuple(patients)

    def sent_results(self, study_uid: str, sop_instance_uid: str = "") -> tuple[SentResults, ...]:
        """Return which results of a study, or of one image of it, each destination was sent."""
        with transaction(self._engine) as connection:
            sent = connection.execute(_SENT, {"study": study_uid}).all()
        return _by_destination(row for row in sent if sop_instance_uid in ("", row.image))

    def acknowledge(self, alarm: str) -> None:
        """Note that an administrator has seen an alarm; raises WrongArguments where there is none of this id."""
        with transaction(self._engine, writing=True) as connection:
            if connection.execute(_ACKNOWLEDGED, {"id": alarm, "now": utc_now()}).rowcount == 0:
                raise WrongArguments("No such alarm.")


def add_alarm(
    connection: Connection, known: StoredInstance, kind: AlarmKind, dataset: str, size: int, source: str
) -> None:
    """Note that a data set was kept out.

    Args:
        connection: within a transaction that writes.
        known: the instance that is here under its UID.
        kind: ``image``, or ``patient`` where it is of another patient.
        dataset, size: SHA-256 of the data set, and bytes of its file.
        source: where it came from.
    """
    values = {
        "id": new_id(), "sop_instance_uid": known.sop_instance_uid, "dataset_sha256": dataset, "bytes": size,
        "source": source, "now": utc_now(), "kind": kind,
    }  # fmt: skip
    connection.execute(_ADDED, values)


def _by_destination(sent: Iterable[Row[Any]]) -> tuple[SentResults, ...]:
    verified: dict[str, dict[str, bool]] = {}
    series: dict[str, set[str]] = {}
    for row in sent:
        results = verified.setdefault(row.destination, {})
        results[row.result] = results.get(row.result, False) or bool(row.verified)
        series.setdefault(row.destination, set()).update([row.series] if row.series else [])
    return tuple(
        SentResults(name, len(results), sum(results.values()), tuple(sorted(series[name])))
        for name, results in sorted(verified.items())
    )


def _studies_of_two_patients(connection: Connection, study_uid: str) -> list[Alarm]:
    rows = connection.execute(_OF_FURTHER_PATIENTS, {"study": study_uid}).all()
    alarms = []
    for study in dict.fromkeys(row.study_uid for row in rows):
        instances = [row for row in rows if row.study_uid == study]
        last, first = instances[0], instances[-1]
        alarms.append(
            Alarm(
                study, last.sop_instance_uid, study, last.dataset_sha256, last.bytes, last.source,
                created=first.received, last=last.received, count=len(instances), acknowledged=None, kind="study",
            )
        )  # fmt: skip
    return alarms
