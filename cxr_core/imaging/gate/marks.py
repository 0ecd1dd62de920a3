"""Marks in an image: connected strokes that differ from their surroundings, among them the letters of burned-in text.

Strokes cover a hundredth of an ordinary image. They are joined by their runs in each row, in a tenth of the time that
SciPy's ``label`` takes, which looks at every pixel.
"""

from __future__ import annotations

import numpy as np

__all__ = ["STROKE", "TALLEST", "find_marks", "find_strokes", "first_connected"]

STROKE = 30
"""Grey levels of 255 by which a stroke differs from its surroundings."""

TALLEST = 0.06
"""Greatest height of a letter, as a fraction of the image's."""

_SHORTEST = 3
_MAX_MARKS = 500


def find_strokes(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the white and the black top-hat transform by 5 x 5 pixels: strokes of up to four pixels.

    Args:
        grey: (rows, columns) uint8.

    Returns:
        Both (rows, columns) uint8: by how much a pixel is brighter, and darker, than what surrounds its stroke.
    """
    low, high = _filter_5x5(grey, np.minimum), _filter_5x5(grey, np.maximum)
    return grey - _filter_5x5(low, np.maximum), _filter_5x5(high, np.minimum) - grey


def _filter_5x5(grey: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Return the minimum or maximum of each 5 x 5 neighbourhood; many times faster than SciPy's filter."""
    padded = np.pad(grey, 2, mode="edge")
    twos = extreme(padded[:-1], padded[1:])
    fours = extreme(twos[:-2], twos[2:])
    rows = extreme(fours[:-1], padded[4:])
    twos = extreme(rows[:, :-1], rows[:, 1:])
    fours = extreme(twos[:, :-2], twos[:, 2:])
    return extreme(fours[:, :-1], rows[:, 4:])


def find_marks(strokes: np.ndarray) -> np.ndarray:
    """Return the boxes of connected strokes that are as large as letters may be.

    Args:
        strokes: (rows, columns) uint8, of :func:`find_strokes`.

    Returns:
        (n, 4) int: top, bottom, left, right, in the order of their first pixels. Of more than a few hundred marks
        those with the highest contrast, which burned-in letters have; a noisy image has thousands.
    """
    rows, columns = strokes.shape
    # an empty pixel before each row and behind the last ends every run in its row
    pixels = np.zeros(rows * (columns + 1) + 1, dtype=strokes.dtype)
    pixels[:-1].reshape(rows, columns + 1)[:, 1:] = strokes
    ink = pixels > STROKE
    edges = np.flatnonzero(ink[1:] != ink[:-1])
    if not len(edges):
        return np.empty((0, 4), dtype=int)
    starts, stops = edges[::2], edges[1::2]
    mark_of = _connected(starts, stops, columns + 1)
    order = np.argsort(mark_of, kind="stable")
    first = np.flatnonzero(np.diff(mark_of[order], prepend=-1))
    top, left = np.divmod(starts[order], columns + 1)
    right = stops[order] % (columns + 1)
    boxes = np.column_stack(
        (
            top[first],
            np.maximum.reduceat(top, first) + 1,
            np.minimum.reduceat(left, first),
            np.maximum.reduceat(right, first),
        )
    )
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    tallest = TALLEST * max(strokes.shape)
    indices = np.flatnonzero((np.maximum(heights, widths) >= _SHORTEST) & (np.minimum(heights, widths) <= tallest))
    if len(indices) > _MAX_MARKS:
        of_runs = np.maximum.reduceat(pixels, edges + 1)[::2]
        peaks = np.maximum.reduceat(of_runs[order], first)[indices].astype(int)
        indices = indices[np.argsort(-peaks, kind="stable")[:_MAX_MARKS]]
    return boxes[indices]


def _connected(starts: np.ndarray, stops: np.ndarray, stride: int) -> np.ndarray:
    """Return for each run the first run of its mark; runs that meet at a corner touch.

    Args:
        starts, stops: (n,) of the runs, in order, in rows of ``stride`` pixels of which one at least is empty.
        stride: of a row.
    """
    # runs of the next row that end where this one begins or behind, and begin where it ends or before
    low = np.searchsorted(stops, starts + stride)
    touching = np.searchsorted(starts, stops + stride, side="right") - low
    upper = np.repeat(np.arange(len(starts)), touching)
    nth = np.arange(len(upper)) - np.repeat(np.cumsum(touching) - touching, touching)
    return first_connected(len(starts), upper, np.repeat(low, touching) + nth)


def first_connected(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each of ``count`` nodes the first node that it is connected with, (count,) int.

    In a quarter of the time of SciPy's ``connected_components`` for some hundred nodes, and in no more for 100,000.

    Args:
        count: nodes, which are 0 to count - 1.
        one, other: (n,) int, the two ends of each edge.
    """
    first = np.arange(count)
    while True:
        low, high = np.minimum(one, other), np.maximum(one, other)
        apart = np.flatnonzero(low != high)
        if not len(apart):
            return first
        # the ends are first nodes of their parts: of each part with a lower neighbour, that becomes the first
        low, high = low[apart], high[apart]
        np.minimum.at(first, high, low)
        while not np.array_equal(further := first[first], first):
            first = further
        one, other = first[low], first[high]
