"""A map on the original's grid, and its contour in the original's coordinates."""

from __future__ import annotations

import numpy as np
from contourpy import contour_generator

from .gradcam import HeatMap

__all__ = ["CONTOUR_SHARE", "contour", "on_original"]

CONTOUR_SHARE = 0.5
"""The contour is drawn at this share of the label's full colour."""

_FINE = 8  # points per cell at which the contour follows the bilinear surface


def _seen_cells(heat: HeatMap) -> tuple[float, float, float, float]:
    """Return the seen part of the film in cell edges of the grid: (left, top, right, bottom)."""
    (sx, _, tx), (_, sy, ty) = heat.to_original
    left, top, right, bottom = heat.seen
    # a cell's centre is half a cell from its edge; pixel edges are half a pixel from centres
    return tuple(
        float((edge - 0.5 - shift) / scale + 0.5)
        for edge, scale, shift in ((left, sx, tx), (top, sy, ty), (right, sx, tx), (bottom, sy, ty))
    )


def on_original(heat: HeatMap, rows: int | None = None, columns: int | None = None) -> np.ndarray:
    """Return the map over the whole film, bilinear between cell centres.

    Args:
        heat: the map.
        rows, columns: of the result; those of the original by default. Another size is the same
            picture made smaller.

    Returns:
        (rows, columns) float32 in logit units, NaN where the model saw nothing.
    """
    rows, columns = rows or heat.rows, columns or heat.columns
    left, top, right, bottom = heat.seen
    x0, x1 = round(left * columns / heat.columns), round(right * columns / heat.columns)
    y0, y1 = round(top * rows / heat.rows), round(bottom * rows / heat.rows)
    h, w = heat.grid.shape
    a, b, c, d = _seen_cells(heat)
    down, across = (
        _weights(h, max(b, 0.0), min(d, float(h)), y1 - y0),
        _weights(w, max(a, 0.0), min(c, float(w)), x1 - x0),
    )
    placed = down @ (heat.grid.astype(np.float32, copy=False) @ across.T)
    if (x0, y0, x1, y1) == (0, 0, columns, rows):
        return placed
    whole = np.full((rows, columns), np.nan, dtype=np.float32)
    whole[y0:y1, x0:x1] = placed
    return whole


def _weights(cells: int, start: float, stop: float, points: int) -> np.ndarray:
    """Return (points, cells) float32: what a cell adds to each point of a line from start to stop, in cell edges.

    Bilinear between cells' centres, the rim held constant; from more cells than points, their means with a triangle's
    weights (Pillow's BILINEAR is the same). One product for rows and one for columns place a map: each is small.
    """
    scale = (stop - start) / points
    centres = start + (np.arange(points) + 0.5) * scale
    away = np.abs(np.arange(cells) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1 - away, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def contour(heat: HeatMap, share: float = CONTOUR_SHARE) -> tuple[np.ndarray, ...]:
    """Return the lines at ``share`` of full colour.

    Returns:
        Closed lines, each (points, 2) float64 of (x, y) in the original, integers at pixel centres.
        They close along the edge of what the model saw.
    """
    h, w = heat.grid.shape
    left, top, right, bottom = _seen_cells(heat)
    columns, rows = (np.linspace(a, b, n * _FINE) - 0.5 for a, b, n in ((left, right, w), (top, bottom, h)))
    surface = _bilinear(heat.grid, rows, columns)
    # a rim of zeros closes the lines at the edge of what was seen
    surface = np.pad(surface, 1)
    columns = np.concatenate([columns[:1], columns, columns[-1:]])
    rows = np.concatenate([rows[:1], rows, rows[-1:]])
    lines = contour_generator(columns, rows, surface).lines(share * heat.anchor)
    return tuple(line @ heat.to_original[:, :2].T + heat.to_original[:, 2] for line in lines)


def _bilinear(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sample a grid at cell coordinates, integers at cell centres, the rim held constant."""
    h, w = grid.shape
    r, c = np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)
    r0, c0 = np.minimum(r.astype(int), max(h - 2, 0)), np.minimum(c.astype(int), max(w - 2, 0))
    r1, c1 = np.minimum(r0 + 1, h - 1), np.minimum(c0 + 1, w - 1)
    fr, fc = (r - r0)[:, None], (c - c0)[None, :]
    upper = grid[np.ix_(r0, c0)] * (1 - fc) + grid[np.ix_(r0, c1)] * fc
    lower = grid[np.ix_(r1, c0)] * (1 - fc) + grid[np.ix_(r1, c1)] * fc
    return upper * (1 - fr) + lower * fr
