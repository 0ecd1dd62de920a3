"""From the image as displayed back to the pixels as they lie in the file, which results refer to.

The displayed image may have been mirrored and turned, and has square pixels where those of the file are not.
"""

from __future__ import annotations

import numpy as np

from ...explain import HeatMap, resample_to_image
from ...imaging import Pose

__all__ = ["map_on_stored_pixels", "to_stored"]


def to_stored(points: np.ndarray, shown: tuple[int, int], pose: Pose, stored: tuple[int, int]) -> np.ndarray:
    """Return points of the displayed image in coordinates of the stored pixels.

    Args:
        points: (n, 2) of (x, y) on the displayed image, integers at pixel centres.
        shown: rows and columns of the displayed image.
        pose: that was applied to the stored image.
        stored: rows and columns as stored.

    Returns:
        (n, 2) float64 of (column, row), 0 at the left and upper edge of the image and 0.5 at the first pixel's centre
        (PS3.3 C.10.5, C.18.6), within the image.
    """
    x, y = np.asarray(points, dtype=np.float64).T + 0.5
    height, width = shown
    for _ in range(pose.quarter_turns):
        # a clockwise turn brought the lower edge to the left
        x, y = y, width - x
        height, width = width, height
    if pose.mirrored:
        x = width - x
    rows, columns = stored
    return np.stack([np.clip(x * columns / width, 0, columns), np.clip(y * rows / height, 0, rows)], axis=1)


def map_on_stored_pixels(heat: HeatMap, pose: Pose, stored: tuple[int, int]) -> np.ndarray:
    """Return a map on the stored pixels, as a fraction of full colour.

    Args:
        heat: of the displayed image.
        pose: that was applied to the stored image.
        stored: rows and columns as stored.

    Returns:
        (rows, columns) float32 in [0, 1]; 0 where the image was cropped away before the model.
    """
    rows, columns = stored if pose.quarter_turns % 2 == 0 else stored[::-1]
    fractions = np.clip(np.nan_to_num(resample_to_image(heat, rows, columns)) / heat.anchor, 0, 1)
    turned_back = np.rot90(fractions, pose.quarter_turns)
    return np.ascontiguousarray(turned_back[:, ::-1] if pose.mirrored else turned_back, dtype=np.float32)
