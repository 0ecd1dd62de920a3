"""Limits on uploads and other requests: who may send a file, how much at once, and how slowly.

Files come to our own route, which adds them to the worklist of a tab, and to Streamlit's, which accepts a file for any
session that has a WebSocket and keeps it in memory until the page takes it over. Here a file is accepted only from a
visitor who may read images, and only if there is memory for it: the stated Content-Length is reserved before the body
is read.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from ...access import Role, is_local_request
from ...access.visitor import LOCAL_NAMES
from ...settings import settings
from ..visitor import visitor_of_request
from .connections import Refused, client_address, refusal_response
from .page_sessions import belongs_to, page_session, worklist_path
from .stow_route import check_sender, is_stow

__all__ = ["OTHER_BYTES", "STALLED_SECONDS", "UPLOADS_AT_ONCE", "UPLOADS_PER_ADDRESS", "LimitedRequests"]

UPLOADS_AT_ONCE, UPLOADS_PER_ADDRESS = 16, 8
"""Uploads that are received at the same time, in all and per address; others wait. A browser sends six."""

STALLED_SECONDS = 20.0
"""Longest pause within a body; the setting ``upload_seconds`` limits the whole."""

OTHER_BYTES = 10**6
"""Largest body of a request that is not an upload; our pages send none."""

_UPLOAD, _METRICS = "/_stcore/upload_file/", "/_stcore/metrics"
_FRAMING = 64 * 1024  # of multipart, around the file
_DISCARDED_BYTES, _DISCARD_SECONDS = 20 * 10**6, 3.0


class LimitedRequests:
    """ASGI middleware: receive a body only from a visitor who may send it, within limits of memory and time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._slots = _UploadSlots()
        self._reserved: Counter[str] = Counter()
        self._in_progress: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body may be received; else respond with the reason."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = received = False

        async def receive_and_record() -> Message:
            nonlocal received
            message = await receive()
            received = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def send_and_record(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            if _UPLOAD in scope["path"] and scope["method"] != "OPTIONS":
                await self._upload(scope, receive_and_record, send_and_record)
            elif scope["path"] == f"{worklist_path()}/images" and scope["method"] == "POST":
                await self._add_to_worklist(scope, receive_and_record, send_and_record)
            elif is_stow(scope):
                check_sender(scope)
                await self._stow(scope, receive_and_record, send_and_record)
            elif scope["path"].endswith(_METRICS) and not _is_local_scrape(scope):
                raise Refused(404, "Metrics are available on this machine only.")
            else:
                length = _length(scope, OTHER_BYTES)
                body = _Body(receive_and_record, length or OTHER_BYTES, settings().upload_seconds)
                await self._app(scope, body, send_and_record)
        except Refused as refused:
            if not started:
                # after the whole body the next message is the end of the connection, which may never come
                if refused.status != 408 and not received:
                    await _discard(receive)
                await refusal_response(refused)(scope, receive, send_and_record)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        person = visitor_of_request(request)
        if not person.may(Role.READER):
            raise Refused(401 if person.standing in ("signed_out", "expired") else 403, "Sign in to add images.")
        session = scope["path"].partition(_UPLOAD)[2].partition("/")[0]
        if not belongs_to(session, person.subject, person.standing == "local"):
            raise Refused(403, "This session belongs to another person or has ended. Reload the page.")
        if scope["method"] == "DELETE":
            await self._app(scope, _Body(receive, _FRAMING, STALLED_SECONDS), send)
            return
        await self._receive(scope, receive, send, session, _max_upload() + _FRAMING, 0)

    async def _add_to_worklist(self, scope: Scope, receive: Receive, send: Send) -> None:
        tab = page_session(HTTPConnection(scope))
        await self._receive(scope, receive, send, tab.session, _max_upload(), tab.images.used_bytes())

    async def _stow(self, scope: Scope, receive: Receive, send: Send) -> None:
        # one file of the body is in memory at a time
        length = _length(scope, settings().uploads_mb * 10**6) or settings().uploads_mb * 10**6
        async with self._slots.acquire(client_address(scope)):
            await self._app(scope, _Body(receive, length, settings().upload_seconds), send)

    async def _receive(
        self, scope: Scope, receive: Receive, send: Send, session: str, limit: int, in_worklist: int
    ) -> None:
        # without a stated length the limit is reserved
        length = _length(scope, limit) or limit
        async with self._slots.acquire(client_address(scope)), self._reserve(session, length, in_worklist):
            await self._app(scope, _Body(receive, length, settings().upload_seconds), send)

    @asynccontextmanager
    async def _reserve(self, session: str, length: int, in_worklist: int) -> AsyncIterator[None]:
        """Reserve memory for a body while it is received; raises Refused if there is none."""
        stored, files = _stored(session)
        stored += in_worklist
        limits = settings()
        if stored + self._reserved[session] + length > limits.session_mb * 10**6 + _FRAMING:
            raise Refused(413, f"A worklist holds at most {limits.session_mb} MB of files. Add fewer at once.")
        if files + self._in_progress[session] >= limits.max_files:
            raise Refused(413, f"At most {limits.max_files} files can be added at once. Add fewer.")
        if _stored()[0] + self._reserved.total() + length > limits.uploads_mb * 10**6 + _FRAMING:
            raise Refused(503, "The server is receiving other readers' files. Add this one again in a minute.")
        self._reserved[session] += length
        self._in_progress[session] += 1
        try:
            yield
        finally:
            for count, amount in ((self._reserved, length), (self._in_progress, 1)):
                count[session] -= amount
                if not count[session]:
                    del count[session]


class _UploadSlots:
    """Slots for uploads; the number that waits is limited per address."""

    def __init__(self) -> None:
        self._total = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._by_address: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def acquire(self, address: str) -> AsyncIterator[None]:
        if self._waiting[address] >= 2 * settings().max_sessions_per_address:
            raise Refused(503, "Too many files at once. Add them again in a minute.")
        self._waiting[address] += 1
        of_address = self._by_address.setdefault(address, asyncio.Semaphore(UPLOADS_PER_ADDRESS))
        try:
            async with of_address, self._total:
                yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address], self._by_address[address]


