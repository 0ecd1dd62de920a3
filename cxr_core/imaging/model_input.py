"""The network's square input from an image, and the exact way back to the image's coordinates.

Coordinates have integers at pixel centres: pixel (column 0, row 0) covers -0.5 to 0.5. The exposure of the input may
be changed: images of other makers are darker, paler, or have a marker that is brighter than any tissue, and a network
trained on one hospital's exposure reads them worse. The displayed image is never changed by this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
from PIL import Image

__all__ = [
    "EXPOSURES",
    "MODEL_INPUT",
    "PREPARATION_VERSION",
    "InputExposure",
    "Placement",
    "Preparation",
    "Resampling",
    "apply_exposure",
    "describe_exposure",
    "exposure_range",
    "gaussian_resize",
    "prepare",
    "stretch_exposure",
]


TRUNCATE = 4.0
"""Radius of the Gaussian in standard deviations, as in SciPy."""


def gaussian_resize(image: np.ndarray, rows: int, columns: int, *, outside: float) -> np.ndarray:
    """Resize as ``skimage.transform.resize(image, (rows, columns), mode="constant", cval=outside)``.

    That filters by ``scipy.ndimage.gaussian_filter`` with a standard deviation of (factor - 1) / 2 pixels, and then
    samples by ``scipy.ndimage.zoom`` of order 1 on a grid of pixel areas. Each step acts on rows and columns separately
    and is linear but for the value outside, so both together are one short weighted sum along each axis.

    Args:
        image: (n, m) float32.
        rows, columns: of the result.
        outside: value beyond the image's border.

    Returns:
        (rows, columns) float32, within the range of ``image``. It agrees with scikit-image 0.26 to 1e-6 of the
        image's range. An axis that is enlarged is sampled linearly without a filter.
    """
    offset = image.astype(np.float32) - np.float32(outside)
    down = _weighted_rows(offset, rows)
    across = _weighted_rows(np.ascontiguousarray(down.T), columns).T
    return np.clip(across + np.float32(outside), image.min(), image.max())


def _weighted_rows(image: np.ndarray, size: int) -> np.ndarray:
    result = np.empty((size, image.shape[1]), dtype=np.float32)
    for row, (start, weights) in enumerate(_weights(image.shape[0], size)):
        np.matmul(weights, image[start : start + len(weights)], out=result[row])
    return result


@lru_cache(maxsize=64)
def _weights(length: int, size: int) -> tuple[tuple[int, np.ndarray], ...]:
    """Return for each output pixel the first input pixel with a weight, and the weights from there on."""
    factor = length / size
    kernel = _gaussian(max(0.0, (factor - 1) / 2))
    radius = len(kernel) // 2
    weights_of: list[tuple[int, np.ndarray]] = []
    for pixel in range(size):
        position = (pixel + 0.5) * factor - 0.5
        first = math.floor(position)
        start = max(0, first - radius)
        weights = np.zeros(min(length, first + radius + 2) - start)
        for sample, fraction in ((first, 1 - (position - first)), (first + 1, position - first)):
            # a sample beyond the border is the constant, not the filtered image
            if 0 <= sample < length:
                low, high = max(0, sample - radius), min(length, sample + radius + 1)
                weights[low - start : high - start] += fraction * kernel[low - sample + radius : high - sample + radius]
        weights_of.append((start, weights.astype(np.float32)))
    return tuple(weights_of)


def _gaussian(deviation: float) -> np.ndarray:
    if deviation == 0:
        return np.ones(1)
    radius = int(TRUNCATE * deviation + 0.5)
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / deviation) ** 2)
    return kernel / kernel.sum()


PREPARATION_VERSION = 1
"""Part of every cache key: increased when the same bytes would give another network input."""

Resampling = Literal["triangle", "torchxrayvision"]
"""How an image is resized to the network's size.

