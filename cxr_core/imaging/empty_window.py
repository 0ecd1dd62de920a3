"""Windows of a DICOM file that leave nothing of the image, and what is used in their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .grayscale_pipeline import Counts, Levels, Notes, choose_window
from .windowing import Lut, Voi, apply_voi, weighted_percentile

__all__ = ["EMPTY_WINDOW", "replace_empty_window"]

EMPTY_WINDOW = 0.95
"""A window leaves nothing of an image where it makes this proportion of the image's middle black or white.

On the real DICOM files and cases at hand one window exceeds it (a CT's lung window on a radiograph, 0.97); the next
reaches 0.68.
"""

VALUES = (2.0, 98.0)
"""Percentiles of the values of the image; a window with its centre between them was chosen for them, however narrow it
is, and stays."""

MIDDLE_MARGIN, MIDDLE_SAMPLES = 0.15, 256
"""Proportion on each side that is not the middle of an image, and the approximate rows and columns sampled of it."""


def replace_empty_window(
    values: np.ndarray, vois: tuple[Voi | Lut, ...], levels: Levels, counts: Counts, pixels: np.ndarray, notes: Notes
) -> tuple[Voi | Lut, ...]:
    """Return the VOIs, the first replaced by a chosen window where it is a window that leaves nothing of the image.

    Such a window is left over from another modality, or from before the values were changed. A table is never
    replaced.

    Args:
        values: (n,) float32, the value of each container.
        vois: of the file.
        levels: of the containers.
        counts: of the containers in the whole image.
        pixels: (rows, columns) containers. Their middle counts: collimation and the air beside the patient, which a
            right window may make black, lie outside.
        notes: records the replacement and its warning.
    """
    if not vois or not isinstance(vois[0], Voi):
        return vois
    used = np.bincount(_middle(pixels).ravel(), minlength=len(values))
    used[levels.padding] = 0
    clipped = _clipped(values, vois[0], used)
    if clipped < EMPTY_WINDOW or np.count_nonzero(used) < 2:
        return vois
    present = np.where(levels.padding, 0, counts())
    low, high = (weighted_percentile(values, present, percent) for percent in VALUES)
    if low <= vois[0].center <= high:
        return vois
    chosen = choose_window(values, levels, counts)
    if _clipped(values, chosen, used) >= EMPTY_WINDOW:
        return vois
    name = chosen.explanation.removeprefix("no VOI: ").replace("window, ", "window of ")
    window = f"{vois[0].center:g}/{vois[0].width:g}"
    notes.transforms.append(f"VOI: window {window} of the file left out, {name} in its place")
    notes.warnings.append(
        f"the window of the file ({window}) makes {100 * clipped:.0f} % of the middle of the image black or white: "
        f"left out; the {name} is used instead; check the grey"
    )
    chosen = replace(chosen, explanation=name)
    return (chosen, *vois[1:])


def _clipped(values: np.ndarray, voi: Voi, used: np.ndarray) -> float:
    """Return the proportion of pixels that a window makes black or white, to half a grey level of 8 bits."""
    brightness = apply_voi(values, voi)
    ends = (brightness < 0.5 / 255) | (brightness > 1 - 0.5 / 255)
    return float(used[ends].sum() / max(1, used.sum()))


def _middle(pixels: np.ndarray) -> np.ndarray:
    """Return a sample of the pixels in the middle of an image, at least every one of a small image."""
    rows, columns = (
        slice(int(MIDDLE_MARGIN * side), side - int(MIDDLE_MARGIN * side), max(1, side // MIDDLE_SAMPLES))
        for side in pixels.shape
    )
    return pixels[rows, columns]
