"""One exposure for the network's input: the grey of the chest, stretched to the whole range.

Images of other makers come darker, paler or with a marker that is brighter than any tissue; a network that was
trained on one hospital's exposure then loses what it knows. The picture on the screen is never changed by this.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

__all__ = ["EXPOSURES", "InputExposure", "exposure_range", "exposure_words", "stretch_exposure"]

InputExposure = Literal["none", "stretched"]

EXPOSURES: tuple[InputExposure, ...] = ("none", "stretched")

MIDDLE_ROWS, MIDDLE_COLUMNS = (0.10, 0.90), (0.15, 0.85)
"""The part of an image that is measured: it lies in the chest, and side markers, burned-in text and most
collimation lie outside."""

PERCENTILES = (1.0, 98.5)

LEAST_RANGE = 0.03
"""A range of grey below this is left as it is: stretched, it would be noise."""


def exposure_range(content: np.ndarray) -> tuple[float, float]:
    """Return the grey that becomes black and the grey that becomes white.

    Args:
        content: (rows, columns) float in [0, 1], an image without the padding around it.

    Returns:
        The percentiles :data:`PERCENTILES` of the middle of the image; 0 and 1 where they are too near one
        another to tell anything apart.
    """
    rows, columns = (
        slice(int(side * low), max(int(side * high), int(side * low) + 1))
        for side, (low, high) in zip(content.shape, (MIDDLE_ROWS, MIDDLE_COLUMNS), strict=True)
    )
    low, high = np.percentile(content[rows, columns], PERCENTILES)
    return (float(low), float(high)) if high - low > LEAST_RANGE else (0.0, 1.0)


def stretch_exposure(content: np.ndarray) -> np.ndarray:
    """Return an image with its :func:`exposure_range` stretched to [0, 1], what lies outside cut off; float32."""
    low, high = exposure_range(content)
    return np.clip((content - low) / (high - low), 0, 1).astype(np.float32)


def exposure_words(exposure: InputExposure) -> str:
    """Return what is done to the grey of the network's input, as the transforms and the card say it."""
    if exposure == "none":
        return "model input: grey as displayed"
    return (
        f"model input: grey from the {PERCENTILES[0]:g}st to the {PERCENTILES[1]:g}th percentile of the middle of the "
        "image stretched to black and white"
    )
