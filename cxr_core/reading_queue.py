"""One bounded queue for the images of all readers of the app, fair between them.

Readers take turns, one job per turn (round robin): ten images of one reader delay another reader's single image by one.
A job is a complete reading, decoding and network, so that no heavy work happens outside the queue. Its result, a value
or an error, is held by the :class:`Job`. Background jobs, which nobody waits for, begin only while no
image waits.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from .errors import Busy
from .settings import settings

__all__ = ["AT_ONCE", "FairQueue", "Job", "QueueState", "shared_queue"]

AT_ONCE = 2
"""Jobs that run at the same time, of all readers.

Two, each a separate request to the engine: the next image is decoded while the network processes the previous one. A
batch was measured to take no less time per image than single images (89 to 104 ms of CPU time against 79), and its
first image would have to wait until the last is decoded.
"""

_FIRST_GUESS = 0.5  # seconds of a read, until one was measured
_WEIGHT = 0.2  # of the latest read in the mean: the last ten or so count

SLOW_SECONDS = 5.0
"""A reader whose job took longer leaves one thread to the others from then on."""
_REMEMBERED = 1000  # number of such readers

T = TypeVar("T")

_Turns = OrderedDict[str, "deque[Job[Any]]"]
"""Jobs that wait, by reader, in the order of the readers' turns."""


@dataclass(frozen=True)
class QueueState:
    """What waits in a queue, at one moment.

    Attributes:
        waiting: jobs that wait.
        at_work: jobs that have begun and not ended.
        background: background jobs that wait.
        oldest_seconds: for how long the job that was asked for first has waited; 0 where none waits.
        still_seconds: for how long no job has begun or ended while one waited; 0 where none waits.
    """

    waiting: int
    at_work: int
    background: int
    oldest_seconds: float
    still_seconds: float


class Job(Generic[T]):
    """One job of a reader, waiting, running or done. Made by :meth:`FairQueue.ask`, at the time ``asked``."""

    def __init__(
        self, queue: FairQueue, reader: str, work: Callable[[], T], background: bool = False, asked: float = 0.0
    ) -> None:
        self.reader, self.background, self.asked = reader, background, asked
        self._queue = queue
        self._work: Callable[[], T] | None = work
        self._answer: Future[T] = Future()

    def position(self) -> int | None:
        """Return the number of jobs ahead of this one in the queue; None once it has begun."""
        return self._queue.position(self)

    def seconds(self) -> float:
        """Return the estimated seconds until the result, from the duration of the latest jobs."""
        return self._queue.seconds(self.position() or 0)

    def wait(self, seconds: float) -> bool:
        """Wait at most this many seconds; return whether the job is done."""
        return bool(wait_for([self._answer], seconds).done)

    def result(self) -> T:
        """Wait for the result; raises what the work raised, or CancelledError if the job was cancelled."""
        return self._answer.result()

    def add_done_callback(self, call: Callable[[], None]) -> None:
        """Call something once the job is done or cancelled, in the thread that does it; at once if it is done."""
        self._answer.add_done_callback(lambda _: call())

    def is_cancelled(self) -> bool:
        """Return whether the job was cancelled; it then has no result."""
        return self._answer.cancelled()

    def cancel(self) -> bool:
        """Cancel a waiting job; return False if it has begun, in which case it runs to its end."""
        if not self._queue.drop(self):
            return False
        self._answer.cancel()
        # wakes whoever waits for it
        self._answer.set_running_or_notify_cancel()
        return True

    def run(self) -> None:
        """Do the work and store its result; called once, by the queue."""
        work, self._work = self._work, None  # the image's bytes are in it
        try:
            if work is None:
                raise CancelledError
            self._answer.set_result(work())
        except BaseException as error:
            self._answer.set_exception(error)
        finally:
            # the error's traceback would keep it
            work = None


