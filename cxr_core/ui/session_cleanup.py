"""Release of what a closed tab held: uploaded files, the session itself, and its place at a worklist.

Streamlit keeps the session of a closed tab for ``server.disconnectedSessionTTL`` seconds, so that a lost connection can
be restored. After that it forgets the session only when another tab closes, and until then the session holds uploaded
files, an event loop and the state of the pages. Here the session of a visitor who has not signed in is ended at once,
and any other when it can no longer be restored. A timer that starts when the connection is lost says that the tab has
left its worklist, which belongs to the person (:mod:`.worklists`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import streamlit as st
from starlette.concurrency import run_in_threadpool
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager

from ..process_resources import give_back
from .visitor import sign_in_is_set_up

__all__ = ["POLL_SECONDS", "at_every_poll", "end_closed_sessions", "lifespan", "on_session_end"]

POLL_SECONDS = 1.0

_GRACE_SECONDS = 5.0  # after Streamlit's own time, when a session can no longer be restored

_LOG = logging.getLogger(__name__)
_AT_EVERY_POLL: list[Callable[[], int]] = []


def at_every_poll(release: Callable[[], int]) -> Callable[[], int]:
    """Have a function called every second while the server runs, in a thread; it returns how much it has released."""
    _AT_EVERY_POLL.append(release)
    return release


def on_session_end(release: Callable[[], None], on_disconnect: Callable[[], None] | None = None) -> None:
    """Register in every script run what is called, in a thread, once the tab has closed for good.

    ``on_disconnect`` is called as soon as the connection is lost; what is already registered stays where it is None.
    """
    context = get_script_run_ctx()
    if context is not None:
        connection = _connection(context.session_id)
        connection.release = release
        connection.disconnect = on_disconnect or connection.disconnect


_LAST_CLOSED: dict[str, _Connection] = {}
"""The last closed connection of each session; the session may have been restored in between."""


class _Connection:
    """A connection of a session, from its first script run until the connection is lost."""

    def __init__(self, session: str) -> None:
        self._session = session
        self.release: Callable[[], None] = lambda: None
        self.disconnect: Callable[[], None] = lambda: None

    def on_close(self) -> None:
        self.disconnect()
        _LAST_CLOSED[self._session] = self
        seconds = st.get_option("server.disconnectedSessionTTL") + _GRACE_SECONDS
        timer = threading.Timer(seconds, self.on_timeout)
        timer.daemon = True
        timer.start()

    def on_timeout(self) -> None:
        if _LAST_CLOSED.get(self._session) is not self:
            # restored and lost again since: the later timer counts
            return
        del _LAST_CLOSED[self._session]
        # an active session was restored, or only its caches were cleared
        if runtime.exists() and not runtime.get_instance().is_active_session(self._session):
            self.release()
            give_back()


@st.cache_resource(scope="session", show_spinner=False, on_release=_Connection.on_close)
def _connection(session: str) -> _Connection:
    return _Connection(session)


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """End closed sessions for as long as the server runs."""
    task = asyncio.create_task(_poll(), name="second-read-session-cleanup")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _poll() -> None:
    closed_since: dict[str, float] = {}
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            ended = end_closed_sessions(closed_since)
            for release in _AT_EVERY_POLL:
                ended += await run_in_threadpool(release)
        except Exception:
            _LOG.exception("Closed sessions could not be ended.")
            continue
        if ended:
            await run_in_threadpool(give_back)


def end_closed_sessions(closed_since: dict[str, float]) -> int:
    """End sessions that cannot be restored and delete files of sessions that do not exist; return their number.

    Must be called in the server's event loop.

    Args:
        closed_since: monotonic time at which each closed session was first seen; updated in place.
    """
    server = runtime.get_instance()
    # Streamlit's only implementations; their interfaces list neither sessions nor files
    manager = cast(WebsocketSessionManager, server._session_mgr)
    uploads = cast(MemoryUploadedFileManager, server.uploaded_file_mgr)
    now = time.monotonic()
    sessions = {info.session.id: info.session for info in manager._session_storage.list()}
    for name in set(closed_since) - set(sessions):
        del closed_since[name]
    # slightly before Streamlit's own time, after which the session could not be looked up
    limit = max(0.0, st.get_option("server.disconnectedSessionTTL") - 2 * POLL_SECONDS)
    needs_sign_in = sign_in_is_set_up()
    ended = 0
    for name, session in sessions.items():
        signed_out = needs_sign_in and session._user_info.get("is_logged_in") is not True
        if signed_out or now - closed_since.setdefault(name, now) >= limit:
            server.close_session(name)
            closed_since.pop(name, None)
            ended += 1
    for name in list(uploads.file_storage):
        if name not in sessions and not server.is_active_session(name):
            # an upload that ended after its tab was closed
            uploads.remove_session_files(name)
            ended += 1
    return ended
