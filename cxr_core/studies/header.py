"""Patient and study attributes of a DICOM file, for the screen of the person who opened it.

This is the only module that reads a patient's identity. It reads the file again, apart from the image: a radiograph, a
reading and everything made from them (JSON, archives, heat maps, runs) never hold it; a PDF report is given it beside
the reading. No value here is part of a ``repr``, so that none reaches a log or a traceback.

Source: DICOM PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.3.1 (General Series), C.7.5.1 (General Equipment);
PS3.5 6.2 (value representations) and 6.2.1 (person names).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal, TypeVar

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from ..errors import InputRefused
from ..formatting import shown_name
from ..imaging import read_attributes, shared_decoder, sniff, view_of_header

T = TypeVar("T")

__all__ = ["NO_PATIENT", "Patient", "Sex", "StudyHeader", "read_study_header", "study_header"]

NO_PATIENT = "No patient data in this file"
"""What is shown in place of a patient."""

Sex = Literal["F", "M", "O", ""]

MAX_LETTERS = 120
"""Of a value that is shown; a long string (LO) has at most 64, a person's name 64 in each of three groups."""

_PLACEHOLDERS = frozenset(
    {
        *("anon", "anonym", "anonymous", "anonymized", "anonymised", "patient", "test"),
        *("na", "nn", "nil", "no", "none", "noid", "noname", "null", "unknown"),
    }
)
"""What files state as ID or name of a patient who is not named."""

_SEXES: dict[Sex, str] = {"F": "female", "M": "male", "O": "other", "": ""}

_STUDY = ("StudyInstanceUID", "SOPInstanceUID", "ViewPosition", "ViewCodeSequence")
_IDENTITY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "Manufacturer",
    "ManufacturerModelName",
)


@dataclass(frozen=True)
class Patient:
    """A patient as the file names them; empty where it says nothing.

    Attributes:
        name: ``Family, Given Middle``, with other scripts in parentheses.
        patient_id: Patient ID.
        issuer: Issuer of Patient ID.
        birth_date: date of birth, or None where it is missing or no date.
        sex: F, M, O or empty.
    """

    name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)
    sex: Sex = field(default="", repr=False)

    def __bool__(self) -> bool:
        """Whether the file names a patient."""
        return bool(self.name or self.patient_id)

    @property
    def id_text(self) -> str:
        """Return the patient ID with its issuer in parentheses; empty without one."""
        return self.patient_id + (f" ({self.issuer})" if self.patient_id and self.issuer else "")

    @property
    def sex_text(self) -> str:
        """Return the sex as a word; empty where it is not stated."""
        return _SEXES[self.sex]

    def age_text(self, when: date | None) -> str:
        """Return the completed years of age on a day, such as ``1 year``; empty where it is not known."""
        birth = self.birth_date
        if birth is None or when is None or when < birth:
            return ""
        years = when.year - birth.year - ((when.month, when.day) < (birth.month, birth.day))
        return f"{years} {'year' if years == 1 else 'years'}"

    def differs_from(self, other: Patient) -> bool:
        """Return whether these are two patients for all that the files say: ID, issuer, date of birth, sex or name.

        Names differ where they have no word in common: they are spelled in several ways, and change. The same ID and
        date of birth outweigh the name, which may be written in another script, or was not known yet.
        """
        ids = self.known_id, other.known_id
        if _differ(*ids) or _differ(self.birth_date, other.birth_date) or {self.sex, other.sex} == {"F", "M"}:
            return True
        if all(ids) and _differ(self.issuer, other.issuer):
            return True
        if all(ids) and self.birth_date is not None and other.birth_date is not None:
            return False
        names = self._words_of_name(), other._words_of_name()
        return all(names) and names[0].isdisjoint(names[1])

    def is_same_as(self, other: Patient) -> bool:
        """Return whether this is certainly one patient: the same ID or, where neither has one, name and date of birth.

        An ID is unique within its issuer (PS3.3 C.7.1.1): two issuers prove nothing, and nor does a placeholder.
        """
        return self.key is not None and self.key == other.key and not self.differs_from(other)

    @property
    def key(self) -> object:
        """Return what must be equal for two to be one patient: the ID, else name and date of birth; None without."""
        if self.known_id:
            return self.known_id
        return (self.name.casefold(), self.birth_date) if self.name and self.birth_date else None

    @property
    def known_id(self) -> str:
        """Return the patient ID; empty where it is a placeholder, such as 0 or ANON, which many patients have."""
        return "" if _is_placeholder(self.patient_id) else self.patient_id

    def _words_of_name(self) -> set[str]:
        words = "".join(letter if letter.isalnum() else " " for letter in self.name.casefold()).split()
        return set() if _is_placeholder(self.name) else {word for word in words if not _is_placeholder(word)}


