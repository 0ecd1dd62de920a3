"""A film as it is stored, and the tables that say what its pixels mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Pixels"]


@dataclass(frozen=True, eq=False)
class Pixels:
    """A film as it is stored, and what every value that its containers can hold means.

    A film has millions of pixels and at most 65,536 values, so each step of the display chain is computed
    for values, and looked up for pixels when somebody asks.

    Attributes:
        containers: (rows, columns) uint8 or uint16, row 0 on top, the patient's right on the image's left
            as filed.
        values: (256 or 65536,) float32, value of each container after the Modality LUT, before the VOI.
        display: (256 or 65536,) float32 in [0, 1], what it is displayed as; 0 is black.
        padding: (256 or 65536,) bool, True where a container is no part of the picture; displayed black.
    """

    containers: np.ndarray
    values: np.ndarray
    display: np.ndarray
    padding: np.ndarray
