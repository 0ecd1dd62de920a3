"""Images to studies: one patient, one visit, the frontal image first; and the studies before it.

Images belong together by their Study Instance UID. Images of files without one belong together where they were added
together and state the same patient, or none. Two patients are never in one study, whatever the UIDs say
(:meth:`.header.Patient.differs_from`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, time

from .header import Patient, StudyHeader

__all__ = ["Study", "StudyImage", "group_studies", "prior_studies"]

TWO_PATIENTS = (
    "Images of another patient have the same Study Instance UID. They are listed as a study of their own; check which "
    "patient this study is of."
)
TWO_NAMES = (
    "The images of this study state different names of the patient. Only the first is shown; check which patient this "
    "study is of."
)
OTHER_PIXELS = (
    "Two images have the same SOP Instance UID and different pixels. At least one of them is not what its header says; "
    "check both at their source."
)

_NO_HEADER = StudyHeader()
_ORDER = {"PA": 0, "AP": 0, "frontal": 0, "": 1, "lateral": 2}
_LAST = 3


@dataclass(frozen=True)
class StudyImage:
    """One image of a worklist.

    Attributes:
        digest: identifies the image.
        header: its study attributes; None for a file without any, such as a PNG.
        upload: number of the upload that it came with.
        pixels: checksum of its stored pixels; None where it was not decoded yet.
    """

    digest: str
    header: StudyHeader | None
    upload: int = 0
    pixels: int | None = None


@dataclass(frozen=True)
class Study:
    """Images of one patient and visit.

    Attributes:
        images: frontal views first, lateral views after them, otherwise in the order in which they were added.
        patient: as the first image that names one has it; empty where none does.
        study_date, study_time, accession_number, description: of the first image that states them.
        alarms: sentences about contradictions between the headers, which the reader must know before reading.
    """

    images: tuple[StudyImage, ...]
    patient: Patient = field(default=Patient(), repr=False)
    study_date: date | None = field(default=None, repr=False)
    study_time: time | None = field(default=None, repr=False)
    accession_number: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    alarms: tuple[str, ...] = ()

    @property
    def when_text(self) -> str:
        """Return date and time of the study, ``2026-11-20 10:15``; empty without a date."""
        if self.study_date is None:
            return ""
        return self.study_date.isoformat() + (f" {self.study_time:%H:%M}" if self.study_time is not None else "")


def group_studies(images: Iterable[StudyImage]) -> tuple[Study, ...]:
    """Return the studies of a worklist: those of one patient together, the latest first.

    Patients are in the order of their first images. Studies without a date come last, in the order of their images.
    """
    images = tuple(images)
    visits: dict[object, list[list[StudyImage]]] = {}
    for image in images:
        patients = visits.setdefault(_visit(image), [])
        for members in patients:
            if not any(_header(image).patient.differs_from(_header(other).patient) for other in members):
                members.append(image)
                break
        else:
            patients.append([image])
    doubtful = _with_other_pixels(images)
    groups = [
        _study(members, mixed=len(patients) > 1 and bool(_header(members[0]).study_uid), doubtful=doubtful)
        for patients in visits.values()
        for members in patients
    ]
    position = {image.digest: number for number, image in enumerate(images)}
    groups.sort(key=lambda study: min(position[image.digest] for image in study.images))
    return tuple(study for patient in _by_patient(groups) for study in sorted(patient, key=_when, reverse=True))


def _by_patient(studies: Iterable[Study]) -> list[list[Study]]:
    """Return the studies of each patient; one whose patient is not certainly that of another study is alone."""
    patients: list[tuple[list[Study], set[Patient]]] = []
    candidates: dict[object, list[tuple[list[Study], set[Patient]]]] = {}
    for study in studies:
        # who differ in this are never the same, and a worklist may have hundreds of studies
        known = candidates.setdefault(study.patient.key or study.images[0].digest, [])
        own = _patients(study)
        for of_patient, stated in known:
            if of_patient[0].patient.is_same_as(study.patient) and not _differ(stated, own):
                of_patient.append(study)
                stated |= own
                break
        else:
            known.append(([study], own))
            patients.append(known[-1])
    return [of_patient for of_patient, _ in patients]


def prior_studies(study: Study, studies: Sequence[Study]) -> tuple[Study, ...]:
    """Return the earlier studies of the same patient, the latest first.

    Only studies with a date, and of a patient who is certainly the same (:meth:`.header.Patient.is_same_as`), whatever
    image of either is looked at.
    """
    own = _patients(study)
    earlier = [
        other
        for other in studies
        if _is_before(other, study) and other.patient.is_same_as(study.patient) and not _differ(own, _patients(other))
    ]
    return tuple(sorted(earlier, key=_when, reverse=True))


def _patients(study: Study) -> set[Patient]:
    """Return the patient of a study as each of its images states it: the first one may state less than another."""
    return {study.patient, *(_header(image).patient for image in study.images)}


def _differ(some: Iterable[Patient], others: Collection[Patient]) -> bool:
    return any(one.differs_from(other) for one in some for other in others)


def _is_before(one: Study, other: Study) -> bool:
    if one.study_date is None or other.study_date is None:
        return False
    # on the same day only the times of both can tell
    if one.study_date == other.study_date and (one.study_time is None or other.study_time is None):
        return False
    return _when(one) < _when(other)


def _when(study: Study) -> tuple[date, time]:
    return study.study_date or date.min, study.study_time or time()


def _header(image: StudyImage) -> StudyHeader:
    return image.header or _NO_HEADER


def _visit(image: StudyImage) -> object:
    header = _header(image)
    patient = header.patient
    return header.study_uid or (image.upload, patient.name.casefold(), patient.patient_id, patient.issuer)


def _study(members: list[StudyImage], *, mixed: bool, doubtful: set[str]) -> Study:
    ordered = sorted(members, key=lambda image: _ORDER.get(_header(image).view, _LAST))
    headers = [_header(image) for image in ordered]
    alarms = [TWO_PATIENTS] if mixed else []
    if len({header.patient.name.casefold() for header in headers if header.patient.name}) > 1:
        alarms.append(TWO_NAMES)
    if doubtful & {header.sop_uid for header in headers}:
        alarms.append(OTHER_PIXELS)
    return Study(
        images=tuple(ordered),
        patient=next((header.patient for header in headers if header.patient), Patient()),
        study_date=next((header.study_date for header in headers if header.study_date), None),
        study_time=next((header.study_time for header in headers if header.study_time is not None), None),
        accession_number=next((header.accession_number for header in headers if header.accession_number), ""),
        description=next((header.description for header in headers if header.description), ""),
        alarms=tuple(alarms),
    )


def _with_other_pixels(images: Sequence[StudyImage]) -> set[str]:
    """Return the SOP Instance UIDs that several images with different pixels have."""
    checksums: dict[str, set[int]] = {}
    for image in images:
        if _header(image).sop_uid and image.pixels is not None:
            checksums.setdefault(_header(image).sop_uid, set()).add(image.pixels)
    return {uid for uid, different in checksums.items() if len(different) > 1}