``triangle``: Pillow's BILINEAR, an antialiasing triangle filter, as torchvision's ``Resize`` on a PIL image.
``torchxrayvision``: as its ``XRayCenterCrop`` and ``XRayResizer`` do by scikit-image, see :func:`gaussian_resize`.
"""

InputExposure = Literal["none", "stretched"]
"""How the grey of the input is changed; see :class:`Preparation`."""

EXPOSURES: tuple[InputExposure, ...] = ("none", "stretched")
"""All values of :data:`InputExposure`."""

MIDDLE_ROWS, MIDDLE_COLUMNS = (0.10, 0.90), (0.15, 0.85)
"""The part of an image whose grey range is measured: it lies in the chest, and side markers, burned-in text and most
collimation lie outside."""

MODEL_INPUT = "model input: "
"""How the step of a reading's transforms begins that made the network's input, and not the pixels that are shown."""

PERCENTILES = (1.0, 98.5)

MIN_RANGE = 0.03
"""A range of grey below this is not stretched: it would be noise."""

# XRayResizer works on -1024 to 1024 and takes values outside the image as 0
MID_GREY = 0.5


@dataclass(frozen=True)
class Preparation:
    """How the input of a model is prepared.

    Attributes:
        size: side of the square input, pixels.
        fit: ``pad`` keeps the entire image and pads it with black; ``crop`` takes the centre square.
        detail: the finest detail the model was trained on, as the side of a square image in
            pixels; the image is reduced to it before it is resized to ``size``. None: ``size``.
        resampling: see :data:`Resampling`; ``detail`` needs ``triangle``.
        crop_fraction: with ``crop``, the side of the square as a fraction of the shorter side: 0.875
            where the authors resize to 256 pixels and take the centre 224.
        exposure: ``stretched`` maps the grey of every image to one range (:func:`stretch_exposure`); ``none``
            leaves it as displayed.
    """

    size: int
    fit: Literal["pad", "crop"] = "pad"
    detail: int | None = None
    resampling: Resampling = "triangle"
    crop_fraction: float = 1.0
    exposure: InputExposure = "none"

    def without_exposure(self) -> Preparation:
        """Return the same without a change of exposure: the input of an augmentation of exposure."""
        return replace(self, exposure="none")


@dataclass(frozen=True)
class Placement:
    """Where the network's input lies on the original image.

    Attributes:
        rows, columns: of the original, pixels.
        size: side of the network's input, pixels.
        source: the used box of the original, (left, top, right, bottom) in pixel edges.
        target: the box of the input that it fills, (left, top, right, bottom) in pixel edges; the rest is black.
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


def _placement(rows: int, columns: int, preparation: Preparation) -> Placement:
    size = preparation.size
    if preparation.fit == "crop":
        side = max(1, round(min(rows, columns) * preparation.crop_fraction))
        if preparation.resampling == "torchxrayvision":
            # XRayCenterCrop halves each side separately
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
    """Resize an image to the network's input.

    Args:
        display: (rows, columns) float32 in [0, 1], row 0 on top.
        preparation: of the model.

    Returns:
        The input, (size, size, 1) float32 in [0, 1], and its :class:`Placement`. Reduction is by
        ``preparation.resampling``, enlargement bilinear. The exposure is changed last.
    """
    size = preparation.size
    rows, columns = display.shape
    placement = _placement(rows, columns, preparation)
    left, top, right, bottom = placement.target
    width, height = right - left, bottom - top
    if preparation.resampling == "torchxrayvision":
        x0, y0, x1, y1 = placement.source
        canvas = np.zeros((size, size, 1), dtype=np.float32)
        canvas[top:bottom, left:right, 0] = gaussian_resize(display[y0:y1, x0:x1], height, width, outside=MID_GREY)
        return apply_exposure(canvas, placement, preparation.exposure), placement
    image = _image_of(display)
    box: tuple[int, int, int, int] | None = placement.source
    if preparation.detail is not None and preparation.detail < size:
        scale = preparation.detail / size
        reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
        if reduced[0] < image.width and reduced[1] < image.height:
            image = image.resize(reduced, Image.Resampling.BILINEAR, box=box)
            box = None
    image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    canvas = np.zeros((size, size, 1), dtype=np.float32)
    canvas[top:bottom, left:right, 0] = np.asarray(image)
    return apply_exposure(canvas, placement, preparation.exposure), placement


def _image_of(display: np.ndarray) -> Image.Image:
    """Return a Pillow image on the memory of (rows, columns) float32; ``Image.fromarray`` would copy it twice."""
    pixels = np.ascontiguousarray(display, dtype=np.float32)
    return Image.fromarrow(pa.array(pixels.reshape(-1)), "F", pixels.shape[::-1])


def apply_exposure(pixels: np.ndarray, placement: Placement, exposure: InputExposure) -> np.ndarray:
    """Return a network's input with another exposure; the padding stays black.

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


def exposure_range(content: np.ndarray) -> tuple[float, float]:
    """Return the grey that becomes black and the grey that becomes white.

    Args:
        content: (rows, columns) float in [0, 1], an image without the padding around it.

    Returns:
        The percentiles :data:`PERCENTILES` of the middle of the image; 0 and 1 where they are closer than
        :data:`MIN_RANGE`.
    """
    rows, columns = (
        slice(int(side * low), max(int(side * high), int(side * low) + 1))
        for side, (low, high) in zip(content.shape, (MIDDLE_ROWS, MIDDLE_COLUMNS), strict=True)
    )
    low, high = np.percentile(content[rows, columns], PERCENTILES)
    return (float(low), float(high)) if high - low > MIN_RANGE else (0.0, 1.0)


def stretch_exposure(content: np.ndarray) -> np.ndarray:
    """Return an image with its :func:`exposure_range` stretched to [0, 1] and clipped; float32."""
    low, high = exposure_range(content)
    return np.clip((content - low) / (high - low), 0, 1).astype(np.float32)


def describe_exposure(exposure: InputExposure) -> str:
    """Return what is done to the grey of the network's input, as in the transforms and on the card."""
    if exposure == "none":
        return f"{MODEL_INPUT}grey as displayed"
    return (
        f"{MODEL_INPUT}grey from the {PERCENTILES[0]:g}st to the {PERCENTILES[1]:g}th percentile of the middle of the "
        "image stretched to black and white"
    )