class FairQueue:
    """Runs the jobs of many readers in turn, a few at once. Safe to use from any thread.

    No job is ended for another: who comes while all threads are busy waits until one is free, at most for as long as a
    decoder may take (``decode_seconds``) and a read. A reader with a slow job, such as a file that keeps a decoder busy
    until it is killed, has one thread less than there are from then on, so that others find one.

    Background jobs take turns in a queue of their own: one at a time, which begins only while no other job waits. Where
    there are several threads one is always free of them, so that an image that comes is read at once.

    Args:
        most: jobs that may wait; a further one is refused.
        at_once: jobs that run at the same time, each in a thread of its own.
        clock: seconds, for the estimate of how long a wait will be.
    """

    def __init__(self, most: int, *, at_once: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._at_once, self._clock = most, at_once, clock
        self._turns: _Turns = OrderedDict()
        self._background: _Turns = OrderedDict()
        self._background_at_work = False
        self._changed = threading.Condition()
        self._closed = False
        self._mean = _FIRST_GUESS
        self._moved = clock()
        self._at_work: Counter[str] = Counter()
        self._slow: OrderedDict[str, None] = OrderedDict()
        for number in range(at_once):
            threading.Thread(target=self._serve, name=f"reading-{number}", daemon=True).start()

    def ask(self, reader: str, work: Callable[[], T], *, background: bool = False) -> Job[T]:
        """Add a job.

        Args:
            reader: identifies the reader.
            work: called without arguments, in a thread of the queue.
            background: whether the job gives way to all that are not.

        Raises:
            Busy: as many jobs wait as may, of those with this ``background``; or the queue is closed.
        """
        with self._changed:
            turns = self._background if background else self._turns
            waiting = sum(map(len, turns.values()))
            if waiting >= self._most or self._closed:
                raise Busy(waiting, self.seconds(waiting))
            job = Job(self, reader, work, background, self._clock())
            turns.setdefault(reader, deque()).append(job)
            self._changed.notify()
        return job

    def position(self, job: Job[Any]) -> int | None:
        """Return how many jobs begin before this one, if nobody else asks; None once it has begun."""
        with self._changed:
            turns = self._turns_of(job)
            jobs = turns.get(job.reader, ())
            if job not in jobs:
                return None
            place, passed = jobs.index(job), False
            count = place + (sum(map(len, self._turns.values())) if job.background else 0)
            for reader, waiting in turns.items():
                passed = passed or reader == job.reader
                if reader != job.reader:
                    # readers in front have one turn more than those behind
                    count += min(len(waiting), place if passed else place + 1)
            return count

    def close(self, seconds: float) -> bool:
        """Accept no further job, and wait at most so many seconds for those that it has; return whether all are done.

        Background jobs are not waited for, and begin no more.
        """
        with self._changed:
            self._closed = True
            self._background.clear()
            return self._changed.wait_for(lambda: not self._turns and not self._at_work, seconds)

    def state(self) -> QueueState:
        """Return what waits now."""
        with self._changed:
            now, asked = self._clock(), [job.asked for jobs in self._turns.values() for job in jobs]
            return QueueState(
                waiting=len(asked),
                at_work=self._at_work.total() + self._background_at_work,
                background=sum(map(len, self._background.values())),
                oldest_seconds=now - min(asked, default=now),
                # nothing has to move while nothing waits
                still_seconds=now - max(self._moved, min(asked)) if asked else 0.0,
            )

    def seconds(self, position: int) -> float:
        """Return the estimated seconds until a job is done, with ``position`` jobs before it."""
        return (position / self._at_once + 1) * self._mean

    def drop(self, job: Job[Any]) -> bool:
        """Remove a job from the queue; return False if it is no longer in it."""
        with self._changed:
            turns = self._turns_of(job)
            jobs = turns.get(job.reader)
            if jobs is None or job not in jobs:
                return False
            jobs.remove(job)
            if not jobs:
                del turns[job.reader]
            # a background job may have waited for this one alone
            self._changed.notify()
            return True

    def _turns_of(self, job: Job[Any]) -> _Turns:
        return self._background if job.background else self._turns

    def _serve(self) -> None:
        while True:
            with self._changed:
                while (job := self._next()) is None:
                    self._changed.wait()
            reader, background, start = job.reader, job.background, self._clock()
            job.run()
            # keep no reference to the image while waiting for the next job
            del job
            with self._changed:
                if background:
                    self._background_at_work = False
                    self._changed.notify_all()
                else:
                    self._done(reader, self._clock() - start)

    def _next(self) -> Job[Any] | None:
        """Take the job in turn out of the queue; None where none may begin."""
        reader = self._reader_in_turn()
        if reader is not None:
            self._moved = self._clock()
            self._at_work[reader] += 1
            return _take(self._turns, reader)
        if self._turns or self._background_at_work or not self._background:
            return None
        self._background_at_work = True
        return _take(self._background, next(iter(self._background)))

    def _reader_in_turn(self) -> str | None:
        """Return the next reader; None where nobody waits, or only readers who must leave a thread free."""
        allowed = max(1, self._at_once - 1)
        for reader in self._turns:
            if reader not in self._slow or self._at_work[reader] < allowed:
                return reader
        return None

    def _done(self, reader: str, seconds: float) -> None:
        self._mean += _WEIGHT * (seconds - self._mean)
        self._moved = self._clock()
        self._at_work[reader] -= 1
        if not self._at_work[reader]:
            del self._at_work[reader]
        if seconds > SLOW_SECONDS:
            self._slow[reader] = None
            self._slow.move_to_end(reader)
            if len(self._slow) > _REMEMBERED:
                self._slow.popitem(last=False)
        # a reader who had to leave this thread free may have it now
        self._changed.notify_all()


def _take(turns: _Turns, reader: str) -> Job[Any]:
    """Return the reader's next job; the reader's others go behind those of all."""
    waiting = turns.pop(reader)
    job = waiting.popleft()
    if waiting:
        turns[reader] = waiting
    return job


_making = threading.Lock()


def shared_queue() -> FairQueue:
    """Return the one queue of this process, of the length that the settings say."""
    with _making:
        return _queue()


@cache
def _queue() -> FairQueue:
    return FairQueue(settings().queue_images)
