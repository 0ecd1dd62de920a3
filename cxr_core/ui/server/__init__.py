"""The web server around the pages: headers, bounds, and what is given back when a tab has closed."""

from __future__ import annotations

from starlette.middleware import Middleware
from streamlit import config, net_util
from streamlit.runtime import runtime_util

from ...memory import few_heaps
from .connections import bound_connections, enough_files
from .headers import SecurityHeaders
from .release import lifespan
from .sockets import BoundedSockets
from .uploads import BoundedRequests

__all__ = ["lifespan", "middleware", "prepare"]

_SENT_BYTES = 200 * 10**6


def prepare() -> None:
    """Set what the server is to do before it listens.

    ``server.maxMessageSize`` bounds both what a tab may send, which uvicorn puts together in memory before anybody is
    asked, and what it is sent. The settings file has the former; the latter, a picture of full size, is set here.
    """
    runtime_util._max_message_size_bytes = _SENT_BYTES
    # whatever the environment says: nothing is counted elsewhere, and nobody may frame or steer the page
    config.set_option("browser.gatherUsageStats", False)
    config.set_option("client.allowedOrigins", [])
    # asked of a server elsewhere when a request names another origin, to see whether that is this machine
    net_util.get_external_ip = net_util.get_internal_ip = lambda: None
    few_heaps()
    enough_files()
    bound_connections()


def middleware() -> list[Middleware]:
    """Return what every request goes through, from the outside in."""
    return [Middleware(SecurityHeaders), Middleware(BoundedSockets), Middleware(BoundedRequests)]
