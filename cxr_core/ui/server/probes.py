"""``/healthz`` and ``/readyz``, for a proxy, systemd or an orchestrator: whether the app is alive, and can read images.

Both answer anybody, in JSON. Answers are shared for a second: a flood of requests costs no more than one per second.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping

import streamlit as st
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import CxrError
from ...operations.checks import SUMMARIES, readiness_checks
from .metrics import METRICS, Metrics
from .stopping import is_stopping

__all__ = ["HEALTH", "READY", "Probes", "Readiness"]

HEALTH, READY = "/healthz", "/readyz"

ANSWER_SECONDS = 1.0
"""For so long an answer is used again."""

CHECK_SECONDS = 3.0
"""A check that takes longer has failed, such as one of a database server that gives no answer."""

SLOW = "The check has not ended in time."

_NO_STORE = {"Cache-Control": "no-store"}
_LOG = logging.getLogger(__name__)


class Readiness:
    """The state of all checks, at most a second old. For one event loop.

    Args:
        checks: by name; each raises CxrError where it fails.
        clock: seconds.
    """

    def __init__(
        self, checks: Mapping[str, Callable[[], None]] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._given, self._clock = checks, clock
        self._running: dict[str, asyncio.Future[str]] = {}
        self._refresh: asyncio.Task[dict[str, str]] | None = None
        self._until = 0.0
        self._reported: dict[str, str] = {}

    async def problems(self) -> dict[str, str]:
        """Return what is shown of each check, by its name; empty texts of those that have passed."""
        if self._refresh is None or (self._refresh.done() and self._clock() >= self._until):
            self._refresh = asyncio.create_task(self._refreshed())
        # whoever goes away does not end it for the others
        return await asyncio.shield(self._refresh)

    async def _refreshed(self) -> dict[str, str]:
        checks = readiness_checks() if self._given is None else self._given
        results = await asyncio.gather(*(self._one(name, check) for name, check in checks.items()))
        self._until = self._clock() + ANSWER_SECONDS
        return dict(zip(checks, results, strict=True))

    async def _one(self, name: str, check: Callable[[], None]) -> str:
        """Return what is shown of a check; one that still runs from before is not begun again."""
        running = self._running.get(name)
        if running is None:
            running = self._running[name] = _in_thread(check)
        try:
            reason = await asyncio.wait_for(asyncio.shield(running), CHECK_SECONDS)
        except TimeoutError:
            reason = SLOW
        else:
            del self._running[name]
        if reason != self._reported.get(name, ""):
            self._reported[name] = reason
            if reason:
                _LOG.warning("Not ready: %s. %s", name, reason)
            else:
                _LOG.warning("Ready again: %s.", name)
        if not reason:
            return ""
        return SLOW if reason == SLOW else SUMMARIES[name]


def _in_thread(check: Callable[[], None]) -> asyncio.Future[str]:
    """Run a check in a thread that does not keep the process from ending; the result is why it failed, or empty."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[str] = loop.create_future()

    def done(reason: str) -> None:
        if not result.done():
            result.set_result(reason)

    def run() -> None:
        try:
            check()
            reason = ""
        except CxrError as error:
            reason = str(error)
        except Exception as error:
            reason = f"The check itself failed ({type(error).__name__})."
        if not loop.is_closed():
            loop.call_soon_threadsafe(done, reason)

    threading.Thread(target=run, name="second-read-readiness", daemon=True).start()
    return result


class Probes:
    """ASGI middleware: answer the probes and ``/metrics``, ahead of everything that a page needs."""

    def __init__(self, app: ASGIApp, readiness: Readiness | None = None) -> None:
        self._app = app
        self._readiness, self._metrics = readiness or Readiness(), Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a probe; pass on everything else."""
        path = _path(scope)
        if scope["type"] != "http" or path not in (HEALTH, READY, METRICS):
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            answer: Response = Response(status_code=405, headers={**_NO_STORE, "Allow": "GET, HEAD"})
        elif path == HEALTH:
            answer = JSONResponse({"status": "alive"}, headers=_NO_STORE)
        elif path == METRICS:
            answer = await self._metrics.answer(scope)
        elif is_stopping():
            answer = JSONResponse({"status": "stopping", "checks": {}}, 503, _NO_STORE)
        else:
            answer = _ready(await self._readiness.problems())
        await answer(scope, receive, send)


def _path(scope: Scope) -> str:
    """Return the path of a request below that of the app; empty where it is not below it."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    path = str(scope.get("path", ""))
    if not base:
        return path
    return path.removeprefix(f"/{base}") if path.startswith(f"/{base}/") else ""


def _ready(problems: Mapping[str, str]) -> Response:
    failed = any(problems.values())
    body = {
        "status": "not ready" if failed else "ready",
        "checks": {name: problem or "ok" for name, problem in problems.items()},
    }
    headers = {**_NO_STORE, "Retry-After": "10"} if failed else _NO_STORE
    return JSONResponse(body, 503 if failed else 200, headers)
