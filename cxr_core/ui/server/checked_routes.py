"""What every route of the reading page does first: check who asks, and bound the requests of a tab."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from ..worklist import WorklistImage
from .connections import Refused
from .page_sessions import READING, PageSession, page_session

__all__ = ["NO_STORE", "checked", "find_image"]

NO_STORE = {"Cache-Control": "no-store"}
"""Headers of every response: no browser and no proxy keeps it."""

_LOG = logging.getLogger(__name__)

Handler = Callable[[Request, PageSession], Awaitable[Response]]


def checked(handler: Handler, *, upload: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that checks who asks, bounds the requests of a tab, and logs no message of an error."""

    async def endpoint(request: Request) -> Response:
        session = page_session(request)
        if request.method not in ("GET", "POST"):
            # Starlette has HEAD answered by what answers GET, which would decode an image for nobody
            raise Refused(405, "This address answers GET or POST only.")
        if request.method == "POST" and session.key != READING:
            raise Refused(403, "A stored read is changed in the worklist only.")
        try:
            if upload:
                return await handler(request, session)
            with session.request():
                return await handler(request, session)
        except Refused:
            raise
        except Exception as error:
            # its message, and the values in its traceback, may be of a patient
            _LOG.error("A request of the reading page failed: %s", type(error).__name__)
            raise Refused(500, f"The server could not do this ({type(error).__name__}). Please report it.") from None

    return endpoint


def find_image(request: Request, session: PageSession) -> WorklistImage:
    """Return the image whose digest the address holds; raises Refused where the worklist does not have it."""
    image = session.images.images.get(request.path_params["digest"])
    if image is None:
        raise Refused(404, "This image is not in the worklist.")
    return image
