"""The usable look-up tables and windows of a DICOM data set."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import numpy as np
from pydicom.dataset import Dataset

from .elements import Repairs, decimal_numbers
from .windowing import Lut, Voi, VoiFunction, is_usable

__all__ = ["file_vois", "is_little_endian", "read_lut", "scaled_by_data"]

MIN_RANGE = 4
"""A table whose largest entry is below the declared one divided by this is shown nearly black."""

_FUNCTIONS: dict[str, VoiFunction] = {name: name for name in get_args(VoiFunction)}


def read_lut(item: Dataset, *, signed: bool, name: str, repairs: Repairs, little_endian: bool = True) -> Lut | None:
    """Read a look-up table, also one whose 8-bit entries are packed two to a word (PS3.3 C.11.2.1.1).

    Args:
        item: the item of the sequence.
        signed: whether the values that it looks up are signed.
        name: of the table, for a repair.
        repairs: gets what is wrong with it. A table with fewer entries than it declares keeps those that it has:
            values beyond its end use the last. One without entries is left out.
        little_endian: the order of bytes in the file.

    Returns:
        The table, or None where it is not usable.
    """
    try:
        count, first, bits = (int(part) for part in item.LUTDescriptor)
        words = _words(item.LUTData, little_endian)
    except Exception:
        # a missing, empty or broken element fails in any way
        repairs.append(f"{name} has no entries or no descriptor: left out")
        return None
    count = count or 1 << 16
    if signed and first >= 1 << 15:
        first -= 1 << 16
    packed = len(words) < count and (len(words) == (count + 1) // 2 or (bits <= 8 and len(words) < count // 2))
    entries = (words.astype("<u2").view(np.uint8) if packed else words)[:count]
    if not len(entries) or not 8 <= bits <= 16 or count < 0:
        repairs.append(f"{name} has no entries or no descriptor: left out")
        return None
    if len(entries) < count:
        repairs.append(
            f"{name} has {len(entries)} entries and declares {count}: values beyond its end use its last entry"
        )
    # a table that goes beyond its own bits would be white from there on
    bits = max(bits, int(entries.max()).bit_length())
    return Lut(entries.astype(np.uint16), first, bits, f"table of {len(entries)} entries")


def _words(data: object, little_endian: bool) -> np.ndarray:
    if isinstance(data, bytes):
        # pydicom leaves words of bytes in the file's own order
        return np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2" if little_endian else ">u2")
    return np.atleast_1d(np.asarray(data, dtype=np.int64)).astype(np.uint16)


def is_little_endian(ds: Dataset) -> bool:
    """Return whether the file was read as little endian."""
    return ds.original_encoding[1] is not False


def scaled_by_data(lut: Lut) -> Lut | None:
    """Return a table by its own largest entry, where that is a small part of the declared one; else None."""
    top = int(lut.entries.max())
    if not 0 < top * MIN_RANGE < lut.top:
        return None
    return replace(lut, top=top, explanation=f"{lut.explanation}, by its own maximum")


def file_vois(ds: Dataset, values: np.ndarray, repairs: Repairs) -> tuple[Voi | Lut, ...]:
    """Return the file's tables and windows, tables first; one that cannot be applied is left out, with a repair.

    They are alternatives (PS3.3 C.11.2.1.1). An explanation is free text, which may hold a name: it is kept only
    where every word of it is in :data:`EXPLANATION_WORDS`.
    """
    vois: list[Voi | Lut] = []
    signed, little = bool(values.min() < 0), is_little_endian(ds)
    for number, item in enumerate(ds.get("VOILUTSequence") or (), 1):
        lut = read_lut(item, signed=signed, name=f"VOI table {number}", repairs=repairs, little_endian=little)
        if lut is not None:
            vois.append(replace(lut, explanation=_explanation(item.get("LUTExplanation")) or f"table {number}"))
    function = str(ds.get("VOILUTFunction") or "LINEAR").upper()
    if function not in _FUNCTIONS:
        repairs.append("VOI LUT Function is a word that the standard does not know: taken as LINEAR")
        function = "LINEAR"
    explanations = ds.get("WindowCenterWidthExplanation") or ()
    explanations = [explanations] if isinstance(explanations, str) else list(explanations)
    centers, widths = (decimal_numbers(ds, keyword, repairs) for keyword in ("WindowCenter", "WindowWidth"))
    if len(centers) != len(widths):
        # one without the other, or fewer of one: complete pairs are used
        repairs.append("Window Center and Window Width are not in pairs: a window of the file is left out")
    for number, (center, width) in enumerate(zip(centers, widths, strict=False), 1):
        explanation = _explanation(explanations[number - 1] if number <= len(explanations) else "")
        voi = Voi(center, width, _FUNCTIONS[function], explanation or f"window {number}")
        if is_usable(voi):
            vois.append(voi)
        else:
            repairs.append("a window of the file is not usable: left out")
    return tuple(vois)


EXPLANATION_WORDS = frozenset(
    (
        "NORMAL", "HARDER", "SOFTER", "HARD", "SOFT", "STANDARD", "DEFAULT", "USER", "LUNG", "LUNGS", "BONE", "BONES",
        "CHEST", "THORAX", "MEDIASTINUM", "TISSUE", "WINDOW", "WINDOW1", "WINDOW2", "WINDOW3", "LUT", "LINEAR",
        "SIGMOID", "HIGH", "LOW", "CONTRAST", "BRIGHT", "DARK", "ALGO1", "ALGO2",
    )
)  # fmt: skip


def _explanation(text: object) -> str:
    """Return an explanation in lower case if every word of it is known, else an empty text."""
    words = re.findall(r"[A-Z0-9]+", str(text or "").upper())
    return " ".join(words).lower() if words and EXPLANATION_WORDS.issuperset(words) else ""
