"""``/metrics`` of a process that has no pages: an HTTP server of one path, for this machine and ``metrics_networks``.

A connection from any other address is closed before anything of it is read.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import socketserver
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, MetricsHandler, ProcessCollector
from prometheus_client.registry import Collector

from ..access import is_forwarded, is_local_request
from ..access.visitor import LOCAL_NAMES
from ..errors import PathUnusable
from ..settings import settings

__all__ = ["METRICS", "MetricsServer", "is_scraper", "is_scraper_address"]

METRICS = "/metrics"

ANSWER_SECONDS = 5.0
"""After which a connection ends that sends no request, or does not take the answer."""

MOST_CONNECTIONS = 8

_REFUSED = b"Metrics are for this machine and the networks of SECOND_READ_METRICS_NETWORKS, without a proxy between.\n"


def is_scraper_address(host: str) -> bool:
    """Return whether an address is of this machine or of ``metrics_networks``."""
    if host in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in settings().metrics_networks)


def is_scraper(host: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request may have the metrics without signing in.

    Args:
        host: address that it came from.
        headers: of the request. With one of a proxy it is judged by no address.
    """
    if is_forwarded(headers):
        return False
    if host in LOCAL_NAMES:
        # a proxy on this machine that hides itself passes on the name under which it is reached
        return is_local_request(headers)
    return is_scraper_address(host)


class MetricsServer:
    """Serves metrics until it is closed, beside what the process does.

    Attributes:
        port: on which it listens.

    Args:
        listen: IP address of this machine and port; 0 for a free one.
        collectors: of what is served, besides the process itself.
        setting: that named the address, for the message.

    Raises PathUnusable where the address cannot be listened on.
    """

    def __init__(self, listen: tuple[str, int], collectors: Iterable[Collector], setting: str) -> None:
        # the collectors of this program describe nothing: asked for a metric by name, all of them are asked
        registry = CollectorRegistry(support_collectors_without_names=True)
        ProcessCollector(registry=registry)
        for collector in collectors:
            registry.register(collector)
        try:
            self._server = _Server(listen, type("_HandlerOfRegistry", (_Handler,), {"registry": registry}))
        except (OSError, OverflowError) as error:
            raise PathUnusable(
                f"The address of {setting} cannot be listened on: it is in use, not of this machine, or the port "
                "needs more rights."
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(MetricsHandler):
    """Has the metrics of ``registry`` at one path, for those who may have them, and logs nothing."""

    timeout = ANSWER_SECONDS

    def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
        """Answer."""
        # two of a name are one with both values: neither of them hides the other
        headers = {name: ",".join(self.headers.get_all(name, [])) for name in self.headers}
        if not is_scraper(self.client_address[0], headers):
            self._refuse(403, _REFUSED)
        elif self.path.partition("?")[0] != METRICS:
            self._refuse(404, b"")
        else:
            super().do_GET()

    do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    def end_headers(self) -> None:
        """Send the header; of an answer to HEAD nothing else is sent."""
        super().end_headers()
        if self.command == "HEAD":
            self.wfile = io.BytesIO()

    def _refuse(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(text)


class _Server(socketserver.ThreadingTCPServer):
    """A server that a flood of connections costs a few threads."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether a connection is from an address that may ask."""
        return is_scraper_address(client_address[0])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, where one is free."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and release the thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback, as socketserver would: a connection was closed, or was silent for too long."""
