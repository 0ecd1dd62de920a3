"""Original image to the network's square input, and exactly back.

Coordinates have integers at pixel centres: pixel (column 0, row 0) covers -0.5 to 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from .gaussian_resize import gaussian_resize
from .model_exposure import InputExposure, stretch_exposure

__all__ = ["PREPARATION_VERSION", "Placement", "Preparation", "Resampling", "exposed", "prepare"]

PREPARATION_VERSION = 1
"""Part of every cache key: raised when the same bytes would give another network input."""

Resampling = Literal["triangle", "torchxrayvision"]
"""How an image is brought to the network's size.

``triangle``: Pillow's BILINEAR, an antialiasing triangle filter, as torchvision's ``Resize`` on a picture.
``torchxrayvision``: as its ``XRayCenterCrop`` and ``XRayResizer`` do by scikit-image, see :mod:`.gaussian_resize`.
"""

# XRayResizer works on -1024 to 1024 and takes what lies outside the image as 0
MID_GREY = 0.5


@dataclass(frozen=True)
class Preparation:
    """How a model wants its input.

    Attributes:
        size: side of the square input, pixels.
        fit: ``pad`` keeps the whole film and fills up with black; ``crop`` takes the centre square.
        detail: the finest detail the model was trained on, as the side of a square image in
            pixels; the film is brought down to it before it is brought to ``size``. None: ``size``.
        resampling: how it is reduced; ``detail`` needs ``triangle``.
        crop_fraction: with ``crop``, the side of the square as a fraction of the shorter side: 0.875
            where the authors resize to 256 pixels and take the centre 224.
        exposure: ``stretched`` brings the grey of every image to one range
            (:func:`.model_exposure.stretch_exposure`); ``none`` leaves it as displayed.
    """

    size: int
    fit: Literal["pad", "crop"] = "pad"
    detail: int | None = None
    resampling: Resampling = "triangle"
    crop_fraction: float = 1.0
    exposure: InputExposure = "none"

    def unexposed(self) -> Preparation:
        """Return the same without the change of exposure: what an augmentation of exposure starts from."""
        return replace(self, exposure="none")


@dataclass(frozen=True)
class Placement:
    """Where the network's input lies on the original.

    Attributes:
        rows, columns: of the original, pixels.
        size: side of the network's input, pixels.
        source: (left, top, right, bottom) in original pixel edges that was used.
        target: (left, top, right, bottom) in input pixel edges that it fills; the rest is black.
    """

    rows: int
    columns: int
    size: int
    source: tuple[int, int, int, int]
    target: tuple[int, int, int, int]

    def to_original(self, grid_rows: int, grid_columns: int) -> np.ndarray:
        """Return the 2x3 float64 matrix from a cell to the original.

        It maps (column, row, 1) of a cell's centre, on a grid laid over the network's input, to
        (x, y) of the original, integers at pixel centres. With ``grid_rows == grid_columns == size``
        the cells are the input's own pixels.
        """
        matrix = np.zeros((2, 3))
        for axis, cells in ((0, grid_columns), (1, grid_rows)):
            start, end = self.source[axis], self.source[axis + 2]
            first, last = self.target[axis], self.target[axis + 2]
            scale = (end - start) / (last - first)
            cell = self.size / cells
            matrix[axis, axis] = scale * cell
            matrix[axis, 2] = start + scale * (0.5 * cell - first) - 0.5
        return matrix


def _place(rows: int, columns: int, preparation: Preparation) -> Placement:
    size = preparation.size
    if preparation.fit == "crop":
        side = max(1, round(min(rows, columns) * preparation.crop_fraction))
        if preparation.resampling == "torchxrayvision":
            # XRayCenterCrop halves each side by itself
            left, top = columns // 2 - side // 2, rows // 2 - side // 2
        else:
            left, top = (columns - side) // 2, (rows - side) // 2
        source = (left, top, left + side, top + side)
        return Placement(rows, columns, size, source, (0, 0, size, size))
    side = max(rows, columns)
    width = max(1, round(size * columns / side))
    height = max(1, round(size * rows / side))
    left, top = (size - width) // 2, (size - height) // 2
    target = (left, top, left + width, top + height)
    return Placement(rows, columns, size, (0, 0, columns, rows), target)


def prepare(display: np.ndarray, preparation: Preparation) -> tuple[np.ndarray, Placement]:
    """Resize a film to the network's input.

    Args:
        display: (rows, columns) float32 in [0, 1], row 0 on top.
        preparation: what the model asks for.

    Returns:
        The input, (size, size, 1) float32 in [0, 1], and its :class:`Placement`. Reduction is by
        ``preparation.resampling``, enlargement bilinear. The exposure is changed last.
    """
    size = preparation.size
    placement = _place(*display.shape, preparation)
    left, top, right, bottom = placement.target
    width, height = right - left, bottom - top
    if preparation.resampling == "torchxrayvision":
        x0, y0, x1, y1 = placement.source
        canvas = np.zeros((size, size, 1), dtype=np.float32)
        canvas[top:bottom, left:right, 0] = gaussian_resize(display[y0:y1, x0:x1], height, width, outside=MID_GREY)
        return exposed(canvas, placement, preparation.exposure), placement
    image = Image.fromarray(np.ascontiguousarray(display, dtype=np.float32))
    box: tuple[int, int, int, int] | None = placement.source
    if preparation.detail is not None and preparation.detail < size:
        share = preparation.detail / size
        small = (max(1, round(width * share)), max(1, round(height * share)))
        if small[0] < image.width and small[1] < image.height:
            image = image.resize(small, Image.Resampling.BILINEAR, box=box)
            box = None
    image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    canvas = np.zeros((size, size, 1), dtype=np.float32)
    canvas[top:bottom, left:right, 0] = np.asarray(image)
    return exposed(canvas, placement, preparation.exposure), placement


def exposed(pixels: np.ndarray, placement: Placement, exposure: InputExposure) -> np.ndarray:
    """Return a network's input with the exposure asked for; the padding stays black.

    Args:
        pixels: (size, size, 1) float32 in [0, 1].
        placement: where the image lies in it.
        exposure: see :class:`Preparation`.
    """
    if exposure == "none":
        return pixels
    left, top, right, bottom = placement.target
    changed = np.zeros_like(pixels)
    changed[top:bottom, left:right] = stretch_exposure(pixels[top:bottom, left:right, 0])[:, :, None]
    return changed
