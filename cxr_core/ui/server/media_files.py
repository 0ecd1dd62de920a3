"""Downloads of pages, such as a report that names the patient: sent to visitors who may read images, and never stored.

Streamlit serves them at random addresses below ``/media/`` to whoever asks, and lets a browser or a proxy keep them.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...access import Role
from ..visitor import visitor_of_request
from .connections import Refused, refusal_response

__all__ = ["MediaFiles"]


class MediaFiles:
    """Send downloads to nobody but visitors who may read images, and forbid caches to store them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond; other paths are passed on as they are."""
        if scope["type"] != "http" or "/media/" not in scope["path"]:
            await self._app(scope, receive, send)
            return

        async def send_without_storing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(raw=message["headers"])["Cache-Control"] = "no-store"
            await send(message)

        refused = _refused(scope)
        await (self._app if refused is None else refusal_response(refused))(scope, receive, send_without_storing)


def _refused(scope: Scope) -> Refused | None:
    # a browser that begins a download again names no site
    if Headers(scope=scope).get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return Refused(403, "This request comes from another site.")
    person = visitor_of_request(HTTPConnection(scope), own_origin=True)
    if person.may(Role.READER):
        return None
    return Refused(401 if person.standing in ("signed_out", "expired") else 403, "Sign in to download this file.")
