"""Access to pages: which pages there are, the role that each needs, and the check before a page runs.

``main.py`` checks every page (:func:`register_pages`, :func:`admit`). If ``pages/`` lay beside the served script,
Streamlit would answer a first request to ``/model`` by running that page alone, without the check. It lies elsewhere,
and as a second defence the first statement of every page is :func:`guard`, which checks the role again and sends a
session that did not pass ``main.py`` through it.

A callback and a fragment run without ``main.py`` and without the first statement of their page. Before one of them
changes anything for others, it calls :func:`cxr_core.ui.visitor.may`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.navigation.page import Page

from ..access import Role, Visitor
from ..settings import program_path, settings
from .downloads import set_page_run
from .sign_in import show_account, show_refusal
from .visitor import visitor

__all__ = ["PAGES", "Screen", "admit", "guard", "page_file", "register_pages"]


class Screen(NamedTuple):
    """A page.

    Attributes:
        stem: of its script in ``pages/``.
        title, icon: in the navigation.
        role: lowest role that may see it.
        of_store: whether it shows what is stored; it is in the navigation only where ``SECOND_READ_KEEP=store``.
    """

    stem: str
    title: str
    icon: str
    role: Role
    of_store: bool = False

    def is_offered(self) -> bool:
        """Return whether the navigation leads to it."""
        return not self.of_store or settings().keep == "store"


PAGES: tuple[Screen, ...] = (
    Screen("second_opinion", "Second opinion", ":material/radiology:", Role.READER),
    Screen("model", "Model", ":material/description:", Role.READER),
    Screen("history", "History", ":material/history:", Role.READER, of_store=True),
    Screen("admin", "Admin", ":material/dashboard:", Role.REVIEWER),
    Screen("pacs", "PACS", ":material/lan:", Role.ADMIN),
    Screen("operations", "Operations", ":material/monitor_heart:", Role.ADMIN),
    Screen("evaluation", "Evaluation", ":material/monitoring:", Role.REVIEWER),
    Screen("readers", "Readers", ":material/groups:", Role.REVIEWER),
    Screen("compare", "Compare", ":material/compare_arrows:", Role.REVIEWER),
    Screen("subgroups", "Subgroups", ":material/diversity_3:", Role.REVIEWER),
    Screen("failures", "Failures", ":material/error:", Role.REVIEWER),
    Screen("localisation", "Localisation", ":material/center_focus_strong:", Role.REVIEWER),
    Screen("training_data", "Training data", ":material/dataset:", Role.REVIEWER),
    Screen("concordance", "Concordance", ":material/handshake:", Role.REVIEWER),
    Screen("monitoring", "Monitoring", ":material/query_stats:", Role.REVIEWER),
)
"""Every page, in the order of the navigation; the first one is the front page."""

_FOLDER = program_path("pages")
_ADMITTED = "admitted"
_NEUTRAL_TITLE = "Second Read"


def page_file(stem: str) -> str:
    """Return the path of a page's script, for ``st.page_link``."""
    return str(_FOLDER / f"{stem}.py")


def register_pages(person: Visitor, requested: str = "") -> Page:
    """Declare the pages that the visitor may see, and return the one that was requested.

    The browser learns of no other page, except for two without their title: the front page, because Streamlit needs a
    default, and the page in the address, so that the request gets an answer.

    Args:
        person: the visitor.
        requested: stem of the requested page; by default the one in the address.
    """
    requested = requested or (st.context.url or "").rstrip("/").rpartition("/")[2]
    permitted = [screen for screen in PAGES if person.may(screen.role)]
    offered = [screen for screen in permitted if screen.is_offered()]
    pages = [
        st.Page(
            page_file(screen.stem),
            title=screen.title if screen in permitted else _NEUTRAL_TITLE,
            icon=screen.icon if screen in permitted else None,
            url_path=screen.stem,
            default=screen == PAGES[0],
            visibility="visible" if screen in offered else "hidden",
        )
        for screen in PAGES
        if screen in offered or screen == PAGES[0] or screen.stem == requested
    ]
    return st.navigation(pages, position="top" if permitted else "hidden")


def admit(person: Visitor, page: Page) -> None:
    """Let the visitor pass to the page; else show the sign-in or the refusal, and stop."""
    # the url_path of the front page is empty
    screen = next((screen for screen in PAGES if screen.stem == page.url_path), PAGES[0])
    show_account(person)
    if not person.may(screen.role):
        show_refusal(person, screen.title, screen.stem, screen.role)
        st.stop()
    st.set_page_config(page_title=f"{screen.title} · Second Read")
    set_page_run("")
    st.session_state[_ADMITTED] = True


def guard(script: str) -> None:
    """Stop a page that ``main.py`` did not start or whose role the visitor lacks, and rerun through ``main.py``.

    Args:
        script: ``__file__`` of the page.
    """
    screen = next(screen for screen in PAGES if screen.stem == Path(script).stem)
    person = visitor()
    if st.session_state.get(_ADMITTED) and person.may(screen.role):
        return
    register_pages(person, screen.stem)
    st.rerun()
