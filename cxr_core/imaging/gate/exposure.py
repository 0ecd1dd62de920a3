"""Whether an image is exposed well enough to be read, from the grey levels of its middle.

The middle is where lungs and mediastinum lie; outside the collimated field and beside the patient every image is
black. The dose is not known here: a well exposed image under a wrong window looks the same, so the texts name both.

The bounds were set on images of adults of nih_128 whose patients are in neither nih_384 nor nih_expert: each is
exceeded by 0.2 % of them or fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Exposure", "assess_exposure"]

SIDE = 128
"""Approximate longer side, in pixels, of the sampled image."""

FIELD_LEVEL, FIELD_FRACTION = 10, 0.05
"""A row or column is in the field where this fraction of it is brighter than this level of 255."""

MARGIN = 0.2
"""Fraction of the field on each side that is not its middle."""

BLACK, WHITE = 5, 250
"""Levels of 255 up to which a pixel is black, and from which it is white."""

MAX_BLACK, MAX_WHITE = 0.03, 0.01
"""Largest fractions of the middle that may be black, or white, without a warning."""

DARK, LIGHT = 0.46 * 255, 0.67 * 255
"""An image is dark where the upper quartile of its middle is below, light where the lower quartile is above."""

SPAN = 0.2 * 255
"""An image is flat where the 5th and the 95th percentile of its middle are closer to each other."""

REFUSED_FRACTION, REFUSED_SPAN = 0.5, 0.05 * 255
"""Refused: a larger fraction of the middle is black or white, or its 1st and 99th percentile are closer."""

_ADVICE = "check its exposure and its window"


@dataclass(frozen=True)
class Exposure:
    """A verdict on the exposure.

    Attributes:
        verdict: ``ok``, ``note``, ``warning`` or ``refused``.
        text: what was found and what to do; empty where it is ok.
    """

    verdict: str = "ok"
    text: str = ""


def assess_exposure(grey: np.ndarray) -> Exposure:
    """Return the verdict on an image's exposure.

    Args:
        grey: (rows, columns) uint8, an image's reduced copy (:func:`cxr_core.imaging.gate.decision.block_means`).
    """
    step = max(1, min(max(grey.shape) // SIDE, min(grey.shape) // 16))
    middle = _middle(grey[::step, ::step])
    if not middle.size:
        return Exposure("refused", f"it is nearly black all over; {_ADVICE}")
    lowest, low, quarter, upper, high, highest = np.percentile(middle, (1, 5, 25, 75, 95, 99))
    black, white = float((middle <= BLACK).mean()), float((middle >= WHITE).mean())
    if highest - lowest < REFUSED_SPAN:
        return Exposure("refused", f"its middle spans {highest - lowest:.0f} of 255 grey levels; {_ADVICE}")
    if black + white > REFUSED_FRACTION:
        return Exposure("refused", f"{100 * (black + white):.0f} % of its middle is all black or all white; {_ADVICE}")
    if black > MAX_BLACK:
        return Exposure("warning", f"too dark: {100 * black:.0f} % of its middle is all black; {_ADVICE}")
    if white > MAX_WHITE:
        return Exposure("warning", f"too light: {100 * white:.0f} % of its middle is all white; {_ADVICE}")
    if upper < DARK:
        return Exposure("warning", f"dark: little of its middle is bright; {_ADVICE}")
    if high - low < SPAN:
        return Exposure("warning", f"flat: its middle spans {high - low:.0f} of 255 grey levels; {_ADVICE}")
    if quarter > LIGHT:
        # more than a third of another hospital's unaltered images (docs/conformance.md)
        return Exposure("note", f"light: little of its middle is dark; {_ADVICE}")
    return Exposure()


def _middle(grey: np.ndarray) -> np.ndarray:
    """Return the middle of the collimated field; empty where there is hardly any field."""
    bright = grey > FIELD_LEVEL
    rows, columns = (np.flatnonzero(bright.mean(axis=axis) > FIELD_FRACTION) for axis in (1, 0))
    if min(len(rows), len(columns)) < max(4, min(grey.shape) // 8):
        return grey[:0]
    field = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = (int(MARGIN * side) for side in field.shape)
    return field[top : field.shape[0] - top, left : field.shape[1] - left]
