"""The page "Admin": a run and the training of its model on one screen."""

from __future__ import annotations

import streamlit as st

from ..displays import LossContributionDisplay
from ..errors import CxrError
from .chart import show_display
from .chrome import small
from .evaluation import aucs, roc_panels
from .guard import PAGES, page_file
from .open_runs import RunOnPage
from .serving_model import predictor_with_weights, serving_predictor

__all__ = ["overview", "page_links"]

_LINKS = ("evaluation", "readers", "subgroups", "compare", "localisation", "failures", "training_data")


def overview(run: RunOnPage) -> None:
    """Draw the ROC curves, the AUCs, and the loss contributions in the training of the model."""
    # all of it on one screen of 1440 x 900
    left, middle, right = st.columns([1.7, 1, 1.12], gap="medium")
    with left:
        roc_panels(run, width=134, height=124)
    with middle:
        aucs(run)
    with right:
        _loss_contributions(run)


def _loss_contributions(run: RunOnPage) -> None:
    """Draw the loss contributions in the training of the run's model, or else of the serving model."""
    model = predictor_with_weights(run.record.model_sha256)
    try:
        card = serving_predictor().card if model is None else model.card
    except CxrError as error:
        small(str(error))
        return
    show_display(LossContributionDisplay.of(card), "balance")
    if model is None:
        small(f"The model of this run is not installed. This is the training of the serving model, {card.id}.")


def page_links(run: RunOnPage) -> None:
    """Draw links to the detailed pages of the run."""
    titles = {screen.stem: screen.title for screen in PAGES}
    with st.container(horizontal=True):
        for page in _LINKS:
            st.page_link(page_file(page), label=titles[page], query_params={"run": run.record.id})
