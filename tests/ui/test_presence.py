"""When films are let go: once a tab cannot come back, by a clock that the test moves."""

import pytest

from cxr_core.ui import presence


class Clock:
    """Timers that ring when they are told to."""

    def __init__(self):
        self.set = []

    def Timer(self, seconds, ring):  # noqa: N802 - as threading calls it
        self.set.append(ring)
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
    monkeypatch.setattr(presence, "threading", clock)
    monkeypatch.setattr(presence, "_CLOSED", {})
    return clock


@pytest.fixture
def server(monkeypatch):
    server = Runtime()
    monkeypatch.setattr(presence, "runtime", server)
    return server


def closed_tab(let_go):
    tab = presence._Tab("a session")
    tab.let_go = lambda: let_go.append(tab)
    tab.closed()
    return tab


def test_a_tab_that_has_closed_for_good_lets_its_films_go(clock, server):
    gone = []
    tab = closed_tab(gone)
    assert gone == []
    clock.set[0]()
    assert gone == [tab]


def test_a_tab_that_came_back_keeps_them(clock, server):
    gone = []
    closed_tab(gone)
    server.active = True
    clock.set[0]()
    assert gone == []


def test_a_tab_that_came_back_and_was_lost_again_has_its_time_from_then(clock, server):
    gone = []
    closed_tab(gone)
    again = closed_tab(gone)
    # lost at this moment, but its own time is not over
    clock.set[0]()
    assert gone == []
    clock.set[1]()
    assert gone == [again]
