"""What of a DICOM header may come in: an allow-list, and for each field the values it may have.

Everything else is dropped at the door (PS3.15 Basic Profile names what identifies a patient). Even an
allowed field comes in only where its value is one of the standard's own words or a number: free text
may hold a name whatever the field is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pydicom.dataset import Dataset

from .accepted import COLOUR, GREY, RADIOGRAPH_MODALITIES, sop_class_name
from .coded_words import body_part, code_meanings, coded_text, described_as_lateral, view_of_codes, view_position
from .elements import decimal_numbers

__all__ = ["allowed_header", "patient_age", "spacing_mm"]

_ORIENTATION = re.compile(r"[ALRPHF]{1,3}(\\[ALRPHF]{1,3})?")

_MODALITIES = {
    *RADIOGRAPH_MODALITIES,
    "RF", "CT", "MR", "US", "MG", "NM", "PT", "OT", "SC", "XA", "IO", "PX", "ES", "XC", "SR", "KO",
    "PR", "SEG", "DOC", "ECG", "BMD", "OP", "SM", "GM", "RTIMAGE", "RTDOSE", "RTPLAN", "RTSTRUCT", "REG", "OPT",
}  # fmt: skip

_VOCABULARY: dict[str, set[str]] = {
    "PhotometricInterpretation": {*GREY, *COLOUR},
    "PresentationLUTShape": {"IDENTITY", "INVERSE"},
    "PresentationIntentType": {"FOR PRESENTATION", "FOR PROCESSING"},
    "PixelIntensityRelationship": {"LIN", "LOG", "DISP", "OTHER"},
    "PatientSex": {"M", "F", "O"},
    "BurnedInAnnotation": {"YES", "NO"},
}  # fmt: skip
_DESCRIPTIONS = ("AcquisitionDeviceProcessingDescription", "SeriesDescription", "ProtocolName")

_OLD = 90


def allowed_header(ds: Dataset) -> Mapping[str, str]:
    """Return the fields that the product needs, by DICOM keyword; never a patient's identity.

    An age of 90 or more is returned as ``90Y or over``; the SOP class by the standard's name of it.
    """
    header = {}
    sop_class = sop_class_name(_text(ds, "SOPClassUID"))
    if sop_class:
        header["SOPClassUID"] = sop_class
    for keyword, words in _VOCABULARY.items():
        value = _text(ds, keyword).upper()
        if value in words:
            header[keyword] = value
    kind = next(coded_text(ds, "Modality"), "")
    understood = {
        "Modality": kind if kind in _MODALITIES or not kind else None,
        "ViewPosition": view_position(coded_text(ds, "ViewPosition")),
        "BodyPartExamined": body_part(coded_text(ds, "BodyPartExamined")),
    }
    header |= {keyword: "another" if word is None else word for keyword, word in understood.items() if word != ""}
    if coded := view_of_codes(ds):
        header["ViewCodeSequence"] = coded
    # free text: whether it names a lateral view is all that is kept of it
    if described_as_lateral([*(_text(ds, keyword) for keyword in _DESCRIPTIONS), *code_meanings(ds)]):
        header["SeriesDescription"] = "names a lateral view"
    orientation = _text(ds, "PatientOrientation").upper().replace(" ", "")
    if _ORIENTATION.fullmatch(orientation):
        header["PatientOrientation"] = orientation
    age = patient_age(ds)
    if age is not None:
        header["PatientAge"] = f"{_OLD}Y or over" if age >= _OLD else f"{int(age)}Y" if age >= 1 else "under 1Y"
    return MappingProxyType(header)


def patient_age(ds: Dataset) -> float | None:
    """Return the age in years, from an Age String (PS3.5 6.2: 058Y, 006M, 003W, 010D), or None.

    A bare number, which some archives write, is taken as years.
    """
    found = re.fullmatch(r"(\d{1,3})([YMWD]?)", _text(ds, "PatientAge").upper())
    if not found:
        return None
    years = int(found[1]) / {"": 1, "Y": 1, "M": 12, "W": 52.18, "D": 365.25}[found[2]]
    return years if years <= 120 else None


def spacing_mm(ds: Dataset) -> tuple[float, float] | None:
    """Return (between rows, between columns) in mm at the detector, as the pixels lie in the file.

    Imager Pixel Spacing is that by definition (PS3.3 10.7.1); Pixel Spacing stands in where it is
    missing.
    """
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        numbers = decimal_numbers(ds, keyword, []) if keyword in ds else []
        if len(numbers) == 2 and all(0 < number < 10 for number in numbers):
            return numbers[0], numbers[1]
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
