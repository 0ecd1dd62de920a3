"""The web server around the pages: security headers, limits, routes of the reading page, and session cleanup."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit.logger
from starlette.middleware import Middleware
from streamlit import config, net_util
from streamlit.runtime import runtime_util

from ...logs import configure_logs, take_request_ids_from
from ...operations.checks import log_findings_at_start
from ...process_resources import few_heaps
from .. import session_cleanup
from ..read_store import open_read_store
from .browser_cookie import BrowserCookie
from .connections import LimitedSockets, limit_connections, raise_file_limit
from .headers import SecurityHeaders
from .media_files import MediaFiles
from .probes import Probes
from .request_ids import RequestIds, id_of_tab
from .return_address import ReturnAddress
from .stopping import RefuseWhileStopping, stop_gracefully
from .stow_route import stow_routes
from .uploads import LimitedRequests
from .worklist_routes import reading_routes

__all__ = ["lifespan", "middleware", "prepare", "reading_routes", "stow_routes"]

_MAX_SENT_BYTES = 200 * 10**6

_SWITCH_SECONDS = 0.0005
"""After which a thread that computes lets another one go on; by default 5 ms, in which an answer waits for each step of
a reading or of a page's script."""


def prepare() -> None:
    """Configure the server before it listens.

    ``server.maxMessageSize`` limits both what a tab sends, which uvicorn assembles in memory before any check, and what
    it receives. The settings file has the former; the latter, a radiograph of full size, is set here.
    """
    runtime_util._max_message_size_bytes = _MAX_SENT_BYTES
    # whatever the environment says: no usage statistics, and no other origin may embed or control the page
    config.set_option("browser.gatherUsageStats", False)
    config.set_option("client.allowedOrigins", [])
    # Streamlit would query an external server when a request names another origin
    net_util.get_external_ip = net_util.get_internal_ip = lambda: None
    few_heaps()
    sys.setswitchinterval(_SWITCH_SECONDS)
    raise_file_limit()
    configure_logs("app")
    # it has addresses with their queries; a request that is refused has a line of RequestIds, without its path
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    take_request_ids_from(id_of_tab)
    # each logger that Streamlit makes from now on would get a handler with a format of its own
    streamlit.logger.setup_formatter = _written_by_root
    stop_gracefully()
    log_findings_at_start()
    limit_connections()


def _written_by_root(logger: logging.Logger) -> None:
    logger.propagate = True


@asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Open the store of studies as the server starts, and end closed sessions for as long as it runs."""
    open_read_store()
    async with session_cleanup.lifespan(app):
        yield


def middleware() -> list[Middleware]:
    """Return the middleware of every request, the outermost first."""
    kinds = (
        RequestIds,
        SecurityHeaders,
        Probes,
        RefuseWhileStopping,
        LimitedSockets,
        LimitedRequests,
        BrowserCookie,
        ReturnAddress,
        MediaFiles,
    )
    return [Middleware(kind) for kind in kinds]
