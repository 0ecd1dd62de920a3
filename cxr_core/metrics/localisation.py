"""Whether a map points at what was boxed: pointing game and overlap, each beside always pointing at the centre.

Findings lie near the middle of a chest film more often than not, and an enlarged heart always does: a map that
does not beat the centre has shown nothing. Boxes mark what a reader saw, so a map off the box may still show
what the score rests on; that is not measured here.

Coordinates are those of the map's grid: the cell in row r and column c covers [c, c + 1) x [r, r + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .shares import patient_mean, patient_share

__all__ = [
    "Look",
    "OverlapCurve",
    "PointingGame",
    "box_coverage",
    "look_at",
    "overlap_by_threshold",
    "overlap_of",
    "pointing_game",
    "pointing_game_of",
]


@dataclass(frozen=True)
class Look:
    """One map and its boxes.

    Attributes:
        strongest: (x, y) of the centre of the strongest cell, the first of several; None where all cells are
            the same.
        hit: whether it lies in a box; of equally strong cells at least half.
        centre: whether the centre of the map does.
        overlap: intersection over union of marked cells and boxes, by threshold.
        centre_overlap: the same of a rectangle in the centre that is as large as what is marked.
        marked: the share of the map that is marked.
    """

    strongest: tuple[float, float] | None
    hit: bool
    centre: bool
    overlap: tuple[float, ...]
    centre_overlap: tuple[float, ...]
    marked: tuple[float, ...]


@dataclass(frozen=True)
class PointingGame:
    """How often the strongest place of a map lies in a box.

    Attributes:
        hit_rate: Estimate of films whose strongest cell has its centre in a box.
        centre: the same for the centre of the map, whatever the film.
        gain: the one less the other on the same films.
        blank: maps without a strongest cell, since all cells are the same; they are misses.
    """

    hit_rate: Estimate
    centre: Estimate
    gain: Estimate
    blank: int


@dataclass(frozen=True, eq=False)
class OverlapCurve:
    """Mean intersection over union of marked cells and boxes, by threshold.

    Attributes:
        thresholds: (k,) float64, in the unit of the maps.
        overlap: k Estimates in [0, 1]; a film on which nothing is marked has 0.
        centre: k Estimates, of a rectangle of the map's shape in its centre, as large as what is marked.
        marked: (k,) float64: the mean share of the map that is marked.
    """

    thresholds: NDArray[np.float64]
    overlap: tuple[Estimate, ...]
    centre: tuple[Estimate, ...]
    marked: NDArray[np.float64]


def pointing_game(
    maps: ArrayLike,
    boxes: Sequence[ArrayLike],
    patients: ArrayLike,
    tolerance: float = 0.0,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> PointingGame:
    """Return the hit rate of maps.

    Where several cells are equally strong, at least half of them must be in a box.

    Args:
        maps: (n, rows, columns) finite, of one film and label each.
        boxes: n arrays (k, 4) of left, top, right, bottom, k at least 1, on the map's grid. A hit is in any.
        patients: (n,) of whole numbers or strings.
        tolerance: how far outside a box still hits, in cells.
        resamples, seed, level, min_patients: as in :func:`.shares.patient_share`.

    Raises:
        ValueError: for other shapes or values.

    Source: Zhang et al., Top-down neural attention by excitation backprop, International Journal of Computer
    Vision 126 (2018) 1084-1102; Saporta et al., Nature Machine Intelligence 4 (2022) 867-878.
    """
    maps, boxes = _check(maps, boxes)
    seen = [look_at(cells, around, (), tolerance) for cells, around in zip(maps, boxes, strict=True)]
    return pointing_game_of(
        [one.hit for one in seen],
        [one.centre for one in seen],
        sum(one.strongest is None for one in seen),
        patients,
        resamples=resamples,
        seed=seed,
        level=level,
        min_patients=min_patients,
    )


def pointing_game_of(hits: ArrayLike, centre: ArrayLike, blank: int, patients: ArrayLike, **options) -> PointingGame:
    """Return :func:`pointing_game` of what was found film by film.

    Args:
        hits, centre: (n,) bool, as in :class:`Look`.
        blank: how many maps were blank.
        patients: (n,) of whole numbers or strings.
        options: as in :func:`pointing_game`.
    """
    hits, centre = np.asarray(hits, dtype=bool), np.asarray(centre, dtype=bool)
    return PointingGame(
        patient_share(hits, patients, **options),
        patient_share(centre, patients, **options),
        patient_mean(hits.astype(float) - centre, patients, lowest=-1, highest=1, **options),
        blank,
    )


def overlap_by_threshold(
    maps: ArrayLike,
    boxes: Sequence[ArrayLike],
    patients: ArrayLike,
    thresholds: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> OverlapCurve:
    """Return the mean intersection over union of marked cells and boxes.

    The best threshold of the curve is too good on these films: choose it on others. Boxes are wider than what
    they mark, so a perfect outline does not reach 1.

    Args:
        maps, boxes, patients: as in :func:`pointing_game`. Areas are exact: a box may end within a cell, and
            what lies outside the map counts, since the model missed it.
        thresholds: (k,) finite; cells at or over one are marked.
        resamples, seed, level, min_patients: as in :func:`.shares.patient_mean`.

    Raises:
        ValueError: for other shapes or values.

    Source: Jaccard's index; by threshold as in Saporta et al. (2022).
    """
    maps, boxes = _check(maps, boxes)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or not np.isfinite(thresholds).all():
        raise ValueError(f"Thresholds of shape {thresholds.shape}: (k,) finite numbers are accepted.")
    seen = [look_at(cells, around, thresholds) for cells, around in zip(maps, boxes, strict=True)]
    overlap, centre, marked = (
        np.array([getattr(one, name) for one in seen]).reshape(len(seen), len(thresholds))
        for name in ("overlap", "centre_overlap", "marked")
    )
    options = {"resamples": resamples, "seed": seed, "level": level, "min_patients": min_patients}
    return overlap_of(thresholds, overlap, centre, marked, patients, **options)


def overlap_of(
    thresholds: ArrayLike, overlap: ArrayLike, centre: ArrayLike, marked: ArrayLike, patients: ArrayLike, **options
) -> OverlapCurve:
    """Return :func:`overlap_by_threshold` of what was found film by film.

    Args:
        thresholds: (k,).
        overlap, centre, marked: (n, k), as in :class:`Look`.
        patients: (n,) of whole numbers or strings.
        options: as in :func:`overlap_by_threshold`.
    """
    thresholds, marked = np.asarray(thresholds, dtype=np.float64), np.asarray(marked, dtype=np.float64)
    overlap_estimates, centre_estimates = (
        tuple(patient_mean(column, patients, lowest=0, highest=1, **options) for column in np.asarray(table).T)
        for table in (overlap, centre)
    )
    share = marked.mean(axis=0) if len(marked) else np.zeros(len(thresholds))
    return OverlapCurve(thresholds, overlap_estimates, centre_estimates, share)


def look_at(cells: NDArray, boxes: NDArray, thresholds: ArrayLike, tolerance: float = 0.0) -> Look:
    """Return what one map shows of the boxes of its film and label.

    Args:
        cells: (rows, columns) finite.
        boxes: (k, 4) of left, top, right, bottom, on the map's grid.
        thresholds: (t,), in the unit of the map.
        tolerance: as in :func:`pointing_game`.
    """
    rows, columns = cells.shape
    size = np.array([columns, rows])
    strongest, hit = None, False
    if cells.min() < cells.max():
        places = np.argwhere(cells == cells.max())[:, ::-1] + 0.5
        hit = bool(_inside(places, boxes, tolerance).mean() >= 0.5)
        strongest = (float(places[0, 0]), float(places[0, 1]))
    covered, whole = box_coverage(boxes, rows, columns), _area(boxes)
    overlap, centre, marked = [], [], []
    for threshold in np.asarray(thresholds, dtype=np.float64):
        chosen = cells >= threshold
        area = float(chosen.sum())
        common = float(covered[chosen].sum())
        overlap.append(common / (area + whole - common))
        marked.append(area / (rows * columns))
        half = size * np.sqrt(marked[-1]) / 2
        inside = _area(np.clip(boxes, np.tile(size / 2 - half, 2), np.tile(size / 2 + half, 2)))
        centre.append(inside / (area + whole - inside))
    at_centre = bool(_inside(size[None] / 2, boxes, tolerance).any())
    return Look(strongest, hit, at_centre, tuple(overlap), tuple(centre), tuple(marked))


def box_coverage(boxes: ArrayLike, rows: int, columns: int) -> NDArray[np.float64]:
    """Return (rows, columns) float64: the share of each cell that is in any of the boxes.

    Args:
        boxes: (k, 4) of left, top, right, bottom, on the map's grid.
        rows, columns: of the map.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    held = np.clip(boxes, 0, [columns, rows, columns, rows])
    x, y, inside = _patches(held, np.arange(columns + 1.0), np.arange(rows + 1.0))
    areas = inside * np.outer(np.diff(y), np.diff(x))
    coverage = np.zeros((rows, columns))
    row, column = (np.floor(edges[:-1]).astype(int) for edges in (y, x))
    np.add.at(coverage, np.ix_(row, column), areas)
    return coverage


