"""The grayscale transformation sequence of DICOM: stored value, Modality LUT, VOI, Presentation LUT, polarity.

Order: PS3.3 C.11, C.7.6.3; PS3.4 N.2. Each step is a function of one value, so it works on the table of
all values that a container can hold (:class:`Levels`), not on pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from .conformance import COLOUR
from .elements import Repairs, decimal_numbers, stated_text, whole_number
from .lookup_tables import is_little_endian, read_lut
from .windowing import (
    PERCENTILES,
    Lut,
    Voi,
    apply_lut,
    apply_voi,
    nominal_window,
    percentile_window,
    weighted_percentile,
)

__all__ = [
    "Counts",
    "Levels",
    "Notes",
    "VoiScale",
    "apply_first_voi",
    "apply_modality_lut",
    "apply_polarity",
    "choose_window",
    "colour_values",
    "inverts",
]

DX_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1.1"})

_UNITS = {
    "OD": "× 10⁻³ OD", "HU": "HU", "HU_MOD": "HU, modified", "US": "US", "MGML": "mg/ml", "Z_EFF": "Z_eff",
    "ED": "× 10²³ electrons/ml", "EDW": "electrons relative to water", "PCT": "%",
}  # fmt: skip
"""Defined terms of the units after the Modality LUT (PS3.3 C.11.1.1.2); US is unspecified."""

VoiScale = Literal["file", "data"]
"""How a VOI LUT is scaled: by the bits that it declares, as the standard says, or by its largest entry."""

Counts = Callable[[], np.ndarray]
"""Returns how often each container occurs in the image, (n,) int; counted on the first call."""


@dataclass
class Notes:
    """A log of the decoding: transforms, warnings, and repairs, which are both."""

    transforms: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repairs: Repairs = field(default_factory=list)

    def all_transforms(self) -> tuple[str, ...]:
        """Return the repairs, then the transforms in order."""
        return (*(f"repaired: {repair}" for repair in self.repairs), *self.transforms)

    def all_warnings(self) -> tuple[str, ...]:
        """Return the repairs, then the other warnings."""
        return (*self.repairs, *self.warnings)


@dataclass(frozen=True)
class Levels:
    """The meaning of every value that a pixel's container can hold.

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
        """Return the levels of a colour image's 8-bit luma."""
        return cls(np.arange(256, dtype=np.int32), np.zeros(256, dtype=bool), 8)

    @classmethod
    def of_containers(cls, ds: Dataset, dtype: np.dtype[Any]) -> Levels:
        """Return the levels of grey containers of 8 or 16 bits."""
        # a colour frame under a grey header has 8 bits, whatever the header says
        bits = min(int(ds.BitsStored), 8 * dtype.itemsize)
        high = min(int(ds.get("HighBit") or bits - 1), 8 * dtype.itemsize - 1)
        # High Bit beside the top of Bits Stored is retired; the data lie that much higher
        stored = np.arange(1 << (8 * dtype.itemsize), dtype=np.int32) >> max(0, high + 1 - bits)
        return cls(_masked(stored, bits, bool(ds.PixelRepresentation)), np.zeros(len(stored), dtype=bool), bits)

    def with_padding(self, ds: Dataset, counts: Counts, notes: Notes) -> Levels:
        """Mark the values of Pixel Padding Value and Range Limit (PS3.3 C.7.5.1.1.2).

        Some files pad with a value wider than Bits Stored, such as 65535 in 12-bit data. So the containers
        are compared; of compressed data, whose decoders return the stored bits only, the stored values are
        compared with the masked tag where no container matches.
        """
        if ds.get_item("PixelPaddingValue") is None:
            return self
        value, limit = whole_number(ds, "PixelPaddingValue"), whole_number(ds, "PixelPaddingRangeLimit")
        if value is None or (limit is None and ds.get_item("PixelPaddingRangeLimit") is not None):
            notes.repairs.append("a padding value or limit that is not one whole number: left out")
        if value is None:
            return self
        signed, width = bool(ds.PixelRepresentation), int(np.log2(len(self.stored)))
        tags = [value, value if limit is None else limit]
        containers = _masked(np.arange(len(self.stored), dtype=np.int32), width, signed)
        compressed = UID(ds.file_meta.TransferSyntaxUID).is_encapsulated
        candidates = [(containers, width), (self.stored, self.bits)]
        for levels, bits in candidates if compressed else candidates[:1]:
            low, high = sorted(int(_masked(np.array([tag]), bits, signed)[0]) for tag in tags)
            padding = (levels >= low) & (levels <= high)
            proportion = counts()[padding].sum() / counts().sum()
            if proportion:
                notes.transforms.append(
                    f"padding: {100 * proportion:.1f} % of pixels, kept out of windows, painted black"
                )
                return replace(self, padding=padding)
        return self

    def with_filled(self, container: int | None) -> Levels:
        """Mark the container of pixels that the file lacks as padding."""
        if container is None:
            return self
        padding = self.padding.copy()
        padding[container] = True
        return replace(self, padding=padding)


