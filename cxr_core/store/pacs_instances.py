"""Received instances: one row and one file for each SOP Instance UID, and an alarm for another image under the same.

A PACS keeps the first object of a UID and drops any other without a word; here the other one is kept out as well, and
said so. Bytes are compared without the File Meta Information, which each sender writes itself, and where they differ,
what they say (:mod:`.pacs_comparison`). Before an instance is confirmed that is here already, its file is read and its
digest compared: a damaged or missing one is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from ..errors import InputRefused, PathUnusable
from ..files import cannot_write
from ..settings import settings
from .database import transaction
from .pacs_alarms import AlarmStore, add_alarm
from .pacs_comparison import same_image
from .pacs_files import arriving_file, instance_path, is_whole, load_checked, name_file, pacs_lock
from .pacs_header import dataset_sha256, read_instance_header
from .pacs_patients import is_another_patient, number_patient, number_patients
from .pacs_records import AlarmKind, Receipt, StoredInstance
from .stored_studies import utc_now

__all__ = ["InstanceStore", "stored_instance"]

_COLUMNS = (
    "sop_instance_uid, study_uid, series_uid, sop_class, transfer_syntax, modality, body_part, station_name, "
    "patient_key, is_result, sha256, dataset_sha256, bytes, source, received, planned, is_prior"
)
_OF_INSTANCES = "FROM pacs_instances WHERE deleted = 0"
_INSTANCES = f"SELECT {_COLUMNS} {_OF_INSTANCES}"
_INSERT = (
    "INSERT INTO pacs_instances (sop_instance_uid, study_uid, series_uid, sop_class, transfer_syntax, modality, "
    "body_part, station_name, patient_key, is_result, sha256, dataset_sha256, bytes, source, received, planned, "
    "is_prior, patient_number, states_issuer, deleted) VALUES (:sop_instance_uid, :study_uid, :series_uid, :sop_class, "
    ":transfer_syntax, :modality, :body_part, :station_name, :patient_key, :is_result, :sha256, :dataset_sha256, "
    ":bytes, :source, :received, NULL, :is_prior, :number, :states_issuer, 0)"
)
_REPLACED = "UPDATE pacs_instances SET sha256 = :sha256, bytes = :bytes WHERE sop_instance_uid = :sop_instance_uid"
_MADE_CURRENT = (
    "UPDATE pacs_instances SET is_prior = 0, source = :source, received = :now WHERE sop_instance_uid = :uid "
    "AND is_prior = 1 AND deleted = 0"
)
_AWAITED = (
    "INSERT INTO pacs_awaited_priors (sop_instance_uid, asked, retrieval) VALUES (:uid, :now, 'running') "
    "ON CONFLICT (sop_instance_uid) DO UPDATE SET asked = :now, retrieval = 'repeated'"
)
"""``retrieval`` is ``running`` while a prior is asked for, ``interrupted`` after that was, and ``repeated`` while it is
asked for again.

