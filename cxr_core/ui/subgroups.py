"""The page "Subgroups": error rates and AUC of one label by sex, age and view."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..displays import SubgroupDisplay
from .chart import show_panels
from .chrome import small, table
from .open_runs import RunOnPage, cached
from .run_page import select_label

__all__ = ["subgroups"]


def subgroups(run: RunOnPage) -> None:
    """Draw the subgroups of one label at the operating point, or else at a false positive rate of 10 %."""
    outcome = select_label(run)
    display = cached(run, "subgroups", lambda: SubgroupDisplay.of_run(run, outcome.label), outcome.label)
    if display is None:
        kind = "positive" if not outcome.truth.any() else "negative"
        small(f"No image of this run is {kind} for this label, so there are no error rates.")
        return
    show_panels(display, f"subgroups-{outcome.label}", width=440)
    crossings = display.crossings()
    if crossings.panels[0].y.names:
        show_panels(display, f"crossings-{outcome.label}", width=440, chart=crossings)
    with st.expander("All subgroups and intersections, with counts"):
        headings, *rows = display.table_rows(display.rows)
        table(headings, [tuple(map(escape, row)) for row in rows], numbers=2)