class _Body:
    """Passes on the body of a request; raises Refused if it is too long or too slow."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive, self._remaining = receive, limit
        self._end = time.monotonic() + seconds
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(min(STALLED_SECONDS, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            raise Refused(408, "The upload was too slow. Add the file again.") from error
        if message["type"] != "http.request":
            return message
        self._remaining -= len(message.get("body", b""))
        if self._remaining < 0:
            raise Refused(413, "The request is longer than allowed.")
        self._complete = not message.get("more_body", False)
        return message


async def _discard(receive: Receive) -> None:
    """Receive and discard a short body: a client that is cut off while it sends never sees the response."""
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while discarded < _DISCARDED_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


def _length(scope: Scope, limit: int) -> int:
    """Return the stated length of a body, 0 if there is none; raises Refused if it is too long or no number."""
    stated = Headers(scope=scope).get("content-length", "0")
    if not (stated.isascii() and stated.isdigit()):
        raise Refused(400, "Content-Length is not a number.")
    if int(stated) > limit:
        raise Refused(413, f"The request has {int(stated) / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB are allowed.")
    return int(stated)


def _max_upload() -> int:
    """Return the largest file, in bytes."""
    return int(st.get_option("server.maxUploadSize")) * 1024 * 1024


def _stored(session: str | None = None) -> tuple[int, int]:
    """Return (bytes, files) of uploads that Streamlit stores, of one session or in all."""
    # Streamlit's only implementation; its interface does not count the files
    uploads = cast(MemoryUploadedFileManager, runtime.get_instance().uploaded_file_mgr)
    if session is None:
        return uploads._total_bytes, uploads._file_count
    files = list(uploads.file_storage.get(session, {}).values())
    return sum(len(file.data) for file in files), len(files)


def _is_local_scrape(scope: Scope) -> bool:
    client = (scope.get("client") or ("",))[0]
    return client in LOCAL_NAMES and is_local_request(dict(Headers(scope=scope)))
