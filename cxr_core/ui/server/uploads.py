"""Bounds on what is sent: who may upload, how much at once, and how slowly.

Streamlit takes a file for any session that has a WebSocket, and keeps it in memory until the page takes it over. Here a
file is taken only from who may read images, and only where there is room for it: room is reserved by the length that
the request states before its body is read.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from ...access import Role, asked_from_here
from ...access.visitor import LOCAL_NAMES
from ...settings import settings
from ..visitor import visitor_of_request
from .refusal import Refused, address_of, refusal

__all__ = ["AT_ONCE", "AT_ONCE_OF_ONE", "OTHER_BYTES", "STALLED_SECONDS", "BoundedRequests"]

AT_ONCE, AT_ONCE_OF_ONE = 16, 8
"""Uploads whose bodies are read at the same time: in all, and of one address. A browser sends six. Others wait."""

STALLED_SECONDS = 20.0
"""So long no part of a body may come; the setting ``upload_seconds`` bounds the whole."""

OTHER_BYTES = 10**6
"""Largest body of a request that is no upload; none of our pages sends one."""

_UPLOAD, _METRICS = "/_stcore/upload_file/", "/_stcore/metrics"
_FRAMING = 64 * 1024  # of multipart, around the file
_DROPPED_BYTES, _DROPPED_SECONDS = 20 * 10**6, 3.0


class BoundedRequests:
    """Read a body only from who may send it, while there is room, and not for ever."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turns = _Turns()
        self._reserved: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body may be read; else say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def told(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            if _UPLOAD in scope["path"] and scope["method"] != "OPTIONS":
                await self._upload(scope, receive, told)
            elif scope["path"].endswith(_METRICS) and not _scraped_here(scope):
                raise Refused(404, "Metrics are given to this machine alone.")
            else:
                length = _length(scope, OTHER_BYTES)
                await self._app(scope, _Body(receive, length or OTHER_BYTES, settings().upload_seconds), told)
        except Refused as refused:
            if not started:
                if refused.status != 408:
                    await _drop(receive)
                await refusal(refused)(scope, receive, told)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        who = visitor_of_request(request)
        if not who.may(Role.READER):
            raise Refused(401 if who.standing in ("signed_out", "expired") else 403, "Sign in to add images.")
        session = scope["path"].partition(_UPLOAD)[2].partition("/")[0]
        if not _is_of(session, who.subject, who.standing == "local"):
            raise Refused(403, "This session is not yours, or has ended. Load the page again.")
        if scope["method"] == "DELETE":
            await self._app(scope, _Body(receive, _FRAMING, STALLED_SECONDS), send)
            return
        most = int(st.get_option("server.maxUploadSize")) * 1024 * 1024 + _FRAMING
        # without a length it may be as long as any
        length = _length(scope, most) or most
        async with self._turns.taken(address_of(scope)), self._room(session, length):
            await self._app(scope, _Body(receive, length, settings().upload_seconds), send)

    @asynccontextmanager
    async def _room(self, session: str, length: int) -> AsyncIterator[None]:
        """Reserve room for a body until Streamlit has it, or has not; raises Refused where there is none."""
        held, files = _held(session)
        most = settings()
        if held + self._reserved[session] + length > most.session_mb * 10**6 + _FRAMING:
            raise Refused(413, f"A list holds {most.session_mb} MB of files at most. Add fewer at once.")
        if files + self._under_way[session] >= most.max_files:
            raise Refused(413, f"{most.max_files} files at once are the most. Add fewer.")
        if _held()[0] + self._reserved.total() + length > most.uploads_mb * 10**6 + _FRAMING:
            raise Refused(503, "Other readers' files are being taken over. Add this one again in a minute.")
        self._reserved[session] += length
        self._under_way[session] += 1
        try:
            yield
        finally:
            for count, part in ((self._reserved, length), (self._under_way, 1)):
                count[session] -= part
                if not count[session]:
                    del count[session]


class _Turns:
    """Who may send now; the others wait, of one address a bounded number."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(AT_ONCE)
        self._of: dict[str, asyncio.Semaphore] = {}
        self._here: Counter[str] = Counter()

    @asynccontextmanager
    async def taken(self, address: str) -> AsyncIterator[None]:
        if self._here[address] >= 2 * settings().max_sessions_per_address:
            raise Refused(503, "Too many files at once. Add them again in a minute.")
        self._here[address] += 1
        own = self._of.setdefault(address, asyncio.Semaphore(AT_ONCE_OF_ONE))
        try:
            async with own, self._all:
                yield
        finally:
            self._here[address] -= 1
            if not self._here[address]:
                del self._here[address], self._of[address]


class _Body:
    """Passes on the body of a request; raises Refused where it is longer than it may be, or comes too slowly."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._left = receive, most
        self._end = time.monotonic() + seconds
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(min(STALLED_SECONDS, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            raise Refused(408, "The file came too slowly. Add it again.") from error
        if message["type"] != "http.request":
            return message
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise Refused(413, "The request is longer than it may be.")
        self._whole = not message.get("more_body", False)
        return message


async def _drop(receive: Receive) -> None:
    """Let a short body pass by unread: a client that is cut off while it sends never sees the answer."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DROPPED_SECONDS):
            while dropped < _DROPPED_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


def _length(scope: Scope, most: int) -> int:
    """Return the stated length of a body, 0 where none is; raises Refused where it is too long or no number."""
    stated = Headers(scope=scope).get("content-length", "0")
    if not (stated.isascii() and stated.isdigit()):
        raise Refused(400, "Content-Length is not a number.")
    if int(stated) > most:
        raise Refused(413, f"The request has {int(stated) / 1e6:.0f} MB; {most / 1e6:.0f} MB are the most.")
    return int(stated)


def _is_of(session: str, subject: str, local: bool) -> bool:
    """Return whether a session has a WebSocket now, of this person."""
    if not (runtime.exists() and runtime.get_instance().is_active_session(session)):
        return False
    if local:
        return True
    connected = runtime.get_instance()._session_mgr.get_active_session_info(session)
    return connected is not None and connected.session._user_info.get("sub") == subject


def _held(session: str | None = None) -> tuple[int, int]:
    """Return (bytes, files) that Streamlit keeps of uploads, of one session or in all."""
    uploads = runtime.get_instance().uploaded_file_mgr
    if session is None:
        return uploads._total_bytes, uploads._file_count
    files = list(uploads.file_storage.get(session, {}).values())
    return sum(len(file.data) for file in files), len(files)


def _scraped_here(scope: Scope) -> bool:
    client = (scope.get("client") or ("",))[0]
    return client in LOCAL_NAMES and asked_from_here(dict(Headers(scope=scope)))
