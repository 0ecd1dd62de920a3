"""What every answer of the server says to the browser, and under which names it is asked.

The policy is as narrow as Streamlit's own page allows, and was tried in Chromium on every page. Scripts come from this
server, and from ``blob:``, by which Streamlit loads the code of our components; no text is run as code. Styles in the
page are Streamlit's own way of drawing. Nothing is fetched from, sent to, or framed by another origin.

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

from ..visitor import address_of_sign_in

__all__ = ["SecurityHeaders", "policy"]

_YEAR = 365 * 24 * 60 * 60


class SecurityHeaders:
    """Refuse a host that is not allowed; add the headers to every answer, and ``Secure`` to cookies behind https."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the headers; refuse a host that is not allowed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        https = _is_https(scope, asked)
        secure = https or address_of_sign_in().startswith("https://")

        async def told(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message.setdefault("headers", [])
                _complete(MutableHeaders(raw=message["headers"]), https=https, secure=secure)
            await send(message)

        # Streamlit asks this of a WebSocket itself
        if scope["type"] == "http" and not is_host_allowed(asked.get("host")):
            refusal = PlainTextResponse("This name is not in server.allowedHosts of .streamlit/config.toml.", 421)
            await refusal(scope, receive, told)
            return
        await self._app(scope, receive, told)


@cache
def policy() -> str:
    """Return the Content-Security-Policy of every answer."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    parts = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "blob:", *(f"'sha256-{digest}'" for digest in allowed)]),
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
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def _is_https(scope: Scope, asked: Headers) -> bool:
    return scope["scheme"] in ("https", "wss") or asked.get("x-forwarded-proto", "").split(",")[0].strip() == "https"


def _complete(headers: MutableHeaders, *, https: bool, secure: bool) -> None:
    headers["Content-Security-Policy"] = policy()
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    # for browsers that do not know frame-ancestors
    headers["X-Frame-Options"] = "DENY"
    # no other site shows what is served here, not as a picture either
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if https:
        headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    if secure:
        headers.raw[:] = [(name, _secured(value) if name == b"set-cookie" else value) for name, value in headers.raw]


def _secured(cookie: bytes) -> bytes:
    given = {part.strip().lower() for part in cookie.split(b";")[1:]}
    return cookie if b"secure" in given else cookie + b"; Secure"
