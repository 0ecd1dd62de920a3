"""Heat maps: the contribution of each cell of the network's grid to a logit, and the way back to the image.

GradCAM (Selvaraju et al., ICCV 2017) weights channel k of the last feature map A for class c with
the mean gradient of logit c. With global average pooling and one dense layer W that gradient is
W[k, c] / (h w) everywhere, so the map is ReLU(A W[:, c]) / (h w): the positive part of the class
map that a reading carries. No gradient is computed, and nothing is approximated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..imaging import SpacingSource, describe_spacing
from ..model import ModelCard, Reading

__all__ = ["HeatMap", "describe_strongest", "heat_map", "heat_maps"]


@dataclass(frozen=True)
class HeatMap:
    """The class activation map of one label on one image.

    Attributes:
        label: as in the card.
        grid: (h, w) float32 >= 0, logit units, row 0 on top, the network's own grid.
        anchor: the value drawn in full colour, logit units, from the card; the same on every image.
        to_original: (2, 3) float64; maps (column, row, 1) of a cell's centre to (x, y) of the
            original, integers at pixel centres.
        rows, columns: of the original, pixels.
        source: the part of the original that the model was given, (left, top, right, bottom) in pixel edges; the rest
            was cropped away.
        cell_mm: (height, width) of a cell, or None where the image has no spacing.
        spacing_source: attribute that states the spacing.
    """

    label: str
    grid: np.ndarray
    anchor: float
    to_original: np.ndarray
    rows: int
    columns: int
    source: tuple[int, int, int, int]
    cell_mm: tuple[float, float] | None
    spacing_source: SpacingSource = ""

    def intensity(self) -> np.ndarray:
        """Return the grid as a fraction of full colour, (h, w) float32 in [0, 1]."""
        return np.clip(self.grid / self.anchor, 0, 1).astype(np.float32)

    def cell_size(self) -> str:
        """Return the size of a cell as text, ``38 × 38 mm at the detector``; empty where the image has no spacing."""
        if self.cell_mm is None:
            return ""
        height, width = self.cell_mm
        return f"{height:.0f} × {width:.0f} mm {describe_spacing(self.spacing_source)}".rstrip()


def heat_map(reading: Reading, label: str, card: ModelCard) -> HeatMap:
    """Return the map of one label; ValueError where the image was refused and has no maps."""
    if reading.placement is None:
        raise ValueError("the image was refused: it has no heat maps")
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
        source=placement.source,
        cell_mm=cell_mm,
        spacing_source=reading.image.spacing_source,
    )


def heat_maps(reading: Reading, card: ModelCard) -> tuple[HeatMap, ...]:
    """Return the maps of all labels, in the card's order; none for a refused image."""
    if reading.placement is None:
        return ()
    return tuple(heat_map(reading, label, card) for label in card.labels)


def describe_strongest(heat: HeatMap) -> str:
    """Return a text with the position of the strongest cell in thirds of the image; never in anatomical terms.

    The patient's right is on the image's left, as images are filed.
    """
    if not heat.grid.max() > 0:
        return "no part of the image raises the score"
    row, column = np.unravel_index(int(np.argmax(heat.grid)), heat.grid.shape)
    x, y = heat.to_original @ (column, row, 1)
    sides = ("patient's right", "middle", "patient's left")
    heights = ("upper", "middle", "lower")
    side = sides[int(np.clip(3 * (x + 0.5) / heat.columns, 0, 2))]
    height = heights[int(np.clip(3 * (y + 0.5) / heat.rows, 0, 2))]
    return f"strongest: {side}, {height} third of the image"
