"""A PACS that studies are fetched from: what it is asked, and which of its images are wanted."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset

from ..imaging.conformance import CAPTURE_CLASSES, CAPTURE_MODALITIES, RADIOGRAPH_CLASSES, RADIOGRAPH_MODALITIES
from ..imaging.elements import stated_text
from ..store.pacs_records import InstanceHeader
from ..studies.header import StudyHeader, study_header

__all__ = [
    "RemoteImage",
    "RemoteStudy",
    "Source",
    "has_other_patient",
    "images_of",
    "is_fetched",
    "is_uid",
    "is_wanted_series",
    "studies_of",
]

SERIES_MODALITIES = frozenset({*RADIOGRAPH_MODALITIES, *CAPTURE_MODALITIES, ""})
IMAGE_CLASSES = frozenset({*RADIOGRAPH_CLASSES, *CAPTURE_CLASSES, ""})
"""Of what is fetched; a PACS that does not state one is asked for the image."""

_RESULT_SERIES = re.compile(r"Second Read:")
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_MOST_UID = 64

Keys = Mapping[str, str]
"""Matching keys of a search by keyword, such as ``{"StudyDate": "20261126-20261127"}`` (PS3.4 C.2.2.2)."""


@dataclass(frozen=True)
class RemoteStudy:
    """A study that a PACS has.

    Attributes:
        uid: Study Instance UID.
        header: whose it is, and of when, as far as the PACS states it.
        instances: number of its instances, or None where the PACS does not state it.
    """

    uid: str
    header: StudyHeader
    instances: int | None


@dataclass(frozen=True)
class RemoteImage:
    """An instance that a PACS has.

    Attributes:
        study_uid, series_uid, sop_instance_uid: which it is.
        sop_class: SOP Class UID; empty where the PACS does not state it.
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class: str


class Source(Protocol):
    """A PACS, by whatever it is asked. Its methods raise PacsUnavailable, PacsRefused and WrongArguments."""

    @property
    def moves(self) -> bool:
        """Whether images go to the receiver of this program, and not to who retrieves them."""

    @property
    def no_priors(self) -> str:
        """Why no priors are to be fetched from it; empty where they are."""

    def studies(self, keys: Keys) -> list[RemoteStudy]:
        """Return the studies that match all keys."""

    def images(self, study_uid: str) -> list[RemoteImage]:
        """Return the images of a study that could be read: neither results of this program nor other modalities."""

    def retrieve(self, images: Sequence[RemoteImage], keep: Callable[[bytes], None]) -> None:
        """Retrieve images of one study as they are stored there, and hand each file over."""


def studies_of(answers: Iterable[Dataset]) -> list[RemoteStudy]:
    """Return the studies that a PACS has answered with, each once; those without a valid UID are left out."""
    studies: dict[str, RemoteStudy] = {}
    for answer in answers:
        uid = stated_text(answer, "StudyInstanceUID")
        if is_uid(uid):
            number = stated_text(answer, "NumberOfStudyRelatedInstances")
            studies[uid] = RemoteStudy(uid, study_header(answer), int(number) if number.isdecimal() else None)
    return list(studies.values())


def has_other_patient(answers: Iterable[Dataset], study_uid: str, patient_id: str) -> bool:
    """Return whether a PACS has answered to have a study under another patient.

    Args:
        answers: to a search for the study.
        study_uid: Study Instance UID.
        patient_id: as :func:`.elements.stated_text` returns it. Letters that are not in the character set of an answer
            are not compared: Orthanc 1.10 answers in Latin-1, and leaves out others.
    """
    return any(
        stated_text(answer, "PatientID") not in (patient_id, _in_character_set(patient_id, answer))
        for answer in answers
        if stated_text(answer, "StudyInstanceUID") == study_uid
    )


def _in_character_set(text: str, answer: Dataset) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codecs = convert_encodings(answer.get("SpecificCharacterSet"))
    return "".join(letter for letter in text if any(letter.encode(codec, "ignore") for codec in codecs)).strip(" ")


def is_wanted_series(answer: Dataset) -> bool:
    """Return whether a series that a PACS has answered with may hold radiographs, and is none of our results."""
    modality, description = stated_text(answer, "Modality").upper(), stated_text(answer, "SeriesDescription")
    return modality in SERIES_MODALITIES and not _RESULT_SERIES.match(description)


def images_of(answers: Iterable[Dataset], study_uid: str, series_uid: str) -> list[RemoteImage]:
    """Return the images of a series that a PACS has answered with, of the SOP classes that are read."""
    instances = ((stated_text(answer, "SOPInstanceUID"), stated_text(answer, "SOPClassUID")) for answer in answers)
    return [
        RemoteImage(study_uid, series_uid, uid, sop_class)
        for uid, sop_class in instances
        if is_uid(uid) and sop_class in IMAGE_CLASSES
    ]


def is_fetched(instance: InstanceHeader) -> bool:
    """Return whether an instance would be fetched from a PACS that has it: a radiograph that is no result of ours."""
    return instance.modality in SERIES_MODALITIES and instance.sop_class in IMAGE_CLASSES and not instance.is_result


def is_uid(text: str) -> bool:
    """Return whether a text is a valid UID (PS3.5 9.1), which may be part of a request."""
    return len(text) <= _MOST_UID and _UID.fullmatch(text) is not None
