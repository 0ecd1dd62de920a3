"""Elements of a broken header: what stands in them as it may be used, and safe values where one is missing.

A workstation shows many a file whose header is not to the standard. What can be repaired without a guess about the
picture is repaired, and each repair is a reason to look twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ..errors import InputRefused

__all__ = ["Repairs", "completed", "decimal_numbers", "whole_number"]

Repairs = list[str]
"""What was repaired, in words; filled along the way."""

_TEXTS = {None, "DS", "IS", "LO", "SH", "CS", "ST", "LT", "UT", "UN", "PN", "UC"}
_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_CODED = ("PhotometricInterpretation", "PresentationLUTShape", "VOILUTFunction", "PresentationIntentType")


def decimal_numbers(ds: Dataset, keyword: str, repairs: Repairs) -> list[float]:
    """Return the numbers of a decimal string (VR DS); NaN for a text that is none.

    A decimal comma is read as a point, which DICOM would have (PS3.5 6.2), and is a repair.
    """
    try:
        raw = ds.get_item(keyword)
        if isinstance(raw, RawDataElement) and raw.VR in _TEXTS and isinstance(raw.value, bytes):
            parts: Iterable = raw.value.decode("latin_1").split("\\")
        else:
            value = ds.get(keyword)
            parts = [] if value is None else [value] if isinstance(value, str | int | float) else list(value)
    except Exception:
        # pydicom converts an element when it is asked for it, and may fail in any way
        return [float("nan")]
    if all(isinstance(part, str) and not part.strip(" \0") for part in parts):
        return []
    return [_number(part, keyword, repairs) for part in parts]


def _number(part: object, keyword: str, repairs: Repairs) -> float:
    text = part.strip(" \0") if isinstance(part, str) else part
    if isinstance(text, str) and _COMMA.fullmatch(text):
        words = f"a decimal comma in {_named(keyword)}: read as a point"
        if words not in repairs:
            repairs.append(words)
        text = text.replace(",", ".")
    try:
        return float(text)
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
        # as above
        return None


def completed(ds: Dataset) -> Repairs:
    """Give a data set the attributes of its pixels that are missing and have a safe value, and return what was done.

    Coded strings lose surrounding blanks and are brought to capitals, which says the same. Raises InputRefused where
    rows, columns or the size of a pixel cannot be known.
    """
    repairs: Repairs = []
    for keyword in _CODED:
        value = ds.get(keyword)
        if isinstance(value, str) and value != value.strip(" \0").upper():
            setattr(ds, keyword, value.strip(" \0").upper())
    known = {word: whole_number(ds, word) for word in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")}
    if known["Rows"] is None or known["Columns"] is None:
        raise InputRefused("DICOM without rows, columns or bits. Export it again.")
    _fill(ds, "SamplesPerPixel", 1, repairs)
    _fill(ds, "BitsAllocated", known["BitsAllocated"] or _allocated(ds), repairs)
    _fill(ds, "BitsStored", int(ds.BitsAllocated), repairs)
    _fill(ds, "PixelRepresentation", 0, repairs)
    if int(ds.SamplesPerPixel) == 3 and whole_number(ds, "PlanarConfiguration") is None:
        _fill(ds, "PlanarConfiguration", 0, repairs)
    if "HighBit" in ds and whole_number(ds, "HighBit") is None:
        _fill(ds, "HighBit", int(ds.BitsStored) - 1, repairs)
    if "NumberOfFrames" in ds and not _is_count(ds, "NumberOfFrames"):
        del ds["NumberOfFrames"]
        repairs.append("Number of Frames is no number: taken as 1")
    return repairs


def _is_count(ds: Dataset, keyword: str) -> bool:
    """Return whether an element is empty or a whole number of 0 or more."""
    raw = ds.get_item(keyword)
    count = whole_number(ds, keyword)
    return not raw.value or (count is not None and count >= 0)


def _fill(ds: Dataset, keyword: str, value: int, repairs: Repairs) -> None:
    if whole_number(ds, keyword) is None:
        # one that cannot be converted cannot be set either
        if keyword in ds:
            del ds[keyword]
        setattr(ds, keyword, value)
        repairs.append(f"{_named(keyword)} is missing or no number: taken as {value}")


def _allocated(ds: Dataset) -> int:
    """Return Bits Allocated from the length of uncompressed pixel data, where it fits a whole number of bytes."""
    pixels = int(ds.Rows) * int(ds.Columns) * int(ds.SamplesPerPixel)
    length = len(ds.PixelData) if isinstance(ds.PixelData, bytes | memoryview) else 0
    for width in (1, 2):
        if pixels and length in (pixels * width, pixels * width + 1) and not ds["PixelData"].is_undefined_length:
            return 8 * width
    raise InputRefused("DICOM without rows, columns or bits. Export it again.")


def _named(keyword: str) -> str:
    """Return a keyword as the standard names it: WindowCenter is Window Center."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword)
