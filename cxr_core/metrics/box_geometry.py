"""Geometry of boxes drawn on a map's grid: coverage of cells, area of the union, points inside.

Boxes are (k, 4) of left, top, right, bottom; the cell in row r and column c covers [c, c + 1) x [r, r + 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["box_coverage", "in_any_box", "union_area"]


def box_coverage(boxes: ArrayLike, rows: int, columns: int) -> NDArray[np.float64]:
    """Return (rows, columns) float64: the proportion of each cell that is in any of the boxes.

    Args:
        boxes: (k, 4) of left, top, right, bottom, on the map's grid.
        rows, columns: of the map.

    Examples:
        >>> box_coverage([[0.5, 0, 2, 1]], rows=2, columns=2)
        array([[0.5, 1. ],
               [0. , 0. ]])
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    clipped = np.clip(boxes, 0, [columns, rows, columns, rows])
    x, y, inside = _patches(clipped, np.arange(columns + 1.0), np.arange(rows + 1.0))
    areas = inside * np.outer(np.diff(y), np.diff(x))
    coverage = np.zeros((rows, columns))
    row, column = (np.floor(edges[:-1]).astype(int) for edges in (y, x))
    np.add.at(coverage, np.ix_(row, column), areas)
    return coverage


def union_area(boxes: NDArray[np.float64]) -> float:
    """Return the area of the union of (k, 4) boxes."""
    x, y, inside = _patches(boxes)
    return float((inside * np.outer(np.diff(y), np.diff(x))).sum())


def _patches(
    boxes: NDArray[np.float64], columns: ArrayLike = (), rows: ArrayLike = ()
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Cut the plane at every edge of a box, and at the given ones; return edges, and which patches are in a box."""
    x, y = (np.unique(np.concatenate([boxes[:, k], boxes[:, k + 2], cuts])) for k, cuts in ((0, columns), (1, rows)))
    across = (boxes[:, :1] <= x[:-1]) & (x[1:] <= boxes[:, 2:3])
    down = (boxes[:, 1:2] <= y[:-1]) & (y[1:] <= boxes[:, 3:])
    return x, y, np.any(down[:, :, None] & across[:, None, :], axis=0)


def in_any_box(points: NDArray[np.floating], boxes: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    """Return (points,) whether each (x, y) is in any box."""
    low, high = boxes[:, None, :2] - tolerance, boxes[:, None, 2:] + tolerance
    return np.any(np.all((low <= points) & (points <= high), axis=2), axis=0)
