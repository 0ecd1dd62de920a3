"""The page "Admin": a run and the training of its model on one screen; below, for administrators, the server."""

from __future__ import annotations

import streamlit as st

from ..access import audit
from ..displays import LossContributionDisplay
from ..errors import CxrError
from ..model import list_models
from ..settings import settings
from .chart import show_display
from .chrome import facts_table, heading, small
from .evaluation import aucs, roc_panels
from .guard import PAGES, page_file
from .open_runs import RunOnPage
from .serving_model import predictor_with_weights, serving_predictor
from .visitor import may_administer, providers

__all__ = ["overview", "page_links", "server_facts"]

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


def server_facts() -> None:
    """Write what is set on this server, for administrators; nothing for others, nothing secret and no person's name."""
    if not may_administer():
        return
    heading("This server")
    left, right = st.columns(2, gap="large")
    with left:
        facts_table({"Serving model": _serving_model(), "Installed models": _installed_models(), **_limits()})
    with right:
        facts_table({"Sign-in": _sign_in(), "Roles": _roles(), "Audit trail": _audit_trail(), "Identity": _identity()})


def _serving_model() -> str:
    try:
        predictor = serving_predictor()
    except CxrError as error:
        return str(error)
    card = predictor.card
    return f"{card.id}, version {card.version}, weights {card.weights_sha256[:12]}; engine {predictor.engine.name}"


def _installed_models() -> str:
    names = [path.name for path in list_models()]
    return f"{len(names)}: {', '.join(names)}. Import another on the page Model."


def _limits() -> dict[str, str]:
    limits = settings()
    return {
        "Largest file": f"{limits.max_file_mb:,} MB, {limits.max_megapixels:,} megapixels",
        "Most files in one upload": f"{limits.max_files:,}",
        "Most browser tabs": f"{limits.max_sessions:,}, of one address {limits.max_sessions_per_address:,}",
    }


def _sign_in() -> str:
    names = [name or "default" for name in providers()]
    return f"OpenID Connect: {', '.join(names)}" if names else "none: local single-user mode, this machine only"


def _roles() -> str:
    if not providers():
        return "the user of this machine is admin"
    roles = settings()
    claim = f"claim {roles.role_claim}; " if roles.role_claim else ""
    lists = {"readers": roles.readers, "reviewers": roles.reviewers, "admins": roles.admins}
    return claim + "listed: " + ", ".join(f"{len(people)} {name}" for name, people in lists.items())


def _audit_trail() -> str:
    if audit.problem() is not None:
        return "cannot be written; imports and exports are refused"
    return "written. To print it: python -m cxr_core audit; to verify it: python -m cxr_core audit --verify"


def _identity() -> str:
    if settings().identity == "off":
        return "not shown"
    if settings().identity == "store":
        return "shown on the screen of whoever opened the study, and stored with its reads"
    return "shown on the screen of whoever opened the study, stored nowhere"
