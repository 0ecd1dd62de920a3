"""The display chain of DICOM: stored value, Modality LUT, VOI, Presentation LUT, polarity.

Order: PS3.3 C.11, C.7.6.3; PS3.4 N.2. Each step is a function of one value, so it works on the table of
all values that a container can hold (:class:`Levels`), not on pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..errors import InputRefused
from .display import (
    PERCENTILES,
    apply_lut,
    brightness,
    nominal_window,
    percentile_of_counts,
    percentile_window,
    usable,
)
from .voi import Lut, Voi

__all__ = ["Levels", "Notes", "file_vois", "inverts", "modality_values", "presented", "voi_brightness"]

_DX = {"1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1.1"}


Counts = Callable[[], np.ndarray]
"""Returns how often each container stands in the picture, (n,) int; counted when it is asked for."""


@dataclass
class Notes:
    """What is done to the pixels, and what speaks against them, gathered along the way."""

    transforms: list[str] = field(default_factory=list)
    concerns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Levels:
    """Every value that a pixel's container can hold.

    Attributes:
        stored: (n,) int32, the stored value of container 0 to n - 1: bits beyond Bits Stored removed,
            sign extended (PS3.5 8.1.1).
        padding: (n,) bool, True where a container is padding.
        bits: Bits Stored.
    """

    stored: np.ndarray
    padding: np.ndarray
    bits: int

    @classmethod
    def of_luma(cls) -> Levels:
        """Return the levels of a colour picture's 8-bit brightness."""
        return cls(np.arange(256, dtype=np.int32), np.zeros(256, dtype=bool), 8)

    @classmethod
    def of_containers(cls, ds: Dataset, dtype: np.dtype) -> Levels:
        """Return the levels of grey containers of 8 or 16 bits."""
        bits, high = int(ds.BitsStored), int(ds.get("HighBit") or int(ds.BitsStored) - 1)
        # High Bit beside the top of Bits Stored is retired; the data lie that much higher
        stored = np.arange(1 << (8 * dtype.itemsize), dtype=np.int32) >> max(0, high + 1 - bits)
        return cls(_masked(stored, bits, bool(ds.PixelRepresentation)), np.zeros(len(stored), dtype=bool), bits)

    def with_padding(self, ds: Dataset, counts: Counts, notes: Notes) -> Levels:
        """Mark what Pixel Padding Value and Range Limit name (PS3.3 C.7.5.1.1.2).

        Some files pad with a value wider than Bits Stored, such as 65535 in 12-bit data. So whole
        containers are compared; of compressed data, whose decoders keep the stored bits only, stored
        values are compared with the masked tag where no container matches.
        """
        value = ds.get("PixelPaddingValue")
        if value is None:
            return self
        limit = ds.get("PixelPaddingRangeLimit")
        signed, width = bool(ds.PixelRepresentation), int(np.log2(len(self.stored)))
        tags = [_integer(tag) for tag in (value, value if limit is None else limit)]
        whole = _masked(np.arange(len(self.stored), dtype=np.int32), width, signed)
        compressed = UID(ds.file_meta.TransferSyntaxUID).is_encapsulated
        ways = [(whole, width), (self.stored, self.bits)]
        for levels, bits in ways if compressed else ways[:1]:
            low, high = sorted(int(_masked(np.array([tag]), bits, signed)[0]) for tag in tags)
            padding = (levels >= low) & (levels <= high)
            share = counts()[padding].sum() / counts().sum()
            if share:
                notes.transforms.append(f"padding: {100 * share:.1f} % of pixels, kept out of windows, painted black")
                return replace(self, padding=padding)
        return self


