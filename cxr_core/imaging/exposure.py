"""Whether a film is exposed so that it can be read: by the grey levels of its middle.

The middle is where lungs and mediastinum lie: what is outside the collimated field is black on every film, and
so is the air beside the patient. Nothing here knows the dose: a film may be well exposed and shown through a
window that hides it, which looks the same, so the words name both.

The bounds were set on films of adults of nih_128 whose patients are in neither nih_384 nor nih_expert: each is
passed by 0.2 % of them or fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Exposure", "exposure_of"]

SIDE = 128
"""Longer side in pixels, about, of what is looked at."""

FIELD_LEVEL, FIELD_SHARE = 10, 0.05
"""A row or column is in the field where this share of it is brighter than this level of 255."""

MARGIN = 0.2
"""Share of the field on each side that is not its middle."""

BLACK, WHITE = 5, 250
"""Levels of 255 up to which a pixel is black, and from which it is white."""

MOST_BLACK, MOST_WHITE = 0.03, 0.01
"""Greatest shares of the middle that are black, or white, without a warning."""

DARK, LIGHT = 0.46 * 255, 0.67 * 255
"""A film is dark where the upper quartile of its middle lies below, light where the lower one lies above."""

SPAN = 0.2 * 255
"""A film is flat where the 5th and the 95th percentile of its middle are closer to each other."""

HOPELESS_SHARE, HOPELESS_SPAN = 0.5, 0.05 * 255
"""Refused: more of the middle black or white than this, or the 1st and the 99th percentile so close."""

_ADVICE = "check its exposure and its window"


@dataclass(frozen=True)
class Exposure:
    """How a film is exposed.

    Attributes:
        verdict: ``ok``, ``warning`` or ``refused``.
        words: what was found and what to do, for a reason; empty where it is ok.
    """

    verdict: str = "ok"
    words: str = ""


def exposure_of(grey: np.ndarray) -> Exposure:
    """Return how a film is exposed.

    Args:
        grey: (rows, columns) uint8, a film's small copy (:func:`cxr_core.imaging.block_means.block_means`).
    """
    step = max(1, min(max(grey.shape) // SIDE, min(grey.shape) // 16))
    middle = _middle(grey[::step, ::step])
    if not middle.size:
        return Exposure("refused", f"it is nearly black all over; {_ADVICE}")
    lowest, low, quarter, upper, high, highest = np.percentile(middle, (1, 5, 25, 75, 95, 99))
    black, white = float((middle <= BLACK).mean()), float((middle >= WHITE).mean())
    if highest - lowest < HOPELESS_SPAN:
        return Exposure("refused", f"its middle spans {highest - lowest:.0f} of 255 grey levels; {_ADVICE}")
    if black + white > HOPELESS_SHARE:
        return Exposure("refused", f"{100 * (black + white):.0f} % of its middle is all black or all white; {_ADVICE}")
    if black > MOST_BLACK:
        return Exposure("warning", f"too dark: {100 * black:.0f} % of its middle is all black; {_ADVICE}")
    if white > MOST_WHITE:
        return Exposure("warning", f"too light: {100 * white:.0f} % of its middle is all white; {_ADVICE}")
    if upper < DARK:
        return Exposure("warning", f"dark: little of its middle is bright; {_ADVICE}")
    if quarter > LIGHT:
        return Exposure("warning", f"light: little of its middle is dark; {_ADVICE}")
    if high - low < SPAN:
        return Exposure("warning", f"flat: its middle spans {high - low:.0f} of 255 grey levels; {_ADVICE}")
    return Exposure()


def _middle(grey: np.ndarray) -> np.ndarray:
    """Return the middle of the collimated field; empty where there is hardly any field."""
    bright = grey > FIELD_LEVEL
    rows, columns = (np.flatnonzero(bright.mean(axis=axis) > FIELD_SHARE) for axis in (1, 0))
    if min(len(rows), len(columns)) < max(4, min(grey.shape) // 8):
        return grey[:0]
    field = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = (int(MARGIN * side) for side in field.shape)
    return field[top : field.shape[0] - top, left : field.shape[1] - left]
