"""A heat map on its image: resampled to the image's grid, as a contour, and as a coloured overlay."""

from __future__ import annotations

import io

import numpy as np
from contourpy import contour_generator
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from ..labels import NOTICE
from .gradcam import HeatMap

__all__ = [
    "CONTOUR_COLOUR",
    "CONTOUR_LEVEL",
    "MAP_ALPHA",
    "MAP_COLOUR",
    "contour",
    "overlay",
    "overlay_png",
    "png",
    "resample_to_image",
]

MAP_COLOUR = (230, 159, 0)
"""Orange of Okabe and Ito, sRGB 0 to 255: the one hue of all maps; a value is drawn by its opacity."""

MAP_ALPHA = 0.65
"""Opacity of full colour, 0 to 1."""

CONTOUR_COLOUR = (86, 180, 233)
"""Sky blue of Okabe and Ito."""

CONTOUR_LEVEL = 0.5
"""The contour is drawn at this fraction of the label's full colour."""

CROPPED_BRIGHTNESS = 0.35
"""Factor on the brightness of what was cropped away before the model."""

# points per cell at which the contour follows the bilinear surface
_POINTS_PER_CELL = 8


def resample_to_image(heat: HeatMap, rows: int | None = None, columns: int | None = None) -> np.ndarray:
    """Return the map over the image, bilinear between cell centres.

    Args:
        heat: the map.
        rows, columns: of the result; by default those of the image. Other numbers give a resized copy.

    Returns:
        (rows, columns) float32 in logit units, NaN where the image was cropped away before the model.
    """
    rows, columns = rows or heat.rows, columns or heat.columns
    left, top, right, bottom = heat.source
    x0, x1 = round(left * columns / heat.columns), round(right * columns / heat.columns)
    y0, y1 = round(top * rows / heat.rows), round(bottom * rows / heat.rows)
    h, w = heat.grid.shape
    first_column, first_row, last_column, last_row = _source_in_cells(heat)
    down = _weights(h, max(first_row, 0.0), min(last_row, float(h)), y1 - y0)
    across = _weights(w, max(first_column, 0.0), min(last_column, float(w)), x1 - x0)
    result = np.full((rows, columns), np.nan, dtype=np.float32)
    result[y0:y1, x0:x1] = down @ (heat.grid.astype(np.float32, copy=False) @ across.T)
    return result


def contour(heat: HeatMap, level: float = CONTOUR_LEVEL) -> tuple[np.ndarray, ...]:
    """Return the lines at ``level`` of full colour.

    Returns:
        Closed lines, each (points, 2) float64 of (x, y) on the image, integers at pixel centres. They close along the
        edge of what the model was given.
    """
    if heat.grid.max() < level * heat.anchor:
        # interpolated values are between those of the cells
        return ()
    h, w = heat.grid.shape
    left, top, right, bottom = _source_in_cells(heat)
    columns, rows = (np.linspace(a, b, n * _POINTS_PER_CELL) - 0.5 for a, b, n in ((left, right, w), (top, bottom, h)))
    # a border of zeros closes the lines at the edge
    surface = np.pad(_bilinear(heat.grid, rows, columns), 1)
    columns = np.concatenate([columns[:1], columns, columns[-1:]])
    rows = np.concatenate([rows[:1], rows, rows[-1:]])
    lines = contour_generator(columns, rows, surface).lines(level * heat.anchor)
    return tuple(np.asarray(line) @ heat.to_original[:, :2].T + heat.to_original[:, 2] for line in lines)


