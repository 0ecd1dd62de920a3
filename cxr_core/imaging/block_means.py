"""A small copy of a film, by means of blocks: what the gate's pixel rules look at."""

from __future__ import annotations

import numpy as np

__all__ = ["SIDE", "block_means"]

SIDE = 512
"""Longer side of the copy, about. Smaller pictures are looked at as they are."""

_LEAST_SIDE = 16


def block_means(display: np.ndarray) -> np.ndarray:
    """Return the means of square blocks, so that the longer side comes near to :data:`SIDE`.

    Rows and columns at the end that fill no block are left out. Of blocks of four pixels and more every
    second row is taken, since reading a large film costs more than adding it up.

    Args:
        display: (rows, columns) float32 in [0, 1], no NaN.

    Returns:
        (rows, columns) uint8.
    """
    # a long and narrow picture stays as wide as it must be to be looked at
    block = max(1, min(round(max(display.shape) / SIDE), min(display.shape) // _LEAST_SIDE))
    if block == 1:
        return np.rint(display * 255).astype(np.uint8)
    rows, columns = (side // block for side in display.shape)
    every = 2 if block >= 4 else 1
    # rows first: adding whole rows is many times faster than adding neighbours
    by_rows = display[: rows * block].reshape(rows, block, -1)[:, ::every].sum(axis=1)
    sums = sum(by_rows[:, first : columns * block : block] for first in range(block))
    return np.rint(sums * (255 / (block * -(-block // every)))).astype(np.uint8)
