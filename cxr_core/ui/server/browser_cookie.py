"""The cookie by which a browser is known again where there is no sign-in, so that its worklist is found.

Set only where nobody signs in: on this machine alone. It is random, tells nothing, cannot be read by a script and is
sent by no other site. It lasts as long as the browser is open, or as long as what is stored. With sign-in the person is
the reader.

A page that was reached by a link on another site is asked for without the cookie; one that is set then would replace
that of the browser. There it is set with ``_stcore/host-config``, which Streamlit's page asks for before it connects.

Source: RFC 6265 and its successor draft (draft-ietf-httpbis-rfc6265bis, section 5.6.7) for SameSite; W3C Fetch Metadata
Request Headers for ``Sec-Fetch-Site``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...access import Visitor
from ...settings import settings
from ..visitor import sign_in_is_set_up, visitor

__all__ = ["BROWSER_COOKIE", "BrowserCookie", "reader_name", "reader_of_request"]

BROWSER_COOKIE = "second-read-browser"

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_SECONDS_PER_DAY = 24 * 60 * 60


class BrowserCookie:
    """Set the cookie with each page that is loaded from no other site, or before the page connects."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, with the cookie where a page is asked for."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or not _sets_cookie(scope, headers) or sign_in_is_set_up():
            await self._app(scope, receive, send)
            return
        value = cookie_parser(headers.get("cookie", "")).get(BROWSER_COOKIE, "")
        if not _VALUE.fullmatch(value):
            value = secrets.token_urlsafe(32)
        limits = settings()
        lasts = f"; Max-Age={limits.keep_days * _SECONDS_PER_DAY}" if limits.keep == "store" else ""

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                cookie = f"{BROWSER_COOKIE}={value}; Path=/{lasts}; HttpOnly; SameSite=Strict"
                MutableHeaders(raw=message["headers"]).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def reader_name() -> str | None:
    """Return the name of the person of this session: issuer and subject, or a digest of the browser's cookie.

    None where neither is known, such as for a browser that takes no cookies.
    """
    return _name(visitor(), st.context.cookies)


def reader_of_request(person: Visitor, request: HTTPConnection) -> str | None:
    """Return the name of the person who sends a request, as :func:`reader_name` does."""
    return _name(person, request.cookies)


def _name(person: Visitor, cookies: Mapping[str, str]) -> str | None:
    if person.standing == "signed_in":
        return f"{person.issuer}|{person.subject}"
    value = str(cookies.get(BROWSER_COOKIE, ""))
    if person.standing != "local" or not _VALUE.fullmatch(value):
        return None
    # who reads the database cannot take the worklist over
    return f"browser|{hashlib.sha256(value.encode()).hexdigest()[:32]}"


def _sets_cookie(scope: Scope, headers: Headers) -> bool:
    site = headers.get("sec-fetch-site", "none")
    if scope["method"] != "GET":
        return False
    if scope["path"].endswith("/_stcore/host-config"):
        return site == "same-origin" and BROWSER_COOKIE not in cookie_parser(headers.get("cookie", ""))
    return site in ("none", "same-origin") and "text/html" in headers.get("accept", "")
