"""Heat maps against boxes drawn by readers: pointing game and intersection over union, beside the image's centre.

Findings lie near the middle of a chest image more often than not, and an enlarged heart always does: a map that is no
better than the centre has shown nothing. Boxes mark what a reader saw, so a map outside the box may still show what
the score rests on; that is not measured here.

Coordinates are those of the map's grid: the cell in row r and column c covers [c, c + 1) x [r, r + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import DEFAULTS, BootstrapOptions
from .box_geometry import box_coverage, in_any_box, union_area
from .proportions import patient_mean, patient_proportion

__all__ = [
    "MapEvaluation",
    "OverlapCurve",
    "PointingGame",
    "evaluate_map",
    "overlap_by_threshold",
    "overlap_from_images",
    "pointing_game",
    "pointing_game_from_hits",
]


@dataclass(frozen=True)
class MapEvaluation:
    """One map against its boxes.

    Attributes:
        strongest: (x, y) of the centre of the strongest cell, the first of several; None where all cells are equal.
        hit: whether it lies in a box; of equally strong cells at least half.
        centre_hit: whether the centre of the map does.
        overlap: intersection over union of cells at or over the threshold and boxes, by threshold.
        centre_overlap: the same for a rectangle in the centre, with the area of the cells at or over the threshold.
        marked: proportion of the map at or over the threshold, by threshold.
        inside: proportion of the map's positive sum that lies in the boxes; 0 for a map without any.
        area: proportion of the map's area that lies in the boxes, which is ``inside`` of a map of equal cells.
    """

    strongest: tuple[float, float] | None
    hit: bool
    centre_hit: bool
    overlap: tuple[float, ...]
    centre_overlap: tuple[float, ...]
    marked: tuple[float, ...]
    inside: float
    area: float


@dataclass(frozen=True)
class PointingGame:
    """How often the strongest cell of a map lies in a box.

    Attributes:
        hit_rate: proportion of images whose strongest cell has its centre in a box.
        centre: the same for the centre of the map, whatever the image.
        gain: the hit rate minus that of the centre, on the same images.
        blank: maps without a strongest cell, since all cells are equal; they are misses.
    """

    hit_rate: Estimate
    centre: Estimate
    gain: Estimate
    blank: int


@dataclass(frozen=True, eq=False)
class OverlapCurve:
    """Mean intersection over union of the cells at or over a threshold and the boxes.

    Attributes:
        thresholds: (k,) float64, in the unit of the maps.
        overlap: k Estimates in [0, 1]; an image without such a cell has 0.
        centre: k Estimates, for a rectangle of the map's shape in its centre, with the area of those cells.
        marked: (k,) float64: the mean proportion of the map at or over the threshold.
    """

    thresholds: NDArray[np.float64]
    overlap: tuple[Estimate, ...]
    centre: tuple[Estimate, ...]
    marked: NDArray[np.float64]


def pointing_game(
    maps: ArrayLike,
    boxes: Sequence[ArrayLike],
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
    *,
    tolerance: float = 0.0,
) -> PointingGame:
    """Return the hit rate of maps.

    Where several cells are equally strong, at least half of them must be in a box.

    Args:
        maps: (n, rows, columns) finite, of one image and label each.
        boxes: n arrays (k, 4) of left, top, right, bottom, k at least 1, on the map's grid. A hit is in any.
        patients: (n,) whole numbers or strings.
        options: of the intervals, as in :func:`.proportions.patient_proportion`.
        tolerance: how far outside a box still hits, in cells.

    Raises:
        ValueError: for other shapes or values.

    References:
        Zhang et al., Top-down neural attention by excitation backprop, International Journal of Computer Vision 126
        (2018) 1084-1102; Saporta et al., Nature Machine Intelligence 4 (2022) 867-878.

    Examples:
        >>> maps = np.zeros((20, 4, 4))
        >>> maps[:, 1, 2] = 1
        >>> boxes = [[[2, 1, 3, 2]]] * 15 + [[[0, 0, 1, 1]]] * 5
        >>> pointing_game(maps, boxes, np.arange(20)).hit_rate.value
        0.75
    """
    evaluations = [evaluate_map(cells, drawn, (), tolerance) for cells, drawn in _checked(maps, boxes)]
    return pointing_game_from_hits(
        [evaluation.hit for evaluation in evaluations],
        [evaluation.centre_hit for evaluation in evaluations],
        sum(evaluation.strongest is None for evaluation in evaluations),
        patients,
        options,
    )


def pointing_game_from_hits(
    hits: ArrayLike, centre_hits: ArrayLike, blank: int, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> PointingGame:
    """Return :func:`pointing_game` from the hits of each image.

    Args:
        hits, centre_hits: (n,) bool, as in :class:`MapEvaluation`.
        blank: number of blank maps.
        patients: (n,) whole numbers or strings.
        options: as in :func:`pointing_game`.

    Examples:
        >>> pointing_game_from_hits([True] * 15 + [False] * 5, [False] * 20, 0, np.arange(20)).gain.value
        0.75
    """
    hits, centre_hits = np.asarray(hits, dtype=bool), np.asarray(centre_hits, dtype=bool)
    return PointingGame(
        patient_proportion(hits, patients, options),
        patient_proportion(centre_hits, patients, options),
        patient_mean(hits.astype(float) - centre_hits, patients, options, lowest=-1, highest=1),
        blank,
    )


def overlap_by_threshold(
    maps: ArrayLike,
    boxes: Sequence[ArrayLike],
    patients: ArrayLike,
    thresholds: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> OverlapCurve:
    """Return the mean intersection over union of the cells at or over each threshold and the boxes.

    The best threshold of the curve is too good on these images: choose it on others. Boxes are wider than what they
    mark, so a perfect outline does not reach 1.

    Args:
        maps, boxes, patients: as in :func:`pointing_game`. Areas are exact: a box may end within a cell, and what
            lies outside the map counts, since the model missed it.
        thresholds: (k,) finite.
        options: of the intervals, as in :func:`.proportions.patient_mean`.

    Raises:
        ValueError: for other shapes or values.

    References:
        Jaccard's index; by threshold as in Saporta et al. (2022).

    Examples:
        >>> maps = np.zeros((20, 4, 4))
        >>> maps[:, 1, 2] = 1
        >>> curve = overlap_by_threshold(maps, [[[2, 1, 4, 2]]] * 20, np.arange(20), thresholds=[0.5])
        >>> curve.overlap[0].value, curve.marked
        (0.5, array([0.0625]))
    """
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or not np.isfinite(thresholds).all():
        raise ValueError(f"Thresholds of shape {thresholds.shape}: (k,) finite numbers are accepted.")
    evaluations = [evaluate_map(cells, drawn, thresholds) for cells, drawn in _checked(maps, boxes)]
    overlap, centre_overlap, marked = (
        np.array([getattr(evaluation, name) for evaluation in evaluations]).reshape(len(evaluations), len(thresholds))
        for name in ("overlap", "centre_overlap", "marked")
    )
    return overlap_from_images(thresholds, overlap, centre_overlap, marked, patients, options)


def overlap_from_images(
    thresholds: ArrayLike,
    overlap: ArrayLike,
    centre_overlap: ArrayLike,
    marked: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> OverlapCurve:
    """Return :func:`overlap_by_threshold` from the overlap of each image.

    Args:
        thresholds: (k,).
        overlap, centre_overlap, marked: (n, k), as in :class:`MapEvaluation`.
        patients: (n,) whole numbers or strings.
        options: as in :func:`overlap_by_threshold`.

    Examples:
        >>> overlap = np.tile([[0.5], [0.25]], (10, 1))
        >>> overlap_from_images([0.5], overlap, overlap * 0, overlap, np.arange(20)).overlap[0].value
        0.375
    """
    thresholds, marked = np.asarray(thresholds, dtype=np.float64), np.asarray(marked, dtype=np.float64)
    overlap_estimates, centre_estimates = (
        tuple(patient_mean(column, patients, options, lowest=0, highest=1) for column in np.asarray(table).T)
        for table in (overlap, centre_overlap)
    )
    mean_marked = marked.mean(axis=0) if len(marked) else np.zeros(len(thresholds))
    return OverlapCurve(thresholds, overlap_estimates, centre_estimates, mean_marked)


def evaluate_map(
    cells: NDArray[np.floating], boxes: NDArray[np.float64], thresholds: ArrayLike, tolerance: float = 0.0
) -> MapEvaluation:
    """Compare one map with the boxes of its image and label.

    Args:
        cells: (rows, columns) finite.
        boxes: (k, 4) of left, top, right, bottom, on the map's grid.
        thresholds: (t,), in the unit of the map.
        tolerance: as in :func:`pointing_game`.

    Examples:
        >>> cells = np.zeros((4, 4))
        >>> cells[1, 2] = 1
        >>> evaluation = evaluate_map(cells, np.array([[2.0, 1.0, 4.0, 2.0]]), thresholds=[0.5])
        >>> evaluation.strongest, evaluation.hit, evaluation.overlap
        ((2.5, 1.5), True, (0.5,))
    """
    rows, columns = cells.shape
    size = np.array([columns, rows])
    strongest, hit = None, False
    if cells.min() < cells.max():
        places = np.argwhere(cells == cells.max())[:, ::-1] + 0.5
        hit = bool(in_any_box(places, boxes, tolerance).mean() >= 0.5)
        strongest = (float(places[0, 0]), float(places[0, 1]))
    covered, box_area = box_coverage(boxes, rows, columns), union_area(boxes)
    positive = np.maximum(cells, 0)
    inside = float((positive * covered).sum() / positive.sum()) if positive.any() else 0.0
    overlap, centre_overlap, marked = [], [], []
    for threshold in np.asarray(thresholds, dtype=np.float64):
        chosen = cells >= threshold
        area = float(chosen.sum())
        common = float(covered[chosen].sum())
        overlap.append(common / (area + box_area - common))
        marked.append(area / (rows * columns))
        half = size * np.sqrt(marked[-1]) / 2
        common = union_area(np.clip(boxes, np.tile(size / 2 - half, 2), np.tile(size / 2 + half, 2)))
        centre_overlap.append(common / (area + box_area - common))
    centre_hit = bool(in_any_box(size[None] / 2, boxes, tolerance).any())
    curves = tuple(overlap), tuple(centre_overlap), tuple(marked)
    return MapEvaluation(strongest, hit, centre_hit, *curves, inside, float(covered.mean()))


def _checked(maps: ArrayLike, boxes: Sequence[ArrayLike]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return each map with its boxes."""
    maps = np.asarray(maps, dtype=np.float64)
    if maps.ndim != 3 or not np.isfinite(maps).all():
        raise ValueError(f"Maps of shape {maps.shape}: (n, rows, columns) finite numbers are accepted.")
    arrays = [np.asarray(drawn, dtype=np.float64) for drawn in boxes]
    if len(arrays) != len(maps):
        raise ValueError(f"{len(arrays)} arrays of boxes for {len(maps)} maps: one for each is accepted.")
    for drawn in arrays:
        if drawn.ndim != 2 or drawn.shape[1] != 4 or not len(drawn) or not (drawn[:, :2] < drawn[:, 2:]).all():
            raise ValueError("Boxes other than (k, 4) of left, top, right, bottom, each with an area, were found.")
    return list(zip(maps, arrays, strict=True))
