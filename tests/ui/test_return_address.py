import asyncio
from urllib.parse import quote

import pytest
from starlette.responses import PlainTextResponse

from cxr_core.access import LOCAL, Role, Visitor, signed_out
from cxr_core.ui.server import return_address
from cxr_core.ui.server.return_address import RETURN_COOKIE, ReturnAddress

ANN = Visitor("signed_in", "ann", "https://issuer", role=Role.READER)
EXPIRED = Visitor("expired", "ann")


@pytest.fixture
def answer(monkeypatch):
    """Ask for a path as a person: status, location, and the cookie that is set."""
    monkeypatch.setattr(return_address, "sign_in_is_set_up", lambda: True)

    def ask(person, path: str, query: str = "", waiting: str | None = None, accept: str = "text/html"):
        monkeypatch.setattr(return_address, "visitor_of_request", lambda request, **options: person)
        cookie = "" if waiting is None else f"{RETURN_COOKIE}={quote(waiting, safe='')}"
        headers = [(b"accept", accept.encode()), (b"cookie", cookie.encode())]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request"}

        asyncio.run(ReturnAddress(PlainTextResponse("page"))(scope, receive, send))
        headers = dict(sent[0]["headers"])
        return sent[0]["status"], headers.get(b"location", b"").decode(), headers.get(b"set-cookie", b"").decode()

    return ask


ADDRESS = "history?read=3f0a1b2c4d5e6f708192"


@pytest.mark.parametrize("person", [signed_out(), EXPIRED])
def test_an_address_waits_until_sign_in_and_is_opened_once(answer, person):
    status, _, cookie = answer(person, "/history", ADDRESS.partition("?")[2])
    assert status == 200
    value, *attributes = cookie.removeprefix(f"{RETURN_COOKIE}=").split("; ")
    assert value == quote(ADDRESS, safe="")
    assert attributes == ["Path=/", "Max-Age=600", "HttpOnly", "SameSite=Lax"]
    # the steps of the sign-in change nothing
    assert answer(person, "/auth/login", "provider=x", waiting=ADDRESS)[2] == ""
    assert answer(person, "/oauth2callback", "code=1&state=2", waiting=ADDRESS)[2] == ""
    status, location, cookie = answer(ANN, "/", waiting=ADDRESS)
    assert (status, location) == (303, f"/{ADDRESS}")
    assert "Max-Age=0" in cookie


def test_the_front_page_asks_for_nothing(answer):
    assert answer(signed_out(), "/")[2] == ""
    assert "Max-Age=0" in answer(signed_out(), "/", waiting=ADDRESS)[2]
    assert answer(ANN, "/") == (200, "", "")


def test_another_page_that_is_opened_after_sign_in_stays(answer):
    status, location, cookie = answer(ANN, "/model", waiting=ADDRESS)
    assert (status, location) == (200, "")
    assert "Max-Age=0" in cookie


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example.org?a=1",
        "https://evil.example.org?a",
        "history?read=1\r\nSet-Cookie: a=b",
        "a/../b?c",
        "oauth2callback?code=1",
        "history?" + "a" * 2000,
        "\\\\evil?a",
        "history?a=<script>",
    ],
)
def test_nothing_leads_elsewhere(answer, address):
    status, location, _ = answer(ANN, "/", waiting=address)
    assert (status, location) == (200, "")


def test_what_is_no_page_and_who_needs_no_sign_in_are_left_alone(answer, monkeypatch):
    assert answer(signed_out(), "/history", "read=1", accept="application/json")[2] == ""
    assert answer(LOCAL, "/history", "read=1")[2] == ""
    monkeypatch.setattr(return_address, "sign_in_is_set_up", lambda: False)
    assert answer(ANN, "/", waiting=ADDRESS) == (200, "", "")
