"""Associations of ``pacs receive`` as metrics of Prometheus. Labels are configured AE titles, and reasons of a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..pacs.receiver import Receiver

__all__ = ["ReceiverCollector"]


class ReceiverCollector(Collector):
    """Counts the associations of a receiver when it is asked."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering asks the receiver for nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        accepted = CounterMetricFamily(
            "second_read_pacs_associations_accepted", "Associations that were accepted, by sender", labels=["sender"]
        )
        refused = CounterMetricFamily(
            "second_read_pacs_associations_refused", "Connections that became no association", labels=["reason"]
        )
        is_open = GaugeMetricFamily(
            "second_read_pacs_associations_open", "Associations that are open, by sender", labels=["sender"]
        )
        for sender, count in self._receiver.counts.accepted.items():
            accepted.add_metric([sender], count)
        for reason, count in self._receiver.counts.refused.items():
            refused.add_metric([reason], count)
        for sender, count in self._receiver.open_associations().items():
            is_open.add_metric([sender], count)
        yield from (accepted, refused, is_open)
