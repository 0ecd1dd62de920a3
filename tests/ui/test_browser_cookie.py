import asyncio

import pytest
from starlette.responses import PlainTextResponse

from cxr_core.access import LOCAL, Visitor
from cxr_core.settings import settings
from cxr_core.ui.server import browser_cookie
from cxr_core.ui.server.browser_cookie import BROWSER_COOKIE, BrowserCookie, reader_name

VALUE = "a" * 43


@pytest.fixture
def keep(monkeypatch):
    def use(value: str) -> None:
        monkeypatch.setenv("SECOND_READ_KEEP", value)
        settings.cache_clear()

    use("store")
    yield use
    monkeypatch.undo()
    settings.cache_clear()


def cookie_of(accept: str = "text/html", cookie: str = "", method: str = "GET", site: str = "", path: str = "/") -> str:
    """The cookie that a response sets, or nothing."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    headers = [(b"accept", accept.encode()), (b"cookie", cookie.encode())]
    headers += [(b"sec-fetch-site", site.encode())] if site else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(BrowserCookie(PlainTextResponse("page"))(scope, receive, send))
    return dict(sent[0]["headers"]).get(b"set-cookie", b"").decode()


def test_a_page_sets_a_random_cookie_that_no_script_reads(keep):
    cookies = {cookie_of() for _ in range(3)}
    assert len(cookies) == 3
    for cookie in cookies:
        value, *attributes = cookie.removeprefix(f"{BROWSER_COOKIE}=").split("; ")
        assert len(value) == 43
        assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict"]


def test_a_browser_keeps_its_cookie_and_one_that_is_none_is_replaced(keep):
    assert cookie_of(cookie=f"other=1; {BROWSER_COOKIE}={VALUE}").startswith(f"{BROWSER_COOKIE}={VALUE}; ")
    assert "x" * 44 not in cookie_of(cookie=f"{BROWSER_COOKIE}={'x' * 44}")


def test_nothing_else_sets_one(keep, monkeypatch):
    assert cookie_of(accept="application/json") == cookie_of(method="POST") == ""
    monkeypatch.setattr(browser_cookie, "sign_in_is_set_up", lambda: True)
    assert cookie_of() == ""


def test_a_list_in_memory_has_a_cookie_that_ends_with_the_browser(keep):
    keep("session")
    assert cookie_of().partition("; ")[2] == "Path=/; HttpOnly; SameSite=Strict"


def test_a_link_from_another_site_replaces_no_cookie(keep):
    # the browser keeps back a cookie that it may have
    assert cookie_of(site="cross-site") == cookie_of(site="same-site") == ""
    assert cookie_of(site="same-origin")
    # the page that is loaded then asks for this before it connects, with the cookie
    connects = {"accept": "*/*", "path": "/base/_stcore/host-config"}
    assert cookie_of(site="same-origin", **connects)
    assert cookie_of(site="same-origin", cookie=f"{BROWSER_COOKIE}={VALUE}", **connects) == ""
    assert cookie_of(site="cross-site", **connects) == cookie_of(**connects) == ""


class Context:
    def __init__(self, cookies):
        self.cookies = cookies


@pytest.mark.parametrize(
    ("person", "cookies", "name"),
    [
        (Visitor("signed_in", "anna", "https://issuer"), {BROWSER_COOKIE: VALUE}, "https://issuer|anna"),
        (LOCAL, {}, None),
        (LOCAL, {BROWSER_COOKIE: "x"}, None),
        (Visitor("signed_out"), {BROWSER_COOKIE: VALUE}, None),
    ],
)
def test_the_person_is_who_signed_in_or_the_browser(monkeypatch, person, cookies, name):
    monkeypatch.setattr(browser_cookie, "visitor", lambda: person)
    monkeypatch.setattr(browser_cookie.st, "context", Context(cookies))
    assert reader_name() == name
    monkeypatch.setattr(browser_cookie.st, "context", Context({BROWSER_COOKIE: VALUE}))
    monkeypatch.setattr(browser_cookie, "visitor", lambda: LOCAL)
    assert reader_name().startswith("browser|")
    assert VALUE not in reader_name()
