"""Our own HTTP routes of the reading page: files in, readings and pixels out; changes are in :mod:`.worklist_changes`.

They answer as soon as there is something, while a run of Streamlit's script takes its time. Every request is checked by
:func:`.checked_routes.checked`; addresses hold nothing but digests of files. Responses are never stored by a browser or
a proxy.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ...errors import Busy
from ...imaging import Radiograph
from ...operations.metrics import count_upload
from ...settings import settings
from ..file_intake import add_files
from ..reading_messages import image_content, worklist_body
from ..viewer import alt_text, image_chunks
from ..worklist import Worklist, WorklistImage
from .checked_routes import NO_STORE, checked, find_image
from .connections import Refused
from .page_sessions import PageSession, worklist_path
from .stopping import is_closing
from .worklist_changes import change_routes

__all__ = [
    "FRONT_PAGE",
    "MOMENT_HEADER",
    "NAME_HEADER",
    "REDUCED_SIDE",
    "UPLOAD_HEADER",
    "VISIBLE_HEADER",
    "reading_routes",
]

FRONT_PAGE = "second_opinion"
"""Name of the page that Streamlit has at the empty path, and answers with "Page not found" under its name."""

NAME_HEADER = "X-Second-Read-Name"
"""Name of a file with its path in a dropped folder, percent-encoded; for display as text only."""

UPLOAD_HEADER = "X-Second-Read-Upload"
"""``ID/POSITION/COUNT``: which upload of the browser a file belongs to, its place, and the number of files."""

VISIBLE_HEADER = "X-Second-Read-Visible"
"""Sent by a tab that waits for changes while it has the reading page in sight (:mod:`..reading_time`)."""

MOMENT_HEADER = "X-Second-Read-Moment"
"""Of a worklist: when it was made at the latest, in seconds of ``time.monotonic``.

The message of an image has ``moment``: when it was made at the earliest. So the browser knows which of both is newer.
"""

REDUCED_SIDE, REDUCED_FROM = 1024, 1536
"""Longest side of the reduced image, and of the largest that is not reduced, in pixels."""

IMAGE_SECONDS, WORKLIST_SECONDS = 1.0, 10.0
"""Longest wait of a request for an image that is not read yet, and for a change of the worklist."""

HELD_SECONDS, AFTER_SECONDS = 0.3, 0.1
"""For so long a worklist that has changed is held back while the image on the screen is read, whose answer is next, and
so long after that, because both take the same processors."""

PIXELS_AT_ONCE, PIXELS_PER_TAB = 32, 4
"""Images that are sent at the same time, to all tabs and to one."""

_NAME_LENGTH = 4096
_UPLOAD = re.compile(r"([0-9a-z-]{1,64})/(\d{1,6})/(\d{1,6})")
_POLL_SECONDS = 0.5  # for what changes without a notice


def reading_routes() -> list[BaseRoute]:
    """Return the routes."""
    path, image = worklist_path(), f"{worklist_path()}/images/{{digest}}"
    front = f"{path.removesuffix('/worklist')}/{FRONT_PAGE}"
    pixels = _Pixels()
    return [
        Route(path, checked(_worklist), methods=["GET"]),
        Route(f"{path}/images", checked(_add, upload=True), methods=["POST"]),
        Route(image, checked(_image), methods=["GET"]),
        Route(f"{image}/pixels", checked(pixels.send), methods=["GET"]),
        *change_routes(path, image),
        Route(front, _to_front_page, methods=["GET"]),
    ]


async def _to_front_page(request: Request) -> Response:
    """Send a browser that asks for the front page by its name to the address where Streamlit has it."""
    # relative, so that it holds behind a proxy that takes a part of the path away
    address = "./" + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(address, status_code=307, headers=NO_STORE)


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
        images = session.images
        result = add_files(images, [(name, data)], upload=upload, position=int(position), of=int(count))
        count_upload(len(result.added), result.duplicates, result.skipped, len(data))
        session.reader.begin()
        shown = images.images.get(result.shown)
        return {
            "added": list(result.added),
            "duplicates": result.duplicates,
            "skipped": result.skipped,
            "reason": result.reason,
            "shown": result.shown,
            "image": None if shown is None else _content(shown, session),
        }

    return JSONResponse(await run_in_threadpool(add), headers=NO_STORE)


def _content(image: WorklistImage, session: PageSession) -> dict[str, Any]:
    """Return what is shown of an image, with ``moment``."""
    moment = time.monotonic()
    return image_content(image, session.images, session.reader.predictor.card) | {"moment": moment}


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
                return Response(status_code=204, headers=NO_STORE)
            if images.keeper is not None:
                await run_in_threadpool(images.keeper.follow)
            if known:
                await _until_chosen_is_read(images, changed)
            body, tag = await run_in_threadpool(worklist_body, images)
            if tag != known:
                headers = {**NO_STORE, "ETag": tag, MOMENT_HEADER: str(time.monotonic())}
                return Response(body, media_type="application/json", headers=headers)
            if time.monotonic() >= end or is_closing():
                return Response(status_code=304, headers={**NO_STORE, "ETag": tag})
            await run_in_threadpool(session.reader.begin)
            await _next(changed, min(_POLL_SECONDS, end - time.monotonic()))


async def _image(request: Request, session: PageSession) -> Response:
    """Return what is shown of an image; one that waits is read next, and after a second its place in the queue."""
    image = find_image(request, session)
    await _until_read(image, session, IMAGE_SECONDS, decoded=False)

    def message() -> bytes:
        content = _content(image, session)
        content["wait"] = session.reader.status_text(image) if image.status == "waiting" else ""
        return json.dumps(content).encode()

    return Response(await run_in_threadpool(message), media_type="application/json", headers=NO_STORE)


async def _until_read(image: WorklistImage, session: PageSession, seconds: float, *, decoded: bool) -> None:
    """Wait at most so many seconds until an image was read, or until its pixels are there if they are asked for."""

    def there() -> bool:
        return image.radiograph is not None if decoded else image.status != "waiting"

    end = time.monotonic() + seconds
    with session.changes() as changed:
        while time.monotonic() < end:
            changed.clear()
            job = await run_in_threadpool(session.reader.request, image)
            if job is None or there():
                return
            # a full queue is tried again
            most = 0.1 if isinstance(job, Busy) else _POLL_SECONDS
            await _next(changed, min(most, max(0.0, end - time.monotonic())))
            # at once: another thread would have to wait for those that compute
            if there():
                return


async def _until_chosen_is_read(images: Worklist, changed: asyncio.Event) -> None:
    """Wait while the image that the tab shows is read, at most :data:`HELD_SECONDS`, and :data:`AFTER_SECONDS` more."""
    end, waited = time.monotonic() + HELD_SECONDS, False
    while (image := images.image()) is not None and image.status == "waiting" and time.monotonic() < end:
        waited = True
        await _next(changed, max(0.0, end - time.monotonic()))
        changed.clear()
    if waited:
        await asyncio.sleep(AFTER_SECONDS)


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
        image = find_image(request, session)
        await _until_read(image, session, IMAGE_SECONDS, decoded=True)
        radiograph = image.radiograph
        if radiograph is None:
            waits = image.status == "waiting" or image.has_file
            return Response(status_code=202 if waits else 204, headers=NO_STORE)
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
        headers = {**NO_STORE, "Content-Encoding": "identity"}
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
