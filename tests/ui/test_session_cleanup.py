"""Images are released once a session cannot be restored; the test controls the timers."""

import pytest

from cxr_core.ui import session_cleanup


class Clock:
    """Timers that the test fires."""

    def __init__(self):
        self.timers = []

    def Timer(self, seconds, fire):  # noqa: N802 - as threading calls it
        self.timers.append(fire)
        return self

    def start(self):
        pass


class Runtime:
    def __init__(self):
        self.active = False

    def exists(self):
        return True

    def get_instance(self):
        return self

    def is_active_session(self, session):
        return self.active


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(session_cleanup, "threading", clock)
    monkeypatch.setattr(session_cleanup, "_LAST_CLOSED", {})
    return clock


@pytest.fixture
def server(monkeypatch):
    server = Runtime()
    monkeypatch.setattr(session_cleanup, "runtime", server)
    return server


def closed_connection(released):
    connection = session_cleanup._Connection("a session")
    connection.release = lambda: released.append(connection)
    connection.on_close()
    return connection


def test_a_closed_session_releases_its_images(clock, server):
    released = []
    connection = closed_connection(released)
    assert released == []
    clock.timers[0]()
    assert released == [connection]


def test_a_restored_session_keeps_its_images(clock, server):
    released = []
    closed_connection(released)
    server.active = True
    clock.timers[0]()
    assert released == []


def test_a_session_that_was_restored_and_lost_again_has_its_full_time(clock, server):
    released = []
    closed_connection(released)
    again = closed_connection(released)
    # lost at this moment, but the time of the second connection is not over
    clock.timers[0]()
    assert released == []
    clock.timers[1]()
    assert released == [again]
