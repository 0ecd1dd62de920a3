"""Security headers of every response, and the check of the Host header.

The Content-Security-Policy is as strict as Streamlit's page allows, and is tested in Chromium on every page. Scripts
come from this server and from ``blob:`` URLs, with which Streamlit loads the code of components; ``eval`` is forbidden.
Inline styles are needed by Streamlit. Nothing is loaded from, sent to, or framed by another origin.

Sources: W3C Content Security Policy Level 3; RFC 6797 (Strict-Transport-Security); RFC 6265 section 4.1.2.5 (Secure).
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from ..visitor import redirect_uri

__all__ = ["SecurityHeaders", "policy"]

_YEAR = 365 * 24 * 60 * 60


class SecurityHeaders:
    """Refuse hosts that are not allowed; add the headers to every response, and ``Secure`` to cookies behind HTTPS."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with the headers; refuse a host that is not allowed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_headers = Headers(scope=scope)
        https = _is_https(scope, request_headers)
        secure = https or redirect_uri().startswith("https://")

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message.setdefault("headers", [])
                _set_headers(MutableHeaders(raw=message["headers"]), https=https, secure=secure)
            await send(message)

        # Streamlit checks a WebSocket itself
        if scope["type"] == "http" and not is_host_allowed(request_headers.get("host")):
            refusal = PlainTextResponse("This host name is not in server.allowedHosts of .streamlit/config.toml.", 421)
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


@cache
def policy() -> str:
    """Return the Content-Security-Policy."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    directives = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "blob:", *(f"'sha256-{digest}'" for digest in hashes)]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-src": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _is_https(scope: Scope, headers: Headers) -> bool:
    return scope["scheme"] in ("https", "wss") or headers.get("x-forwarded-proto", "").split(",")[0].strip() == "https"


def _set_headers(headers: MutableHeaders, *, https: bool, secure: bool) -> None:
    headers["Content-Security-Policy"] = policy()
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    # for browsers that do not know frame-ancestors
    headers["X-Frame-Options"] = "DENY"
    # no other site may embed what is served here, images included
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if https:
        headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    if secure:
        headers.raw[:] = [(name, _secured(value) if name == b"set-cookie" else value) for name, value in headers.raw]


def _secured(cookie: bytes) -> bytes:
    attributes = {part.strip().lower() for part in cookie.split(b";")[1:]}
    return cookie if b"secure" in attributes else cookie + b"; Secure"