def _area(boxes: NDArray[np.float64]) -> float:
    """Return the area of the union of (k, 4) boxes."""
    x, y, inside = _patches(boxes)
    return float((inside * np.outer(np.diff(y), np.diff(x))).sum())


def _patches(boxes, columns=(), rows=()) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
    """Cut the plane at every edge of a box, and at the given ones; say which of the patches are in a box."""
    x, y = (np.unique(np.concatenate([boxes[:, k], boxes[:, k + 2], own])) for k, own in ((0, columns), (1, rows)))
    across = (boxes[:, :1] <= x[:-1]) & (x[1:] <= boxes[:, 2:3])
    down = (boxes[:, 1:2] <= y[:-1]) & (y[1:] <= boxes[:, 3:])
    return x, y, (down[:, :, None] & across[:, None, :]).any(axis=0)


def _inside(points: NDArray, boxes: NDArray, tolerance: float) -> NDArray[np.bool_]:
    """Return (points,) whether each (x, y) is in any box."""
    low, high = boxes[:, None, :2] - tolerance, boxes[:, None, 2:] + tolerance
    return ((low <= points) & (points <= high)).all(axis=2).any(axis=0)


def _check(maps: ArrayLike, boxes: Sequence[ArrayLike]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    maps = np.asarray(maps, dtype=np.float64)
    if maps.ndim != 3 or not np.isfinite(maps).all():
        raise ValueError(f"Maps of shape {maps.shape}: (n, rows, columns) finite numbers are accepted.")
    boxes = [np.asarray(around, dtype=np.float64) for around in boxes]
    if len(boxes) != len(maps):
        raise ValueError(f"{len(boxes)} arrays of boxes for {len(maps)} maps: one for each is accepted.")
    for around in boxes:
        if around.ndim != 2 or around.shape[1] != 4 or not len(around) or not (around[:, :2] < around[:, 2:]).all():
            raise ValueError("Boxes that are not (k, 4) of left, top, right, bottom, with an area, were found.")
    return maps, boxes
