"""Ids of requests: in the response, in the log, and in the line of the read that a request has brought."""

import asyncio
import logging
import subprocess
import sys

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cxr_core import logs
from cxr_core.access import audit
from cxr_core.imaging import phantom_png
from cxr_core.ui.server.request_ids import RequestIds
from tests.browser import PROJECT, serving, wait_for
from tests.deployment import SECRET, SECRETS
from tests.processes import free_port, stop
from tests.protocol import Reader, signed_in
from tests.ui.test_worklist_routes import answers, server

__all__ = ["server"]

PATIENT = "QZPLANTEDNAME"
FOREIGN = "5f0c" * 8
"""An id that looks like one of ours."""


@pytest.fixture
def lines(caplog):
    """What is logged, each line with the id that it has when it is written."""
    written = []

    class Noted(logging.Handler):
        def emit(self, record):
            written.append((logs.request_id(), record.getMessage(), getattr(record, "fields", {})))

    handler, logger = Noted(), logging.getLogger("cxr_core")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(level)


def ask(path="/", **headers) -> httpx.Response:
    def fail(request):
        return PlainTextResponse("no", 404)

    app = RequestIds(
        Starlette(routes=[Route("/", lambda request: PlainTextResponse("yes")), Route("/no/{name}", fail)])
    )

    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8501") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


@pytest.mark.parametrize("given", [{}, {"X-Request-ID": "abc-1"}, {"X-Request-ID": FOREIGN}, {"X-Request-ID": "a b"}])
def test_each_request_has_an_id_of_our_own_whatever_is_given(given):
    made = [ask(**given).headers["x-request-id"] for _ in range(2)]
    assert len({*made, *given.values()}) == 2 + len(given)
    assert all(len(one) == 32 for one in made)


def test_a_refused_request_is_logged_without_its_path(lines):
    identifier = ask(f"/no/{PATIENT}?name={PATIENT}", **{"X-Request-ID": "abc-1"}).headers["x-request-id"]
    assert lines == [(identifier, "Request refused.", {"method": "GET", "status": 404})]


def test_no_line_of_a_running_server_has_an_address(own_folders, tmp_path):
    log = tmp_path / "log"
    with free_port() as port, log.open("wb") as file:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        server = subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=subprocess.STDOUT)
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", b"alive", server)
            for method, path in (
                ("POST", f"/{PATIENT}"),
                ("GET", f"/?name={PATIENT}"),
                ("GET", f"/worklist/{PATIENT}"),
            ):
                httpx.request(method, f"http://127.0.0.1:{port}{path}", timeout=60)
        finally:
            stop(server)
    written = log.read_text()
    assert "Request refused." in written
    assert PATIENT not in written


def test_the_read_of_an_image_has_the_id_of_the_upload_that_brought_it(server, lines):
    tab = server.tab()

    async def conversation(client):
        added = await client.post("/worklist/images", content=phantom_png(256, 224), headers={"X-Request-ID": FOREIGN})
        digest = added.json()["shown"]
        async with asyncio.timeout(120):
            while (await client.get(f"/worklist/images/{digest}")).json()["status"] == "waiting":
                await asyncio.sleep(0.05)
        return digest, added.headers["x-request-id"]

    digest, made = answers(server, tab, conversation)
    ((identifier, _, fields),) = [line for line in lines if line[1] == "Image read."]
    assert (identifier, fields["image"], fields["outcome"]) == (made, digest, "read")
    assert fields["seconds"] > 0


def test_what_somebody_does_on_a_page_has_the_id_of_the_request_that_connected_the_tab(own_folders, tmp_path):
    own_folders.setenv("SECOND_READ_ROLE_CLAIM", "roles")
    secrets = tmp_path / "secrets.toml"
    # the cookie is valid for the origin of the request, whatever the provider's address is
    secrets.write_text(SECRETS.format(address="http://127.0.0.1:1"))

    async def connected(address):
        """The id that the answer to the tab's request has, by the subject of the sign-in."""
        ids = {}
        for subject in ("s-1", "s-2"):
            async with Reader(address, signed_in(SECRET, address, subject), given=FOREIGN) as reader:
                ids[subject] = reader.connected_by
        return ids

    with serving("--secrets.files", str(secrets)) as address:
        ids = asyncio.run(connected(address))
    assert len({FOREIGN, *ids.values()}) == 3
    signed = {event.who: event.request_id for event in audit.read()[0] if event.what == "sign-in"}
    assert signed == ids
