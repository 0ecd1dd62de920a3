"""A stop by SIGTERM, with real processes: what was begun is finished, what is new is refused, and the process ends."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.exceptions import InvalidStatus

from cxr_core.errors import Busy
from cxr_core.imaging import phantom_png
from cxr_core.reading_queue import FairQueue
from cxr_core.ui.server import stopping
from cxr_core.ui.server.probes import Probes, Readiness
from cxr_core.ui.server.stopping import RefuseWhileStopping
from tests.bombs import endless_tiff
from tests.browser import PROJECT, wait_for
from tests.processes import free_port
from tests.protocol import Reader

HTML = {"Accept": "text/html"}


@pytest.fixture
def asked_to_stop():
    """This process behaves as one that was asked to stop."""
    stopping._stopping.set()
    yield
    stopping._stopping.clear()


def ask(*requests) -> list[httpx.Response]:
    """Send requests, as (method, path, headers), to an app that answers everything, behind the middleware."""
    methods = ["GET", "POST", "PUT"]
    routes = [Route("/{path:path}", lambda request: PlainTextResponse("served"), methods=methods)]
    app = Probes(RefuseWhileStopping(Starlette(routes=routes)), Readiness({"model": lambda: None}))

    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8501", timeout=60) as client:
            return [await client.request(method, path, headers=headers) for method, path, headers in requests]

    return asyncio.run(send())


NEW = [
    ("GET", "/", HTML), ("GET", "/model", HTML), ("POST", "/worklist/images", {}), ("POST", "/dicom-web/studies", {}),
    ("PUT", "/_stcore/upload_file/x/y", {}),
]  # fmt: skip
BEGUN = [
    ("GET", "/worklist", {}), ("GET", "/worklist/images/x/pixels", {}), ("POST", "/worklist/images/x/opinions", {}),
    ("POST", "/worklist/images/x/reveal", {}), ("GET", "/media/x.pdf", {}), ("GET", "/static/js/x.js", {}),
]  # fmt: skip


def test_what_is_new_is_refused_and_what_was_begun_is_served(asked_to_stop):
    for answer in ask(*NEW):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10"), answer.request.url
    for answer in ask(*BEGUN):
        assert (answer.status_code, answer.text) == (200, "served"), answer.request.url


def test_without_a_stop_everything_is_served():
    assert {answer.status_code for answer in ask(*NEW, *BEGUN)} == {200}


def test_a_process_that_stops_is_alive_and_not_ready(asked_to_stop):
    alive, ready = ask(("GET", "/healthz", {}), ("GET", "/readyz", {}))
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (503, {"status": "stopping", "checks": {}})


def test_a_queue_that_is_closed_finishes_what_it_has_and_takes_nothing_more():
    gate, begun, done = threading.Event(), threading.Event(), []
    queue = FairQueue(10, at_once=1)

    def hold():
        begun.set()
        assert gate.wait(60)

    queue.ask("a", hold)
    assert begun.wait(60)
    queue.ask("b", lambda: done.append("b"))
    queue.ask("b", lambda: done.append("background"), background=True)
    assert queue.close(0) is False
    with pytest.raises(Busy):
        queue.ask("c", lambda: done.append("c"))
    with pytest.raises(Busy):
        queue.ask("c", lambda: done.append("c"), background=True)
    gate.set()
    assert queue.close(60) is True
    assert done == ["b"]


@contextlib.contextmanager
def server(folder, **environment):
    """A server of its own, whose log is written to a file; gives its address, its process and the file."""
    log = folder / "log"
    settings = {"HOME": str(folder / "home"), "RUNS": str(folder / "runs"), "LOG_FORMAT": "json"} | environment
    named = {f"SECOND_READ_{name}": value for name, value in settings.items()}
    with free_port() as port, log.open("wb") as stderr:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        process = subprocess.Popen(
            command, cwd=PROJECT, env=os.environ | named, stdout=subprocess.DEVNULL, stderr=stderr
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/healthz", b"alive", process)
            yield address, process, log
        finally:
            process.kill()
            process.wait(60)


async def until(condition, seconds: float = 120):
    """Wait until ``condition()``, awaited, is true, and return what it gave."""
    async with asyncio.timeout(seconds):
        while not (result := await condition()):
            await asyncio.sleep(0.05)
        return result


async def ended(process, seconds: float = 240) -> int:
    return await asyncio.wait_for(asyncio.to_thread(process.wait), seconds)


def events(log) -> list[str]:
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


@pytest.mark.slow
def test_what_is_in_the_queue_is_read_and_shown_and_new_work_goes_elsewhere(tmp_path):
    async def conversation(address, process):
        asking = httpx.AsyncClient(base_url=address, timeout=60)
        async with asking as client, Reader(address) as slow, Reader(address) as one:
            for number in range(2):
                # each keeps a thread busy until its decoder is ended
                await slow.add(f"{number}.tif", endless_tiff() + bytes(number))

            async def state():
                text = (await client.get("/metrics")).text
                return {
                    name: float(number)
                    for name, number in (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
                }

            async def both_busy():
                return (await state())['second_read_queue_images{state="reading"}'] == 2

            await until(both_busy)
            shown = (await one.add("a.png", phantom_png(256, 224)))["shown"]
            process.send_signal(signal.SIGTERM)

            async def unready():
                return (await client.get("/readyz")).status_code == 503

            await until(unready)
            assert (await client.get("/readyz")).json() == {"status": "stopping", "checks": {}}
            assert (await client.get("/healthz")).status_code == 200
            refused = await one.request("POST", "/images", content=phantom_png(64, 64))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            assert (await client.get("/", headers=HTML)).status_code == 503
            with pytest.raises(InvalidStatus) as denied:
                async with Reader(address):
                    pass
            assert denied.value.response.status_code == 503
            # what had been accepted is read and shown
            assert (await one.image(shown))["findings"]
        return await ended(process)

    with server(tmp_path, DECODE_SECONDS="20", STOP_SECONDS="200") as (address, process, log):
        assert asyncio.run(conversation(address, process)) == -signal.SIGTERM
        assert "Stopping: 3 images are read to the end, new ones are refused." in events(log)
        assert not [event for event in events(log) if event.startswith("Stopping without")]


@pytest.mark.slow
def test_a_read_that_takes_longer_than_the_time_does_not_keep_the_process(tmp_path):
    async def conversation(address, process):
        async with httpx.AsyncClient(base_url=address, timeout=60) as client, Reader(address) as reader:
            await reader.add("endless.tif", endless_tiff())

            async def busy():
                return 'second_read_queue_images{state="reading"} 1.0' in (await client.get("/metrics")).text

            await until(busy)
            process.send_signal(signal.SIGTERM)
            return await ended(process)

    with server(tmp_path, DECODE_SECONDS="600", STOP_SECONDS="3") as (address, process, log):
        assert asyncio.run(conversation(address, process)) == -signal.SIGTERM
        assert "Stopping without 1 images that were not read in time." in events(log)


@pytest.mark.slow
def test_an_idle_process_ends(tmp_path):
    with server(tmp_path) as (_, process, log):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
        assert "Stopping: 0 images are read to the end, new ones are refused." in events(log)


@pytest.mark.slow
def test_a_second_signal_ends_a_process_that_waits(tmp_path):
    async def conversation(address, process):
        async with httpx.AsyncClient(base_url=address, timeout=60) as client, Reader(address) as reader:
            await reader.add("endless.tif", endless_tiff())

            async def busy():
                return 'second_read_queue_images{state="reading"} 1.0' in (await client.get("/metrics")).text

            async def unready():
                return (await client.get("/readyz")).status_code == 503

            await until(busy)
            process.send_signal(signal.SIGTERM)
            await until(unready)
            process.send_signal(signal.SIGTERM)
        return await ended(process)

    with server(tmp_path, DECODE_SECONDS="600", STOP_SECONDS="500") as (address, process, log):
        assert asyncio.run(conversation(address, process)) == -signal.SIGTERM
        assert not [event for event in events(log) if event.startswith("Stopping without")]
