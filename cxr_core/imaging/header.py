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

from .accepted import COLOUR, GREY, sop_class_name

__all__ = ["allowed_header", "patient_age", "spacing_mm"]

_ORIENTATION = re.compile(r"[ALRPHF]{1,3}(\\[ALRPHF]{1,3})?")

_VIEWS = {"PA", "AP", "LL", "RL", "LLD", "RLD", "LLO", "RLO"}
_CHEST = ("CHEST", "THORAX", "LUNG")
_BODY_PARTS = {
    "ABDOMEN", "ANKLE", "ARM", "BREAST", "CHEST", "CHESTABDOMEN", "CLAVICLE", "CSPINE", "ELBOW", "FEMUR", "FINGER",
    "FOOT", "FOREARM", "HAND", "HEAD", "HIP", "KNEE", "LEG", "LSPINE", "LUNG", "NECK", "PELVIS", "RIB", "RIBS",
    "SHOULDER", "SKULL", "SPINE", "STERNUM", "THORAX", "THIGH", "TSPINE", "TIBIA", "TOE", "WRIST", "WHOLEBODY",
}  # fmt: skip
_MODALITIES = {
    "CR", "DX", "RG", "RF", "CT", "MR", "US", "MG", "NM", "PT", "OT", "SC", "XA", "IO", "PX", "ES", "XC", "SR", "KO",
    "PR", "SEG", "DOC", "ECG", "BMD", "OP", "SM", "GM", "RTIMAGE", "RTDOSE", "RTPLAN", "RTSTRUCT", "REG", "OPT",
}  # fmt: skip

_VOCABULARY: dict[str, set[str]] = {
    "Modality": _MODALITIES,
    "ViewPosition": _VIEWS,
    "BodyPartExamined": _BODY_PARTS,
    "PhotometricInterpretation": {*GREY, *COLOUR},
    "PresentationLUTShape": {"IDENTITY", "INVERSE"},
    "PresentationIntentType": {"FOR PRESENTATION", "FOR PROCESSING"},
    "PixelIntensityRelationship": {"LIN", "LOG", "DISP", "OTHER"},
    "PatientSex": {"M", "F", "O"},
}  # fmt: skip

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
        value = _meant(keyword, _text(ds, keyword).upper())
        if value in words:
            header[keyword] = value
        elif value and keyword in ("Modality", "BodyPartExamined", "ViewPosition"):
            header[keyword] = "another"
    orientation = _text(ds, "PatientOrientation")
    if _ORIENTATION.fullmatch(orientation):
        header["PatientOrientation"] = orientation
    age = patient_age(ds)
    if age is not None:
        header["PatientAge"] = f"{_OLD}Y or over" if age >= _OLD else f"{int(age)}Y" if age >= 1 else "under 1Y"
    return MappingProxyType(header)


def _meant(keyword: str, value: str) -> str:
    """Return the standard's word for what archives write in words of their own."""
    if keyword == "ViewPosition" and "LAT" in value:
        return "LL"
    if keyword == "BodyPartExamined" and value not in _BODY_PARTS:
        return "CHEST" if any(word in value for word in _CHEST) else value
    return value


def patient_age(ds: Dataset) -> float | None:
    """Return the age in years, from an Age String (PS3.5 6.2: 058Y, 006M, 003W, 010D), or None.

    A bare number, which some archives write, is taken as years.
    """
    found = re.fullmatch(r"(\d{1,3})([YMWD]?)", _text(ds, "PatientAge").upper())
    if not found:
        return None
    years = int(found[1]) / {"": 1, "Y": 1, "M": 12, "W": 52.18, "D": 365.25}[found[2]]
    return years if years <= 120 else None


def spacing_mm(ds: Dataset, *, turned: bool = False) -> tuple[float, float] | None:
    """Return (between rows, between columns) in mm at the detector.

    Imager Pixel Spacing is that by definition (PS3.3 10.7.1); Pixel Spacing stands in where it is
    missing. ``turned``: the film was turned by a quarter, so rows and columns have changed places.
    """
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        try:
            rows, columns = (float(step) for step in ds.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if 0 < rows < 10 and 0 < columns < 10:
            return (columns, rows) if turned else (rows, columns)
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