def _masked(values: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    stored = values & ((1 << bits) - 1)
    return np.where(stored >= 1 << (bits - 1), stored - (1 << bits), stored) if signed else stored


def _integer(tag: int | bytes) -> int:
    return int.from_bytes(tag, "little") if isinstance(tag, bytes) else int(tag)


def modality_values(ds: Dataset, levels: Levels, notes: Notes) -> np.ndarray:
    """Return (n,) float32 values after the Modality LUT or rescale (PS3.3 C.11.1)."""
    stored = levels.stored
    slope, intercept = _number(ds.get("RescaleSlope"), 1.0), _number(ds.get("RescaleIntercept"), 0.0)
    identity = slope == 1 and intercept == 0
    if str(ds.get("SOPClassUID")) in _DX:
        # Modality LUT is not part of DX (PS3.3 A.26); a rescale, where present, shall be the identity.
        # Pixel Intensity Relationship and its sign are no display transform (C.8.11.3.1.2).
        if not identity or ds.get("ModalityLUTSequence"):
            notes.concerns.append("a DX image with a rescale, which the standard does not allow: not applied")
        notes.transforms.append("modality LUT: none in DX")
        return stored.astype(np.float32)
    if ds.get("ModalityLUTSequence"):
        lut = read_lut(ds.ModalityLUTSequence[0], signed=bool(ds.PixelRepresentation), little_endian=_little(ds))
        notes.transforms.append(f"modality LUT: {lut.explanation}")
        return apply_lut(stored, lut)
    if identity:
        notes.transforms.append("modality LUT: identity")
        return stored.astype(np.float32)
    if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
        raise InputRefused("DICOM with a rescale that cannot be applied. Export it again.")
    with np.errstate(over="ignore", invalid="ignore"):
        values = (stored * slope + intercept).astype(np.float32)
    if not np.isfinite(values).all():
        raise InputRefused("DICOM with a rescale that cannot be applied. Export it again.")
    notes.transforms.append(f"modality LUT: rescale {slope:g} x + {intercept:g}")
    return values


def read_lut(item: Dataset, *, signed: bool, little_endian: bool = True) -> Lut:
    """Read a look-up table, also one whose 8-bit entries are packed two to a word (PS3.3 C.11.2.1.1).

    ``signed`` says whether the values that it looks up are; ``little_endian`` the order of bytes in the
    file.
    """
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    count = count or 1 << 16
    if signed and first >= 1 << 15:
        first -= 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        # pydicom leaves words of bytes in the file's own order
        words = np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2" if little_endian else ">u2")
    else:
        words = np.atleast_1d(np.asarray(data, dtype=np.int64)).astype(np.uint16)
    packed = len(words) < count
    entries = (words.astype("<u2").view(np.uint8) if packed else words)[:count]
    if len(entries) < count or not 8 <= bits <= 16:
        raise InputRefused("DICOM with a broken look-up table. Export it again.")
    # a table that goes beyond its own bits would be white from there on
    bits = max(bits, int(entries.max()).bit_length())
    return Lut(entries.astype(np.uint16), first, bits, f"table of {count} entries")


def _little(ds: Dataset) -> bool:
    return ds.original_encoding[1] is not False


def file_vois(ds: Dataset, values: np.ndarray, notes: Notes) -> tuple[Voi | Lut, ...]:
    """Return the file's tables and windows, tables first; what cannot be applied is left out and named.

    They are alternatives (PS3.3 C.11.2.1.1). An explanation is free text, which may hold anything: only
    words that every department knows are kept of it.
    """
    found: list[Voi | Lut] = []
    for number, item in enumerate(ds.get("VOILUTSequence") or (), 1):
        lut = read_lut(item, signed=bool(values.min() < 0), little_endian=_little(ds))
        found.append(replace(lut, explanation=_known_words(item.get("LUTExplanation")) or f"table {number}"))
    function = str(ds.get("VOILUTFunction") or "LINEAR").upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
    told = ds.get("WindowCenterWidthExplanation") or ()
    told = [told] if isinstance(told, str) else list(told)
    pairs = zip(_numbers(ds.get("WindowCenter")), _numbers(ds.get("WindowWidth")), strict=False)
    for number, (center, width) in enumerate(pairs, 1):
        words = _known_words(told[number - 1] if number <= len(told) else "")
        voi = Voi(center, width, function, words or f"window {number}")
        if usable(voi):
            found.append(voi)
        else:
            notes.concerns.append("a window of the file is not usable: left out")
    return tuple(found)


_WORDS = frozenset(
    (
        "NORMAL", "HARDER", "SOFTER", "HARD", "SOFT", "STANDARD", "DEFAULT", "USER", "LUNG", "LUNGS", "BONE", "BONES",
        "CHEST", "THORAX", "MEDIASTINUM", "TISSUE", "WINDOW", "WINDOW1", "WINDOW2", "WINDOW3", "LUT", "LINEAR",
        "SIGMOID", "HIGH", "LOW", "CONTRAST", "BRIGHT", "DARK", "ALGO1", "ALGO2",
    )
)  # fmt: skip


def _known_words(text: object) -> str:
    """Return an explanation in small letters if every word of it is known, else nothing."""
    words = re.findall(r"[A-Z0-9]+", str(text or "").upper())
    return " ".join(words).lower() if words and _WORDS.issuperset(words) else ""


def voi_brightness(
    values: np.ndarray, vois: tuple[Voi | Lut, ...], levels: Levels, counts: Counts, notes: Notes
) -> tuple[Voi, np.ndarray]:
    """Return the first VOI as a window, and the (n,) brightness in [0, 1] that it gives (PS3.3 C.11.2)."""
    if not vois:
        voi = _chosen_window(values, levels, counts)
        notes.transforms.append(voi.explanation)
        return voi, brightness(values, voi)
    first = vois[0]
    if isinstance(first, Lut):
        count = len(first.entries)
        notes.transforms.append(f"VOI: table of {count} entries, {first.bits} bits")
        return Voi(first.first + count / 2, count, "LINEAR", f"VOI LUT: {first.explanation}"), brightness(values, first)
    notes.transforms.append(f"VOI: window {first.center:g}/{first.width:g} {first.function}")
    return first, brightness(values, first)


def _chosen_window(values: np.ndarray, levels: Levels, counts: Counts) -> Voi:
    """Choose a window where the file names none: the full range of 8 bits, else by percentiles."""
    if levels.bits <= 8:
        # the nominal range of the stored values, where the modality step puts it
        return nominal_window(float(values.min()), float(values.max()), "no VOI: full range of 8 bits")
    used = np.where(levels.padding, 0, counts())
    used = used if used.any() else counts()
    present = values[used > 0]
    low, high = (percentile_of_counts(values, used, percent) for percent in PERCENTILES)
    if high <= low:
        low, high = float(present.min()), float(present.max())
    return percentile_window(low, high)


def inverts(ds: Dataset) -> bool:
    """Return whether brightness is turned over: Presentation LUT Shape decides where it is present.

    PS3.3 C.11.6: INVERSE turns over. Without it MONOCHROME1 does (C.7.6.3.1.2). So a MONOCHROME1 that
    is also INVERSE is turned over once.
    """
    shape = str(ds.get("PresentationLUTShape") or "")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return ds.get("PhotometricInterpretation") == "MONOCHROME1"


def presented(ds: Dataset, seen: np.ndarray, levels: Levels, notes: Notes) -> np.ndarray:
    """Return (n,) float32 display levels: polarity, last and once, by the nominal range; padding black."""
    shape, photometric = str(ds.get("PresentationLUTShape") or ""), str(ds.get("PhotometricInterpretation", ""))
    turned = inverts(ds)
    if ds.get("PresentationLUTSequence"):
        notes.concerns.append("a presentation LUT is in the file: it is not applied")
    if shape in ("IDENTITY", "INVERSE"):
        notes.transforms.append(f"polarity: {photometric}, presentation LUT shape {shape}" + ", inverted" * turned)
        if (photometric == "MONOCHROME1") != turned:
            notes.concerns.append(
                f"{photometric} with presentation LUT shape {shape}: they contradict each other, the shape was followed"
            )
    else:
        notes.transforms.append(f"polarity: {photometric}" + " inverted" * turned)
    display = 1 - seen if turned else seen
    return np.where(levels.padding, np.float32(0), display).astype(np.float32)


def _number(value: object, missing: float) -> float:
    return missing if value is None or value == "" else float(value)


def _numbers(value: object) -> list[float]:
    if value is None or value == "":
        return []
    parts = [value] if isinstance(value, str | int | float) else list(value)
    numbers = []
    for part in parts:
        try:
            numbers.append(float(part))
        except (TypeError, ValueError):
            numbers.append(float("nan"))
    return numbers
