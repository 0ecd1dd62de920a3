"""Attributes of a received DICOM file: its UIDs, by what rules choose it, and whether it is a result of our own.

Nothing of it names a patient. A text that is no valid value of its kind is left out: names stand in wrong fields.

Source: PS3.10 7.1 (File Meta Information), PS3.5 6.2 (value representations CS, SH, UI), 7.1.2 (lengths of 32 bits)
and 9.1 (UIDs).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from ..errors import InputRefused
from ..imaging import read_attributes, shared_decoder
from ..imaging.elements import stated_text
from ..settings import settings
from .pacs_records import InstanceHeader

__all__ = [
    "MANUFACTURER",
    "RESULT_SERIES",
    "StatedPatient",
    "dataset_sha256",
    "patient_key",
    "read_instance_header",
    "read_patient",
]

MANUFACTURER = "Second Read"
"""Manufacturer of results."""

RESULT_SERIES = range(9101, 9106)
"""Series Numbers of results; with the manufacturer they say that an object is a result, and no image to be read."""

_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID")
_KEYWORDS = (
    *_UIDS, "SpecificCharacterSet", "Modality", "BodyPartExamined", "StationName", "Manufacturer", "SeriesNumber",
    "PatientID", "IssuerOfPatientID",
)  # fmt: skip

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_CODED = re.compile(r"[A-Z0-9 _]{1,16}")
_MOST_UID, _MOST_STATION = 64, 16

_PREAMBLE = 132
_LONG_LENGTHS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_TRANSFER_SYNTAX = 0x0010
_NO_FILE = "Not a DICOM file with File Meta Information (PS3.10). Send it as DICOM."


def read_instance_header(data: bytes) -> InstanceHeader:
    """Return the attributes of a DICOM file.

    Args:
        data: the whole file, with File Meta Information.

    Raises:
        InputRefused: it is no such file, or lacks a UID.
    """
    syntax, _ = _file_meta(data)
    elements = read_attributes(data, _KEYWORDS, shared_decoder())
    uids = [stated_text(elements, keyword) for keyword in _UIDS]
    for keyword, uid in zip(("TransferSyntaxUID", *_UIDS), (syntax, *uids), strict=True):
        if len(uid) > _MOST_UID or not _UID.fullmatch(uid):
            raise InputRefused(f"DICOM without a valid {keyword}: it cannot be stored.")
    instance, study, series, sop_class = uids
    return InstanceHeader(
        instance,
        study,
        series,
        sop_class,
        syntax,
        modality=_coded(elements, "Modality"),
        body_part=_coded(elements, "BodyPartExamined"),
        station_name=_station(elements),
        patient_key=patient_key(stated_text(elements, "PatientID"), stated_text(elements, "IssuerOfPatientID")),
        is_result=stated_text(elements, "Manufacturer") == MANUFACTURER and _series_number(elements) in RESULT_SERIES,
    )


@dataclass(frozen=True)
class StatedPatient:
    """Patient ID and its issuer, as a file states them."""

    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)

    def differs_from(self, other: StatedPatient) -> bool:
        """Return whether these are two patients: two IDs, or one ID of two issuers; what is not stated differs not."""
        ids, issuers = {self.patient_id, other.patient_id}, {self.issuer, other.issuer}
        return "" not in ids and (len(ids) == 2 or ("" not in issuers and len(issuers) == 2))


def read_patient(data: bytes) -> StatedPatient:
    """Return whose a DICOM file is; raises InputRefused where it cannot be read."""
    elements = read_attributes(data, ("SpecificCharacterSet", "PatientID", "IssuerOfPatientID"), shared_decoder())
    return StatedPatient(stated_text(elements, "PatientID"), stated_text(elements, "IssuerOfPatientID"))


def patient_key(patient_id: str, issuer: str = "") -> str:
    """Return the digest by which instances of one patient are found; empty without an ID, or without a key.

    A digest without a key would be the ID itself for whoever tries all of them.
    """
    key = settings().store_key
    if not patient_id or key is None:
        return ""
    return hmac.new(key, f"patient\0{issuer}\0{patient_id}".encode(), hashlib.sha256).hexdigest()


def dataset_sha256(data: bytes) -> str:
    """Return the hex SHA-256 of a file without its File Meta Information; raises InputRefused."""
    return hashlib.sha256(memoryview(data)[_file_meta(data)[1] :]).hexdigest()


def _file_meta(data: bytes) -> tuple[str, int]:
    """Return the Transfer Syntax UID, and the byte at which the data set begins."""
    if data[128:_PREAMBLE] != b"DICM":
        raise InputRefused(_NO_FILE)
    syntax, end = "", _PREAMBLE
    for number, start, stop in _file_meta_elements(data):
        end = stop
        if number == _TRANSFER_SYNTAX:
            syntax = data[start:stop].decode("ascii", "replace").rstrip(" \0")
    return syntax, end


def _file_meta_elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield element number, start and end of each value of group 0002, which is always explicit and little endian."""
    at = _PREAMBLE
    while data[at : at + 2] == b"\x02\0":
        vr = data[at + 4 : at + 6]
        if len(data) < at + 12:
            raise InputRefused(_NO_FILE)
        is_long = vr in _LONG_LENGTHS
        (length,) = struct.unpack_from("<I" if is_long else "<H", data, at + (8 if is_long else 6))
        start = at + (12 if is_long else 8)
        if start + length > len(data):
            raise InputRefused(_NO_FILE)
        yield int.from_bytes(data[at + 2 : at + 4], "little"), start, start + length
        at = start + length


def _coded(elements: Dataset, keyword: str) -> str:
    text = stated_text(elements, keyword).upper()
    return text if _CODED.fullmatch(text) else ""


def _station(elements: Dataset) -> str:
    text = stated_text(elements, "StationName").upper()
    return text if len(text) <= _MOST_STATION and text.isprintable() and "\\" not in text else ""


def _series_number(elements: Dataset) -> int:
    text = stated_text(elements, "SeriesNumber")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
