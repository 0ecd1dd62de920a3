"""Steps of ``pacs work`` as metrics of Prometheus. Labels are from fixed lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ..pacs.worker import OUTCOMES, STEPS, StepOutcome, WorkObserver

__all__ = ["WorkerMetrics"]

_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)


class WorkerMetrics(WorkObserver, Collector):
    """Counts the steps that a worker reports, and collects what it has counted."""

    def __init__(self) -> None:
        self._steps = Counter(
            "second_read_pacs_steps", "Steps of jobs, by what became of them", ["step", "outcome"], registry=None
        )
        self._seconds = Histogram(
            "second_read_pacs_step_seconds", "Seconds of a done step", ["step"], registry=None, buckets=_SECONDS
        )
        self._busy = Gauge("second_read_pacs_worker_busy", "Whether the worker has a job: 1, or 0", registry=None)
        self._store_failures = Counter(
            "second_read_pacs_worker_store_failures", "Times that the store could not be used", registry=None
        )
        for step in STEPS.values():
            self._seconds.labels(step)
            for outcome in OUTCOMES:
                self._steps.labels(step, outcome)

    def step_ended(self, step: str, outcome: StepOutcome, seconds: float) -> None:
        """Count a step of a job."""
        self._steps.labels(step, outcome).inc()
        if outcome == "done":
            self._seconds.labels(step).observe(seconds)

    def set_busy(self, busy: bool) -> None:
        """Note whether the worker has a job."""
        self._busy.set(busy)

    def store_failed(self) -> None:
        """Count that the store could not be used."""
        self._store_failures.inc()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, as :class:`.receiver_metrics.ReceiverCollector`."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for metric in (self._steps, self._seconds, self._busy, self._store_failures):
            yield from metric.collect()
