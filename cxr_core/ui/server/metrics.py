"""``/metrics``: what this process has done, and what is now, in the format of Prometheus.

For administrators who have signed in, and for the networks of the setting ``metrics_networks``, besides this machine.
By address a request counts only if it has come without a proxy: no header that names a client is believed.

Queue, sessions and process are those of this process; jobs of the DICOM network, images and disks are shared, so that
every process of one store says the same of them.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from ...access import Role
from ...errors import CxrError
from ...operations.folders import nearest_existing
from ...operations.metrics import REGISTRY
from ...operations.metrics_server import METRICS, is_scraper
from ...reading_queue import shared_queue
from ...settings import settings
from ..pacs_store import is_pacs_set_up, pacs_store
from ..visitor import visitor_of_request
from .page_sessions import connected_tabs

__all__ = ["METRICS", "Metrics", "may_fetch"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ANSWER_SECONDS = 1.0
"""For so long an answer is used again."""

STORE_SECONDS = 5.0
"""For so long an answer of the database is used again."""

_NO_STORE = {"Cache-Control": "no-store"}
_REFUSED = (
    "Metrics are for administrators who have signed in, and for this machine and the networks of "
    "SECOND_READ_METRICS_NETWORKS, without a proxy between.\n"
)


def may_fetch(scope: Scope) -> bool:
    """Return whether whoever sends a request may have the metrics."""
    if is_scraper((scope.get("client") or ("",))[0], dict(Headers(scope=scope))):
        return True
    return visitor_of_request(HTTPConnection(scope), own_origin=True).may(Role.ADMIN)


class Metrics:
    """Makes the answer, at most once a second. For one event loop."""

    def __init__(self) -> None:
        self._making: asyncio.Task[bytes] | None = None
        self._until = 0.0

    async def answer(self, scope: Scope) -> Response:
        """Return the response to a request."""
        if not may_fetch(scope):
            return PlainTextResponse(_REFUSED, 403, _NO_STORE)
        if self._making is None or (self._making.done() and time.monotonic() >= self._until):
            self._making = asyncio.create_task(self._made())
        text = await asyncio.shield(self._making)
        return Response(text, headers={**_NO_STORE, "Content-Type": CONTENT_TYPE})

    async def _made(self) -> bytes:
        text: bytes = await run_in_threadpool(generate_latest, REGISTRY)
        self._until = time.monotonic() + ANSWER_SECONDS
        return text


class _Now(Collector):
    """What is counted when it is asked for."""

    def __init__(self) -> None:
        self._store: tuple[float, list[Metric]] = (0.0, [])

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        yield _gauge("build_info", "Version of the program and of Python; 1", [(_build(), 1.0)])
        state = shared_queue().state()
        images = {"waiting": state.waiting, "reading": state.at_work, "background": state.background}
        yield _gauge("queue_images", "Images in the reading queue", [({"state": s}, n) for s, n in images.items()])
        yield _number("queue_oldest_seconds", "Seconds that the oldest waiting image has waited", state.oldest_seconds)
        yield _number(
            "queue_still_seconds", "Seconds since a read began or ended, while one waits", state.still_seconds
        )
        yield _number("sessions", "Browser tabs that are connected", connected_tabs())
        yield from _disks()
        yield from self._of_store()

    def _of_store(self) -> list[Metric]:
        until, known = self._store
        if not is_pacs_set_up():
            return []
        if time.monotonic() < until:
            return known
        with suppress(CxrError):
            # a database that is away leaves its gauges out; /readyz says that it is away
            known = []
            known = _pacs()
        self._store = time.monotonic() + STORE_SECONDS, known
        return known


def _gauge(name: str, text: str, samples: Iterable[tuple[dict[str, str], float | None]]) -> Metric:
    samples = list(samples)
    labels = list(samples[0][0]) if samples else []
    gauge = GaugeMetricFamily(f"second_read_{name}", text, labels=labels)
    for values, number in samples:
        if number is not None:
            gauge.add_metric(list(values.values()), float(number))
    return gauge


def _number(name: str, text: str, number: float) -> Metric:
    return _gauge(name, text, [({}, number)])


def _build() -> dict[str, str]:
    try:
        version = importlib.metadata.version("second-read")
    except importlib.metadata.PackageNotFoundError:
        version = "checkout"
    return {"version": version, "python": platform.python_version()}


def _disks() -> Iterator[Metric]:
    free: list[tuple[dict[str, str], float | None]] = []
    size: list[tuple[dict[str, str], float | None]] = []
    for name, folder in (("home", settings().home), ("runs", settings().runs)):
        with suppress(OSError):
            usage = shutil.disk_usage(nearest_existing(folder))
            free.append(({"folder": name}, usage.free))
            size.append(({"folder": name}, usage.total))
    yield _gauge("disk_free_bytes", "Free bytes on the disk of a folder of the program", free)
    yield _gauge("disk_size_bytes", "Bytes of the disk of a folder of the program", size)


def _pacs() -> list[Metric]:
    store, now = pacs_store(), datetime.now(UTC)
    counts = store.counts()
    oldest = store.oldest_open()
    age = 0.0 if oldest is None else (now - datetime.fromisoformat(oldest)).total_seconds()
    hour = store.throughput(f"{now:%Y-%m-%dT%H}")
    return [
        _gauge("pacs_jobs", "Jobs of the DICOM network, by state", [({"state": s}, n) for s, n in counts.items()]),
        _number("pacs_oldest_job_seconds", "Age of the oldest job that is not done", max(0.0, age)),
        _number("pacs_images_without_job", "Received images that wait for rules", store.count_unplanned()),
        _number("pacs_alarms", "Studies of two patients, and data sets that were kept out", len(store.alarms())),
        _number("pacs_received_images", "Images received in this hour, UTC", sum(one.received for one in hour)),
        _number("pacs_received_bytes", "Bytes received in this hour, UTC", sum(one.received_bytes for one in hour)),
    ]


_NOW = _Now()
REGISTRY.register(_NOW)
