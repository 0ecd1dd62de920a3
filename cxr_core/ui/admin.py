"""The screen "Admin": a run and the training of its model, at one look."""

from __future__ import annotations

import streamlit as st

from ..displays import AucDisplay
from .chart import show
from .evaluation import missing, small_rocs
from .run_page import RunOnPage

__all__ = ["overview", "ways_on"]

_MORE = (
    ("evaluation", "Evaluation: every class, operating points, calibration"),
    ("readers", "Readers"),
    ("subgroups", "Subgroups"),
    ("compare", "Compare runs"),
)


def overview(run: RunOnPage) -> None:
    """Draw the curves and the areas."""
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        small_rocs(run, width=142)
    with right:
        areas = AucDisplay.of(run.summary)
        show(areas, "auc")
        missing(areas)


def ways_on() -> None:
    """Draw links to the pages that say more."""
    with st.container(horizontal=True):
        for page, words in _MORE:
            st.page_link(f"pages/{page}.py", label=words)
