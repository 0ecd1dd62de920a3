"""Localisation of class activation maps against boxes drawn by readers, beside two baselines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..imaging import Placement
from ..metrics import (
    BootstrapOptions,
    Estimate,
    MapEvaluation,
    average_of_others,
    best_threshold_of_others,
    evaluate_map,
    holm,
    levels_of_equal_area,
    overlap_from_images,
    paired_difference,
    patient_mean,
    patient_proportion,
)
from ..model.localisation import ALL_BOXES, AVERAGE, CENTRE, UNIFORM, BaselineResult, LabelLocalisation, MapMeasure
from ..store import Localisation
from .box_sources import BOX_SIDE, SOURCES

__all__ = [
    "ALL_BOXES",
    "THRESHOLDS",
    "BoxNumbers",
    "LabelMap",
    "average_evaluations",
    "box_numbers",
    "evaluate_maps",
]

THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))
"""Fractions of the label's full-colour value, which is the same for every image."""


class LabelMap(NamedTuple):
    """The map of a label of an image, against its boxes.

    Attributes:
        label: its name.
        boxes: (k, 4) in pixel edges of the image.
        strongest: (2,), the centre of the strongest cell or NaN, in pixel edges of the image.
        evaluation: of the map.
        cells: (rows, columns) rectified, as fractions of full colour.
        on_grid: (k, 4) the boxes on the map's grid.
    """

    label: str
    boxes: NDArray[np.float64]
    strongest: NDArray[np.float64]
    evaluation: MapEvaluation
    cells: NDArray[np.float64]
    on_grid: NDArray[np.float64]


@dataclass(frozen=True)
class BoxNumbers:
    """Localisation metrics of one label.

    Attributes:
        localisation: counts, hit rate, mean overlap and proportion inside, each beside its baselines.
        thresholds: fractions of full colour.
        overlap: mean intersection over union of the boxes and the cells at or above each threshold.
        centre_overlap: the same for a centred rectangle with the area of those cells.
        average_overlap: the same for the strongest cells of the average map; empty where the run did not keep it.
    """

    localisation: LabelLocalisation
    thresholds: tuple[float, ...]
    overlap: tuple[Estimate, ...]
    centre_overlap: tuple[Estimate, ...]
    average_overlap: tuple[Estimate, ...]

    @property
    def boxed(self) -> int:
        """Number of images with a box of the label."""
        return self.localisation.images

    @property
    def hit_rate(self) -> Estimate:
        """Proportion of images whose strongest cell lies in a box (pointing game)."""
        return self.localisation.hit_rate.value

    def baseline_hit_rate(self, baseline: str) -> Estimate | None:
        """Return the hit rate of a baseline; None where the run did not keep it."""
        result = self.localisation.hit_rate.baselines.get(baseline)
        return None if result is None else result.value


def evaluate_maps(
    maps: Mapping[str, NDArray[np.float32]],
    full_colour: Mapping[str, float],
    boxes: Mapping[str, NDArray[np.float64]],
    placement: Placement,
) -> list[LabelMap]:
    """Evaluate the map of each label of one image that has boxes.

    Args:
        maps: (rows, columns) by label, in logit units; negative values count as 0.
        full_colour: by label, in the same units.
        boxes: (k, 4) by label, in pixels of an image of BOX_SIDE x BOX_SIDE.
        placement: of the network's input on the image.
    """
    evaluations = []
    for label, label_boxes in boxes.items():
        if label not in maps:
            continue
        on_image = label_boxes * np.tile([placement.columns, placement.rows], 2) / BOX_SIDE
        cells = np.maximum(maps[label], 0) / max(full_colour[label], np.finfo(np.float32).tiny)
        matrix = placement.to_original(*cells.shape)
        scale, offset = np.array([matrix[0, 0], matrix[1, 1]]), matrix[:, 2]
        # the matrix maps centres to centres; edges lie half a pixel and half a cell before them
        on_grid = (on_image - 0.5 - np.tile(offset, 2)) / np.tile(scale, 2) + 0.5
        evaluation = evaluate_map(cells, on_grid, THRESHOLDS)
        strongest = np.full(2, np.nan)
        if evaluation.strongest is not None:
            strongest = (np.array(evaluation.strongest) - 0.5) * scale + offset + 0.5
        evaluations.append(LabelMap(label, on_image, strongest, evaluation, cells, on_grid))
    return evaluations


def average_evaluations(
    cells: NDArray[np.float64],
    on_grid: Iterable[NDArray[np.float64]],
    marked: NDArray[np.float64],
    patients: NDArray[np.str_],
) -> list[MapEvaluation | None]:
    """Evaluate for each map of one label the average of other patients' maps, against the boxes of the map's image.

    Args:
        cells: (n, rows, columns) as in :class:`LabelMap`.
        on_grid: n arrays (k, 4), likewise.
        marked: (n, t) proportion of each map at or over each threshold: the average marks as many of its cells.
        patients: (n,).

    Returns:
        n evaluations; None where no other patient has a map.
    """
    averages = average_of_others(cells, patients)
    return [
        evaluate_map(average, boxes, levels_of_equal_area(average, area)) if np.isfinite(average).all() else None
        for average, boxes, area in zip(averages, on_grid, marked, strict=True)
    ]


