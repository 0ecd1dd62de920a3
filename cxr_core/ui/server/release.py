"""What a closed tab held is given back on time.

Streamlit keeps the session of a closed tab for ``server.disconnectedSessionTTL`` seconds, so that a lost connection can
come back, and then forgets it only when another tab closes; until then it holds uploaded files, a loop of events and
the state of the pages. Here it is ended on time: that of somebody who had not signed in at once, any other when it
cannot come back any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import streamlit as st
from starlette.concurrency import run_in_threadpool
from streamlit import runtime

from ...memory import give_back
from ..visitor import sign_in_is_set_up

__all__ = ["EVERY_SECONDS", "lifespan", "release"]

EVERY_SECONDS = 1.0

_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Look after closed tabs for as long as the server runs."""
    looking = asyncio.create_task(_look(), name="second-read-release")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look() -> None:
    closed: dict[str, float] = {}
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            ended = release(closed)
        except Exception:
            _LOG.exception("Sessions of closed tabs were not looked at.")
            continue
        if ended:
            await run_in_threadpool(give_back)


def release(closed: dict[str, float]) -> int:
    """End sessions that are over, and forget files of sessions that are not there; returns how many were ended.

    To be called in the loop of events of the server.

    Args:
        closed: when each closed session was first seen to be closed, by the clock that only goes on; kept up to date.
    """
    here = runtime.get_instance()
    sessions, now = here._session_mgr, time.monotonic()
    kept = {info.session.id: info.session for info in sessions._session_storage.list()}
    for gone in set(closed) - set(kept):
        del closed[gone]
    # a little before Streamlit's own time, after which it would not find the session to end it
    most = max(0.0, st.get_option("server.disconnectedSessionTTL") - 2 * EVERY_SECONDS)
    strangers_go = sign_in_is_set_up()
    ended = 0
    for name, session in kept.items():
        stranger = strangers_go and session._user_info.get("is_logged_in") is not True
        if stranger or now - closed.setdefault(name, now) >= most:
            here.close_session(name)
            closed.pop(name, None)
            ended += 1
    for name in list(here.uploaded_file_mgr.file_storage):
        if name not in kept and not here.is_active_session(name):
            # an upload that ended after its tab did
            here.uploaded_file_mgr.remove_session_files(name)
            ended += 1
    return ended
