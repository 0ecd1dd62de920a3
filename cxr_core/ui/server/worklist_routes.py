"""Our own HTTP routes of the reading page: files, opinions and reveals in, readings and pixels out.

They answer as soon as there is something, while a run of Streamlit's script takes its time. Every request is checked by
:func:`.page_sessions.page_session`; addresses hold nothing but digests of files. Responses are never stored by a
browser or a proxy.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ...errors import Busy, CxrError, InputRefused, WrongArguments
from ...imaging import Radiograph
from ...settings import settings
from ..file_intake import add_files
from ..opinions import add_opinion, opinions_message, reveal
from ..reading_messages import image_content, image_version, worklist_body
from ..viewer import alt_text, image_chunks
from ..worklist import WorklistImage
from .connections import Refused
from .page_sessions import READING, PageSession, page_session, worklist_path

__all__ = ["FRONT_PAGE", "NAME_HEADER", "REDUCED_SIDE", "UPLOAD_HEADER", "VISIBLE_HEADER", "reading_routes"]

FRONT_PAGE = "second_opinion"
"""Name of the page that Streamlit has at the empty path, and answers with "Page not found" under its name."""

NAME_HEADER = "X-Second-Read-Name"
"""Name of a file with its path in a dropped folder, percent-encoded; for display as text only."""

UPLOAD_HEADER = "X-Second-Read-Upload"
"""``ID/POSITION/COUNT``: which upload of the browser a file belongs to, its place, and the number of files."""

VISIBLE_HEADER = "X-Second-Read-Visible"
"""Sent by a tab that waits for changes while it has the reading page in sight (:mod:`..reading_time`)."""

REDUCED_SIDE, REDUCED_FROM = 1024, 1536
"""Longest side of the reduced image, and of the largest that is not reduced, in pixels."""

IMAGE_SECONDS, WORKLIST_SECONDS = 1.0, 10.0
"""Longest wait of a request for an image that is not read yet, and for a change of the worklist."""

PIXELS_AT_ONCE, PIXELS_PER_TAB = 32, 4
"""Images that are sent at the same time, to all tabs and to one."""

OPINION_BYTES = 16_384
"""Largest body of an opinion: its comment is short."""

_NO_STORE = {"Cache-Control": "no-store"}
_NAME_LENGTH = 4096
_UPLOAD = re.compile(r"([0-9a-z-]{1,64})/(\d{1,6})/(\d{1,6})")
_POLL_SECONDS = 0.5  # for what changes without a notice

_LOG = logging.getLogger(__name__)

Handler = Callable[[Request, PageSession], Awaitable[Response]]


def reading_routes() -> list[BaseRoute]:
    """Return the routes."""
    path, image = worklist_path(), f"{worklist_path()}/images/{{digest}}"
    front = f"{path.removesuffix('/worklist')}/{FRONT_PAGE}"
    pixels = _Pixels()
    return [
        Route(path, _checked(_worklist), methods=["GET"]),
        Route(f"{path}/images", _checked(_add, upload=True), methods=["POST"]),
        Route(image, _checked(_image), methods=["GET"]),
        Route(f"{image}/pixels", _checked(pixels.send), methods=["GET"]),
        Route(f"{image}/opinions", _checked(_opinion), methods=["POST"]),
        Route(f"{image}/reveal", _checked(_reveal), methods=["POST"]),
        Route(front, _to_front_page, methods=["GET"]),
    ]


async def _to_front_page(request: Request) -> Response:
    """Send a browser that asks for the front page by its name to the address where Streamlit has it."""
    # relative, so that it holds behind a proxy that takes a part of the path away
    address = "./" + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(address, status_code=307, headers=_NO_STORE)


def _checked(handler: Handler, *, upload: bool = False) -> Callable[[Request], Awaitable[Response]]:
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


async def _add(request: Request, session: PageSession) -> Response:
    """Add the file in the body to the worklist, and have it read."""
    name = unquote(request.headers.get(NAME_HEADER, "")[: 3 * _NAME_LENGTH])[:_NAME_LENGTH]
    stated = request.headers.get(UPLOAD_HEADER, "")
    parts = _UPLOAD.fullmatch(stated)
    if stated and parts is None:
        raise Refused(400, f"{UPLOAD_HEADER} is not ID/POSITION/COUNT.")
    upload, position, count = parts.groups() if parts is not None else ("", "0", "1")
    data = b"".join([chunk async for chunk in request.stream()])

    def add() -> dict[str, Any]:
        files = [(name, data)]
        result = add_files(session.images, files, upload=upload, position=int(position), of=int(count))
        session.reader.begin()
        return {
            "added": list(result.added),
            "duplicates": result.duplicates,
            "skipped": result.skipped,
            "reason": result.reason,
            "shown": result.shown,
        }

    return JSONResponse(await run_in_threadpool(add), headers=_NO_STORE)


async def _worklist(request: Request, session: PageSession) -> Response:
    """Return the entries of the worklist; with ``If-None-Match``, once they are others, or 304."""
    known, end = request.headers.get("if-none-match", ""), time.monotonic() + WORKLIST_SECONDS
    visible, images = VISIBLE_HEADER in request.headers, session.images
    with session.changes() as changed:
        while True:
            changed.clear()
            ended = await request.is_disconnected()
            if visible and images.keeper is not None:
                images.keeper.shown(images, None if ended else images.chosen)
            if ended:
                # nobody receives it
                return Response(status_code=204, headers=_NO_STORE)
            if images.keeper is not None:
                await run_in_threadpool(images.keeper.follow)
            body, tag = await run_in_threadpool(worklist_body, images)
            if tag != known:
                return Response(body, media_type="application/json", headers={**_NO_STORE, "ETag": tag})
            if time.monotonic() >= end:
                return Response(status_code=304, headers={**_NO_STORE, "ETag": tag})
            await run_in_threadpool(session.reader.begin)
            await _next(changed, min(_POLL_SECONDS, end - time.monotonic()))


async def _image(request: Request, session: PageSession) -> Response:
    """Return what is shown of an image; one that waits is read next, and after a second its place in the queue."""
    image = _find(request, session)
    await _until_read(image, session, IMAGE_SECONDS, decoded=False)

    def message() -> bytes:
        content = image_content(image, session.images, session.reader.predictor.card)
        content["wait"] = session.reader.status_text(image) if image.status == "waiting" else ""
        return json.dumps(content).encode()

    return Response(await run_in_threadpool(message), media_type="application/json", headers=_NO_STORE)


async def _opinion(request: Request, session: PageSession) -> Response:
    """Add the reader's opinion of a finding, and answer once it is stored.

    The body is ``{"label", "opinion", "comment"}`` as JSON; the answer has all opinions on the image, and its version.
    """
    image, body = _find(request, session), bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > OPINION_BYTES:
            raise Refused(413, f"An opinion has at most {OPINION_BYTES:,} bytes.")
    label, opinion, comment = _opinion_fields(bytes(body))

    def add() -> dict[str, Any]:
        with _refusals("The opinion was not stored."):
            add_opinion(session.images, image, label, opinion, comment)
        return {"version": image_version(image, session.images), "opinions": opinions_message(image)}

    return JSONResponse(await run_in_threadpool(add), headers=_NO_STORE)


async def _reveal(request: Request, session: PageSession) -> Response:
    """Show the findings that "Read first" hides; the answer is ``{"changed"}``: whether they were hidden."""
    image = _find(request, session)

    def show() -> dict[str, bool]:
        with _refusals("That they are shown cannot be stored."):
            return {"changed": reveal(session.images, image)}

    return JSONResponse(await run_in_threadpool(show), headers=_NO_STORE)


@contextmanager
def _refusals(failure: str) -> Iterator[None]:
    """Refuse what the reader asks for in one line, which begins with ``failure`` where the server is the cause."""
    try:
        yield
    except InputRefused as error:
        raise Refused(409, str(error)) from None
    except WrongArguments as error:
        raise Refused(400, str(error)) from None
    except CxrError as error:
        raise Refused(503, f"{failure} {error}") from None


def _opinion_fields(body: bytes) -> tuple[str, str, str]:
    """Return label, opinion and comment of a body; raises Refused where it is something else."""
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if isinstance(given, dict) and given.keys() == {"label", "opinion", "comment"}:
        label, opinion, comment = given["label"], given["opinion"], given["comment"]
        if isinstance(label, str) and isinstance(opinion, str) and isinstance(comment, str):
            return label, opinion, comment
    raise Refused(400, "An opinion is a JSON object of three strings: label, opinion and comment.")


async def _until_read(image: WorklistImage, session: PageSession, seconds: float, *, decoded: bool) -> None:
    """Wait at most so many seconds until an image was read, or until its pixels are there if they are asked for."""
    end = time.monotonic() + seconds
    with session.changes() as changed:
        while time.monotonic() < end:
            changed.clear()
            job = await run_in_threadpool(session.reader.request, image)
            if job is None or (image.radiograph is not None if decoded else image.status != "waiting"):
                return
            # a full queue is tried again
            most = 0.1 if isinstance(job, Busy) else _POLL_SECONDS
            await _next(changed, min(most, max(0.0, end - time.monotonic())))


async def _next(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return


class _Pixels:
    """Sends the pixels of images, a bounded number at once, in pieces: memory of the server is bounded by both."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()

    async def send(self, request: Request, session: PageSession) -> Response:
        """Send an image as the viewer's message: in full, or a large one reduced where the query says ``reduced``.

        202 while the image waits to be decoded; 204 where it is no longer in memory.
        """
        image = _find(request, session)
        await _until_read(image, session, IMAGE_SECONDS, decoded=True)
        radiograph = image.radiograph
        if radiograph is None:
            waits = image.status == "waiting" or image.has_file
            return Response(status_code=202 if waits else 204, headers=_NO_STORE)
        reduced = "reduced" in request.query_params and max(radiograph.rows, radiograph.columns) > REDUCED_FROM
        name = session.session
        if self._sent[name] >= PIXELS_PER_TAB or self._sent.total() >= PIXELS_AT_ONCE:
            raise Refused(503, "Too many images are being sent. Try again in a moment.")
        self._sent[name] += 1

        def ended() -> None:
            self._sent[name] -= 1
            if not self._sent[name]:
                del self._sent[name]

        return _BoundedStream(_chunks(radiograph, reduced), ended)


def _chunks(radiograph: Radiograph, reduced: bool) -> Iterator[bytes]:
    return image_chunks(radiograph, alt=alt_text(radiograph), max_side=REDUCED_SIDE if reduced else None)


class _BoundedStream(StreamingResponse):
    """A stream that must be taken within the time of an upload, and that calls back at its end."""

    def __init__(self, chunks: Iterator[bytes], ended: Callable[[], None]) -> None:
        # compressing it would take longer than sending it
        headers = {**_NO_STORE, "Content-Encoding": "identity"}
        super().__init__(chunks, media_type="application/octet-stream", headers=headers)
        self._ended = ended

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(settings().upload_seconds):
                await super().__call__(scope, receive, send)
        except TimeoutError as error:
            raise Refused(408, "The image was taken too slowly.") from error
        finally:
            self._ended()


def _find(request: Request, session: PageSession) -> WorklistImage:
    image = session.images.images.get(request.path_params["digest"])
    if image is None:
        raise Refused(404, "This image is not in the worklist.")
    return image
