"""Limits on connections and tabs: how many are open, how long a connection may stay silent, what a tab may send.

uvicorn waits without limit for the first request of a connection and does not count connections, although each holds a
file descriptor. Its listening socket and HTTP protocol class are limited here, before the server listens; a connection
that has become a WebSocket counts until it is closed. A tab is a WebSocket with a Streamlit session: files, threads and
some MB of memory. Visitors who have not signed in need one to see the sign-in; they have a separate quota, so that they
cannot take the places of those who have.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import uvicorn
from google.protobuf.message import DecodeError
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ...access import Role
from ...operations.metrics import count_request_refused
from ...settings import settings
from ..visitor import sign_in_is_set_up, visitor_of_request

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket

    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = [
    "ANONYMOUS_MESSAGE_BYTES",
    "FIRST_REQUEST_SECONDS",
    "MESSAGE_BYTES",
    "LimitedSockets",
    "Refused",
    "client_address",
    "limit_connections",
    "max_anonymous_tabs",
    "raise_file_limit",
    "refusal_response",
]

FIRST_REQUEST_SECONDS = 15.0
"""Time in which a new connection must send the head of its first request."""

MESSAGE_BYTES = 2 * 10**6
"""Largest message of a tab; that of a page with hundreds of files takes a tenth."""

ANONYMOUS_MESSAGE_BYTES = 50_000
"""Largest message of a visitor who has not signed in; a click on a button takes some hundred bytes."""

_FILE_DESCRIPTORS = 8192

_TRY_AGAIN_LATER, _POLICY, _TOO_BIG = 1013, 1008, 1009  # RFC 6455 section 7.4.1, and IANA's registry


class _OpenConnections:
    """Open connections by client address; closed ones are removed when the next one is counted."""

    def __init__(self) -> None:
        self._by_address: dict[str, set[socket.socket | TransportSocket]] = defaultdict(set)

    def admit(self, connection: socket.socket | TransportSocket, peer: object) -> bool:
        """Count a new connection of a peer address; return False, and do not count it, if a limit is reached."""
        address = client_address({"client": peer if isinstance(peer, tuple) else None})
        for name in list(self._by_address):
            self._by_address[name] = {entry for entry in self._by_address[name] if entry.fileno() != -1}
            if not self._by_address[name]:
                del self._by_address[name]
        limit = settings().max_connections
        # one address may have half of them, so that it cannot keep the others out
        total = sum(map(len, self._by_address.values()))
        if total >= limit or len(self._by_address.get(address, ())) >= max(1, limit // 2):
            return False
        self._by_address[address].add(connection)
        return True


class _LimitedListener(socket.socket):
    """Listening socket that closes a connection above the limits as it is accepted.

    An event loop accepts all connections that wait, up to uvicorn's 2,048, before the protocol of the first is made:
    refused there, each would hold a file descriptor until then.
    """

    def __init__(self, listening: socket.socket, connections: _OpenConnections) -> None:
        family, kind, protocol = listening.family, listening.type, listening.proto
        super().__init__(family, kind, protocol, fileno=listening.detach())
        self._connections = connections
        self.accepts = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            ConnectionAbortedError: it is refused; an event loop goes on after it.
        """
        self.accepts = True
        connection, peer = super().accept()
        if not self._connections.admit(connection, peer):
            connection.close()
            raise ConnectionAbortedError
        return connection, peer


def limit_connections() -> None:
    """Limit the connections of this process's server from now on; further calls change nothing."""
    if getattr(AutoHTTPProtocol, "_second_read", False):
        return
    AutoHTTPProtocol._second_read = True  # type: ignore[attr-defined]  # our mark on uvicorn's class
    connections, listeners = _OpenConnections(), list[_LimitedListener]()
    made, started = AutoHTTPProtocol.connection_made, uvicorn.Server.startup

    async def startup(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        listeners[:] = [_LimitedListener(listening, connections) for listening in sockets or ()]
        await started(self, list(listeners) or sockets)

    def connection_made(self: H11Protocol | HttpToolsProtocol, transport: asyncio.Transport) -> None:
        made(self, transport)
        # an event loop that has the system accept connections, as on Windows, calls no method of the listening socket
        if not any(listener.accepts for listener in listeners) and not connections.admit(
            transport.get_extra_info("socket"), transport.get_extra_info("peername")
        ):
            transport.abort()
            return
        _send_at_once(transport.get_extra_info("socket"))

        def abort_if_silent() -> None:
            # uvicorn sets ``cycle`` when it has parsed the head of a request
            if self.cycle is None and transport.get_protocol() is self and not transport.is_closing():
                transport.abort()

        self.loop.call_later(FIRST_REQUEST_SECONDS, abort_if_silent)

    # uvicorn accepts no other class, so the method of its class is replaced
    AutoHTTPProtocol.connection_made = connection_made  # type: ignore[method-assign, assignment]
    uvicorn.Server.startup = startup  # type: ignore[method-assign]


def _send_at_once(connection: socket.socket | TransportSocket) -> None:
    """Switch Nagle's algorithm off: the body of a response would wait some 40 ms for the acknowledgement of its head.

    asyncio does that itself, but not for the connections of a listening socket that was made without naming TCP, as
    uvicorn makes it.
    """
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)


