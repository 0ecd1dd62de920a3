"""A new id for each request.

It is in the response (``X-Request-ID``), in every line that is logged while the request is answered, while an image is
read that it has brought and, for the request by which a tab is connected, while a page of that tab runs, and in the
audit trail. An id that a proxy or client has given in ``X-Request-ID`` is beside it in the log
(:func:`cxr_core.logs.within_request`), and nowhere else: who sends a request may write whatever they like into it.
"""

from __future__ import annotations

import logging

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ...logs import new_request_id, within_request

__all__ = ["REQUEST_ID", "RequestIds", "id_of_tab"]

REQUEST_ID = "X-Request-ID"

_REFUSED, _FAILED = 400, 500
_LOG = logging.getLogger(__name__)


def id_of_tab() -> str:
    """Return the id of the request that has connected the tab whose page this thread runs; empty in other threads."""
    return "" if get_script_run_ctx(suppress_warning=True) is None else st.context.headers.get(REQUEST_ID, "")


class RequestIds:
    """ASGI middleware: give each request an id, and log those that are refused or fail.

    The log has method and status, and no path: it may name an image or a study.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, with the id."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        identifier, given = new_request_id(), headers.get(REQUEST_ID, "")
        # what runs later for a tab, in threads of its own, finds it where Streamlit keeps the headers; none of the
        # request's own stays
        headers[REQUEST_ID] = identifier

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message.setdefault("headers", [])
                MutableHeaders(raw=message["headers"])[REQUEST_ID] = identifier
            if message["type"] == "http.response.start" and message["status"] >= _REFUSED:
                level = logging.ERROR if message["status"] == _FAILED else logging.INFO
                facts = {"method": scope["method"], "status": message["status"]}
                _LOG.log(level, "Request refused.", extra={"fields": facts})
            await send(message)

        with within_request(identifier, given):
            await self._app(scope, receive, send_with_id)
