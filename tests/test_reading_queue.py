"""The queue of reads: no clock but one that the test moves, and no waiting but for what was let go on."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from cxr_core.errors import Busy, InputRefused
from cxr_core.imaging import phantom_png, read_radiograph
from cxr_core.imaging.isolated_decoder import IsolatedDecoder
from cxr_core.reading_queue import SLOW_SECONDS, FairQueue
from tests.bombs import endless_tiff


class Blocked:
    """A queue whose one hand is busy until :meth:`go`; what is done after that is noted in its order."""

    def __init__(self, most=100, clock=lambda: 0.0):
        self.queue, self.done = FairQueue(most, at_once=1, clock=clock), []
        self._begun, self._gate = threading.Event(), threading.Event()
        self.first = self.queue.ask("first", self._hold)
        assert self._begun.wait(60)

    def _hold(self):
        self._begun.set()
        assert self._gate.wait(60)

    def ask(self, reader, *names):
        return [self.queue.ask(reader, lambda name=name: self.done.append(name) or name) for name in names]

    def go(self, *jobs):
        self._gate.set()
        for job in jobs:
            job.result()
        return self.done


def test_readers_take_turns_and_one_image_does_not_wait_for_ten():
    blocked = Blocked()
    many = blocked.ask("a", *(f"a{n}" for n in range(10)))
    (one,) = blocked.ask("b", "b0")
    two = blocked.ask("c", "c0", "c1")
    assert [job.position() for job in (*many[:3], one, *two)] == [0, 3, 5, 1, 2, 4]
    done = blocked.go(*many, one, *two)
    assert done == ["a0", "b0", "c0", "a1", "c1", *(f"a{n}" for n in range(2, 10))]


def test_the_count_before_is_the_order_in_which_they_are_read():
    blocked = Blocked()
    jobs = {}
    for reader, count in (("a", 4), ("b", 1), ("c", 3), ("d", 2)):
        names = [f"{reader}{n}" for n in range(count)]
        jobs |= zip(names, blocked.ask(reader, *names), strict=True)
    expected = sorted(jobs, key=lambda name: jobs[name].position())
    assert sorted(job.position() for job in jobs.values()) == list(range(10))
    assert blocked.go(*jobs.values()) == expected


def test_one_more_than_may_wait_is_refused_with_how_long_it_is():
    blocked = Blocked(most=3)
    waiting = blocked.ask("a", "a0", "a1") + blocked.ask("b", "b0")
    with pytest.raises(Busy, match="3 images are waiting") as refused:
        blocked.ask("c", "c0")
    assert (refused.value.waiting, refused.value.seconds) == (3, blocked.queue.seconds(3))
    assert waiting[-1].cancel()
    waiting[-1:] = blocked.ask("c", "c0")
    assert blocked.go(*waiting) == ["a0", "c0", "a1"]


def test_an_error_is_given_to_who_asked_and_the_next_is_read():
    blocked = Blocked()

    def broken():
        raise InputRefused("no image")

    bad = blocked.queue.ask("a", broken)
    worse = blocked.queue.ask("b", lambda: exec("raise SystemExit"))
    (good,) = blocked.ask("c", "c0")
    assert blocked.go(good) == ["c0"]
    with pytest.raises(InputRefused, match="no image"):
        bad.result()
    with pytest.raises(SystemExit):
        worse.result()


def test_who_leaves_is_not_read_and_holds_nobody_up():
    blocked = Blocked()
    gone, stays = blocked.ask("a", "a0", "a1")
    (other,) = blocked.ask("b", "b0")
    assert gone.cancel()
    assert not gone.cancel()
    assert gone.wait(0)
    with pytest.raises(CancelledError):
        gone.result()
    assert (stays.position(), other.position()) == (0, 1)
    assert blocked.go(stays, other) == ["a1", "b0"]


def test_what_has_begun_is_finished_whoever_leaves():
    blocked = Blocked()
    assert blocked.first.position() is None
    assert not blocked.first.cancel()
    assert not blocked.first.wait(0)
    blocked.go(blocked.first)
    assert not blocked.first.cancel()


def test_readers_who_ask_at_the_same_time_get_their_own_answers():
    queue, answers = FairQueue(1000), {}

    def reader(name):
        jobs = [queue.ask(name, lambda n=n: (name, n)) for n in range(20)]
        answers[name] = [job.result() for job in jobs]

    threads = [threading.Thread(target=reader, args=(f"reader {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {f"reader {n}": [(f"reader {n}", k) for k in range(20)] for n in range(20)}


def test_the_estimate_follows_what_reads_take():
    now = [0.0]
    queue = FairQueue(10, at_once=1, clock=lambda: now[0])

    def read():
        now[0] += 2.0

    for _ in range(60):
        queue.ask("a", read).result()
    # the last answer is there before its time is counted
    assert queue.seconds(0) == pytest.approx(2.0, rel=0.01)
    assert queue.seconds(5) == pytest.approx(12.0, rel=0.01)


def test_background_jobs_wait_until_no_image_does_and_take_turns():
    blocked = Blocked()

    def background(reader, name):
        return blocked.queue.ask(reader, lambda: blocked.done.append(name) or name, background=True)

    later = [background("a", "a later"), background("a", "a last"), background("b", "b later")]
    images = blocked.ask("c", "c0", "c1") + blocked.ask("a", "a0")
    assert [job.position() for job in (*images, *later)] == [0, 2, 1, 3, 5, 4]
    assert blocked.go(*images, *later) == ["c0", "a0", "c1", "a later", "b later", "a last"]


def test_a_background_job_at_work_leaves_a_thread_to_the_image_that_comes():
    queue, begun, gate, tried = FairQueue(10, at_once=2), threading.Event(), threading.Event(), []
    first = queue.ask("a", lambda: (begun.set(), gate.wait(60)), background=True)
    assert begun.wait(60)
    second = queue.ask("b", lambda: tried.append("b"), background=True)
    assert queue.ask("c", lambda: list(tried)).result() == []
    # the second one would take the last free thread
    assert second.position() == 0
    assert second.cancel()
    gate.set()
    first.result()
    assert not tried


def test_a_full_queue_of_background_jobs_refuses_no_image():
    blocked = Blocked(most=1)
    later = blocked.queue.ask("a", lambda: blocked.done.append("later"), background=True)
    with pytest.raises(Busy):
        blocked.queue.ask("b", int, background=True)
    image = blocked.ask("c", "c0")
    # whoever waits behind a job that leaves goes on
    assert image[0].cancel()
    assert blocked.go(later) == ["later"]


def test_background_jobs_are_no_reads_in_the_estimate():
    now = [0.0]
    queue = FairQueue(10, at_once=1, clock=lambda: now[0])
    before = queue.seconds(0)

    def work():
        now[0] += SLOW_SECONDS + 1

    for _ in range(2):
        queue.ask("a", work, background=True).result()
    queue.ask("a", lambda: None, background=True).result()
    assert queue.seconds(0) == before


def test_a_desk_that_is_done_holds_nothing_of_the_image():
    import gc
    import weakref

    class WorklistImage:
        pass

    image = WorklistImage()
    queue, gone = FairQueue(10, at_once=1), weakref.ref(image)
    job = queue.ask("a", lambda image=image: id(image))
    job.result()
    queue.ask("a", lambda: None).result()
    del image
    gc.collect()
    assert gone() is None


def test_a_reader_whose_work_was_slow_leaves_a_hand_free_for_others():
    seconds = [0.0]
    queue, gates, begun = FairQueue(100, at_once=2, clock=lambda: seconds[0]), {}, {}

    def ask(reader, name):
        gates[name], begun[name] = threading.Event(), threading.Event()
        return queue.ask(reader, lambda: (begun[name].set(), gates[name].wait(60)))

    slow = [ask("hostile", f"slow {n}") for n in range(2)]
    assert all(begun[f"slow {n}"].wait(60) for n in range(2))
    # who comes now waits for one of the two
    early = ask("other", "early")
    seconds[0] = SLOW_SECONDS + 1
    gates["slow 0"].set()
    slow[0].result()
    assert begun["early"].wait(60)
    gates["early"].set()
    early.result()
    # from now on one hand at a time is all they have
    more = [ask("hostile", f"more {n}") for n in range(3)]
    late = ask("other", "late")
    assert begun["late"].wait(60)
    gates["late"].set()
    late.result()
    assert not any(begun[f"more {n}"].is_set() for n in range(3))
    for name in ("slow 1", "more 0", "more 1", "more 2"):
        assert begun[name].wait(60)
        gates[name].set()
    for job in (slow[1], *more):
        job.result()


def test_a_slow_reader_alone_is_served_by_a_desk_of_one_hand():
    seconds = [0.0]
    queue = FairQueue(100, at_once=1, clock=lambda: seconds[0])

    def work():
        seconds[0] += SLOW_SECONDS + 1

    for _ in range(3):
        queue.ask("a", work).result()


@pytest.mark.slow
def test_two_files_that_never_end_hold_a_second_reader_up_for_their_time_and_no_longer():
    decoder = IsolatedDecoder(seconds=2, megabytes=400, processes=2)
    hostile, good = endless_tiff(200_000), phantom_png(64, 64)
    # the processes are there before, as on a server
    read_radiograph(good, decoder=decoder)
    queue = FairQueue(100)
    jobs = [queue.ask("hostile", lambda: read_radiograph(hostile, decoder=decoder)) for _ in range(4)]
    start = time.monotonic()
    image = queue.ask("other", lambda: read_radiograph(good, decoder=decoder)).result()
    waited = time.monotonic() - start
    assert image.rows == 64
    # the limit and, on a busy machine, the start of a process in place of the one that was ended
    assert waited < 2 + 15
    for job in jobs:
        with pytest.raises(InputRefused, match="took more memory or time"):
            job.result()
    decoder.close()
