"""The door of every page: which pages there are, for whom, and who comes in.

``main.py`` lets a visitor in page by page (:func:`enter`, :func:`admit`). Where ``pages/`` lies beside the script that
is served, Streamlit answers a first request to ``/model`` by running that page without the script, and so without its
checks. It lies elsewhere; that is not all that a page relies on: its first statement is :func:`guard`, which asks for
the role once more, and sends a session that did not come in by the front door around to it.

A callback and a fragment run without ``main.py`` and without their page's first statement. What one of them
changes for others, it asks :func:`cxr_core.ui.visitor.may` for.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from ..access import Role, Visitor
from .audited import about_run
from .door import refuse, welcome
from .visitor import may_administer, visitor

__all__ = ["PAGES", "Screen", "admit", "enter", "guard", "may_administer", "page_file"]


class Screen(NamedTuple):
    """A page: stem of its script in ``pages/``, title, icon, and the least role that may see it."""

    stem: str
    title: str
    icon: str
    role: Role


PAGES: tuple[Screen, ...] = (
    Screen("second_opinion", "Second opinion", ":material/radiology:", Role.READER),
    Screen("model", "Model", ":material/description:", Role.READER),
    Screen("admin", "Admin", ":material/dashboard:", Role.REVIEWER),
    Screen("evaluation", "Evaluation", ":material/monitoring:", Role.REVIEWER),
    Screen("readers", "Readers", ":material/groups:", Role.REVIEWER),
    Screen("compare", "Compare", ":material/compare_arrows:", Role.REVIEWER),
    Screen("subgroups", "Subgroups", ":material/diversity_3:", Role.REVIEWER),
    Screen("failures", "Failures", ":material/error:", Role.REVIEWER),
    Screen("localisation", "Localisation", ":material/center_focus_strong:", Role.REVIEWER),
    Screen("training_data", "Training data", ":material/dataset:", Role.REVIEWER),
)
"""Every page, in the order of the navigation; the first one is the front page."""

_FOLDER = Path(__file__).resolve().parents[2] / "pages"
_ADMITTED = "admitted"
_NAMELESS = "Second Read"


def page_file(stem: str) -> str:
    """Return the path of a page's script, as a link to it needs it."""
    return str(_FOLDER / f"{stem}.py")


def enter(someone: Visitor, asked: str = ""):
    """Declare the pages that the visitor may see, and return the one that was asked for.

    The browser is told of no other, but for two without a name of theirs: the front page, since there must be one, and
    what the address itself asks for, so that it gets an answer.

    Args:
        someone: who asks.
        asked: stem of the page that was asked for; by default what the address says.
    """
    asked = asked or (st.context.url or "").rstrip("/").rpartition("/")[2]
    seen = [screen for screen in PAGES if someone.may(screen.role)]
    pages = [
        st.Page(
            page_file(screen.stem),
            title=screen.title if screen in seen else _NAMELESS,
            icon=screen.icon if screen in seen else None,
            url_path=screen.stem,
            default=screen == PAGES[0],
            visibility="visible" if screen in seen else "hidden",
        )
        for screen in PAGES
        if screen in seen or screen == PAGES[0] or screen.stem == asked
    ]
    return st.navigation(pages, position="top" if seen else "hidden")


def admit(someone: Visitor, page) -> None:
    """Let the visitor on to the page; else show the sign-in or why not, and stop."""
    # the front page's url_path is empty
    screen = next((screen for screen in PAGES if screen.stem == page.url_path), PAGES[0])
    welcome(someone)
    if not someone.may(screen.role):
        refuse(someone, screen.title, screen.stem, screen.role)
        st.stop()
    about_run("")
    st.session_state[_ADMITTED] = True


def guard(script: str) -> None:
    """Stop a page that ``main.py`` did not start, or whose role the visitor has not, and go to the front door.

    Args:
        script: the page's own ``__file__``.
    """
    screen = next(screen for screen in PAGES if screen.stem == Path(script).stem)
    someone = visitor()
    if st.session_state.get(_ADMITTED) and someone.may(screen.role):
        return
    enter(someone, screen.stem)
    st.rerun()
