"""The picture that the viewer shows first."""

from __future__ import annotations

import numpy as np

from .display import grey8
from .lookup import look_up
from .radiograph import Radiograph

__all__ = ["render8"]


def render8(radiograph: Radiograph) -> np.ndarray:
    """Return what the viewer shows by default: (rows, columns) uint8, 0 is black."""
    return look_up(grey8(radiograph.pixels.display), radiograph.pixels.containers)
