"""Whose the instances of a study are: a study is of one patient, and one that has images of two is an alarm.

The patients of a study are numbered from 1 in the order in which their instances came. The number says nothing about a
patient, and is there whether a key is set or not: patients are distinguished by their keyed digests, and where these do
not decide, by what the files state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from ..errors import InputRefused, PathUnusable
from .pacs_files import instance_path, load_checked
from .pacs_header import StatedPatient, read_patient
from .pacs_records import StoredInstance

__all__ = ["NOBODY", "NumberedPatient", "is_another_patient", "number_patient", "number_patients"]

NOBODY = 0
"""Number of an instance that states no Patient ID, and of results of our own, which follow their image."""

_OF_STUDY = "FROM pacs_instances WHERE study_uid = :study AND deleted = 0"
_IS_OF_BEFORE = "(patient_number > 0 AND states_issuer IS NULL AND patient_key = '')"
"""Of an instance that an earlier version has numbered, which could take two issuers for one."""

_KNOWN = text(
    f"SELECT patient_number, patient_key, states_issuer {_OF_STUDY} AND patient_number > 0 AND NOT {_IS_OF_BEFORE} "
    "GROUP BY patient_number, patient_key, states_issuer ORDER BY patient_number"
)
"""Instances of one number state one Patient ID, and the same issuer or none. Those with and those without an issuer are
two rows: an instance is compared with both, since two issuers differ and a missing one differs from neither."""
_FILES = text(
    f"SELECT sha256 {_OF_STUDY} AND patient_number = :number AND patient_key = :key "
    "AND COALESCE(states_issuer, -1) = :states_issuer ORDER BY received, sop_instance_uid"
)
_NUMBER = text("SELECT patient_number FROM pacs_instances WHERE sop_instance_uid = :uid")
_UNNUMBERED = text(
    f"SELECT sop_instance_uid, patient_key, sha256, is_result {_OF_STUDY} "
    f"AND (patient_number IS NULL OR {_IS_OF_BEFORE}) ORDER BY received, sop_instance_uid"
)
_NUMBERED = text(
    "UPDATE pacs_instances SET patient_number = COALESCE(:number, patient_number), "
    "states_issuer = COALESCE(:states_issuer, states_issuer) WHERE sop_instance_uid = :uid"
)


class NumberedPatient(NamedTuple):
    """Which patient of its study an instance is of; None where that cannot be known.

    Attributes:
        number: of the patient; :data:`NOBODY` where none is stated.
        states_issuer: whether the instance states an Issuer of Patient ID.
    """

    number: int | None
    states_issuer: int | None


def number_patients(connection: Connection, study_uid: str) -> None:
    """Number the patients of the instances of a study that have no number yet.

    Those are instances whose file, or that of another one, could not be read, and what an earlier version of this
    program received. What an earlier version has numbered is numbered again; it keeps its number where its file cannot
    be read.
    """
    for row in connection.execute(_UNNUMBERED, {"study": study_uid}).all():
        patient = _numbered(connection, study_uid, row, None)
        connection.execute(_NUMBERED, {"uid": row.sop_instance_uid, **patient._asdict()})


def number_patient(connection: Connection, made: StoredInstance, data: bytes) -> NumberedPatient:
    """Return the patient of an instance that is to be stored."""
    number_patients(connection, made.study_uid)
    return _numbered(connection, made.study_uid, made, data)


def is_another_patient(
    connection: Connection, known: StoredInstance, here: bytes | None, made: StoredInstance, data: bytes
) -> bool:
    """Return whether a file under the UID of a stored instance is of another patient than that one.

    Another image of that patient may say so where the instance itself does not, or cannot be read.

    Args:
        connection: within a transaction.
        known: the stored instance.
        here: its file, or None where that cannot be read.
        made, data: header and content of the other file.
    """
    patient, other = read_patient(data), None if here is None else read_patient(here)
    if _are_two_patients(made.patient_key, patient, known.patient_key, other):
        return True
    number = connection.scalar(_NUMBER, {"uid": known.sop_instance_uid})
    same = [row for row in connection.execute(_KNOWN, {"study": known.study_uid}) if row.patient_number == number]
    others = ((row.patient_key, _stated_by(connection, known.study_uid, row)) for row in same)
    return _is_another(made.patient_key, patient, others) is True


def _are_two_patients(
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


def _numbered(
    connection: Connection, study_uid: str, instance: StoredInstance | Row[Any], data: bytes | None
) -> NumberedPatient:
    if instance.is_result:
        return NumberedPatient(NOBODY, None)
    known = connection.execute(_KNOWN, {"study": study_uid}).all()
    if same := [row for row in known if row.patient_key and row.patient_key == instance.patient_key]:
        return NumberedPatient(same[0].patient_number, same[0].states_issuer)
    patient = _stated_patient(instance.sha256) if data is None else read_patient(data)
    if patient is None:
        return NumberedPatient(None, None)
    states_issuer = int(bool(patient.issuer))
    if not patient.patient_id:
        return NumberedPatient(NOBODY, states_issuer)
    numbers = sorted({row.patient_number for row in known})
    for number in numbers:
        of_number = [row for row in known if row.patient_number == number]
        others = ((row.patient_key, _stated_by(connection, study_uid, row)) for row in of_number)
        is_another = _is_another(instance.patient_key, patient, others)
        if not is_another:
            return NumberedPatient(None if is_another is None else number, states_issuer)
    return NumberedPatient(max(numbers, default=NOBODY) + 1, states_issuer)


def _is_another(key: str, patient: StatedPatient, others: Iterable[tuple[str, StatedPatient | None]]) -> bool | None:
    answers = [_are_two_patients(key, patient, *other) for other in others]
    return True if True in answers else None if None in answers else False


def _stated_by(connection: Connection, study_uid: str, row: Row[Any]) -> StatedPatient | None:
    """Return the patient whom instances of a study state, by the first of their files that can be read; or None."""
    values = {
        "study": study_uid, "number": row.patient_number, "key": row.patient_key,
        "states_issuer": -1 if row.states_issuer is None else row.states_issuer,
    }  # fmt: skip
    with connection.execute(_FILES, values) as files:
        return next((patient for (sha256,) in files if (patient := _stated_patient(sha256)) is not None), None)


def _stated_patient(sha256: str) -> StatedPatient | None:
    """Return whose a stored file is, or None where it cannot be read."""
    try:
        return read_patient(load_checked(instance_path(sha256), sha256))
    except (PathUnusable, InputRefused):
        return None
