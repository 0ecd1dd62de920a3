"""Who may use the routes of the reading page: a token for each tab, which the page hands out and the server compares.

A route has no Streamlit session. The page gives its browser a random token, in the data of a component and never in an
address, and each request carries it in a header. A header of one's own cannot be sent from another site without leave
(Fetch Standard, CORS-safelisted request-header), and the origin is checked too. A token is valid for as long as its tab
is connected. The request must come from the person whose tab it is: with sign-in by the signed cookie, and that person
must still be a reader; without it by the cookie of the browser.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ...access import Role
from ..reading_jobs import WorklistReader
from ..session_cleanup import at_every_poll
from ..visitor import visitor_of_request
from ..worklist import Worklist
from .browser_cookie import reader_name, reader_of_request
from .connections import Refused

__all__ = [
    "HISTORY",
    "READING",
    "REQUESTS_AT_ONCE",
    "TOKEN_HEADER",
    "PageSession",
    "belongs_to",
    "close_page_session",
    "connected_tabs",
    "forget_ended",
    "is_connected",
    "open_page_session",
    "page_session",
    "session_exists",
    "worklist_path",
]

TOKEN_HEADER = "X-Second-Read-Token"  # noqa: S105 - a name

REQUESTS_AT_ONCE = 16
"""Requests of one tab that are answered at the same time, uploads apart. A browser sends six."""

READING, HISTORY = "page_session", "history_session"

_ENDED = "This page has lost its connection to the server. Reload the page."


def worklist_path() -> str:
    """Return the path under which the routes of the worklist lie."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/worklist" if base else "/worklist"


class PageSession:
    """A tab that shows the reading page: its token, its worklist, and who may use it.

    Args:
        session: Streamlit's id of its session.
        reader: reads the images of its worklist.
        key: under which the session state has it: of the reading page, or of a stored read on the page History.
        images: the worklist as this tab shows it; by default that of the reader.
        owner: the person that the worklist belongs to, or None for one of the tab alone.

    Attributes:
        token: secret of the tab.
        session, reader, key, images, owner: as given.
    """

    def __init__(
        self,
        session: str,
        reader: WorklistReader,
        key: str = READING,
        images: Worklist | None = None,
        owner: str | None = None,
    ) -> None:
        self.session, self.reader, self.key = session, reader, key
        self.images, self.owner = images or reader.images, owner
        self._name, self._secret = secrets.token_urlsafe(9), secrets.token_urlsafe(32)
        self._requests = 0

    @property
    def token(self) -> str:
        """Return the token: a name by which it is found, and the secret."""
        return f"{self._name}.{self._secret}"

    def matches(self, secret: str) -> bool:
        """Return whether a secret is that of this tab, in a time that does not depend on it."""
        return hmac.compare_digest(secret.encode(), self._secret.encode())

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request while it is answered; raises Refused where there are too many. For the event loop only."""
        if self._requests >= REQUESTS_AT_ONCE:
            raise Refused(503, "Too many requests of this tab at once.")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    @contextmanager
    def changes(self) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the worklist changes. For the event loop only."""
        event, loop = asyncio.Event(), asyncio.get_running_loop()

        def changed() -> None:
            loop.call_soon_threadsafe(event.set)

        self.images.listeners.add(changed)
        try:
            yield event
        finally:
            self.images.listeners.discard(changed)


_PAGE_SESSIONS: dict[str, PageSession] = {}
_CHANGING = threading.Lock()


def open_page_session(reader: WorklistReader, key: str = READING, images: Worklist | None = None) -> PageSession:
    """Return a page session of the tab whose script runs, opened by its first call: by default of the reading page.

    It is kept in the session state and thus ends with a sign-out.
    """
    context = get_script_run_ctx()
    session = context.session_id if context is not None else ""
    current: PageSession | None = st.session_state.get(key)
    if current is None or current.session != session:
        current = st.session_state[key] = PageSession(session, reader, key)
    current.reader, current.images, current.owner = reader, images or reader.images, reader_name()
    with _CHANGING:
        for name, other in list(_PAGE_SESSIONS.items()):
            if other is not current and (other.session, other.key) == (session, key):
                del _PAGE_SESSIONS[name]
        _PAGE_SESSIONS[current._name] = current
    return current


@at_every_poll
def forget_ended() -> int:
    """Forget the page sessions of tabs that have ended, with the stored reads opened in them; return their number."""
    with _CHANGING:
        ended = [one for one in _PAGE_SESSIONS.values() if not session_exists(one.session)]
        for one in ended:
            del _PAGE_SESSIONS[one._name]
    for one in ended:
        if one.key == HISTORY:
            one.images.shared.take_all()
    return len(ended)


def close_page_session() -> None:
    """End the page sessions of the tab whose script runs: their tokens open nothing from now on."""
    for key in (READING, HISTORY):
        current: PageSession | None = st.session_state.pop(key, None)
        if current is not None:
            with _CHANGING:
                _PAGE_SESSIONS.pop(current._name, None)


def page_session(request: HTTPConnection) -> PageSession:
    """Return the page session of a request; raises Refused if the request may not use it."""
    _check_origin(request)
    person = visitor_of_request(request, own_origin=True)
    if not person.may(Role.READER):
        raise Refused(401 if person.standing in ("signed_out", "expired") else 403, "Sign in to read images.")
    name, _, secret = request.headers.get(TOKEN_HEADER, "").partition(".")
    session = _PAGE_SESSIONS.get(name)
    if session is None or not session.matches(secret):
        raise Refused(403, _ENDED)
    if not belongs_to(session.session, person.subject, person.standing == "local"):
        raise Refused(403, _ENDED)
    if session.owner is not None and session.owner != reader_of_request(person, request):
        raise Refused(403, _ENDED)
    return session


def belongs_to(session: str, subject: str, local: bool) -> bool:
    """Return whether a session is connected and belongs to this person."""
    if not is_connected(session):
        return False
    if local:
        return True
    # Streamlit's only implementation; its interface does not name the person
    connected = runtime.get_instance()._session_mgr.get_active_session_info(session)
    return connected is not None and connected.session._user_info.get("sub") == subject


def _check_origin(request: HTTPConnection) -> None:
    """Raise Refused for a request that a page of another origin has sent."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # browsers send the former and let no page set it; it is right behind a proxy that changes Host, too
    same = site == "same-origin" if site else origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not same:
        raise Refused(403, "This request comes from another site.")


def is_connected(session: str) -> bool:
    """Return whether a session has its connection now."""
    return runtime.exists() and runtime.get_instance().is_active_session(session)


def connected_tabs() -> int:
    """Return how many sessions are connected now."""
    # Streamlit's only implementation; its interface does not list them, and its test driver has none
    manager = getattr(runtime.get_instance(), "_session_mgr", None) if runtime.exists() else None
    return 0 if manager is None else manager.num_active_sessions()


def session_exists(session: str) -> bool:
    """Return whether a session is connected or can be restored."""
    return runtime.exists() and runtime.get_instance()._session_mgr.get_session_info(session) is not None
