"""The screen "Localisation": whether the maps point at what readers boxed."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..displays import HitsDisplay, OverlapDisplay
from ..displays.display import estimate_words
from ..evaluation.boxes import ALL_BOXES
from ..labels import display_name
from .chart import show
from .chrome import html
from .run_page import RunOnPage, chosen_of
from .tables import table

__all__ = ["localisation"]


def localisation(run: RunOnPage) -> None:
    """Draw hits and overlap of a run that was made with boxes; words where it was not."""
    boxes = run.summary.boxes
    if not boxes:
        html(
            '<div class="sr-lead"><h1>No boxes in this run</h1><p>{words}</p></div>',
            words="A run knows where maps point where it was made with boxes in the layout of NIH's table: "
            "python -m cxr_core evaluate ... --boxes BBox_List_2017.csv",
        )
        return
    left, right = st.columns(2, gap="large")
    with left:
        show(HitsDisplay(boxes, run.summary.notes), "hits")
    with right:
        labels = sorted(boxes, key=lambda label: (label != ALL_BOXES, -boxes[label].boxed))
        label = chosen_of("Boxes of", {label: boxes[label].boxed for label in labels}, "boxes-of", run)
        show(OverlapDisplay(label, boxes[label], run.summary.notes), f"overlap-{label}")
    rows = [
        (
            escape(display_name(label)),
            f"{found.boxed:,}",
            escape(estimate_words(found.hit_rate, percent=True)),
            escape(estimate_words(found.centre_hit_rate, percent=True)),
            escape(estimate_words(found.gain, percent=True, signed=True)),
        )
        for label, found in boxes.items()
    ]
    table(("label", "boxed films", "hit rate (95 %)", "always the centre", "gain"), rows, numbers=1)
    html(
        '<div class="sr-small">{words}</div>',
        words="A map that does not beat the centre of the film has shown nothing: findings lie near the middle more "
        "often than not, and an enlarged heart always does. A cell of a map is several centimetres wide, so small "
        "boxes cannot be met well. Off the box is not wrong by itself: a map shows what the score rests on.",
    )
