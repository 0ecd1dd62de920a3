"""What this process has done, as metrics of Prometheus: reads, refusals by reason, times, uploads.

Counts are of one process, from its start. Labels are from fixed lists: none holds a name, a path, an id or a text of a
file. :mod:`cxr_core.ui.server.metrics` serves them, with what is counted when it is asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from ..errors import InputRefused
from ..model import Reading

__all__ = ["OUTCOMES", "REASONS", "REGISTRY", "count_request_refused", "count_upload", "refusal_reason", "timed_read"]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

OUTCOMES = ("read", "refused", "unreadable", "failed")
"""Outcomes of a read: it has findings; the gate refused the image; the file is no image that can be read; an error."""

_BY_START = (
    (r"not read: the image is blank", "blank"),
    (r"not read: it looks ", "appearance"),
    (r"not read: modality ", "modality"),
    (r"not read: SOP class ", "sop_class"),
    (r"not read: [a-z ]+ view; ", "view"),
    (r"not read: body part ", "body_part"),
    (r"not read: ", "exposure"),
)
REASONS = (*(name for _, name in _BY_START), "unreadable")
"""Why an image was refused, by the rule of the gate; ``unreadable`` for a file that gives no image."""

_SECONDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60)

READS = Counter("second_read_reads", "Images that were read or refused, by outcome", ["outcome"], registry=REGISTRY)
REFUSALS = Counter("second_read_refusals", "Images that were refused, by the rule", ["reason"], registry=REGISTRY)
READ_SECONDS = Histogram(
    "second_read_read_seconds",
    "Seconds of a read: decoding, gate and network, without the wait in the queue",
    registry=REGISTRY,
    buckets=_SECONDS,
)
WAIT_SECONDS = Histogram(
    "second_read_wait_seconds", "Seconds that an image waited in the queue", registry=REGISTRY, buckets=_SECONDS
)
UPLOADS = Counter("second_read_uploads", "Images of added files, by what became of them", ["result"], registry=REGISTRY)
UPLOAD_BYTES = Counter("second_read_upload_bytes", "Bytes of these files", registry=REGISTRY)
REQUESTS_REFUSED = Counter(
    "second_read_requests_refused",
    "Requests that the limits or checks of the server refused, by HTTP status",
    ["status"],
    registry=REGISTRY,
)

for _outcome in OUTCOMES:
    READS.labels(_outcome)
for _reason in REASONS:
    REFUSALS.labels(_reason)
for _result in ("added", "duplicate", "skipped"):
    UPLOADS.labels(_result)


class TimedRead:
    """One read, which :func:`timed_read` counts when its block ends.

    Attributes:
        outcome: of :data:`OUTCOMES`; ``failed`` until it is known.
        reason: of :data:`REASONS`, where it was refused or unreadable.
        seconds: that it took, once it has ended.
    """

    def __init__(self) -> None:
        self.outcome: Literal["read", "refused", "unreadable", "failed"] = "failed"
        self.reason = ""
        self.seconds = 0.0

    def ended_with(self, reading: Reading) -> None:
        """Note the reading that was made."""
        self.outcome = "read" if reading.findings else "refused"
        self.reason = "" if reading.findings else refusal_reason(reading.quality.reasons)


@contextmanager
def timed_read(waited: float) -> Iterator[TimedRead]:
    """Count the read of one image within the block, and how long it took.

    Args:
        waited: seconds that the image waited in the queue.
    """
    read, start = TimedRead(), time.perf_counter()
    try:
        yield read
    except InputRefused:
        read.outcome, read.reason = "unreadable", "unreadable"
        raise
    finally:
        read.seconds = time.perf_counter() - start
        READS.labels(read.outcome).inc()
        READ_SECONDS.observe(read.seconds)
        WAIT_SECONDS.observe(waited)
        if read.reason:
            REFUSALS.labels(read.reason).inc()


def refusal_reason(reasons: tuple[str, ...]) -> str:
    """Return the rule by which the gate refused an image, from its first reason."""
    first = reasons[0] if reasons else ""
    return next((name for start, name in _BY_START if re.match(start, first)), "exposure")


def count_upload(added: int, duplicates: int, skipped: int, size: int) -> None:
    """Count one upload: files that were added, that were there already, and that there was no room for; its bytes."""
    for result, number in (("added", added), ("duplicate", duplicates), ("skipped", skipped)):
        UPLOADS.labels(result).inc(number)
    UPLOAD_BYTES.inc(size)


def count_request_refused(status: int) -> None:
    """Count a request that was refused."""
    REQUESTS_REFUSED.labels(str(status)).inc()
