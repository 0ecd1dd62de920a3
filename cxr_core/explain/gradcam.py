"""Heat maps: where each logit came from, on the network's own grid, and the way back to the film.

GradCAM (Selvaraju et al., ICCV 2017) weighs channel k of the last feature map A for class c with
the mean gradient of logit c. With global average pooling and one dense layer W that gradient is
W[k, c] / (h w) everywhere, so the map is ReLU(A W[:, c]) / (h w): the positive part of the class
map that a reading carries. No gradient is computed, and nothing is approximated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model import ModelCard, Reading

__all__ = ["HeatMap", "heat_map", "heat_maps", "strongest_place"]


@dataclass(frozen=True)
class HeatMap:
    """One label's map of one film.

    Attributes:
        label: as in the card.
        grid: (h, w) float32 >= 0, logit units, row 0 on top, the network's own grid.
        anchor: the value drawn in full colour, logit units, from the card: the same on every film.
        to_original: (2, 3) float64; maps (column, row, 1) of a cell's centre to (x, y) of the
            original, integers at pixel centres.
        rows, columns: of the original, pixels.
        seen: (left, top, right, bottom) in pixel edges of the original; the rest was cropped away.
        cell_mm: (height, width) of a cell at the detector, or None where the film has no spacing.
    """

    label: str
    grid: np.ndarray
    anchor: float
    to_original: np.ndarray
    rows: int
    columns: int
    seen: tuple[int, int, int, int]
    cell_mm: tuple[float, float] | None

    def share(self) -> np.ndarray:
        """Return the grid as a share of full colour, (h, w) float32 in [0, 1]."""
        return np.clip(self.grid / self.anchor, 0, 1).astype(np.float32)


def heat_map(reading: Reading, label: str, card: ModelCard) -> HeatMap:
    """Return the map of one label; ValueError where the film was refused and has no maps."""
    if reading.placement is None:
        raise ValueError("the film was refused: it has no heat maps")
    index = card.labels.index(label)
    grid = np.maximum(reading.class_maps[index], 0)
    placement, spacing = reading.placement, reading.image.spacing_mm
    matrix = placement.to_original(*grid.shape)
    cell_mm = None if spacing is None else (float(matrix[1, 1] * spacing[0]), float(matrix[0, 0] * spacing[1]))
    return HeatMap(
        label=label,
        grid=grid,
        anchor=card.map_anchors[label],
        to_original=matrix,
        rows=placement.rows,
        columns=placement.columns,
        seen=placement.source,
        cell_mm=cell_mm,
    )


def heat_maps(reading: Reading, card: ModelCard) -> tuple[HeatMap, ...]:
    """Return the maps of all labels, in the card's order; none for a refused film."""
    if reading.placement is None:
        return ()
    return tuple(heat_map(reading, label, card) for label in card.labels)


def strongest_place(heat: HeatMap) -> str:
    """Say where the strongest cell lies, in thirds of the image; never in anatomy.

    The patient's right is on the image's left, as films are filed.
    """
    if not heat.grid.max() > 0:
        return "no part of the image speaks for it"
    row, column = np.unravel_index(int(np.argmax(heat.grid)), heat.grid.shape)
    x, y = heat.to_original @ (column, row, 1)
    sides = ("patient's right", "middle", "patient's left")
    heights = ("upper", "middle", "lower")
    side = sides[int(np.clip(3 * (x + 0.5) / heat.columns, 0, 2))]
    height = heights[int(np.clip(3 * (y + 0.5) / heat.rows, 0, 2))]
    return f"strongest: {side}, {height} third of the image"
