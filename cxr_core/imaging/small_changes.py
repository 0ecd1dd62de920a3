"""Small changes of a displayed image, each as another export of the same exposure would make it.

A workstation, a PACS and a research archive export one exposure with other windows, grey curves, margins and
alignments. What a model states of an image should not depend on which of them wrote the file. The changes are applied
to the displayed grey image, before it is prepared for a model; the image on the screen is never changed by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

__all__ = ["SMALL_CHANGES", "SmallChange", "crop_edges", "gamma_curve", "percentile_window", "rotate"]

WINDOW = (2.0, 98.0)
GAMMAS = (0.7, 1.4)
CROP = 0.04
DEGREES = 3.0

_LEAST_RANGE = 1 / 255


@dataclass(frozen=True)
class SmallChange:
    """One change.

    Attributes:
        name: in files and cards, such as ``gamma-0.7``.
        description: on the screen.
        apply: (rows, columns) float32 in [0, 1] to such an image, perhaps of another size; the argument is not
            changed.
    """

    name: str
    description: str
    apply: Callable[[np.ndarray], np.ndarray]


def percentile_window(display: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return an image whose grey between two percentiles is stretched to black and white; the rest is clipped.

    Args:
        display: (rows, columns) float32 in [0, 1].
        low, high: percentiles of all pixels, 0 <= low < high <= 100, linear between ranks.

    Returns:
        (rows, columns) float32 in [0, 1]. An image whose percentiles are less than a grey level of 8 bits apart is
        returned as it is.
    """
    black, white = np.percentile(display, (low, high)).astype(np.float32)
    if white - black < _LEAST_RANGE:
        return display
    return np.clip((display - black) / (white - black), 0, 1)


def gamma_curve(display: np.ndarray, gamma: float) -> np.ndarray:
    """Return an image whose grey is raised to a power: below 1 is brighter, above 1 darker; 0 and 1 stay.

    Args:
        display: (rows, columns) float32 in [0, 1].
        gamma: the exponent, above 0.
    """
    return np.asarray(display ** np.float32(gamma))


def crop_edges(display: np.ndarray, fraction: float) -> np.ndarray:
    """Return the image without its margin.

    Args:
        display: (rows, columns) float32.
        fraction: what is cut off at each of the four edges, of the height or of the width, rounded to pixels; at
            least 0 and below 0.5.
    """
    rows, columns = display.shape
    top, left = round(rows * fraction), round(columns * fraction)
    return np.ascontiguousarray(display[top : rows - top, left : columns - left])


def rotate(display: np.ndarray, degrees: float) -> np.ndarray:
    """Return the image rotated about its centre, in a frame of the same size, bilinear; what comes in is black.

    Args:
        display: (rows, columns) float32 in [0, 1].
        degrees: clockwise on the screen.
    """
    image = Image.fromarray(np.ascontiguousarray(display, dtype=np.float32))
    return np.asarray(image.rotate(-degrees, Image.Resampling.BILINEAR, fillcolor=0))


SMALL_CHANGES: tuple[SmallChange, ...] = (
    SmallChange(
        f"window-{WINDOW[0]:g}-{WINDOW[1]:g}",
        f"window from the {WINDOW[0]:g}nd to the {WINDOW[1]:g}th percentile of the grey",
        partial(percentile_window, low=WINDOW[0], high=WINDOW[1]),
    ),
    SmallChange(f"gamma-{GAMMAS[0]:g}", f"gamma {GAMMAS[0]:g} (brighter)", partial(gamma_curve, gamma=GAMMAS[0])),
    SmallChange(f"gamma-{GAMMAS[1]:g}", f"gamma {GAMMAS[1]:g} (darker)", partial(gamma_curve, gamma=GAMMAS[1])),
    SmallChange(f"crop-{100 * CROP:g}", f"crop of {100 * CROP:g} % at each edge", partial(crop_edges, fraction=CROP)),
    SmallChange(
        f"rotation-{DEGREES:g}-clockwise", f"rotation by {DEGREES:g}° clockwise", partial(rotate, degrees=DEGREES)
    ),
    SmallChange(
        f"rotation-{DEGREES:g}-counterclockwise",
        f"rotation by {DEGREES:g}° counterclockwise",
        partial(rotate, degrees=-DEGREES),
    ),
)
"""In the order in which an image is read again under them."""
