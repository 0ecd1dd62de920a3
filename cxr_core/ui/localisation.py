"""The page "Localisation": agreement of the heat maps with boxes or masks drawn by readers, beside two baselines."""

from __future__ import annotations

import streamlit as st

from ..displays import IntersectionOverUnionDisplay, PointingGameDisplay
from ..evaluation.box_sources import SOURCES
from ..evaluation.boxes import ALL_BOXES
from ..store import StoredRun
from ..store.runs import EMBEDDED
from .card_localisation import BASELINES, measure_table
from .chart import show_display
from .chrome import empty_state, heading, small
from .open_runs import RunOnPage
from .run_page import select_with_counts

__all__ = ["localisation", "made_for_boxes"]


def made_for_boxes(run: StoredRun) -> bool:
    """Return whether a run is to be shown first: one with boxes; of the embedded ones, one made for its boxes."""
    return bool(run.record.localisation_sha256) and (run.folder.parent != EMBEDDED or bool(run.record.selection))


def localisation(run: RunOnPage) -> None:
    """Draw hit rate and intersection over union of a run that has bounding boxes."""
    boxes = run.summary.boxes
    if not boxes:
        empty_state(
            "No bounding boxes in this run",
            "A run evaluates the heat maps if it was made with bounding boxes, such as those of NIH or ChestX-Det: "
            "python -m cxr_core evaluate ... --boxes BBox_List_2017.csv",
            level=2,
        )
        return
    if run.summary.box_source:
        small(f"Compared with {SOURCES[run.summary.box_source].description}.")
    left, right = st.columns(2, gap="large")
    with left:
        show_display(PointingGameDisplay(boxes, run.notes), "hits")
    with right:
        labels = sorted(boxes, key=lambda label: (label != ALL_BOXES, -boxes[label].boxed))
        images = {label: boxes[label].boxed for label in labels}
        label = select_with_counts("Label (images with boxes)", images, "boxes-of", run)
        show_display(IntersectionOverUnionDisplay(label, boxes[label], run.notes), f"overlap-{label}")
    results = {label: numbers.localisation for label, numbers in boxes.items()}
    heading("Hit rate and its baselines, per label")
    measure_table(results, "hit_rate")
    small(
        f"{BASELINES} p: random signs of each patient's differences, adjusted for the labels by Holm's method; that of "
        "all boxes together is one test."
    )
    heading("Mean intersection over union (mIoU) and its baselines, per label")
    measure_table(results, "mean_overlap")
    small(
        "The threshold of each image is the fraction of full colour that is best on the boxes of all other patients. "
        "The baselines mark an equal area: a rectangle at the centre, and the strongest cells of the average map."
    )
    if any(result.inside for result in results.values()):
        heading("Proportion of the map in the boxes, per label")
        measure_table(results, "inside")
        small("Of the sum of all cells. A uniform map has equal cells: its value is the area of the boxes.")
