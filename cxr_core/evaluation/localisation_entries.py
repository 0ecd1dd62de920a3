"""Entries of the catalogue for heat maps against boxes: hit rate, overlap, proportion inside, each with baselines."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from ..estimate import Estimate
from ..model.localisation import AVERAGE, CENTRE, UNIFORM
from .entry import Column, Entry, Number
from .run_data import RunData

__all__ = ["LOCALISATION_ENTRIES"]

Measure = Literal["hit_rate", "mean_overlap", "inside"]
_KEYS = {CENTRE: "centre", AVERAGE: "average", UNIFORM: "uniform"}
_COUNTS = {"boxed_images": "images", "boxed_patients": "patients", "boxes": "boxes"}


def _columns(measure: Measure, heading: str, baselines: dict[str, str], *, percent: bool) -> dict[str, Column]:
    columns = {metric: Column(name, decimals=0) for metric, name in _COUNTS.items()}
    columns[measure] = Column(heading, percent=percent)
    for name, of_baseline in baselines.items():
        key = _KEYS[name]
        columns[f"{key}_{measure}"] = Column(of_baseline, percent=percent)
        # the names of the differences of the hit rate are those of earlier exports
        columns[_difference(measure, name)] = Column(f"difference from the {name}", percent=percent, signed=True)
        columns[f"{_difference(measure, name)}_p"] = Column("Holm's p", p_value=True)
    return columns


def _difference(measure: Measure, baseline: str) -> str:
    """Return the metric's name; that of the hit rate from the centre is the one of earlier exports."""
    return f"{measure}_gain" if baseline == CENTRE else f"{measure}_gain_{_KEYS[baseline]}"


def _measure(entry: str, measure: Measure, run: RunData) -> Iterator[Number]:
    for label, numbers in run.boxes.items():
        result = numbers.localisation
        measured = getattr(result, measure)
        if measured is None:
            continue
        counts = measured.value.counts
        estimates = {metric: Estimate(getattr(result, name), counts=counts) for metric, name in _COUNTS.items()}
        estimates[measure] = measured.value
        for name, baseline in measured.baselines.items():
            estimates[f"{_KEYS[name]}_{measure}"] = baseline.value
            estimates[_difference(measure, name)] = baseline.difference
            estimates[f"{_difference(measure, name)}_p"] = baseline.p_estimate
        for metric, estimate in estimates.items():
            yield Number(entry, metric, label, "", None, estimate)


def _overlap(run: RunData) -> Iterator[Number]:
    for label, boxes in run.boxes.items():
        averages = boxes.average_overlap or (None,) * len(boxes.thresholds)
        rows = zip(boxes.thresholds, boxes.overlap, boxes.centre_overlap, averages, strict=True)
        for threshold, overlap, centre, average in rows:
            yield Number("overlap", "overlap", label, "", threshold, overlap)
            yield Number("overlap", "centre_overlap", label, "", threshold, centre)
            if average is not None:
                yield Number("overlap", "average_overlap", label, "", threshold, average)


LOCALISATION_ENTRIES: tuple[Entry, ...] = (
    Entry(
        "pointing_game",
        "Pointing game (hit rate)",
        _columns(
            "hit_rate",
            "strongest cell of the map in a box",
            {CENTRE: "centre of the image in a box", AVERAGE: "strongest cell of the average map in a box"},
            percent=True,
        ),
        per_run=partial(_measure, "pointing_game", "hit_rate"),
        display="localisation.PointingGameDisplay",
        page="localisation",
    ),
    Entry(
        "mean_overlap",
        "Mean intersection over union (mIoU), at the threshold that is best on the other patients",
        _columns(
            "mean_overlap",
            "map",
            {CENTRE: "rectangle of the same area at the centre", AVERAGE: "as many cells of the average map"},
            percent=False,
        ),
        per_run=partial(_measure, "mean_overlap", "mean_overlap"),
        page="localisation",
    ),
    Entry(
        "map_inside",
        "Proportion of the map in the boxes",
        _columns(
            "inside",
            "map",
            {UNIFORM: "map of equal cells (area of the boxes)", AVERAGE: "average map"},
            percent=True,
        ),
        per_run=partial(_measure, "map_inside", "inside"),
        page="localisation",
    ),
    Entry(
        "overlap",
        "Intersection over union",
        {
            "overlap": Column("map and boxes"),
            "centre_overlap": Column("rectangle of the same area at the centre"),
            "average_overlap": Column("as many cells of the average map"),
        },
        per_run=_overlap,
        display="localisation.IntersectionOverUnionDisplay",
        page="localisation",
        threshold_rows=True,
    ),
)
