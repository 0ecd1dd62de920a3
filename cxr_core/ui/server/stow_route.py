"""STOW-RS on a route of the app, for senders that speak no DIMSE: off unless the setting ``pacs_stow_token`` is set."""

from __future__ import annotations

import hmac
from contextlib import closing

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from ...errors import InputRefused, PathUnusable
from ...pacs.reception import Named, Reception
from ...pacs.stow import MultipartFiles, StowResponse, boundary_of
from ...settings import settings
from ...store.pacs_store import PacsStore
from .connections import Refused
from .page_sessions import worklist_path

__all__ = ["check_sender", "is_stow", "stow_routes"]

_ACCEPTED = 'multipart/related; type="application/dicom"'


def stow_path() -> str:
    """Return the path of the service."""
    return f"{worklist_path().removesuffix('/worklist')}/dicom-web/studies"


def stow_routes() -> list[BaseRoute]:
    """Return the routes."""
    return [Route(path, _store, methods=["POST"]) for path in (stow_path(), f"{stow_path()}/{{study}}")]


def is_stow(scope: Scope) -> bool:
    """Return whether a request stores DICOM files, and that is on."""
    path = scope["path"]
    is_path = path == stow_path() or path.startswith(f"{stow_path()}/")
    return is_path and scope["method"] == "POST" and settings().pacs_stow_token is not None


def check_sender(scope: Scope) -> None:
    """Raise Refused for a request without the token, before anything of its body is read."""
    token = settings().pacs_stow_token or ""
    given = Headers(scope=scope).get("authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Refused(401, "The token of SECOND_READ_PACS_STOW_TOKEN is needed: Authorization: Bearer TOKEN.")


async def _store(request: Request) -> Response:
    if not is_stow(request.scope):
        raise Refused(404, "There is nothing at this address.")
    check_sender(request.scope)
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None:
        raise Refused(415, f"Accepted: {_ACCEPTED}.")
    files, answer = MultipartFiles(boundary, settings().max_file_mb * 10**6), StowResponse()
    named = Named(study_uid=request.path_params.get("study", ""))
    try:
        with closing(await run_in_threadpool(PacsStore)) as store:
            reception = Reception(store, "stow")
            try:
                async for chunk in request.stream():
                    for file in files.feed(chunk):
                        answer.add(*await run_in_threadpool(reception.add, file, named))
                files.end()
            finally:
                await run_in_threadpool(reception.close)
    except InputRefused as error:
        raise Refused(400, str(error)) from None
    except PathUnusable as error:
        raise Refused(503, str(error)) from None
    return JSONResponse(answer.body(), answer.status, {"Cache-Control": "no-store"}, "application/dicom+json")
