"""Limits on requests, as the server sees them: what is received of a body that is refused."""

import asyncio

import pytest

from cxr_core.ui.server.connections import Refused
from cxr_core.ui.server.uploads import LimitedRequests

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/worklist/removals",
    "query_string": b"",
    "headers": [],
    "client": ("127.0.0.1", 1),
}
BODY = [
    {"type": "http.request", "body": b"[1, ", "more_body": True},
    {"type": "http.request", "body": b"2]", "more_body": False},
]


@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_refusal_is_sent_once_the_body_was_received_whoever_received_it(read):
    """After its body a request has nothing more to receive until its connection ends: a refusal waits for nothing."""
    left, sent = list(BODY), []

    async def route(scope, receive, send):
        for _ in range(read):
            await receive()
        raise Refused(409, "This image has not been read yet.")

    async def receive():
        assert left, "the connection stays open"
        return left.pop(0)

    async def send(message):
        # a client that is cut off while it sends would not see it
        assert not left
        sent.append(message)

    asyncio.run(LimitedRequests(route)(SCOPE, receive, send))
    assert sent[0]["status"] == 409
    assert sent[1]["body"] == b"This image has not been read yet."


def test_a_body_that_was_too_slow_is_not_waited_for():
    sent = []

    async def route(scope, receive, send):
        raise Refused(408, "The upload was too slow. Add the file again.")

    async def receive():
        raise AssertionError("nothing more is received")

    async def send(message):
        sent.append(message)

    asyncio.run(LimitedRequests(route)(SCOPE, receive, send))
    assert sent[0]["status"] == 408
