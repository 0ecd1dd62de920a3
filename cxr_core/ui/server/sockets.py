"""Bounds on tabs: how many there are at once, and what they may send.

A tab is a WebSocket and a session of Streamlit, with files, threads and some MB of memory. Whoever has not signed in
needs one to be shown the way to sign in; they have a share of their own, so that those who have signed in find a place
whatever the others do.
"""

from __future__ import annotations

from collections import Counter

from google.protobuf.message import DecodeError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from ...access import Role
from ...settings import settings
from ..visitor import sign_in_is_set_up, visitor_of_request
from .refusal import address_of

__all__ = ["MESSAGE_BYTES", "STRANGERS_MESSAGE_BYTES", "BoundedSockets", "strangers_at_most"]

MESSAGE_BYTES = 2 * 10**6
"""Largest message of a tab; that of a page with hundreds of files takes a tenth."""

STRANGERS_MESSAGE_BYTES = 50_000
"""The same, where nobody has signed in: a click on a button takes some hundred bytes."""

_TRY_AGAIN_LATER, _POLICY, _TOO_BIG = 1013, 1008, 1009  # RFC 6455 section 7.4.1, and IANA's registry


class BoundedSockets:
    """Refuse a WebSocket where the bounds are reached, and close one that sends what no page of ours sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._of: Counter[str] = Counter()
        self._all = self._strangers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a tab in where there is room for it."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        address, known = address_of(scope), _may_read(scope)
        if self._full(address, known):
            await receive()
            # before it is accepted: the server answers 403
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})
            return
        self._count(address, known, 1)
        try:
            await self._app(scope, _Listening(receive, send, known=known), send)
        finally:
            self._count(address, known, -1)

    def _full(self, address: str, known: bool) -> bool:
        if self._all >= settings().max_sessions or self._of[address] >= settings().max_sessions_per_address:
            return True
        return not known and self._strangers >= strangers_at_most()

    def _count(self, address: str, known: bool, change: int) -> None:
        self._all += change
        self._strangers += 0 if known else change
        self._of[address] += change
        if not self._of[address]:
            del self._of[address]


class _Listening:
    """Passes on what a tab sends, but closes it where that is too much."""

    def __init__(self, receive: Receive, send: Send, *, known: bool) -> None:
        self._receive, self._send, self._known = receive, send, known

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        code = self._against(message)
        if not code:
            return message
        await self._send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}

    def _against(self, message: Message) -> int:
        data = message.get("bytes")
        if data is None:
            return _POLICY
        if len(data) > (MESSAGE_BYTES if self._known else STRANGERS_MESSAGE_BYTES):
            return _TOO_BIG
        try:
            asked = BackMsg.FromString(data)
        except DecodeError:
            return _POLICY
        # each name makes the server think of an address
        names = len(asked.file_urls_request.file_names)
        return _POLICY if names > (settings().max_files if self._known else 0) else 0


def strangers_at_most() -> int:
    """Return how many tabs of people who have not signed in may be connected: a third of all."""
    return max(1, settings().max_sessions // 3)


def _may_read(scope: Scope) -> bool:
    """Return whether a tab counts as known: signed in with a role, or in single-user mode from this machine."""
    if not sign_in_is_set_up():
        return True
    return visitor_of_request(HTTPConnection(scope)).may(Role.READER)