def overlay(grey: np.ndarray, heat: HeatMap, *, opacity: float = MAP_ALPHA, lines: bool = True) -> np.ndarray:
    """Return the image with the map over it.

    Args:
        grey: (rows, columns) uint8, the displayed image or a smaller copy of it.
        heat: the map.
        opacity: of full colour, 0 to 1.
        lines: whether to draw the contour.

    Returns:
        (rows, columns, 3) uint8. What was cropped away before the model is darkened and hatched.
    """
    rows, columns = grey.shape
    intensity = np.clip(resample_to_image(heat, rows, columns) / heat.anchor, 0, 1)
    cropped = np.isnan(intensity)
    alpha = (opacity * np.nan_to_num(intensity))[:, :, None]
    blended = grey[:, :, None] * (1 - alpha) + np.array(MAP_COLOUR, dtype=np.float32) * alpha
    if cropped.any():
        y, x = np.indices(grey.shape)
        hatch = (x + y) % max(8, rows // 64) < 2
        blended[cropped] *= CROPPED_BRIGHTNESS
        blended[cropped & hatch] += 40
    image = Image.fromarray(np.clip(np.rint(blended), 0, 255).astype(np.uint8))
    if lines:
        pen = ImageDraw.Draw(image)
        scale = np.array([columns / heat.columns, rows / heat.rows])
        for line in contour(heat):
            points = (line + 0.5) * scale - 0.5
            pen.line([tuple(point) for point in points.tolist()], fill=CONTOUR_COLOUR, width=max(1, rows // 400))
    return np.asarray(image)


def overlay_png(grey: np.ndarray, heat: HeatMap, *, side: int = 1024, note: str = "") -> bytes:
    """Return :func:`overlay` as PNG with the notice in its text, its longer side at most ``side`` pixels.

    ``note`` follows the title in that text.
    """
    image = Image.fromarray(grey)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return png(Image.fromarray(overlay(np.asarray(image), heat)), title=f"Heat map: {heat.label}{note}")


def png(image: Image.Image, title: str) -> bytes:
    """Return an image as PNG with a title and the notice in its text."""
    text = PngInfo()
    text.add_text("Title", title)
    text.add_text("Disclaimer", NOTICE)
    stream = io.BytesIO()
    image.save(stream, format="PNG", pnginfo=text, compress_level=4)
    return stream.getvalue()


def _source_in_cells(heat: HeatMap) -> tuple[float, float, float, float]:
    """Return the part of the image that the model was given, in cell edges: (left, top, right, bottom)."""
    (sx, _, tx), (_, sy, ty) = heat.to_original
    left, top, right, bottom = heat.source
    # a cell's centre is half a cell from its edge; pixel edges are half a pixel from centres
    columns = [float((edge - 0.5 - tx) / sx + 0.5) for edge in (left, right)]
    rows = [float((edge - 0.5 - ty) / sy + 0.5) for edge in (top, bottom)]
    return columns[0], rows[0], columns[1], rows[1]


def _weights(cells: int, start: float, stop: float, points: int) -> np.ndarray:
    """Return (points, cells) float32: the weight of each cell at points from start to stop, in cell edges.

    Bilinear between cells' centres, constant beyond the outer centres; more cells than points are averaged with a
    triangle's weights, as by Pillow's BILINEAR. A map is resampled by one product for rows and one for columns.
    """
    scale = (stop - start) / points
    centres = start + (np.arange(points) + 0.5) * scale
    distance: np.ndarray = np.abs(np.arange(cells) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1 - distance, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _bilinear(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sample a grid at cell coordinates, integers at cell centres, constant beyond the outer centres."""
    h, w = grid.shape
    r, c = np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)
    r0, c0 = np.minimum(r.astype(int), max(h - 2, 0)), np.minimum(c.astype(int), max(w - 2, 0))
    r1, c1 = np.minimum(r0 + 1, h - 1), np.minimum(c0 + 1, w - 1)
    fr, fc = (r - r0)[:, None], (c - c0)[None, :]
    upper = grid[np.ix_(r0, c0)] * (1 - fc) + grid[np.ix_(r0, c1)] * fc
    lower = grid[np.ix_(r1, c0)] * (1 - fc) + grid[np.ix_(r1, c1)] * fc
    return np.asarray(upper * (1 - fr) + lower * fr)
