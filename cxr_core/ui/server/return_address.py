"""The way back after sign-in: who opens an address without being signed in is led there once signed in.

The sign-in provider leads back to the front page alone. The address that was asked for is in a short-lived cookie
meanwhile, which no script can read; like every address of a page it holds opaque ids and names of runs, labels and
models.

Source: RFC 6265 for the cookie; RFC 9110 section 15.4.4 (303 See Other).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..visitor import sign_in_is_set_up, visitor_of_request

__all__ = ["RETURN_COOKIE", "ReturnAddress"]

RETURN_COOKIE = "second-read-address"

_SECONDS = 600
_MOST_LETTERS = 1000
_ADDRESS = re.compile(r"[a-z_]+\?[A-Za-z0-9_.~%+&=*,:-]*")
"""Sign-in itself has other ones: ``auth/login``, ``oauth2callback``."""
_FLAGS = "HttpOnly; SameSite=Lax"


class ReturnAddress:
    """Keep the address that somebody asked for before sign-in, and lead there after it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond; with a redirect where the front page is asked for after sign-in and an address waits."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or not _is_page(scope, headers) or not sign_in_is_set_up():
            await self._app(scope, receive, send)
            return
        request, base = HTTPConnection(scope), _base_path()
        asked = scope["path"].removeprefix(base).removeprefix("/")
        address = f"{asked}?{scope['query_string'].decode('latin-1')}"
        waiting = unquote(request.cookies.get(RETURN_COOKIE, ""))
        standing, cookie = visitor_of_request(request, own_origin=True).standing, ""
        if standing == "signed_in" and waiting:
            cookie = _cookie("", 0, base)
            if address == "?" and _is_address(waiting):
                redirect = RedirectResponse(f"{base}/{waiting}", 303, headers={"Cache-Control": "no-store"})
                redirect.headers.append("set-cookie", cookie)
                await redirect(scope, receive, send)
                return
        elif standing in ("signed_out", "expired"):
            if _is_address(address):
                cookie = _cookie(address, _SECONDS, base)
            elif waiting and not asked:
                # the front page: what was wanted before no longer counts
                cookie = _cookie("", 0, base)

        async def send_with_cookie(message: Message) -> None:
            if cookie and message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(raw=message["headers"]).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _is_address(text: str) -> bool:
    """Return whether a text is one name with a query, as those of pages are: it leads to no other server."""
    return len(text) <= _MOST_LETTERS and _ADDRESS.fullmatch(text) is not None


def _is_page(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "GET" and "text/html" in headers.get("accept", "")


def _base_path() -> str:
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def _cookie(value: str, seconds: int, base: str) -> str:
    return f"{RETURN_COOKIE}={quote(value, safe='')}; Path={base or '/'}; Max-Age={seconds}; {_FLAGS}"
