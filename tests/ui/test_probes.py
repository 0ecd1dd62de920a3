"""The probes: what they answer, to whom, how often the checks run, and what a stranger does not see."""

import asyncio
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cxr_core.errors import PathUnusable
from cxr_core.operations.checks import SUMMARIES
from cxr_core.ui.server import middleware, probes
from cxr_core.ui.server.probes import Probes, Readiness
from tests.browser import serving

SECRET = "/srv/hospital/secret-path"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a busy machine a check that does nothing may take seconds."""
    monkeypatch.setattr(probes, "CHECK_SECONDS", 60)


def client(readiness):
    routes = [Route("/other", lambda request: PlainTextResponse("page"))]
    app = Probes(Starlette(routes=routes), readiness)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8501", timeout=60)


def answers(conversation, checks, clock=lambda: 0.0):
    """Run ``conversation(client)`` against checks by name, and return its result."""

    async def run():
        async with client(Readiness(checks, clock)) as asking:
            return await conversation(asking)

    return asyncio.run(run())


def failing():
    raise PathUnusable(f"Folder {SECRET} cannot be written.")


def test_alive_is_answered_without_a_check():
    checks = {"model": lambda: pytest.fail("a check ran")}
    answer = answers(lambda c: c.get("/healthz"), checks)
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert answer.headers["cache-control"] == "no-store"


def test_ready_says_so_and_unready_says_which_check_failed_without_a_path(caplog):
    answer = answers(lambda c: c.get("/readyz"), dict.fromkeys(SUMMARIES, lambda: None))
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": dict.fromkeys(SUMMARIES, "ok")}
    answer = answers(lambda c: c.get("/readyz"), {"model": lambda: None, "folders": failing})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert answer.json() == {"status": "not ready", "checks": {"model": "ok", "folders": SUMMARIES["folders"]}}
    assert SECRET not in answer.text
    # the administrator reads the reason in the log, once
    assert [SECRET in record.getMessage() for record in caplog.records] == [True]


def test_a_check_that_breaks_is_a_failed_one(caplog):
    def broken():
        raise ZeroDivisionError(SECRET)

    answer = answers(lambda c: c.get("/readyz"), {"store": broken})
    assert (answer.status_code, answer.json()["checks"]) == (503, {"store": SUMMARIES["store"]})
    assert SECRET not in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_flood_costs_one_run_of_the_checks_for_each_second():
    runs, now = [], [0.0]

    async def flood(asking):
        for second in range(3):
            now[0] = float(second)
            done = await asyncio.gather(*(asking.get("/readyz") for _ in range(200)))
            assert {answer.status_code for answer in done} == {200}
        return len(runs)

    assert answers(flood, {"model": lambda: runs.append(1)}, lambda: now[0]) == 3


def test_a_check_that_hangs_is_not_begun_again_and_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(probes, "CHECK_SECONDS", 0.05)
    gate, runs, now = threading.Event(), [], [0.0]

    def hang():
        runs.append(1)
        assert gate.wait(60)

    async def ask(asking):
        first = await asking.get("/readyz")
        now[0] += 10
        second = await asking.get("/readyz")
        gate.set()
        while True:
            now[0] += 10
            third = await asking.get("/readyz")
            if third.status_code == 200:
                return first, second, third

    first, second, _ = answers(ask, {"store": hang}, lambda: now[0])
    assert [first.json()["checks"]["store"], second.json()["checks"]["store"]] == [probes.SLOW] * 2
    # once while it hung, and once after it had ended or more
    assert runs[:1] == [1]


def test_other_methods_and_other_paths():
    async def ask(asking):
        return [await asking.request(method, path) for method, path in
                (("HEAD", "/healthz"), ("POST", "/readyz"), ("GET", "/other"), ("GET", "/healthz/x"))]  # fmt: skip

    head, posted, other, below = answers(ask, {})
    assert (head.status_code, head.content) == (200, b"")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
    assert other.text == "page"
    assert below.status_code == 404


def test_below_the_path_of_the_app(monkeypatch):
    monkeypatch.setattr(probes.st, "get_option", lambda name: "reading/room")

    async def ask(asking):
        return [(await asking.get(path)).status_code for path in ("/reading/room/healthz", "/healthz")]

    assert answers(ask, {}) == [200, 404]


def test_the_probes_come_with_the_headers_of_the_server():
    kinds = [entry.cls.__name__ for entry in middleware()]
    assert kinds[:3] == ["RequestIds", "SecurityHeaders", "Probes"]


@pytest.mark.slow
def test_a_server_with_a_model_that_does_not_exist_is_alive_and_not_ready(tmp_path):
    folders = {"SECOND_READ_HOME": str(tmp_path / "home"), "SECOND_READ_RUNS": str(tmp_path / "runs")}
    with serving(SECOND_READ_MODEL="no-such-model", **folders) as address:
        alive = httpx.get(f"{address}/healthz", timeout=60)
        assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
        ready = settled(address)
        assert ready.status_code == 503
        assert ready.json()["checks"] == dict.fromkeys(SUMMARIES, "ok") | {"model": SUMMARIES["model"]}
        assert str(tmp_path) not in ready.text
        assert ready.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in ready.headers
    with serving(**folders) as address:
        assert settled(address).json()["status"] == "ready"


def settled(address) -> httpx.Response:
    """Return the answer of /readyz once no check takes longer than it may, as all do on a busy machine."""
    for _ in range(60):
        answer = httpx.get(f"{address}/readyz", timeout=60)
        if probes.SLOW not in answer.text:
            return answer
        time.sleep(1)
    raise TimeoutError(answer.text)
