"""When a tab has closed for good, and what is then let go.

Streamlit keeps the state of a closed tab for ``server.disconnectedSessionTTL`` seconds, so that a lost connection does
not lose a worklist; after that it cannot come back, but is only forgotten when another tab closes. Films are let go on
time: a resource of the session is released as soon as its connection is lost, which starts the clock here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ..memory import give_back

__all__ = ["present"]

_GRACE = 5.0  # seconds after Streamlit's own, when nothing can come back any more


def present(let_go: Callable[[], None]) -> None:
    """Say in every run that the tab is there; ``let_go`` is called in a thread once it has closed for good."""
    _tab(get_script_run_ctx().session_id).let_go = let_go


_CLOSED: dict[str, _Tab] = {}
"""Of each session whose connection was lost, the tab that was lost last: it may have come back in between."""


class _Tab:
    def __init__(self, session: str) -> None:
        self._session = session
        self.let_go: Callable[[], None] = lambda: None

    def closed(self) -> None:
        _CLOSED[self._session] = self
        watch = threading.Timer(st.get_option("server.disconnectedSessionTTL") + _GRACE, self.gone)
        watch.daemon = True
        watch.start()

    def gone(self) -> None:
        if _CLOSED.get(self._session) is not self:
            # it came back, and was lost again: that one's time counts
            return
        del _CLOSED[self._session]
        # it came back, or only the caches were cleared
        if runtime.exists() and not runtime.get_instance().is_active_session(self._session):
            self.let_go()
            give_back()


@st.cache_resource(scope="session", show_spinner=False, on_release=_Tab.closed)
def _tab(session: str) -> _Tab:
    return _Tab(session)
