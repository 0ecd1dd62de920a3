"""Whose the instances of a study are: a study is of one patient, and one that has images of two is an alarm.

The patients of a study are numbered from 1 in the order in which their instances came. The number says nothing about a
patient, and is there whether a key is set or not: patients are distinguished by their keyed digests, and where these do
not decide, by what the files state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, text

from ..errors import InputRefused, PathUnusable
from .pacs_files import instance_path, load_checked
from .pacs_header import StatedPatient, read_patient
from .pacs_records import StoredInstance

__all__ = ["are_two_patients", "number_patient", "number_patients", "stated_patient"]

NOBODY = 0
"""Number of an instance that states no Patient ID, and of results of our own, which follow their image."""

_KNOWN = text(
    "SELECT patient_number, patient_key, MIN(sha256) AS sha256 FROM pacs_instances WHERE study_uid = :study "
    "AND deleted = 0 AND patient_number > 0 GROUP BY patient_number, patient_key ORDER BY patient_number"
)
_UNNUMBERED = text(
    "SELECT sop_instance_uid, patient_key, sha256, is_result FROM pacs_instances WHERE study_uid = :study "
    "AND deleted = 0 AND patient_number IS NULL ORDER BY received, sop_instance_uid"
)
_NUMBERED = text("UPDATE pacs_instances SET patient_number = :number WHERE sop_instance_uid = :uid")


def number_patients(connection: Connection, study_uid: str) -> None:
    """Number the patients of the instances of a study that have no number yet.

    Those are instances whose file, or that of another one, could not be read, and what an earlier version of this
    program received.
    """
    for row in connection.execute(_UNNUMBERED, {"study": study_uid}).all():
        number = _number(connection, study_uid, row, None)
        connection.execute(_NUMBERED, {"uid": row.sop_instance_uid, "number": number})


def number_patient(connection: Connection, made: StoredInstance, data: bytes) -> int | None:
    """Return the number of the patient of an instance that is to be stored; None where it cannot be known."""
    number_patients(connection, made.study_uid)
    return _number(connection, made.study_uid, made, data)


def are_two_patients(
    key: str, patient: StatedPatient | None, other_key: str, other: StatedPatient | None
) -> bool | None:
    """Return whether two instances are of two patients, by their keyed digests and by what their files state.

    Patients are None where a file cannot be read. The answer is None where nothing decides.
    """
    if key and key == other_key:
        return False
    if patient is not None and other is not None:
        return patient.differs_from(other)
    return True if key and other_key else None


def _number(
    connection: Connection, study_uid: str, instance: StoredInstance | Row[Any], data: bytes | None
) -> int | None:
    if instance.is_result:
        return NOBODY
    known = connection.execute(_KNOWN, {"study": study_uid}).all()
    if same := [row for row in known if row.patient_key and row.patient_key == instance.patient_key]:
        return int(same[0].patient_number)
    patient = stated_patient(instance.sha256) if data is None else read_patient(data)
    if patient is None or not patient.patient_id:
        return None if patient is None else NOBODY
    numbers = sorted({row.patient_number for row in known})
    for number in numbers:
        of_number = (row for row in known if row.patient_number == number)
        is_another = _is_another(instance.patient_key, patient, of_number)
        if not is_another:
            return None if is_another is None else int(number)
    return max(numbers, default=0) + 1


def _is_another(key: str, patient: StatedPatient, rows: Iterable[Row[Any]]) -> bool | None:
    answers = [are_two_patients(key, patient, row.patient_key, stated_patient(row.sha256)) for row in rows]
    return True if True in answers else None if None in answers else False


def stated_patient(sha256: str) -> StatedPatient | None:
    """Return whose a stored file is, or None where it cannot be read."""
    try:
        return read_patient(load_checked(instance_path(sha256), sha256))
    except (PathUnusable, InputRefused):
        return None
