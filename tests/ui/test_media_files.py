"""Downloads of pages go to visitors who may read images, and no cache stores them."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse

from cxr_core.access import LOCAL, Role, Visitor, closed, signed_out
from cxr_core.ui.server import media_files
from cxr_core.ui.server.media_files import MediaFiles

ANN = Visitor("signed_in", "ann", "https://issuer", role=Role.READER)
STRANGER = Visitor("signed_in", "eve", "https://issuer", role=None)
REPORT = "/media/750efa31bf23cb3351c9045ae0e26151.pdf"


@pytest.fixture
def answer(monkeypatch):
    """Ask for a path as a person: status, text and what may be stored of it."""

    def ask(person, path: str, **headers: str):
        monkeypatch.setattr(media_files, "visitor_of_request", lambda request, **options: person)
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request"}

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": raw}
        asyncio.run(MediaFiles(PlainTextResponse("report"))(scope, receive, send))
        kept = dict(sent[0]["headers"]).get(b"cache-control", b"").decode()
        return sent[0]["status"], sent[1]["body"].decode(), kept

    return ask


@pytest.mark.parametrize("person", [ANN, LOCAL])
def test_who_may_read_images_gets_the_file_and_no_cache_keeps_it(answer, person):
    assert answer(person, REPORT) == (200, "report", "no-store")
    assert answer(person, f"/base{REPORT}") == (200, "report", "no-store")


@pytest.mark.parametrize("person", [signed_out(), Visitor("expired", "ann"), STRANGER, closed("Closed.")])
def test_nobody_else_gets_it(answer, person):
    status, text, kept = answer(person, REPORT)
    assert status in (401, 403)
    assert "report" not in text
    assert kept == "no-store"


def test_no_other_site_gets_it_by_the_cookies_of_the_browser(answer):
    assert answer(ANN, REPORT, sec_fetch_site="cross-site")[0] == 403
    assert answer(ANN, REPORT, sec_fetch_site="same-origin")[0] == 200
    # a download that the browser begins again by itself
    assert answer(ANN, REPORT, sec_fetch_site="none")[0] == 200


def test_other_paths_are_left_alone(answer):
    assert answer(signed_out(), "/static/js/index.js") == (200, "report", "")
