"""The fields of a DICOM header that are read: an allow-list, with the values that each may have.

Nothing else is read (the PS3.15 Basic Profile lists what identifies a patient). Of an allowed field only a defined term
of the standard or a number is kept: free text may hold a name whatever the field is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal

from pydicom.dataset import Dataset

from ..labels import MAX_AGE
from .code_strings import (
    OTHER_VIEWS,
    body_part,
    code_meanings,
    coded_text,
    described_as_lateral,
    view_of_codes,
    view_position,
)
from .conformance import COLOUR, GREY, RADIOGRAPH_MODALITIES, UNKNOWN_TERM, sop_class_name
from .elements import decimal_numbers

__all__ = ["SpacingSource", "allowed_header", "describe_spacing", "patient_age", "spacing_mm", "view_of_header"]

SpacingSource = Literal["ImagerPixelSpacing", "PixelSpacing", ""]
"""The attribute that states the distance of the pixels; empty where none does."""

_ORIENTATION = re.compile(r"[ALRPHF]{1,3}(\\[ALRPHF]{1,3})?")

_MODALITIES = {
    *RADIOGRAPH_MODALITIES,
    "RF", "CT", "MR", "US", "MG", "NM", "PT", "OT", "SC", "XA", "IO", "PX", "ES", "XC", "SR", "KO",
    "PR", "SEG", "DOC", "ECG", "BMD", "OP", "SM", "GM", "RTIMAGE", "RTDOSE", "RTPLAN", "RTSTRUCT", "REG", "OPT",
}  # fmt: skip

_DEFINED_TERMS: dict[str, set[str]] = {
    "PhotometricInterpretation": {*GREY, *COLOUR},
    "PresentationLUTShape": {"IDENTITY", "INVERSE"},
    "PresentationIntentType": {"FOR PRESENTATION", "FOR PROCESSING"},
    "PixelIntensityRelationship": {"LIN", "LOG", "DISP", "OTHER"},
    "PatientSex": {"M", "F", "O"},
    "BurnedInAnnotation": {"YES", "NO"},
}  # fmt: skip
_DESCRIPTIONS = ("AcquisitionDeviceProcessingDescription", "SeriesDescription", "ProtocolName")

_OLDEST = 90


def allowed_header(ds: Dataset) -> Mapping[str, str]:
    """Return the fields that the product needs, by DICOM keyword; never a patient's identity.

    An age of 90 or more is returned as ``90Y or over``; the SOP class by the standard's name; a modality, view or body
    part in terms that are not known as :data:`.conformance.UNKNOWN_TERM`.
    """
    header = {}
    sop_class = sop_class_name(_text(ds, "SOPClassUID"))
    if sop_class:
        header["SOPClassUID"] = sop_class
    for keyword, terms in _DEFINED_TERMS.items():
        value = _text(ds, keyword).upper()
        if value in terms:
            header[keyword] = value
    modality = next(coded_text(ds, "Modality"), "")
    terms_or_none = {
        "Modality": modality if modality in _MODALITIES or not modality else None,
        "ViewPosition": view_position(coded_text(ds, "ViewPosition")),
        "BodyPartExamined": body_part(coded_text(ds, "BodyPartExamined")),
    }
    header |= {keyword: UNKNOWN_TERM if term is None else term for keyword, term in terms_or_none.items() if term != ""}
    if coded := view_of_codes(ds):
        header["ViewCodeSequence"] = coded
    # of free text only whether it names a lateral view is kept
    if described_as_lateral([*(_text(ds, keyword) for keyword in _DESCRIPTIONS), *code_meanings(ds)]):
        header["SeriesDescription"] = "names a lateral view"
    orientation = _text(ds, "PatientOrientation").upper().replace(" ", "")
    if _ORIENTATION.fullmatch(orientation):
        header["PatientOrientation"] = orientation
    age = patient_age(ds)
    if age is not None:
        header["PatientAge"] = f"{_OLDEST}Y or over" if age >= _OLDEST else f"{int(age)}Y" if age >= 1 else "under 1Y"
    return MappingProxyType(header)


def view_of_header(ds: Dataset) -> str:
    """Return the view: PA, AP, frontal, lateral, lateral decubitus, oblique, or empty where it is not stated."""
    view = view_of_codes(ds) or view_position(coded_text(ds, "ViewPosition")) or ""
    return OTHER_VIEWS.get(view) or ("frontal" if view == "FRONTAL" else view)


def patient_age(ds: Dataset) -> float | None:
    """Return the age in years, from an Age String (PS3.5 6.2: 058Y, 006M, 003W, 010D), or None.

    A bare number, which some archives write, is taken as years. Without an Age String it is the time from the date of
    birth to that of the study; equal dates say nothing, since de-identification writes one date for both.
    """
    match = re.fullmatch(r"(\d{1,3})([YMWD]?)", _text(ds, "PatientAge").upper())
    if match:
        years = int(match[1]) / {"": 1, "Y": 1, "M": 12, "W": 52.18, "D": 365.25}[match[2]]
        return years if years <= MAX_AGE else None
    birth, study = _date(ds, "PatientBirthDate"), _date(ds, "StudyDate")
    if birth is None or study is None or study <= birth:
        return None
    years = (study - birth).days / 365.25
    return years if years <= MAX_AGE else None


def spacing_mm(ds: Dataset) -> tuple[tuple[float, float], SpacingSource] | None:
    """Return (between rows, between columns) in mm, as the pixels lie in the file, and the attribute that states it.

    Imager Pixel Spacing is at the detector by definition. A Pixel Spacing that differs from it was calibrated, by the
    geometry or by an object of known size: it comes first then. It stands in where the former is missing (PS3.3
    10.7.1.1 and 10.7.1.3).
    """
    at_detector, calibrated = (_positive_pair(ds, keyword) for keyword in ("ImagerPixelSpacing", "PixelSpacing"))
    if calibrated is not None and calibrated != at_detector:
        return calibrated, "PixelSpacing"
    return None if at_detector is None else (at_detector, "ImagerPixelSpacing")


def _positive_pair(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    numbers = decimal_numbers(ds, keyword, []) if keyword in ds else []
    return (numbers[0], numbers[1]) if len(numbers) == 2 and all(0 < number < 10 for number in numbers) else None


def describe_spacing(source: SpacingSource) -> str:
    """Return what a length in mm is measured by; empty where the source of the spacing is not known.

    At the detector a length is larger than in the patient, by the geometric magnification.
    """
    return {"ImagerPixelSpacing": "at the detector", "PixelSpacing": "calibrated", "": ""}[source]


def _date(ds: Dataset, keyword: str) -> date | None:
    try:
        return datetime.strptime(_text(ds, keyword), "%Y%m%d").date()
    except ValueError:
        return None


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    try:
        return "\\".join(str(part) for part in value).strip()
    except TypeError:
        return str(value).strip()
