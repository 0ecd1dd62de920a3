"""The DICOM file that was read, as the source of a result's identity and geometry.

A PACS files a result by the attributes that identify patient and study, and compares them letter by letter: a Patient
ID without the space that it begins with is another patient. They are copied as they are stored, whatever they look
like. Others are copied where their value is valid, so that no result is invalid for a mistake of the original.

Source: PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.2.2 (Patient Study), C.12.1 (SOP Common).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, PN_DELIMS, TEXT_VR_DELIMS, DSfloat, validate_value

from ...errors import InputRefused
from ...imaging import Lut, read_attributes, shared_decoder, sniff
from ...imaging.elements import decimal_numbers, stated_text
from ...imaging.grayscale_pipeline import DX_CLASSES
from ...imaging.lookup_tables import is_little_endian, read_lut

__all__ = ["CHARACTER_SET", "NO_ORIGINAL", "identifying_elements", "read_original"]

CHARACTER_SET = "ISO_IR 192"
"""UTF-8: of all results, whatever that of the original is."""

NO_ORIGINAL = "DICOM results need a DICOM image, whose study they belong to."

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")

_AS_THEY_ARE = ("PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyID")

_IDENTIFYING = (*_AS_THEY_ARE, "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime")
"""Decide to which patient and study a PACS files an object."""

_WHERE_VALID = (
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyDescription",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "BodyPartExamined",
    "BurnedInAnnotation",
)

_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Required of a result, empty where unknown."""

_ENUMERATED = {"PatientSex": ("F", "M", "O"), "BurnedInAnnotation": ("YES", "NO"), "PatientIdentityRemoved": ("YES",)}

_SIZE = ("Rows", "Columns")

_PIXELS = ("SamplesPerPixel", "PhotometricInterpretation")

_MODALITY_LUT = ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "PixelRepresentation")

_KEYWORDS = (*_UIDS, *_AS_THEY_ARE, *_WHERE_VALID, *_SIZE, *_PIXELS, *_MODALITY_LUT)

_LAST_GROUP = 0x0028


def read_original(data: bytes) -> Dataset:
    """Return identity and size of the file that a result is of.

    Args:
        data: content of the file.

    Returns:
        A data set with the UIDs, the attributes of patient and study that results copy, Rows and Columns as stored, and
        the Modality LUT. It has every attribute that a result requires, empty where the file does not state it or not
        validly.

    Raises:
        InputRefused: the file is no DICOM image, or lacks a UID without which no result can refer to it.
    """
    if sniff(data) != "dicom":
        raise InputRefused(NO_ORIGINAL)
    with warnings.catch_warnings():
        # pydicom's would quote values
        warnings.simplefilter("ignore")
        stated = read_attributes(data, _KEYWORDS, shared_decoder(), _LAST_GROUP)
        original = Dataset()
        for keyword in _UIDS:
            setattr(original, keyword, UID(_one_text(stated, keyword)))
        if missing := [keyword for keyword in _UIDS if not original.get(keyword)]:
            raise InputRefused(f"{NO_ORIGINAL} This one lacks its {', '.join(missing)}: export it again.")
        if "Image Storage" not in original.SOPClassUID.name:
            raise InputRefused(f"{NO_ORIGINAL} This one is of no SOP class of images in the standard: export it again.")
        with pydicom.config.disable_value_validation():
            _copy(stated, original, _AS_THEY_ARE)
            _copy(stated, original, (keyword for keyword in _WHERE_VALID if _is_valid(stated, keyword)))
            for keyword in _TYPE_2:
                if keyword not in original:
                    setattr(original, keyword, "")
            if "DeidentificationMethod" not in original and "PatientIdentityRemoved" in original:
                # one requires the other
                del original.PatientIdentityRemoved
        for keyword in _SIZE:
            setattr(original, keyword, _size(stated, keyword))
        for keyword in _PIXELS:
            if keyword in stated:
                original[keyword] = stated[keyword]
        _copy_modality_lut(stated, original)
        original.SpecificCharacterSet = CHARACTER_SET
    return original


