"""The door of every page.

Until ``st.navigation`` has run once in the process, Streamlit answers a first request to ``/model`` by
running that page without ``app.py``: without its settings, and without whatever it checks. So the first
statement of every page is :func:`guard`, which sends such a request around by the front door.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from .chrome import served_here_only

__all__ = ["PAGES", "enter", "guard", "may_administer"]

ENTERED = "entered"

PAGES: tuple[tuple[str, str, str], ...] = (
    ("second_opinion", "Second opinion", ":material/radiology:"),
    ("model", "Model", ":material/description:"),
    ("admin", "Admin", ":material/dashboard:"),
    ("evaluation", "Evaluation", ":material/monitoring:"),
    ("readers", "Readers", ":material/groups:"),
    ("compare", "Compare", ":material/compare_arrows:"),
    ("subgroups", "Subgroups", ":material/diversity_3:"),
    ("failures", "Failures", ":material/error:"),
    ("localisation", "Localisation", ":material/center_focus_strong:"),
    ("training_data", "Training data", ":material/dataset:"),
)
"""Stem of the script in ``pages/``, title, icon; the first one is the front page."""

_FOLDER = Path(__file__).resolve().parents[2] / "pages"


def enter():
    """Declare the pages and return the one that was asked for; called by ``app.py`` alone."""
    st.session_state[ENTERED] = True
    return _navigation()


def guard() -> None:
    """Stop a page that ``app.py`` did not start, and start it through ``app.py``."""
    if st.session_state.get(ENTERED):
        return
    _navigation()
    st.rerun()


def may_administer() -> bool:
    """Return whether this session may change what is served.

    There are no roles yet: whoever sits at this machine may, and nobody may where others reach the server.
    """
    return served_here_only()


def _navigation():
    first = PAGES[0][0]
    pages = [
        st.Page(_FOLDER / f"{stem}.py", title=title, icon=icon, url_path=stem, default=stem == first)
        for stem, title, icon in PAGES
    ]
    return st.navigation(pages, position="top")
