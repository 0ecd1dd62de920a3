"""A destination that hangs is left alone for a while, and keeps neither other jobs nor other destinations waiting."""

import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest

from cxr_core.errors import PacsRefused, PacsUnavailable
from cxr_core.pacs import destinations
from cxr_core.pacs.addresses import WebAddress
from cxr_core.pacs.destinations import LONGEST_PAUSE, Destination, Pauses
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.worker import Worker
from tests.pacs.test_worker import RULES, UID, configure, image, ours, store  # noqa: F401 - fixtures

ARCHIVE, OTHER = (Destination(name, WebAddress("http://127.0.0.1:1/dicom-web")) for name in ("archive", "other"))


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which a test sets."""
    times = [0.0]
    monkeypatch.setattr(destinations, "monotonic", lambda: times[-1])
    return times


def fail(pauses, clock, seconds):
    """Let a destination fail after so many seconds; return whether it was asked."""
    before = len(clock)

    def attempt():
        with pauses.attempt(ARCHIVE):
            clock.append(clock[-1] + seconds)
            raise PacsUnavailable("archive does not answer.")

    with pytest.raises(PacsUnavailable, match="archive does not answer"):
        attempt()
    return len(clock) > before


def test_a_pause_is_as_long_as_the_failure_and_doubles(clock):
    pauses = Pauses()
    assert fail(pauses, clock, 60)
    for pause in (60, 120, 240, LONGEST_PAUSE, LONGEST_PAUSE):
        clock.append(clock[-1] + pause - 1)
        assert not fail(pauses, clock, 60)
        with pauses.attempt(OTHER):
            pass
        clock.append(clock[-1] + 1)
        assert fail(pauses, clock, 60)


def test_a_success_ends_it_and_a_refusal_is_an_answer(clock):
    pauses = Pauses()
    fail(pauses, clock, 60)
    clock.append(clock[-1] + 60)
    with pauses.attempt(ARCHIVE):
        pass
    assert fail(pauses, clock, 10)
    clock.append(clock[-1] + 10)
    with pytest.raises(PacsRefused), pauses.attempt(ARCHIVE):
        raise PacsRefused("archive refuses it.")
    assert fail(pauses, clock, 0)
    assert fail(pauses, clock, 0)


@contextmanager
def hanging(monkeypatch):
    """The address of a service that accepts connections and never answers, and how many there were."""
    monkeypatch.setattr("cxr_core.pacs.dicomweb.ANSWER_SECONDS", 0.5)
    connections = []

    def count():
        while True:
            try:
                connections.append(server.accept()[0])
            except BlockingIOError:
                return len(connections)

    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        server.setblocking(False)
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/dicom-web", count
        finally:
            for connection in connections:
                connection.close()


HUNG = """
[destinations.a-hung]
address = "{hung}"

[[rules]]
station = "HUNG"
results = [{{{{to = "a-hung", kinds = ["sr"]}}}}{more}]

[[rules]]"""


def test_new_work_waits_for_one_attempt_at_most(orthanc, configure, store, monkeypatch):  # noqa: F811
    # an attempt of a minute, and then a second after another
    times = chain((0, 60), repeat(61))
    monkeypatch.setattr(destinations, "monotonic", lambda: next(times))
    with hanging(monkeypatch) as (address, connections):
        configure(RULES.replace("[[rules]]", HUNG.format(hung=address, more="")), orthanc)
        worker = Worker(store, load_rules(), "worker")
        for number in range(4):
            store.add_instance(image(number, StationName="HUNG"), "AE ROOM1")
        worker.work_until_idle(threading.Event())
        assert [job.state for job in store.jobs()] == ["built"] * 4
        assert {"cannot be reached" in job.reason for job in store.jobs()} == {True}
        assert connections() == 1
        store.add_instance(image(9), "AE ROOM1")
        worker.plan()
        order, now = [], datetime.now(UTC) + timedelta(minutes=1)
        for _ in range(5):
            job = store.lease("worker", 60, now)
            order.append(job.sop_instance_uid)
            worker.work(job, threading.Event())
        assert set(order) == {f"{UID}.{number}" for number in (0, 1, 2, 3, 9)}
        assert [job.sop_instance_uid for job in store.jobs(["verified"])] == [f"{UID}.9"]
        assert connections() == 1


def test_another_destination_of_the_same_job_is_not_kept_waiting(orthanc, configure, store, monkeypatch):  # noqa: F811
    with hanging(monkeypatch) as (address, connections):
        more = ', {{to = "archive", kinds = ["sr"]}}'
        configure(RULES.replace("[[rules]]", HUNG.format(hung=address, more=more)), orthanc)
        store.add_instance(image(StationName="HUNG"), "AE ROOM1")
        Worker(store, load_rules(), "worker").work_until_idle(threading.Event())
        (job,) = store.jobs()
        assert (job.state, "cannot be reached" in job.reason) == ("built", True)
        assert {result.destination: bool(result.sent) for result in store.results(job.id)} == {
            "a-hung": False,
            "archive": True,
        }
        assert len(ours(orthanc)) == 1
        assert connections() == 1
