"""Whether a PACS keeps what it was sent.

A PACS that already has an object of the same SOP Instance UID drops another one silently, with a status of success.
What it keeps is therefore compared element by element; what it may change of an object that it keeps is left out.

Source: PS3.4 B.4.1.3 and F.7 (coercion of attributes), PS3.15 C.2 (what a digital signature leaves out).
"""

from __future__ import annotations

import io
import warnings

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..imaging.elements import stated_text
from ..studies.header import study_header

__all__ = ["different_elements", "same_content", "same_patient"]

_PATIENT_GROUP = 0x0010

_OF_THE_STUDY = {
    pydicom.tag.Tag(keyword)
    for keyword in (
        "SpecificCharacterSet",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
        "ReferringPhysicianName",
        "StudyDescription",
        "StudyID",
    )
}
"""A PACS changes these when a patient or an order is corrected."""

_OF_THE_ENCODING = {
    pydicom.tag.Tag(keyword) for keyword in ("PixelData", "PhotometricInterpretation", "PlanarConfiguration")
}
"""Not comparable where one of two is compressed and the other is not, or is compressed otherwise."""


def same_content(sent: bytes, kept: bytes) -> bool:
    """Return whether a DICOM file says the same as one that was sent.

    Every element that was sent must be there with its value, but for those of the patient and the study, which a PACS
    may correct. Pixels are compared unless they are compressed in another way; elements that were added are ignored.

    Args:
        sent: the file that was sent.
        kept: the one that was read back; bytes that are no DICOM file are not the same.
    """
    return not different_elements(sent, kept)


def different_elements(sent: bytes, kept: bytes) -> tuple[str, ...]:
    """Return the keywords of the elements in which a DICOM file differs from one that was sent, in their order.

    As :func:`same_content`; bytes that are no DICOM file differ in ``all``.
    """
    if sent == kept:
        return ()
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        # they quote values
        warnings.simplefilter("ignore")
        try:
            ours, theirs = (pydicom.dcmread(io.BytesIO(data)) for data in (sent, kept))
            left_out = set(_OF_THE_STUDY)
            if _compression(ours) != _compression(theirs):
                left_out |= _OF_THE_ENCODING
            return tuple(element.keyword or str(element.tag) for element in ours if not _has(theirs, element, left_out))
        except Exception:
            # pydicom converts an element on access, and one that is broken fails in any way
            return ("all",)


def same_patient(sent: bytes, kept: bytes) -> bool:
    """Return whether a DICOM file that was read back is of the patient of one that was sent.

    The Patient ID is compared, and as far as both state them, its issuer, date of birth, sex and name, which a PACS may
    spell in another way (:meth:`.Patient.differs_from`).
    """
    with warnings.catch_warnings():
        # they quote values
        warnings.simplefilter("ignore")
        ours, theirs = (pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True) for data in (sent, kept))
        if stated_text(ours, "PatientID") != stated_text(theirs, "PatientID"):
            return False
        return not study_header(ours).patient.differs_from(study_header(theirs).patient)


def _compression(file: pydicom.FileDataset) -> str:
    syntax = UID(file.file_meta.TransferSyntaxUID)
    return str(syntax) if syntax.is_compressed else ""


def _holds(theirs: Dataset, ours: Dataset, left_out: set[pydicom.tag.BaseTag]) -> bool:
    """Return whether each element of ours, at any depth, is in theirs with the same value."""
    return all(_has(theirs, element, left_out) for element in ours)


def _has(theirs: Dataset, element: DataElement, left_out: set[pydicom.tag.BaseTag]) -> bool:
    tag = element.tag
    if tag in left_out or tag.group == _PATIENT_GROUP or tag.element == 0:
        return True
    if tag not in theirs:
        # an element without a value says no more than none
        return bool(element.is_empty)
    other = theirs[tag]
    if element.VR != "SQ":
        return _same_value(element.value, other.value)
    items, others = element.value, other.value
    return len(items) == len(others) and all(_holds(b, a, left_out) for a, b in zip(items, others, strict=True))


def _same_value(ours: object, theirs: object) -> bool:
    if isinstance(ours, bytes) and isinstance(theirs, bytes):
        # values of odd length are padded
        return ours.rstrip(b"\0") == theirs.rstrip(b"\0")
    return ours == theirs or (not ours and not theirs and ours != 0 and theirs != 0)
