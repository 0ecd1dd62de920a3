"""Routes by which the reader changes the worklist: opinions, comments, reveals and removals in.

They do not go through Streamlit, which drops a message of a component where the next one overtakes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ...errors import CxrError, InputRefused, WrongArguments
from ..opinions import add_opinion, keep_comment, opinions_message, reveal
from ..reading_messages import image_version
from ..worklist import Worklist
from .checked_routes import NO_STORE, checked, find_image
from .connections import Refused
from .page_sessions import PageSession

__all__ = ["OPINION_BYTES", "change_routes", "set_removed"]

OPINION_BYTES = 16_384
"""Largest body of an opinion: its comment is short."""


def change_routes(worklist: str, image: str) -> list[BaseRoute]:
    """Return the routes, below the path of the worklist and that of one image."""
    return [
        Route(f"{image}/opinions", checked(_opinion), methods=["POST"]),
        Route(f"{image}/comments", checked(_comment), methods=["POST"]),
        Route(f"{image}/reveal", checked(_reveal), methods=["POST"]),
        Route(f"{worklist}/removals", checked(_removals), methods=["POST"]),
    ]


async def _opinion(request: Request, session: PageSession) -> Response:
    """Add the reader's opinion of a finding, and answer once it is stored.

    The body is ``{"label", "opinion", "comment"}`` as JSON; the answer has all opinions on the image, and its version.
    """
    image = find_image(request, session)
    body = await _short_body(request, "An opinion")
    label, opinion, comment = _texts(body, "An opinion", ("label", "opinion", "comment"))

    def add() -> dict[str, Any]:
        with _refusals("The opinion was not stored."):
            add_opinion(session.images, image, label, opinion, comment)
        return {"version": image_version(image, session.images), "opinions": opinions_message(image)}

    return JSONResponse(await run_in_threadpool(add), headers=NO_STORE)


async def _comment(request: Request, session: PageSession) -> Response:
    """Keep a comment on a finding until an opinion is given with it; the body is ``{"label", "comment"}`` as JSON."""
    image = find_image(request, session)
    label, comment = _texts(await _short_body(request, "A comment"), "A comment", ("label", "comment"))

    def keep() -> None:
        with _refusals("The comment was not kept."):
            keep_comment(session.images, image, label, comment)

    await run_in_threadpool(keep)
    return Response(status_code=204, headers=NO_STORE)


async def _short_body(request: Request, what: str) -> bytes:
    """Return the body of a request; raises Refused where it is longer than :data:`OPINION_BYTES`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > OPINION_BYTES:
            raise Refused(413, f"{what} has at most {OPINION_BYTES:,} bytes.")
    return bytes(body)


async def _reveal(request: Request, session: PageSession) -> Response:
    """Show the findings that "Read first" hides; the answer is ``{"changed"}``: whether they were hidden."""
    image = find_image(request, session)

    def show() -> dict[str, bool]:
        with _refusals("That they are shown cannot be stored."):
            return {"changed": reveal(session.images, image)}

    return JSONResponse(await run_in_threadpool(show), headers=NO_STORE)


async def _removals(request: Request, session: PageSession) -> Response:
    """Remove images, and undo a removal.

    The body is ``{"ids", "undone"}`` as JSON: the digests of all images that are to be removed, and of those that are
    to be put back.
    """
    # of bounded length, as any body that is no upload (uploads.OTHER_BYTES)
    ids, undone = _removal_fields(await request.body())

    def remove() -> None:
        with _refusals("The removal was not stored."):
            set_removed(session.images, ids, undone)

    await run_in_threadpool(remove)
    return Response(status_code=204, headers=NO_STORE)


def set_removed(images: Worklist, digests: Set[str], undone: Set[str]) -> None:
    """Have these images removed, and those that are undone put back, as one removal that can be undone.

    A request states all that its tab knows of, so that a second one after a failure changes nothing more. What another
    tab has removed in the meantime, of which this one does not know yet, stays removed.
    """
    with images.unchanged():
        last = set() if images.removal is None else {image.digest for image in images.removal.entries()}
        added_again = last & images.images.keys()
        if last & undone or added_again:
            images.undo_removal()
        images.remove(*((digests | (last - added_again)) - undone))
    elsewhere = undone - last - images.images.keys()
    if elsewhere and images.keeper is not None:
        # removed in another process, such as this one's predecessor: the next look at the store restores them
        images.keeper.returned(sorted(elsewhere))


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


def _texts(body: bytes, what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the strings of these names that a body has; raises Refused where it is something else."""
    given = _json(body)
    if isinstance(given, dict) and given.keys() == set(names) and all(isinstance(one, str) for one in given.values()):
        return tuple(given[name] for name in names)
    count = {2: "two", 3: "three"}[len(names)]
    raise Refused(400, f"{what} is a JSON object of {count} strings: {', '.join(names[:-1])} and {names[-1]}.")


def _removal_fields(body: bytes) -> tuple[set[str], set[str]]:
    """Return both sets of digests of a body; raises Refused where it is something else."""
    given = _json(body)
    if isinstance(given, dict) and given.keys() == {"ids", "undone"}:
        ids, undone = given["ids"], given["undone"]
        if all(isinstance(one, list) and all(isinstance(digest, str) for digest in one) for one in (ids, undone)):
            return set(ids), set(undone)
    raise Refused(400, "A removal is a JSON object of two lists of digests: ids and undone.")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
