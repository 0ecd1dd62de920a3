"""The queue of reads: no clock but one that the test moves, and no waiting but for what was let go on."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from cxr_core.desk import SLOW_SECONDS, Desk
from cxr_core.errors import Busy, InputRefused
from cxr_core.imaging import phantom_png, read_radiograph
from cxr_core.imaging.apart import Apart
from tests.bombs import endless_tiff


class Blocked:
    """A desk whose one hand is busy until :meth:`go`; what is done after that is noted in its order."""

    def __init__(self, most=100, clock=lambda: 0.0):
        self.desk, self.done = Desk(most, at_once=1, clock=clock), []
        self._begun, self._gate = threading.Event(), threading.Event()
        self.first = self.desk.ask("first", self._hold)
        assert self._begun.wait(30)

    def _hold(self):
        self._begun.set()
        assert self._gate.wait(30)

    def ask(self, reader, *names):
        return [self.desk.ask(reader, lambda name=name: self.done.append(name) or name) for name in names]

    def go(self, *tickets):
        self._gate.set()
        for ticket in tickets:
            ticket.result()
        return self.done


def test_readers_take_turns_and_one_film_does_not_wait_for_ten():
    blocked = Blocked()
    many = blocked.ask("a", *(f"a{n}" for n in range(10)))
    (one,) = blocked.ask("b", "b0")
    two = blocked.ask("c", "c0", "c1")
    assert [ticket.before() for ticket in (*many[:3], one, *two)] == [0, 3, 5, 1, 2, 4]
    done = blocked.go(*many, one, *two)
    assert done == ["a0", "b0", "c0", "a1", "c1", *(f"a{n}" for n in range(2, 10))]


def test_the_count_before_is_the_order_in_which_they_are_read():
    blocked = Blocked()
    tickets = {}
    for reader, count in (("a", 4), ("b", 1), ("c", 3), ("d", 2)):
        names = [f"{reader}{n}" for n in range(count)]
        tickets |= zip(names, blocked.ask(reader, *names), strict=True)
    expected = sorted(tickets, key=lambda name: tickets[name].before())
    assert sorted(ticket.before() for ticket in tickets.values()) == list(range(10))
    assert blocked.go(*tickets.values()) == expected


def test_one_more_than_may_wait_is_refused_with_how_long_it_is():
    blocked = Blocked(most=3)
    waiting = blocked.ask("a", "a0", "a1") + blocked.ask("b", "b0")
    with pytest.raises(Busy, match="3 films wait to be read") as refused:
        blocked.ask("c", "c0")
    assert (refused.value.waiting, refused.value.seconds) == (3, blocked.desk.seconds(3))
    assert waiting[-1].leave()
    waiting[-1:] = blocked.ask("c", "c0")
    assert blocked.go(*waiting) == ["a0", "c0", "a1"]


def test_an_error_is_given_to_who_asked_and_the_next_is_read():
    blocked = Blocked()

    def broken():
        raise InputRefused("no film")

    bad = blocked.desk.ask("a", broken)
    worse = blocked.desk.ask("b", lambda: exec("raise SystemExit"))
    (good,) = blocked.ask("c", "c0")
    assert blocked.go(good) == ["c0"]
    with pytest.raises(InputRefused, match="no film"):
        bad.result()
    with pytest.raises(SystemExit):
        worse.result()


def test_who_leaves_is_not_read_and_holds_nobody_up():
    blocked = Blocked()
    gone, stays = blocked.ask("a", "a0", "a1")
    (other,) = blocked.ask("b", "b0")
    assert gone.leave()
    assert not gone.leave()
    assert gone.wait(0)
    with pytest.raises(CancelledError):
        gone.result()
    assert (stays.before(), other.before()) == (0, 1)
    assert blocked.go(stays, other) == ["a1", "b0"]


def test_what_has_begun_is_finished_whoever_leaves():
    blocked = Blocked()
    assert blocked.first.before() is None
    assert not blocked.first.leave()
    assert not blocked.first.wait(0)
    blocked.go(blocked.first)
    assert not blocked.first.leave()


def test_readers_who_ask_at_the_same_time_get_their_own_answers():
    desk, answers = Desk(1000), {}

    def reader(name):
        tickets = [desk.ask(name, lambda n=n: (name, n)) for n in range(20)]
        answers[name] = [ticket.result() for ticket in tickets]

    threads = [threading.Thread(target=reader, args=(f"reader {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {f"reader {n}": [(f"reader {n}", k) for k in range(20)] for n in range(20)}


def test_the_estimate_follows_what_reads_take():
    now = [0.0]
    desk = Desk(10, at_once=1, clock=lambda: now[0])

    def read():
        now[0] += 2.0

    for _ in range(60):
        desk.ask("a", read).result()
    # the last answer is there before its time is counted
    assert desk.seconds(0) == pytest.approx(2.0, rel=0.01)
    assert desk.seconds(5) == pytest.approx(12.0, rel=0.01)


def test_a_desk_that_is_done_holds_nothing_of_the_film():
    import gc
    import weakref

    class Film:
        pass

    film = Film()
    desk, gone = Desk(10, at_once=1), weakref.ref(film)
    ticket = desk.ask("a", lambda film=film: id(film))
    ticket.result()
    desk.ask("a", lambda: None).result()
    del film
    gc.collect()
    assert gone() is None


def test_a_reader_whose_work_was_slow_leaves_a_hand_free_for_others():
    seconds = [0.0]
    desk, gates, begun = Desk(100, at_once=2, clock=lambda: seconds[0]), {}, {}

    def ask(reader, name):
        gates[name], begun[name] = threading.Event(), threading.Event()
        return desk.ask(reader, lambda: (begun[name].set(), gates[name].wait(30)))

    slow = [ask("hostile", f"slow {n}") for n in range(2)]
    assert all(begun[f"slow {n}"].wait(30) for n in range(2))
    # who comes now waits for one of the two
    early = ask("other", "early")
    seconds[0] = SLOW_SECONDS + 1
    gates["slow 0"].set()
    slow[0].result()
    assert begun["early"].wait(30)
    gates["early"].set()
    early.result()
    # from now on one hand at a time is all they have
    more = [ask("hostile", f"more {n}") for n in range(3)]
    late = ask("other", "late")
    assert begun["late"].wait(30)
    gates["late"].set()
    late.result()
    assert not any(begun[f"more {n}"].is_set() for n in range(3))
    for name in ("slow 1", "more 0", "more 1", "more 2"):
        assert begun[name].wait(30)
        gates[name].set()
    for ticket in (slow[1], *more):
        ticket.result()


def test_a_slow_reader_alone_is_served_by_a_desk_of_one_hand():
    seconds = [0.0]
    desk = Desk(100, at_once=1, clock=lambda: seconds[0])

    def work():
        seconds[0] += SLOW_SECONDS + 1

    for _ in range(3):
        desk.ask("a", work).result()


def test_two_files_that_never_end_hold_a_second_reader_up_for_their_time_and_no_longer():
    decoder = Apart(seconds=2, megabytes=400, processes=2)
    hostile, good = endless_tiff(200_000), phantom_png(64, 64)
    # the processes are there before, as on a server
    read_radiograph(good, decoder=decoder)
    desk = Desk(100)
    tickets = [desk.ask("hostile", lambda: read_radiograph(hostile, decoder=decoder)) for _ in range(4)]
    start = time.monotonic()
    film = desk.ask("other", lambda: read_radiograph(good, decoder=decoder)).result()
    waited = time.monotonic() - start
    assert film.rows == 64
    # the limit and, on a busy machine, the start of a process in place of the one that was ended
    assert waited < 2 + 15
    for ticket in tickets:
        with pytest.raises(InputRefused, match="took more memory or time"):
            ticket.result()
    decoder.close()
