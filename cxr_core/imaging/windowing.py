"""Windows and look-up tables: values to brightness.

Brightness is normalised by the nominal range of a window or table, never by the image's own extremes: one metal
marker must not darken a chest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "PERCENTILES",
    "Lut",
    "Voi",
    "VoiFunction",
    "apply_lut",
    "apply_voi",
    "apply_window",
    "grey8",
    "is_usable",
    "look_up",
    "nominal_window",
    "percentile_window",
    "weighted_percentile",
]

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

PERCENTILES = (0.5, 99.5)
"""Limits of the window of a file of more than 8 bits that names none."""


@dataclass(frozen=True)
class Voi:
    """A window (PS3.3 C.11.2).

    Attributes:
        center, width: in the units of :attr:`Radiograph.values`.
        function: VOI LUT Function (C.11.2.1.2, C.11.2.1.3).
        explanation: the file's name of it, or how it was chosen.
    """

    center: float
    width: float
    function: VoiFunction = "LINEAR"
    explanation: str = ""


@dataclass(frozen=True)
class Lut:
    """A look-up table (PS3.3 C.11.1.1, C.11.2.1.1).

    Attributes:
        entries: (n,) uint16.
        first: the input value of the first entry; smaller values map to the first entry, values beyond the last
            entry to the last.
        bits: of an entry; its nominal range is 0 to 2**bits - 1.
        explanation: the file's name of it.
        top: the entry that is shown white; by default the largest of ``bits``.
    """

    entries: np.ndarray
    first: int
    bits: int
    explanation: str = ""
    top: int = 0

    def __post_init__(self) -> None:
        if not self.top:
            object.__setattr__(self, "top", (1 << self.bits) - 1)


def apply_lut(values: np.ndarray, lut: Lut) -> np.ndarray:
    """Return the entries for the values, float32, in the units of the table."""
    index = np.clip(np.rint(values) - lut.first, 0, len(lut.entries) - 1).astype(np.int64)
    return lut.entries[index].astype(np.float32)


def is_usable(voi: Voi) -> bool:
    """Return whether a window can be applied: finite, and as wide as its function needs.

    LINEAR needs a width of at least 1, the others more than 0 (PS3.3 C.11.2.1.2).
    """
    if not (np.isfinite(voi.center) and np.isfinite(voi.width)):
        return False
    return voi.width >= 1 if voi.function == "LINEAR" else voi.width > 0


def apply_window(values: np.ndarray, voi: Voi) -> np.ndarray:
    """Return brightness in [0, 1], float32, for values in the window's units.

    LINEAR (PS3.3 C.11.2.1.2.1): 0 up to c - 0.5 - (w - 1)/2, 1 above c - 0.5 + (w - 1)/2, else
    (x - (c - 0.5)) / (w - 1) + 0.5. LINEAR_EXACT (C.11.2.1.3.2): (x - c) / w + 0.5 within c -+ w/2.
    SIGMOID (C.11.2.1.3.1): 1 / (1 + exp(-4 (x - c) / w)).
    """
    x = values.astype(np.float64)
    if voi.function == "SIGMOID":
        # exp overflows beyond 700, where the result is 0
        return (1 / (1 + np.exp(np.clip(-4 * (x - voi.center) / voi.width, -700, 700)))).astype(np.float32)
    if voi.function == "LINEAR_EXACT":
        return np.clip((x - voi.center) / voi.width + 0.5, 0, 1).astype(np.float32)
    middle, span = voi.center - 0.5, voi.width - 1
    if span == 0:
        return (x > middle).astype(np.float32)
    return np.clip((x - middle) / span + 0.5, 0, 1).astype(np.float32)


def apply_voi(values: np.ndarray, voi: Voi | Lut) -> np.ndarray:
    """Return brightness in [0, 1], float32, of values under a window or a table, before polarity."""
    if isinstance(voi, Lut):
        return np.minimum(apply_lut(values, voi) / np.float32(voi.top), np.float32(1))
    return apply_window(values, voi)


def nominal_window(low: float, high: float, explanation: str) -> Voi:
    """Return the window that spreads a nominal range over black to white."""
    return Voi((low + high) / 2, max(high - low, 1e-6), "LINEAR_EXACT", explanation)


def percentile_window(low: float, high: float) -> Voi:
    """Return the window between the values at :data:`PERCENTILES`."""
    explanation = f"no VOI: percentile window, {PERCENTILES[0]:g} to {PERCENTILES[1]:g} %"
    return nominal_window(float(low), float(high), explanation)


def weighted_percentile(values: np.ndarray, counts: np.ndarray, percent: float) -> float:
    """Return a percentile of values with counts, linear between neighbours as NumPy's.

    Args:
        values: (n,) float, in any order.
        counts: (n,) int >= 0, at least one of them positive.
        percent: 0 to 100.
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(counts[order])
    rank = percent / 100 * (cumulative[-1] - 1)
    below, above = np.searchsorted(cumulative, [np.floor(rank), np.ceil(rank)], side="right")
    low, high = float(values[order[below]]), float(values[order[above]])
    return low + (high - low) * float(rank - np.floor(rank))


def grey8(display: np.ndarray) -> np.ndarray:
    """Return display levels, float32 in [0, 1], as uint8 grey, halves rounded up."""
    return np.floor(display * 255 + 0.5).astype(np.uint8)


def look_up(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the table's entry for each code, in the shape of the codes; the result is read-only.

    NumPy's ``take`` widens every index to 64 bits first, which costs several times the look-up; Arrow takes 8 and 16
    bits as they are, and its result is not copied.

    Args:
        table: (256,) for uint8 codes or (65536,) for uint16 codes, of any number type.
        codes: any shape, uint8 or uint16. Every code lies inside its table, so no index is checked.
    """
    if len(table) != 1 << (8 * codes.dtype.itemsize) or codes.dtype.kind != "u":
        raise ValueError(f"A table of {len(table)} entries for codes of {codes.dtype}: 2 to the bits is accepted.")
    flat = np.ascontiguousarray(codes).reshape(-1)
    entries = pc.take(pa.array(table), pa.array(flat), boundscheck=False)
    return entries.to_numpy(zero_copy_only=True).reshape(codes.shape)