The PACS may still send images of the earlier retrieval when the later one has ended.
"""
_INTERRUPTED = text("UPDATE pacs_awaited_priors SET retrieval = 'interrupted' WHERE sop_instance_uid = :uid")
_RECEIVED = (
    "DELETE FROM pacs_awaited_priors WHERE sop_instance_uid = :uid AND retrieval = 'running'",
    "UPDATE pacs_awaited_priors SET retrieval = 'interrupted' WHERE sop_instance_uid = :uid AND retrieval = 'repeated'",
)
_LONGEST_RETRIEVAL = timedelta(hours=1)
"""After which a prior that was asked for is awaited no more: whoever asked was killed, or the retrieval interrupted."""

_CHOSEN = (
    "(:study_uid = '' OR study_uid = :study_uid) AND (:patient_key = '' OR patient_key = :patient_key) "
    "AND (:since = '' OR received >= :since) AND (:any_class = 1 OR sop_class IN :sop_classes) "
    "AND (:results = 1 OR is_result = 0)"
)


class InstanceStore(AlarmStore):
    """Instances of one database and folder. Safe for several threads and for several programs at once."""

    def add_instance(self, data: bytes, source: str, *, is_prior: bool = False) -> Receipt:
        """Store a received file; when this returns, file and row are on the disk.

        Args:
            data: the whole DICOM file.
            source: where it came from, as in :class:`.pacs_records.StoredInstance`.
            is_prior: whether it came as a prior alone. One that comes for itself later is a prior no more, and rules
                are applied to it; one that came for itself first never becomes a prior.

        Raises:
            InputRefused: it is no DICOM file, lacks a UID, or is larger than ``max_file_mb``.
            PathUnusable: it cannot be written, or more than ``pacs_keep_gb`` would be stored.
        """
        if len(data) > settings().max_file_mb * 10**6:
            raise InputRefused(f"A file of {len(data) / 1e6:.0f} MB: more than SECOND_READ_MAX_FILE_MB allows.")
        header, dataset = read_instance_header(data), dataset_sha256(data)
        made = StoredInstance(
            **asdict(header), sha256=hashlib.sha256(data).hexdigest(), dataset_sha256=dataset, bytes=len(data),
            source=source, received=utc_now(), is_prior=is_prior,
        )  # fmt: skip
        known = self.instance(header.sop_instance_uid)
        if known is not None and known.dataset_sha256 != dataset:
            return self._other_data_set(known, made, data)
        confirmed = None if known is None else self._confirmed(known, source, is_prior)
        if confirmed is not None:
            return Receipt("confirmed", confirmed)
        return self._stored(data, made)

    def confirm(self, sop_instance_uid: str, source: str, *, is_prior: bool = False) -> bool:
        """Return whether an instance is here with its whole file, so that it need not be sent.

        If so, it is as if it had been sent: see :meth:`add_instance`.
        """
        known = self.instance(sop_instance_uid)
        return known is not None and self._confirmed(known, source, is_prior) is not None

    def _confirmed(self, known: StoredInstance, source: str, is_prior: bool) -> StoredInstance | None:
        """Return an instance that came again; None where its file is missing or damaged, or it was deleted."""
        if not is_whole(instance_path(known.sha256), known.sha256):
            return None
        if is_prior or not known.is_prior:
            return known
        with transaction(self._engine, writing=True) as connection:
            return _made_current(connection, known.sop_instance_uid, source)

    def _stored(self, data: bytes, made: StoredInstance) -> Receipt:
        with (
            arriving_file(data, made.sha256) as (part, path),
            pacs_lock(),
            # in the order of who plans jobs: with a row that is marked, its jobs are deleted
            transaction(self._engine, writing=True, lock="pacs_jobs, pacs_instances") as connection,
        ):
            # what is marked is deleted here instead, with all that is known of it
            connection.execute(
                text("DELETE FROM pacs_instances WHERE sop_instance_uid = :uid AND deleted = 1"),
                {"uid": made.sop_instance_uid},
            )
            known = _instance(connection, made.sop_instance_uid)
            if known is None:
                _check_room(connection, len(data))
                _name(part, path)
                flags = {"is_result": int(made.is_result), "is_prior": int(made.is_prior)}
                patient = number_patient(connection, made, data)
                connection.execute(text(_INSERT), asdict(made) | flags | patient._asdict())
                return Receipt("stored", made)
            if known.dataset_sha256 == made.dataset_sha256:
                if not is_whole(instance_path(known.sha256), known.sha256):
                    # its file is the one that came now, whose File Meta Information may be another one
                    _name(part, path)
                    connection.execute(text(_REPLACED), asdict(made))
                    number_patients(connection, made.study_uid)
                if not made.is_prior:
                    _made_current(connection, made.sop_instance_uid, made.source)
                return Receipt("confirmed", _instance(connection, made.sop_instance_uid) or known)
        return self._other_data_set(known, made, data)

    def _other_data_set(self, known: StoredInstance, made: StoredInstance, data: bytes) -> Receipt:
        """Confirm an image that is here in another transfer syntax; keep out any other one, with an alarm."""
        try:
            here = load_checked(instance_path(known.sha256), known.sha256)
        except PathUnusable:
            here = None
        if here is not None and same_image(here, data):
            confirmed = self._confirmed(known, made.source, made.is_prior)
            return self._stored(data, made) if confirmed is None else Receipt("confirmed", confirmed)
        with transaction(self._engine, writing=True) as connection:
            kind: AlarmKind = "patient" if is_another_patient(connection, known, here, made, data) else "image"
            add_alarm(connection, known, kind, made.dataset_sha256, len(data), made.source)
        return Receipt("conflict", known)

    @contextmanager
    def awaiting_priors(self, sop_instance_uids: Collection[str]) -> Iterator[None]:
        """Have instances that are received while the block runs be priors, by :meth:`is_awaited_prior`.

        For a PACS that is asked to send them to the receiver, which is another process. Where the block raises, the
        PACS may go on sending: what it then says to send for this program is a prior, and anything else is none.
        """
        now = datetime.now(UTC)
        long_ago = (now - _LONGEST_RETRIEVAL).isoformat(timespec="milliseconds")
        uids = [{"uid": uid, "now": now.isoformat(timespec="milliseconds")} for uid in sorted(set(sop_instance_uids))]
        with transaction(self._engine, writing=True) as connection:
            # of programs that were killed
            connection.execute(text("DELETE FROM pacs_awaited_priors WHERE asked < :long_ago"), {"long_ago": long_ago})
            connection.execute(text(_AWAITED), uids)
        try:
            yield
        except BaseException:
            with transaction(self._engine, writing=True) as connection:
                connection.execute(_INTERRUPTED, uids)
            raise
        with transaction(self._engine, writing=True) as connection:
            for statement in _RECEIVED:
                connection.execute(text(statement), uids)

    def await_no_priors(self, sop_instance_uids: Collection[str]) -> None:
        """Have instances that are received from now on be no priors, whatever was asked for before."""
        uids = [{"uid": uid} for uid in sorted(set(sop_instance_uids))]
        with transaction(self._engine, writing=True) as connection:
            connection.execute(text("DELETE FROM pacs_awaited_priors WHERE sop_instance_uid = :uid"), uids)

    def is_awaited_prior(self, sop_instance_uid: str, *, sent_for_us: bool = False) -> bool:
        """Return whether a PACS is being asked for an instance as a prior.

        Args:
            sop_instance_uid: of the instance.
            sent_for_us: whether the PACS says to send it since this program has asked for it. If so, it may also have
                been asked for lately, by a retrieval that was interrupted.
        """
        since = (datetime.now(UTC) - _LONGEST_RETRIEVAL).isoformat(timespec="milliseconds")
        query = text(
            "SELECT 1 FROM pacs_awaited_priors WHERE sop_instance_uid = :uid AND asked >= :since "
            "AND (retrieval <> 'interrupted' OR :sent_for_us = 1)"
        )
        values = {"uid": sop_instance_uid, "since": since, "sent_for_us": int(sent_for_us)}
        with transaction(self._engine) as connection:
            return connection.execute(query, values).first() is not None

    def instance(self, sop_instance_uid: str) -> StoredInstance | None:
        """Return an instance, or None where it is not here."""
        with transaction(self._engine) as connection:
            return _instance(connection, sop_instance_uid)

    def instances(
        self,
        *,
        study_uid: str = "",
        patient_key: str = "",
        since: str = "",
        sop_classes: Collection[str] = (),
        results: bool = True,
        limit: int = 1000,
    ) -> tuple[StoredInstance, ...]:
        """Return instances, the last received first; each argument that is not empty leaves out the others.

        Args:
            study_uid: Study Instance UID.
            patient_key: as :func:`.pacs_header.patient_key` returns it.
            since: beginning of a time in UTC.
            sop_classes: SOP Class UIDs.
            results: whether results of our own are returned, too.
            limit: largest number of instances.
        """
        values = {
            "study_uid": study_uid, "patient_key": patient_key, "since": since, "limit": limit, "results": int(results),
            "any_class": int(not sop_classes), "sop_classes": list(sop_classes) or [""],
        }  # fmt: skip
        query = text(f"{_INSTANCES} AND {_CHOSEN} ORDER BY received DESC, sop_instance_uid LIMIT :limit").bindparams(
            bindparam("sop_classes", expanding=True)
        )
        with transaction(self._engine) as connection:
            return tuple(map(stored_instance, connection.execute(query, values)))

    def unplanned(self, limit: int = 100) -> tuple[StoredInstance, ...]:
        """Return instances that rules are to be applied to, the first received first; no results of ours, no priors."""
        query = text(
            f"{_INSTANCES} AND planned IS NULL AND is_result = 0 AND is_prior = 0 "
            "ORDER BY received, sop_instance_uid LIMIT :limit"
        )
        with transaction(self._engine) as connection:
            return tuple(map(stored_instance, connection.execute(query, {"limit": limit})))

    def count_unplanned(self) -> int:
        """Return the number of instances that rules are to be applied to."""
        query = text(
            "SELECT COUNT(*) FROM pacs_instances "
            "WHERE deleted = 0 AND planned IS NULL AND is_result = 0 AND is_prior = 0"
        )
        with transaction(self._engine) as connection:
            return int(connection.scalar(query) or 0)

    def load_instance(self, sop_instance_uid: str) -> bytes:
        """Return the file of an instance; raises PathUnusable where it is not here, was changed, or stays encrypted."""
        known = self.instance(sop_instance_uid)
        if known is None:
            raise PathUnusable("The received image was deleted.")
        return load_checked(instance_path(known.sha256), known.sha256)


def stored_instance(row: Row[Any]) -> StoredInstance:
    """Return the instance of a row with all columns of a header and of what is stored."""
    flags = {"is_result": bool(row.is_result), "is_prior": bool(row.is_prior)}
    return StoredInstance(**dict(row._mapping) | flags)


def _instance(connection: Connection, sop_instance_uid: str) -> StoredInstance | None:
    query = text(f"{_INSTANCES} AND sop_instance_uid = :uid")
    row = connection.execute(query, {"uid": sop_instance_uid}).first()
    return None if row is None else stored_instance(row)


def _made_current(connection: Connection, uid: str, source: str) -> StoredInstance | None:
    """Have an instance that may be a prior be one no more, and return it; None where it was deleted."""
    connection.execute(text(_MADE_CURRENT), {"uid": uid, "source": source, "now": utc_now()})
    return _instance(connection, uid)


def _name(part: Path, path: Path) -> None:
    """Give a file its name before its row holds, so that no row is without one; a kill leaves a file alone."""
    try:
        name_file(part, path)
    except OSError as error:
        raise cannot_write("Received image", error) from error


def _check_room(connection: Connection, size: int) -> None:
    used = connection.execute(text("SELECT COALESCE(SUM(bytes), 0) FROM pacs_instances")).scalar_one()
    if used + size > settings().pacs_keep_gb * 1e9:
        raise PathUnusable(
            f"More than {settings().pacs_keep_gb:g} GB of received images would be stored. Raise "
            "SECOND_READ_PACS_KEEP_GB, or keep them for fewer days (SECOND_READ_PACS_KEEP_DAYS)."
        )
