"""A stop that loses no reading: SIGTERM lets the server finish what is in the reading queue, and refuse what is new.

From the signal on ``/readyz`` answers 503 (:mod:`.probes`), and new tabs, pages and files get 503 with ``Retry-After``,
so that a proxy sends them to another process. Tabs that are connected get their results. The process ends once the
queue is empty and the results had time to be fetched, at the latest after the setting ``stop_seconds``. A second
signal, and Ctrl-C, end it at once.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from functools import partial
from types import FrameType

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ...reading_queue import shared_queue
from ...settings import settings

__all__ = ["RefuseWhileStopping", "is_closing", "is_stopping", "stop_gracefully"]

RETRY_SECONDS = 10

FETCH_SECONDS = 2.0
"""Time for a tab to fetch a result that it waits for, once it is there."""

CLOSING = 0.2
"""Proportion of the time that is left for connections to close."""

STUCK_STATUS = 70
"""Exit status of a process that could not close its connections in time (EX_SOFTWARE of sysexits.h)."""

_MESSAGE = "This server is being stopped. Try again in a moment."
_ENTRIES = ("/_stcore/upload_file/", "/dicom-web/studies")
"""Parts of the paths by which files come, besides the worklist's own."""

_DENIAL = "websocket.http.response"

_LOG = logging.getLogger(__name__)
_stopping, _closing = threading.Event(), threading.Event()


def is_stopping() -> bool:
    """Return whether this process has been asked to stop."""
    return _stopping.is_set()


def is_closing() -> bool:
    """Return whether what this process waits for is done: a request that waits for changes is answered now."""
    return _closing.is_set()


def stop_gracefully() -> None:
    """Let SIGTERM stop this process's server gracefully from now on; further calls change nothing."""
    if getattr(uvicorn.Server, "_second_read_stop", False):
        return
    uvicorn.Server._second_read_stop = True  # type: ignore[attr-defined]  # our mark on uvicorn's class
    started = uvicorn.Server.startup

    async def startup(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        await started(self, sockets)
        # uvicorn has set its own before it imported the app; at its end it restores those from before
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, partial(_asked, self))

    uvicorn.Server.startup = startup  # type: ignore[method-assign]


def _asked(server: uvicorn.Server, number: int, frame: FrameType | None) -> None:
    """Begin to stop, or stop at once where that has begun."""
    if _stopping.is_set():
        server.handle_exit(number, frame)
        return
    _stopping.set()
    # nothing else may be done in a signal handler: it interrupts whatever holds a lock
    threading.Thread(target=_stop, args=(server,), name="second-read-stop", daemon=True).start()


def _stop(server: uvicorn.Server) -> None:
    seconds = settings().stop_seconds
    end = time.monotonic() + seconds
    queue = shared_queue()
    state = queue.state()
    work = state.waiting + state.at_work
    _LOG.warning("Stopping: %d images are read to the end, new ones are refused.", work)
    done = queue.close(seconds * (1 - CLOSING))
    if work:
        time.sleep(min(FETCH_SECONDS, max(0.0, end - time.monotonic() - seconds * CLOSING)))
    if not done:
        state = queue.state()
        _LOG.warning("Stopping without %d images that were not read in time.", state.waiting + state.at_work)
    _closing.set()
    server.config.timeout_graceful_shutdown = max(1, int(end - time.monotonic()))
    server.handle_exit(signal.SIGTERM, None)
    # what a library does at its end is not bounded by uvicorn's time
    time.sleep(max(0.0, end - time.monotonic()) + 1)
    _LOG.error("Stopped with connections that could not be closed in time.")
    os._exit(STUCK_STATUS)


class RefuseWhileStopping:
    """ASGI middleware: refuse what is new once the process has been asked to stop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or respond with 503."""
        if not is_stopping() or not _is_new(scope):
            await self._app(scope, receive, send)
            return
        headers = {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store", "Connection": "close"}
        if scope["type"] == "http":
            await PlainTextResponse(_MESSAGE, 503, headers)(scope, receive, send)
            return
        await receive()
        if _DENIAL not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1012})
            return
        del headers["Connection"]
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": f"{_DENIAL}.start", "status": 503, "headers": raw})
        await send({"type": f"{_DENIAL}.body", "body": _MESSAGE.encode()})


def _is_new(scope: Scope) -> bool:
    """Return whether a request begins something: a tab, a page, or a file; what a connected tab fetches does not."""
    if scope["type"] == "websocket":
        return True
    if scope["type"] != "http":
        return False
    if scope["method"] == "GET":
        return "text/html" in Headers(scope=scope).get("accept", "")
    # what a tab says of images that it has, such as opinions and removals, is not new
    path = scope["path"]
    return scope["method"] in ("POST", "PUT") and (
        path.endswith("/worklist/images") or any(e in path for e in _ENTRIES)
    )