def _masked(values: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    stored = values & ((1 << bits) - 1)
    return np.where(stored >= 1 << (bits - 1), stored - (1 << bits), stored) if signed else stored


def apply_modality_lut(ds: Dataset, levels: Levels, notes: Notes) -> tuple[np.ndarray, str]:
    """Return (n,) float32 values after the Modality LUT or rescale (PS3.3 C.11.1), and their unit, empty if not stated.

    A unit that is no defined term is free text, and left out; so is that of a rescale that is not applied.
    """
    stored = levels.stored
    slope = (decimal_numbers(ds, "RescaleSlope", notes.repairs) or [1.0])[0]
    intercept = (decimal_numbers(ds, "RescaleIntercept", notes.repairs) or [0.0])[0]
    identity, unit = slope == 1 and intercept == 0, _unit(stated_text(ds, "RescaleType"))
    tables = ds.get("ModalityLUTSequence")
    if str(ds.get("SOPClassUID")) in DX_CLASSES:
        # Modality LUT is not part of DX (PS3.3 A.26); a rescale, where present, shall be the identity.
        # Pixel Intensity Relationship and its sign are no display transform (C.8.11.3.1.2).
        if not identity or tables:
            notes.warnings.append("a DX image with a rescale, which the standard does not allow: not applied")
        notes.transforms.append("modality LUT: none in DX")
        return stored.astype(np.float32), unit if identity and not tables else ""
    if tables:
        signed, little = bool(ds.PixelRepresentation), is_little_endian(ds)
        lut = read_lut(tables[0], signed=signed, name="the modality table", repairs=notes.repairs, little_endian=little)
        if lut is not None:
            notes.transforms.append(f"modality LUT: {lut.explanation}")
            return apply_lut(stored, lut), _unit(stated_text(tables[0], "ModalityLUTType"))
    if not identity:
        values = _rescaled(stored, slope, intercept)
        if values is not None:
            notes.transforms.append(f"modality LUT: rescale {slope:g} x + {intercept:g}")
            return values, unit
        notes.repairs.append("a rescale that cannot be applied: left out, values are as stored")
    notes.transforms.append("modality LUT: identity")
    return stored.astype(np.float32), unit if identity and not tables else ""


def _unit(term: str) -> str:
    return _UNITS.get(term.upper(), "")


def _rescaled(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray | None:
    if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        values = (stored * slope + intercept).astype(np.float32)
    return values if np.isfinite(values).all() else None


def colour_values(ds: Dataset, levels: Levels, notes: Notes) -> tuple[Voi, np.ndarray]:
    """Return the full-range window and the (256,) values of a colour image's luma.

    Modality, VOI and Presentation LUT are for grey images (PS3.3 C.11.1, C.11.2, C.11.6; PS3.4 N.2): those that a
    capture has kept from the image that was captured are not applied.
    """
    leftovers = [
        decimal_numbers(ds, "RescaleSlope", []) not in ([], [1]),
        decimal_numbers(ds, "RescaleIntercept", []) not in ([], [0]),
        decimal_numbers(ds, "WindowCenter", []),
        ds.get("ModalityLUTSequence") or ds.get("VOILUTSequence"),
        ds.get("PresentationLUTShape") == "INVERSE",
    ]
    if any(leftovers):
        notes.repairs.append("a rescale, window or presentation LUT in a colour image: left over, not applied")
    values = levels.stored.astype(np.float32)
    voi = nominal_window(0, 255, "no VOI: full range of 8 bits")
    notes.transforms.append(voi.explanation)
    return voi, values


def apply_first_voi(
    values: np.ndarray, vois: tuple[Voi | Lut, ...], levels: Levels, counts: Counts, notes: Notes
) -> tuple[Voi, np.ndarray]:
    """Apply the first VOI, or a chosen window where there is none (PS3.3 C.11.2).

    Returns:
        The VOI as a window, and the (n,) float32 brightness in [0, 1].
    """
    if not vois:
        voi = choose_window(values, levels, counts)
        notes.transforms.append(voi.explanation)
        return voi, apply_voi(values, voi)
    first = vois[0]
    if isinstance(first, Lut):
        count = len(first.entries)
        by = "" if first.top == (1 << first.bits) - 1 else f", scaled by its own maximum {first.top}"
        notes.transforms.append(f"VOI: table of {count} entries, {first.bits} bits{by}")
        return Voi(first.first + count / 2, count, "LINEAR", f"VOI LUT: {first.explanation}"), apply_voi(values, first)
    notes.transforms.append(f"VOI: window {first.center:g}/{first.width:g} {first.function}")
    return first, apply_voi(values, first)


def choose_window(values: np.ndarray, levels: Levels, counts: Counts) -> Voi:
    """Choose a window where the file names none: the full range of 8 bits, else by percentiles."""
    if levels.bits <= 8:
        # the nominal range of the stored values, after the Modality LUT
        return nominal_window(float(values.min()), float(values.max()), "no VOI: full range of 8 bits")
    used = np.where(levels.padding, 0, counts())
    used = used if used.any() else counts()
    present = values[used > 0]
    low, high = (weighted_percentile(values, used, percent) for percent in PERCENTILES)
    if high <= low:
        low, high = float(present.min()), float(present.max())
    return percentile_window(low, high)


def inverts(ds: Dataset) -> bool:
    """Return whether brightness is inverted: Presentation LUT Shape decides where it is present.

    PS3.3 C.11.6: INVERSE inverts. Without a shape MONOCHROME1 does (C.7.6.3.1.2). So a MONOCHROME1 that
    is also INVERSE is inverted once. Colour has no polarity.
    """
    if ds.get("PhotometricInterpretation") in COLOUR:
        return False
    shape = str(ds.get("PresentationLUTShape") or "")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return ds.get("PhotometricInterpretation") == "MONOCHROME1"


def apply_polarity(ds: Dataset, brightness: np.ndarray, levels: Levels, notes: Notes) -> np.ndarray:
    """Return (n,) float32 display levels in [0, 1]: polarity last and once, padding black."""
    shape, photometric = str(ds.get("PresentationLUTShape") or ""), str(ds.get("PhotometricInterpretation", ""))
    inverted = inverts(ds)
    if photometric in COLOUR:
        notes.transforms.append(f"polarity: {photometric}")
        return np.where(levels.padding, np.float32(0), brightness).astype(np.float32)
    if ds.get("PresentationLUTSequence"):
        notes.warnings.append("a presentation LUT is in the file: it is not applied")
    if shape in ("IDENTITY", "INVERSE"):
        notes.transforms.append(f"polarity: {photometric}, presentation LUT shape {shape}" + ", inverted" * inverted)
        if (photometric == "MONOCHROME1") != inverted:
            notes.warnings.append(
                f"{photometric} with presentation LUT shape {shape}: they contradict each other, the shape was followed"
            )
    else:
        notes.transforms.append(f"polarity: {photometric}" + " inverted" * inverted)
    display = 1 - brightness if inverted else brightness
    return np.where(levels.padding, np.float32(0), display).astype(np.float32)
