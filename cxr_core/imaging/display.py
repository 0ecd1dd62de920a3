"""Values to brightness: VOI, Presentation LUT and polarity, each once and in this order.

Order: stored values, Modality LUT or rescale, VOI LUT or window, Presentation LUT, polarity
(PS3.3 C.11, C.7.6.3; PS3.4 N.2). Brightness is normalised by the nominal range of each step, never by
the image's own extremes: one metal marker must not darken a chest.
"""

from __future__ import annotations

import numpy as np

from .voi import Lut, Voi

__all__ = [
    "PERCENTILES",
    "apply_lut",
    "apply_window",
    "brightness",
    "grey8",
    "nominal_window",
    "percentile_of_counts",
    "percentile_window",
    "usable",
]

PERCENTILES = (0.5, 99.5)
"""Between these the window lies where a file of more than 8 bits names none."""


def apply_lut(values: np.ndarray, lut: Lut) -> np.ndarray:
    """Return the entries for the values, float32, in the units of the table."""
    index = np.clip(np.rint(values) - lut.first, 0, len(lut.entries) - 1).astype(np.int64)
    return lut.entries[index].astype(np.float32)


def usable(voi: Voi) -> bool:
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
        # beyond 700 exp overflows; the answer is 0 long before
        return (1 / (1 + np.exp(np.clip(-4 * (x - voi.center) / voi.width, -700, 700)))).astype(np.float32)
    if voi.function == "LINEAR_EXACT":
        return np.clip((x - voi.center) / voi.width + 0.5, 0, 1).astype(np.float32)
    middle, span = voi.center - 0.5, voi.width - 1
    if span == 0:
        return (x > middle).astype(np.float32)
    return np.clip((x - middle) / span + 0.5, 0, 1).astype(np.float32)


def brightness(values: np.ndarray, voi: Voi | Lut) -> np.ndarray:
    """Return brightness in [0, 1], float32, of values under a window or a table, before polarity."""
    if isinstance(voi, Lut):
        return np.minimum(apply_lut(values, voi) / np.float32(voi.top), np.float32(1))
    return apply_window(values, voi)


def nominal_window(low: float, high: float, explanation: str) -> Voi:
    """Return the window that spreads a nominal range over black to white."""
    return Voi((low + high) / 2, max(high - low, 1e-6), "LINEAR_EXACT", explanation)


def percentile_window(low: float, high: float) -> Voi:
    """Return the window between the values at :data:`PERCENTILES`."""
    words = f"no VOI: percentile window, {PERCENTILES[0]:g} to {PERCENTILES[1]:g} %"
    return nominal_window(float(low), float(high), words)


def percentile_of_counts(values: np.ndarray, counts: np.ndarray, percent: float) -> float:
    """Return a percentile of values that stand so many times, linear between neighbours as NumPy's.

    Args:
        values: (n,) float, in any order.
        counts: (n,) int >= 0, at least one of them positive.
        percent: 0 to 100.
    """
    order = np.argsort(values, kind="stable")
    last = np.cumsum(counts[order])
    rank = percent / 100 * (last[-1] - 1)
    below, above = np.searchsorted(last, [np.floor(rank), np.ceil(rank)], side="right")
    low, high = float(values[order[below]]), float(values[order[above]])
    return low + (high - low) * float(rank - np.floor(rank))


def grey8(display: np.ndarray) -> np.ndarray:
    """Return display levels, float32 in [0, 1], as uint8 grey, halves rounded up."""
    return np.floor(display * 255 + 0.5).astype(np.uint8)
