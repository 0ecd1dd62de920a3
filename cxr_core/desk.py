"""The reading desk: one queue for all readers of the app, bounded, and fair between them.

Turns go round over the readers who have work waiting, one piece of work a turn: ten films of one reader
hold another's single film up by one. A piece of work is a whole read, decoding and network, so that nothing
heavy happens beside the queue. What comes of it, an answer or an error, goes to the ticket of who asked.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from functools import cache
from typing import Generic, TypeVar

from .errors import Busy
from .settings import settings

__all__ = ["AT_ONCE", "Desk", "Ticket", "shared_desk"]

AT_ONCE = 2
"""Pieces of work at the same time, by whoever asked.

Two, each a request of its own to the engine: the next film is decoded while the network looks at the one before. A
batch of the network was measured to take as long for each film as films one by one (89 to 104 ms of processor
against 79), and its first film would have to wait until its last is decoded.
"""

_FIRST_GUESS = 0.5  # seconds of a read, until one was measured
_WEIGHT = 0.2  # of the latest read in the mean: the last ten or so count

SLOW_SECONDS = 5.0
"""A reader of whom a piece of work took longer leaves one hand free from then on."""
_REMEMBERED = 1000  # such readers, the last ones

T = TypeVar("T")


class Ticket(Generic[T]):
    """A place in the queue, and then the answer. Made by :meth:`Desk.ask`."""

    def __init__(self, desk: Desk, reader: str, work: Callable[[], T]) -> None:
        self.reader = reader
        self._desk, self._work = desk, work
        self._answer: Future[T] = Future()

    def before(self) -> int | None:
        """Return how many pieces of work begin before this one; None once it has begun."""
        return self._desk.before(self)

    def seconds(self) -> float:
        """Return about how long it is until the answer, by what reads took lately."""
        return self._desk.seconds(self.before() or 0)

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; return whether it is done."""
        return bool(wait_for([self._answer], seconds).done)

    def result(self) -> T:
        """Return the answer, as soon as it is there; raises what the work raised, CancelledError where it was left."""
        return self._answer.result()

    def left(self) -> bool:
        """Return whether the place was given up: there is no answer then."""
        return self._answer.cancelled()

    def leave(self) -> bool:
        """Give the place up; return False where the work has begun, which is then finished."""
        if not self._desk.drop(self):
            return False
        self._answer.cancel()
        # wakes whoever waits for it
        self._answer.set_running_or_notify_cancel()
        return True

    def run(self) -> None:
        """Do the work, and keep what comes of it; once, by the desk."""
        try:
            self._answer.set_result(self._work())
        except BaseException as error:
            self._answer.set_exception(error)
        finally:
            # the film's bytes are in it
            self._work = _done


def _done() -> None:
    raise CancelledError


class Desk:
    """Does the work of many readers in turn, a few pieces at once. Safe to use from any thread.

    No piece of work is ended for another: who comes while all hands are busy waits until one is free, at most for as
    long as a decoder may take (``decode_seconds``) and a read. But a reader whose work was slow once, as a file is
    that keeps a decoder busy until it is ended, has one hand less than there are at a time, so that others find one.

    Args:
        most: pieces of work that may wait; a further one is refused.
        at_once: how many are done at the same time, each in a thread of its own.
        clock: seconds, for the estimate of how long a wait will be.
    """

    def __init__(self, most: int, *, at_once: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._at_once, self._clock = most, at_once, clock
        self._turns: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._changed = threading.Condition()
        self._mean = _FIRST_GUESS
        self._at_work: Counter[str] = Counter()
        self._slow: OrderedDict[str, None] = OrderedDict()
        for number in range(at_once):
            threading.Thread(target=self._serve, name=f"desk-{number}", daemon=True).start()

    def ask(self, reader: str, work: Callable[[], T]) -> Ticket[T]:
        """Take a place for a piece of work.

        Args:
            reader: who asks; any name that is one reader's own.
            work: what is to be done, without arguments.

        Raises:
            Busy: as many wait as may.
        """
        with self._changed:
            waiting = self._waiting()
            if waiting >= self._most:
                raise Busy(waiting, self.seconds(waiting))
            ticket = Ticket(self, reader, work)
            self._turns.setdefault(reader, deque()).append(ticket)
            self._changed.notify()
        return ticket

    def before(self, ticket: Ticket) -> int | None:
        """Return how many pieces of work begin before this one, if nobody else asks; None once it has begun."""
        with self._changed:
            own = self._turns.get(ticket.reader, ())
            if ticket not in own:
                return None
            place, passed = own.index(ticket), False
            count = place
            for reader, waiting in self._turns.items():
                passed = passed or reader == ticket.reader
                if reader != ticket.reader:
                    # whoever stands in front has one turn more than those behind
                    count += min(len(waiting), place if passed else place + 1)
            return count

    def seconds(self, before: int) -> float:
        """Return about how long a piece of work takes from now on, with so many before it."""
        return (before / self._at_once + 1) * self._mean

    def drop(self, ticket: Ticket) -> bool:
        """Take a ticket out of the queue; return False where it is no longer in it."""
        with self._changed:
            own = self._turns.get(ticket.reader, ())
            if ticket not in own:
                return False
            own.remove(ticket)
            if not own:
                del self._turns[ticket.reader]
            return True

    def _waiting(self) -> int:
        return sum(map(len, self._turns.values()))

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._reader_in_turn)
                ticket = self._next()
            start, reader = self._clock(), ticket.reader
            ticket.run()
            # nothing of a film stays here until the next one comes
            del ticket
            with self._changed:
                self._done(reader, self._clock() - start)

    def _next(self) -> Ticket:
        reader = self._reader_in_turn()
        waiting = self._turns.pop(reader)
        ticket = waiting.popleft()
        if waiting:
            self._turns[reader] = waiting
        self._at_work[reader] += 1
        return ticket

    def _reader_in_turn(self) -> str | None:
        """Return who is next; None where nobody waits, or only who must leave a hand free."""
        most = max(1, self._at_once - 1)
        for reader in self._turns:
            if reader not in self._slow or self._at_work[reader] < most:
                return reader
        return None

    def _done(self, reader: str, seconds: float) -> None:
        self._mean += _WEIGHT * (seconds - self._mean)
        self._at_work[reader] -= 1
        if not self._at_work[reader]:
            del self._at_work[reader]
        if seconds > SLOW_SECONDS:
            self._slow[reader] = None
            self._slow.move_to_end(reader)
            if len(self._slow) > _REMEMBERED:
                self._slow.popitem(last=False)
        # who had to leave this hand free may have it now
        self._changed.notify_all()


_making = threading.Lock()


def shared_desk() -> Desk:
    """Return the process' one desk, as long as the settings say."""
    with _making:
        return _desk()


@cache
def _desk() -> Desk:
    return Desk(settings().queue_films)