def box_numbers(localisation: Localisation, options: BootstrapOptions) -> dict[str, BoxNumbers]:
    """Return the localisation metrics of each label with boxes and, if there are several, of :data:`ALL_BOXES`.

    Boxes that are compared with the maps of several labels are not put together, since each would count several times.
    The p-values of the labels are adjusted by Holm's method, of each measure and baseline apart; those of
    :data:`ALL_BOXES` are one test and stay.
    """
    names = sorted(set(localisation.labels.tolist()))
    rows_of = {name: np.flatnonzero(localisation.labels == name) for name in names}
    if len(names) > 1 and (localisation.source not in SOURCES or SOURCES[localisation.source].same_label):
        rows_of[ALL_BOXES] = np.arange(len(localisation))
    results = {name: _label_localisation(localisation, rows, options) for name, rows in rows_of.items()}
    adjusted = _adjusted({name: results[name] for name in names})
    return {name: _numbers(localisation, rows_of[name], adjusted.get(name, results[name]), options) for name in results}


def _label_localisation(run: Localisation, rows: NDArray[np.intp], options: BootstrapOptions) -> LabelLocalisation:
    patients = run.patients[rows]
    chosen = best_threshold_of_others(run.overlap[rows], patients)
    hits = {CENTRE: run.centre_hits[rows].astype(np.float64)}
    overlaps = {CENTRE: run.centre_overlap[rows, chosen]}
    inside = None
    if run.average_hits is not None and run.average_overlap is not None:
        hits[AVERAGE] = run.average_hits[rows]
        overlaps[AVERAGE] = run.average_overlap[rows, chosen]
    if run.inside is not None and run.average_inside is not None and run.area is not None:
        # a map without activation lies nowhere
        active = rows[np.isfinite(run.strongest[rows, 0])]
        baselines = {UNIFORM: run.area[active], AVERAGE: run.average_inside[active]}
        inside = _measure(run.inside[active], baselines, run.patients[active], options) if len(active) else None
    return LabelLocalisation(
        images=len(rows),
        patients=len(np.unique(patients)),
        boxes=sum(len(run.boxes[row]) for row in rows.tolist()),
        blank_maps=int(np.isnan(run.strongest[rows, 0]).sum()),
        hit_rate=_measure(run.hits[rows].astype(np.float64), hits, patients, options, hits=True),
        mean_overlap=_measure(run.overlap[rows, chosen], overlaps, patients, options),
        inside=inside,
    )


def _measure(
    values: NDArray[np.float64],
    baselines: Mapping[str, NDArray[np.float64]],
    patients: NDArray[np.str_],
    options: BootstrapOptions,
    *,
    hits: bool = False,
) -> MapMeasure:
    def mean(numbers: NDArray[np.float64], rows: NDArray[np.bool_]) -> Estimate:
        if hits:
            return patient_proportion(numbers[rows] == 1, patients[rows], options)
        return patient_mean(numbers[rows], patients[rows], options, lowest=0, highest=1)

    results = {}
    for name, numbers in baselines.items():
        # no average map where one patient alone has boxes of the label
        rows = np.isfinite(numbers)
        pair = paired_difference(values[rows], numbers[rows], patients[rows], options)
        results[name] = BaselineResult(mean(numbers, rows), pair.difference, pair.p_value)
    return MapMeasure(mean(values, np.ones(len(values), dtype=bool)), results)


def _adjusted(results: Mapping[str, LabelLocalisation]) -> dict[str, LabelLocalisation]:
    """Return the results of the labels with p-values adjusted by Holm's method."""
    adjusted = dict(results)
    for measure in ("hit_rate", "mean_overlap", "inside"):
        measures = {label: getattr(result, measure) for label, result in adjusted.items()}
        measures = {label: one for label, one in measures.items() if one is not None}
        for baseline in dict.fromkeys(name for one in measures.values() for name in one.baselines):
            p_values = holm([one.baselines[baseline].p_value for one in measures.values()])
            for label, p_value in zip(measures, p_values, strict=True):
                one = getattr(adjusted[label], measure)
                new = replace(one.baselines[baseline], p_value=p_value)
                adjusted[label] = replace(
                    adjusted[label], **{measure: replace(one, baselines=one.baselines | {baseline: new})}
                )
    return adjusted


def _numbers(
    run: Localisation, rows: NDArray[np.intp], localisation: LabelLocalisation, options: BootstrapOptions
) -> BoxNumbers:
    patients = run.patients[rows]
    curve = overlap_from_images(
        run.thresholds, run.overlap[rows], run.centre_overlap[rows], run.marked[rows], patients, options
    )
    average: tuple[Estimate, ...] = ()
    if run.average_overlap is not None:
        known = np.isfinite(run.average_overlap[rows, 0])
        table = run.average_overlap[rows][known]
        average = tuple(patient_mean(c, patients[known], options, lowest=0, highest=1) for c in table.T)
    return BoxNumbers(localisation, tuple(run.thresholds.tolist()), curve.overlap, curve.centre, average)
