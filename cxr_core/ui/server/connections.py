"""Bounds on connections, below HTTP: how many there are, and how long one may say nothing.

uvicorn waits for ever for the first request of a connection, and counts none of them; each holds a file of the process.
Its class for HTTP is given a bound here, before the server begins to listen. A connection that has become a WebSocket
is counted on, until it is closed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ...settings import settings
from .refusal import address_of

__all__ = ["FIRST_REQUEST_SECONDS", "bound_connections", "enough_files"]

FIRST_REQUEST_SECONDS = 15.0
"""So long a new connection has for the head of its first request."""

_FILES = 8192


class _Bounded:
    """Connections by address; a closed one is forgotten when the next one is counted."""

    def __init__(self) -> None:
        self._open: dict[str, set[asyncio.Transport]] = defaultdict(set)

    def admits(self, transport: asyncio.Transport) -> bool:
        peer = transport.get_extra_info("peername")
        address = address_of({"client": peer if isinstance(peer, tuple) else None})
        for other in list(self._open):
            self._open[other] = {one for one in self._open[other] if not one.is_closing()}
            if not self._open[other]:
                del self._open[other]
        most = settings().max_connections
        # an address may have half of them, so that one alone cannot keep the others out
        if sum(map(len, self._open.values())) >= most or len(self._open.get(address, ())) >= max(1, most // 2):
            return False
        self._open[address].add(transport)
        return True


def bound_connections() -> None:
    """Bound the connections of this process' server from now on; once."""
    if getattr(AutoHTTPProtocol, "_second_read", False):
        return
    AutoHTTPProtocol._second_read = True
    bounded, made = _Bounded(), AutoHTTPProtocol.connection_made

    def connection_made(self, transport: asyncio.Transport) -> None:
        made(self, transport)
        if not bounded.admits(transport):
            transport.abort()
            return

        def silent() -> None:
            # a cycle is what uvicorn makes of the head of a request
            if self.cycle is None and transport.get_protocol() is self and not transport.is_closing():
                transport.abort()

        self.loop.call_later(FIRST_REQUEST_SECONDS, silent)

    AutoHTTPProtocol.connection_made = connection_made


def enough_files() -> None:
    """Let this process open as many files as the bounds may need, where the system allows it.

    A tab takes one for its connection and three for the loop of events that Streamlit gives each session. Many systems
    allow 1,024 unless asked, and a server that has none left accepts nobody, its health check included.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
