"""Elements of a broken header: their usable values, and safe values for missing ones.

A workstation shows many a file whose header is not to the standard. What can be repaired without a guess about the
image is repaired, and each repair is a warning of the reading.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import SupportsFloat

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ..errors import InputRefused

__all__ = ["Repairs", "complete", "decimal_numbers", "stated_text", "whole_number"]

Repairs = list[str]
"""Descriptions of what was repaired; functions append to it."""

_TEXT_VRS = {None, "DS", "IS", "LO", "SH", "CS", "ST", "LT", "UT", "UN", "PN", "UC"}
_SIGNIFICANT_START = {"LT", "PN", "ST", "UC", "UT"}
"""Value representations in which spaces at the beginning have a meaning."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_CODED = ("PhotometricInterpretation", "PresentationLUTShape", "VOILUTFunction", "PresentationIntentType")


def stated_text(ds: Dataset, keyword: str) -> str:
    """Return the text of an element, so that equal texts are equal values; empty where it has none or cannot be read.

    Padding is left out: spaces and nulls at the end, and spaces at the beginning of those kinds in which they have no
    meaning (PS3.5 6.2), such as a Patient ID. Everything else counts. Several values are joined by backslashes, none of
    which can be part of a value.
    """
    try:
        with warnings.catch_warnings():
            # pydicom's would quote values
            warnings.simplefilter("ignore")
            value = ds.get(keyword)
            values = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
            strip = str.rstrip if dictionary_VR(keyword) in _SIGNIFICANT_START else str.strip
            return "\\".join("" if one is None else strip(str(one).rstrip(" \0"), " ") for one in values)
    except Exception:
        # pydicom converts an element on access, and a broken one fails in any way
        return ""


def decimal_numbers(ds: Dataset, keyword: str, repairs: Repairs) -> list[float]:
    """Return the numbers of a decimal string (VR DS); NaN for a text that is no number.

    A decimal comma is read as a point, which DICOM demands (PS3.5 6.2), and is a repair.
    """
    try:
        raw = ds.get_item(keyword)
        values: list[object]
        if isinstance(raw, RawDataElement) and raw.VR in _TEXT_VRS and isinstance(raw.value, bytes):
            values = [*raw.value.decode("latin_1").split("\\")]
        else:
            value = ds.get(keyword)
            values = [] if value is None else [value] if isinstance(value, str | int | float) else list(value)
    except Exception:
        # pydicom converts an element on access, and may fail in any way
        return [float("nan")]
    if all(isinstance(value, str) and not value.strip(" \0") for value in values):
        return []
    return [_number(value, keyword, repairs) for value in values]


def _number(value: object, keyword: str, repairs: Repairs) -> float:
    if isinstance(value, str):
        value = value.strip(" \0")
        if _DECIMAL_COMMA.fullmatch(value):
            repair = f"a decimal comma in {_spaced(keyword)}: read as a point"
            if repair not in repairs:
                repairs.append(repair)
            value = value.replace(",", ".")
    try:
        return float(value) if isinstance(value, str | SupportsFloat) else float("nan")
    except (TypeError, ValueError):
        return float("nan")


def whole_number(ds: Dataset, keyword: str) -> int | None:
    """Return the one whole number of an element, or None where it is missing, empty, several or no number."""
    try:
        value = ds.get(keyword)
        if isinstance(value, bytes):
            return int.from_bytes(value, "little") if 0 < len(value) <= 4 else None
        return None if value is None or value == "" else int(value)
    except Exception:
        # pydicom, as above
        return None


def complete(ds: Dataset) -> Repairs:
    """Fill in missing attributes of the pixels that have a safe value, and return what was done.

    Coded strings lose surrounding blanks and are brought to capitals, which means the same. Raises InputRefused where
    rows, columns or the size of a pixel cannot be known.
    """
    repairs: Repairs = []
    for keyword in _CODED:
        value = ds.get(keyword)
        if isinstance(value, str) and value != value.strip(" \0").upper():
            setattr(ds, keyword, value.strip(" \0").upper())
    if whole_number(ds, "Rows") is None or whole_number(ds, "Columns") is None:
        raise InputRefused("DICOM without rows, columns or bits. Export it again.")
    _fill(ds, "SamplesPerPixel", 1, repairs)
    _fill(ds, "BitsAllocated", whole_number(ds, "BitsAllocated") or _bits_from_length(ds), repairs)
    _fill(ds, "BitsStored", int(ds.BitsAllocated), repairs)
    _fill(ds, "PixelRepresentation", 0, repairs)
    if int(ds.SamplesPerPixel) == 3:
        _fill(ds, "PlanarConfiguration", 0, repairs)
    if "HighBit" in ds:
        _fill(ds, "HighBit", int(ds.BitsStored) - 1, repairs)
    if "NumberOfFrames" in ds and not _is_count(ds, "NumberOfFrames"):
        del ds["NumberOfFrames"]
        repairs.append("Number of Frames is no number: taken as 1")
    return repairs


def _is_count(ds: Dataset, keyword: str) -> bool:
    """Return whether an element is empty or a whole number of 0 or more."""
    raw = ds.get_item(keyword)
    count = whole_number(ds, keyword)
    return raw is None or not raw.value or (count is not None and count >= 0)


def _fill(ds: Dataset, keyword: str, value: int, repairs: Repairs) -> None:
    if whole_number(ds, keyword) is None:
        # one that cannot be converted cannot be set either
        if keyword in ds:
            del ds[keyword]
        setattr(ds, keyword, value)
        repairs.append(f"{_spaced(keyword)} is missing or no number: taken as {value}")


def _bits_from_length(ds: Dataset) -> int:
    """Return Bits Allocated from the length of uncompressed pixel data, where it fits a whole number of bytes."""
    pixels = int(ds.Rows) * int(ds.Columns) * int(ds.SamplesPerPixel)
    length = len(ds.PixelData) if isinstance(ds.PixelData, bytes | memoryview) else 0
    for width in (1, 2):
        if pixels and length in (pixels * width, pixels * width + 1) and not ds["PixelData"].is_undefined_length:
            return 8 * width
    raise InputRefused("DICOM without rows, columns or bits. Export it again.")


def _spaced(keyword: str) -> str:
    """Return a keyword as the standard spells it: WindowCenter is Window Center."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword)