def _is_placeholder(text: str) -> bool:
    letters = "".join(filter(str.isalnum, text)).casefold()
    return not letters.strip("0") or letters in _PLACEHOLDERS


def _differ(one: object, other: object) -> bool:
    return bool(one and other) and one != other


@dataclass(frozen=True)
class StudyHeader:
    """Which study and image a DICOM file is, and of whom; empty or None where the file does not say.

    Attributes:
        study_uid: Study Instance UID.
        sop_uid: SOP Instance UID.
        view: ``PA``, ``AP``, ``frontal``, ``lateral``, ``lateral decubitus``, ``oblique`` or empty.
        patient: as named in the file.
        study_date, study_time: when the study began.
        accession_number: of the request.
        description: Study Description.
        manufacturer, device: Manufacturer and Manufacturer's Model Name. They say nothing of the patient, but which
            site an image may be of, so they are read and stored where the others are.
    """

    study_uid: str = field(default="", repr=False)
    sop_uid: str = field(default="", repr=False)
    view: str = ""
    patient: Patient = field(default=Patient(), repr=False)
    study_date: date | None = field(default=None, repr=False)
    study_time: time | None = field(default=None, repr=False)
    accession_number: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    manufacturer: str = field(default="", repr=False)
    device: str = field(default="", repr=False)


def read_study_header(data: bytes, *, identity: bool = True) -> StudyHeader | None:
    """Return the study attributes of a file, or None for a file that is no DICOM or has no readable data set.

    Args:
        data: content of the file.
        identity: whether the patient, dates, accession number and description are read. Without, studies are still
            separated by their UIDs.
    """
    try:
        if sniff(data) != "dicom":
            return None
        ds = read_attributes(data, (*_STUDY, *_IDENTITY) if identity else _STUDY, shared_decoder())
    except InputRefused:
        return None
    return study_header(ds)


def study_header(ds: Dataset) -> StudyHeader:
    """Return the study attributes of a data set, such as an archive answers with; empty or None where it has none."""
    return StudyHeader(
        study_uid=_text(ds, "StudyInstanceUID"),
        sop_uid=_text(ds, "SOPInstanceUID"),
        view=_attempt(ds, view_of_header) or "",
        patient=Patient(
            name=_attempt(ds, _person_name) or "",
            patient_id=_text(ds, "PatientID"),
            issuer=_text(ds, "IssuerOfPatientID"),
            birth_date=_date(ds, "PatientBirthDate"),
            sex=_sex(ds),
        ),
        study_date=_date(ds, "StudyDate"),
        study_time=_time(ds, "StudyTime"),
        accession_number=_text(ds, "AccessionNumber"),
        description=_text(ds, "StudyDescription"),
        manufacturer=_text(ds, "Manufacturer"),
        device=_text(ds, "ManufacturerModelName"),
    )


def _attempt(ds: Dataset, convert: Callable[[Dataset], T]) -> T | None:
    """Return a converted value, or None: pydicom converts an element on access, and a broken one fails in any way."""
    try:
        return convert(ds)
    except Exception:
        return None


def _text(ds: Dataset, keyword: str) -> str:
    return _attempt(ds, lambda ds: _shown(str(ds.get(keyword) or ""))) or ""


def _shown(text: str) -> str:
    text = shown_name(" ".join(text.split()))
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"


def _person_name(ds: Dataset) -> str:
    """Return a person's name; the alphabetic group as ``Family, Given Middle``, the others in parentheses."""
    value = ds.get("PatientName")
    if not value:
        return ""
    name = value if isinstance(value, PersonName) else PersonName(str(value))
    first = " ".join(filter(None, (name.name_prefix, name.given_name, name.middle_name, name.name_suffix)))
    alphabetic = ", ".join(filter(None, (name.family_name, first)))
    others = [" ".join(filter(None, group.split("^"))) for group in (name.ideographic, name.phonetic)]
    further = " / ".join(filter(None, others))
    return _shown(f"{alphabetic} ({further})" if alphabetic and further else alphabetic or further)


def _sex(ds: Dataset) -> Sex:
    known: dict[str, Sex] = {"F": "F", "M": "M", "O": "O"}
    return known.get(_text(ds, "PatientSex").upper(), "")


def _date(ds: Dataset, keyword: str) -> date | None:
    # ACR-NEMA wrote 2020.01.31, which PS3.5 6.2 allows to be read
    text = _text(ds, keyword).replace(".", "")
    return _attempt(ds, lambda _: datetime.strptime(text, "%Y%m%d").date()) if len(text) == 8 else None


def _time(ds: Dataset, keyword: str) -> time | None:
    text = _text(ds, keyword).replace(":", "")[:6]
    formats = {2: "%H", 4: "%H%M", 6: "%H%M%S"}
    return _attempt(ds, lambda _: datetime.strptime(text, formats[len(text)]).time())
