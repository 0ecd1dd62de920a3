"""``/metrics`` of a command that runs until it is stopped: ``pacs receive`` and ``pacs work``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.registry import Collector

from ..operations.metrics_server import METRICS, MetricsServer
from ..pacs.receiver import parse_listen

__all__ = ["metrics_address", "serving_metrics", "shown_host"]


def metrics_address(listen: str | None, setting: str) -> tuple[str, int] | None:
    """Return IP address and port of a setting, or None where it is not set; raises WrongArguments."""
    return None if listen is None else parse_listen(listen, setting)


@contextmanager
def serving_metrics(address: tuple[str, int] | None, collector: Collector, setting: str) -> Iterator[None]:
    """Serve metrics within the block, and print where, if there is an address for them.

    Raises PathUnusable where the address cannot be listened on.
    """
    if address is None:
        yield
        return
    server = MetricsServer(address, [collector], setting)
    print(f"Metrics on http://{shown_host(address[0])}:{server.port}{METRICS}.", flush=True)
    try:
        yield
    finally:
        server.close()


def shown_host(host: str) -> str:
    """Return an IP address as it stands before a port."""
    return f"[{host}]" if ":" in host else host