def raise_file_limit() -> None:
    """Raise the limit of open files of this process to what the other limits may need, if the system allows it.

    A tab takes one for its connection and three for the event loop of its session. Many systems allow 1,024 by default,
    and a server without a free one accepts no connection, health checks included.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILE_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_FILE_DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class LimitedSockets:
    """ASGI middleware: refuse a WebSocket above the limits, and close one that sends what no page of ours sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._by_address: Counter[str] = Counter()
        self._total = self._anonymous = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept a tab within the limits."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        address, reader = client_address(scope), _is_reader(scope)
        if self._is_full(address, reader):
            await receive()
            # before it is accepted: the server responds with 403
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})
            return
        self._count(address, reader, 1)
        try:
            await self._app(scope, _LimitedMessages(receive, send, reader=reader), send)
        finally:
            self._count(address, reader, -1)

    def _is_full(self, address: str, reader: bool) -> bool:
        if self._total >= settings().max_sessions or self._by_address[address] >= settings().max_sessions_per_address:
            return True
        return not reader and self._anonymous >= max_anonymous_tabs()

    def _count(self, address: str, reader: bool, change: int) -> None:
        self._total += change
        self._anonymous += 0 if reader else change
        self._by_address[address] += change
        if not self._by_address[address]:
            del self._by_address[address]


class _LimitedMessages:
    """Passes on the messages of a tab; closes it at one that is too large or malformed."""

    def __init__(self, receive: Receive, send: Send, *, reader: bool) -> None:
        self._receive, self._send, self._reader = receive, send, reader

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        code = self._close_code(message)
        if not code:
            return message
        await self._send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}

    def _close_code(self, message: Message) -> int:
        data = message.get("bytes")
        if data is None:
            return _POLICY
        if len(data) > (MESSAGE_BYTES if self._reader else ANONYMOUS_MESSAGE_BYTES):
            return _TOO_BIG
        try:
            request = BackMsg.FromString(data)
        except DecodeError:
            return _POLICY
        # the server makes an upload URL for each name
        names = len(request.file_urls_request.file_names)
        return _POLICY if names > (settings().max_files if self._reader else 0) else 0


def max_anonymous_tabs() -> int:
    """Return how many tabs of visitors who have not signed in may be connected: a third of all."""
    return max(1, settings().max_sessions // 3)


def _is_reader(scope: Scope) -> bool:
    """Return whether the visitor of a tab has a role, by sign-in or in single-user mode."""
    if not sign_in_is_set_up():
        return True
    return visitor_of_request(HTTPConnection(scope)).may(Role.READER)


class Refused(Exception):
    """A request that is not served; ``status`` is that of HTTP, the message one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refusal_response(refused: Refused) -> PlainTextResponse:
    """Return the response to a refused request; it closes the connection, so that the client stops sending."""
    count_request_refused(refused.status)
    headers = {"Connection": "close", "Cache-Control": "no-store"}
    if refused.status == 503:
        headers["Retry-After"] = "10"
    if refused.status == 405:
        headers["Allow"] = "GET, POST"
    return PlainTextResponse(str(refused), refused.status, headers)


def client_address(scope: Scope) -> str:
    """Return the address that a request counts for: of IPv6 the /64 network, which is what one customer has.

    Behind a proxy on this machine that sends ``X-Forwarded-For`` it is the forwarded address: uvicorn accepts that
    header from 127.0.0.1 and ::1 only.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