def identifying_elements(data: bytes) -> Dataset:
    """Return the elements that identify patient and study, as they are written to a result.

    Their values are bytes: those of the file, spaces and padding included, or where its character set is another one
    than :data:`CHARACTER_SET`, the same letters in this one. Elements that the file lacks are not there.

    Args:
        data: content of the file, which :func:`read_original` accepts.

    Raises:
        InputRefused: a value is not written in the character set that the file declares, so that nobody knows whose
            image it is.
    """
    elements = Dataset()
    with warnings.catch_warnings():
        # pydicom's would quote values
        warnings.simplefilter("ignore")
        stated = read_attributes(data, _IDENTIFYING, shared_decoder())
        declared = stated.get("SpecificCharacterSet")
        for keyword in _IDENTIFYING:
            element = stated.get_item(keyword) if keyword in stated else None
            if isinstance(element, RawDataElement):
                representation = dictionary_VR(keyword)
                value = _encoded(element.value or b"", declared, representation)
                elements[element.tag] = RawDataElement(element.tag, representation, len(value), value, 0, False, True)
    return elements


def _encoded(value: bytes, declared: str | MultiValue[str] | None, representation: str) -> bytes:
    """Return a value in UTF-8, of even length."""
    is_plain = value.isascii() and b"\x1b" not in value
    if declared != CHARACTER_SET and representation in CUSTOMIZABLE_CHARSET_VR and not is_plain:
        # of several values at once: in some character sets, a byte of a letter is that of the backslash
        delimiters = {ord("\\"), *TEXT_VR_DELIMS, *(PN_DELIMS if representation == "PN" else ())}
        letters = decode_bytes(value, convert_encodings(declared), delimiters)
        if "\N{REPLACEMENT CHARACTER}" in letters:
            raise InputRefused("Patient or study are not written in the character set of the file: export it again.")
        value = letters.encode()
    return value + (b"\0" if representation == "UI" else b" ") * (len(value) % 2)


def _copy(stated: Dataset, original: Dataset, keywords: Iterable[str]) -> None:
    for keyword in keywords:
        if text := _one_text(stated, keyword):
            setattr(original, keyword, text)


def _copy_modality_lut(stated: Dataset, original: Dataset) -> None:
    """Copy the step from stored values to those of the window, as it was applied when the image was read.

    A table is rewritten, whatever its order of bytes and the length that it declares.
    """
    if original.SOPClassUID in DX_CLASSES:
        return
    if tables := stated.get("ModalityLUTSequence"):
        signed, little = stated.get("PixelRepresentation") == 1, is_little_endian(stated)
        lut = read_lut(tables[0], signed=signed, name="the modality table", repairs=[], little_endian=little)
        if lut is not None:
            original.ModalityLUTSequence = [_table(lut)]
            return
    slope, intercept = (
        (decimal_numbers(stated, keyword, []) or [default])[0]
        for keyword, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    if math.isfinite(slope) and math.isfinite(intercept) and slope != 0 and (slope, intercept) != (1, 0):
        original.RescaleSlope, original.RescaleIntercept = DSfloat(slope, True), DSfloat(intercept, True)
        original.RescaleType = "US"


def _table(lut: Lut) -> Dataset:
    item, signed = Dataset(), lut.first < 0
    # 65,536 entries are written as 0; a descriptor with a negative first value is signed
    count = len(lut.entries) % (1 << 16)
    bits = max(9, int(lut.entries.max()).bit_length())
    descriptor = [count - (1 << 16) if signed and count >= 1 << 15 else count, lut.first, bits]
    item.add_new("LUTDescriptor", "SS" if signed else "US", descriptor)
    item.ModalityLUTType = "US"
    item.add_new("LUTData", "OW", lut.entries.astype("<u2").tobytes())
    return item


def _is_valid(stated: Dataset, keyword: str) -> bool:
    text = _one_text(stated, keyword)
    if keyword in _ENUMERATED:
        return text in _ENUMERATED[keyword]
    try:
        validate_value(stated[keyword].VR, text, pydicom.config.RAISE)
    except Exception:
        # an element that is not there, or one that cannot be read, fails in any way
        return False
    return True


def _one_text(stated: Dataset, keyword: str) -> str:
    """Return a text; empty where there are several, of which these attributes have none."""
    text = stated_text(stated, keyword)
    return "" if "\\" in text else text


def _size(stated: Dataset, keyword: str) -> int:
    try:
        return int(stated[keyword].value)
    except Exception as error:
        raise InputRefused(f"{NO_ORIGINAL} This one does not state its {keyword}: export it again.") from error
