"""The section of the page "Model" on where the heat maps point, and the tables that the page "Localisation" shares."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from ..formatting import format_estimate, format_p_value
from ..labels import display_name
from ..model import ModelCard
from ..model.localisation import LabelLocalisation, MapMeasure, format_boxed_images
from .chrome import heading, small, table

__all__ = ["BASELINES", "localisation_section", "measure_table"]

BASELINES = (
    "The image centre and the average of other patients' maps of the label are the baselines: findings often lie near "
    "the middle, and an enlarged heart always does. A heat map that is no better than a baseline does not localise the "
    "finding in this image. A cell of the map is several centimetres wide, so small boxes cannot be matched well. A "
    "map outside the box is not necessarily wrong: it shows which regions contribute to the score."
)


def localisation_section(card: ModelCard) -> None:
    """Draw the hit rates of the card, a table of each source of boxes, with overlap and proportion inside folded."""
    heading("Where the heat maps point")
    if not card.localisation:
        small("Not measured for this model: its maps were not compared with boxes drawn by readers.")
        return
    small(BASELINES)
    for result in card.localisation:
        small(
            f"{result.source}: {result.description}; {result.number_of_images:,} {result.images} "
            f"({result.number_of_patients:,} patients; {', '.join(result.data)}). Hit rate (pointing game):"
        )
        measure_table(result.per_label, "hit_rate")
        with st.expander(f"Intersection over union and proportion inside, {result.source}"):
            measure_table(result.per_label, "mean_overlap")
            measure_table(result.per_label, "inside")
    small(f"Interval: {card.localisation[0].interval}.")


def measure_table(labels: Mapping[str, LabelLocalisation], measure: str) -> None:
    """Draw a measure of each label beside its baselines, with counts; below, why a label has none.

    Args:
        labels: results by label.
        measure: ``hit_rate``, ``mean_overlap`` or ``inside``.
    """
    measures: dict[str, MapMeasure] = {}
    for label, result in labels.items():
        measured = getattr(result, measure)
        if measured is not None:
            measures[label] = measured
    if not measures:
        return
    baselines = list(dict.fromkeys(name for measured in measures.values() for name in measured.baselines))
    title = {"hit_rate": "hit rate", "mean_overlap": "mIoU", "inside": "proportion inside"}[measure]
    headings = [text for name in baselines for text in (name, "difference (95 % CI)", "p")]
    missing = [
        f"{display_name(label)}: {format_estimate(measured.value)}"
        for label, measured in measures.items()
        if measured.value.value is None
    ]
    rows = [
        (
            escape(display_name(label)),
            format_boxed_images(label, labels[label].images),
            *(f"{count:,}" for count in (labels[label].patients, labels[label].boxes)),
            *_cells(measured, baselines, percent=measure != "mean_overlap"),
        )
        for label, measured in measures.items()
        if measured.value.value is not None
    ]
    if rows:
        table(("label", "images", "patients", "boxes", f"{title} (95 % CI)", *headings), rows, 3)
    if missing:
        small(f"Not estimated: {'; '.join(missing)}.")


def _cells(measure: MapMeasure, baselines: list[str], *, percent: bool) -> tuple[str, ...]:
    cells = [format_estimate(measure.value, percent=percent)]
    for name in baselines:
        result = measure.baselines[name]
        cells += [
            format_estimate(result.value, percent=percent),
            format_estimate(result.difference, percent=percent, signed=True),
            format_p_value(result.p_value),
        ]
    return tuple(map(escape, cells))
