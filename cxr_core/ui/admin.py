"""The screen "Admin": a run and the training of its model, at one look."""

from __future__ import annotations

import streamlit as st

from ..displays import AucDisplay, BalanceDisplay
from ..errors import CxrError
from .chart import show, show_apart
from .chrome import html
from .evaluation import missing, small_rocs
from .guard import page_file
from .loaders import predictor_of
from .run_page import RunOnPage
from .served import served

__all__ = ["overview", "ways_on"]

_MORE = (
    ("evaluation", "Evaluation: every class, operating points, calibration"),
    ("readers", "Readers"),
    ("subgroups", "Subgroups"),
    ("compare", "Compare runs"),
    ("localisation", "Localisation"),
    ("failures", "Failures"),
    ("training_data", "Training data"),
)


def overview(run: RunOnPage) -> None:
    """Draw the curves, the areas, and what positives and negatives weighed in the training of the run's model."""
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        small_rocs(run, width=138)
    with right:
        areas = AucDisplay.of(run.summary)
        show(areas, "auc")
        missing(areas)
    _balance(run)


def _balance(run: RunOnPage) -> None:
    model = predictor_of(run.record.model_sha256)
    try:
        card = served().card if model is None else model.card
    except CxrError as error:
        html('<div class="sr-small">{words}</div>', words=str(error))
        return
    show_apart(BalanceDisplay.of(card), "balance", width=680, height=250)
    if model is None:
        html(
            '<div class="sr-small">{words}</div>',
            words=f"The model of this run is not here: this is the training of the one that serves, {card.id}.",
        )


def ways_on() -> None:
    """Draw links to the pages that say more."""
    with st.container(horizontal=True):
        for page, words in _MORE:
            st.page_link(page_file(page), label=words)
