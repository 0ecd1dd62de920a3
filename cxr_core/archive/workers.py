"""Processes that prepare films ahead of the engine, and of which any may die.

Each has a pipe of its own and two films: one that it works on, one that waits. Nothing is shared that a process
could hold when it dies, a film that it held is known, and its results wait in its pipe while nobody asks for them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from ..blas import products_on_one_thread
from ..errors import CxrError

__all__ = ["Lost", "Workers", "WorkersUnusable"]

HELD = 2
TRIES = 2
"""A film whose process died is tried once more, in another."""
FAILED_STARTS = 5

K = TypeVar("K")
T = TypeVar("T")
_READY = "ready"


class WorkersUnusable(CxrError):
    """Processes cannot be started here, or die before they are ready."""


class Lost:
    """In place of a result: the process that worked on it died, or took too long, and so did a second one."""


class Workers(Generic[T]):
    """A few processes that do one job on many items.

    Args:
        job: done to each item, in a process of its own; it and its results go through a pipe, so that they must be
            small and picklable. An exception ends the process, as a crash does.
        processes: how many.
        seconds: after so long on one item a process is ended.
    """

    def __init__(self, job: Callable[[Any], T], processes: int, seconds: float) -> None:
        self._job, self._seconds = job, seconds
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._processes = processes

    def map(self, items: Iterable[tuple[K, Any]]) -> Iterator[tuple[K, T | Lost]]:
        """Yield (key, result) of each (key, item) as they come, in no order.

        Items are taken as there are processes for them. The caller may leave at any time, and then calls
        :meth:`close`.

        Raises:
            WorkersUnusable: processes die before they are ready, again and again.
        """
        source, again = iter(items), deque()
        while True:
            while len(self._workers) < self._processes:
                self._workers.append(_Worker(self._job))
            for worker in self._workers:
                self._fill(worker, source, again)
            busy = [worker for worker in self._workers if worker.held]
            if not busy:
                return
            readable = wait([worker.connection for worker in busy], timeout=1)
            for worker in busy:
                if worker.connection not in readable:
                    if worker.seconds() > self._seconds:
                        worker.kill()
                    continue
                try:
                    result = worker.receive()
                except (EOFError, OSError):
                    yield from self._bury(worker, again)
                else:
                    self._failed_starts = 0
                    if result is not _READY:
                        yield worker.done().key, result

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _fill(self, worker: _Worker, source: Iterator[tuple[K, Any]], again: deque[_Held]) -> None:
        while len(worker.held) < HELD:
            if again:
                worker.give(again.popleft())
            elif (following := next(source, None)) is not None:
                worker.give(_Held(*following))
            else:
                return

    def _bury(self, worker: _Worker, again: deque[_Held]) -> Iterator[tuple[K, Lost]]:
        """Put what a dead worker held where others take it; the one that it worked on counts a try."""
        self._workers.remove(worker)
        worker.end()
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                raise WorkersUnusable("Processes that prepare films die before they are ready. Is there memory left?")
        elif worker.held:
            first = worker.held.popleft()
            first.tries += 1
            if first.tries < TRIES:
                again.append(first)
            else:
                yield first.key, Lost()
        again.extend(worker.held)


class _Held(Generic[K]):
    def __init__(self, key: K, item: Any) -> None:
        self.key, self.item, self.tries = key, item, 0


class _Worker:
    """One process, and the items that it has been given and has not answered, the one it works on first."""

    def __init__(self, job: Callable[[Any], Any]) -> None:
        # a fork would take the engine's threads half along
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.held: deque[_Held] = deque()
        self.ready = False
        self._since = 0.0
        self._process = context.Process(target=_work, args=(theirs, job), daemon=True)
        try:
            with _interrupts_blocked():
                self._process.start()
        except OSError as error:
            raise WorkersUnusable("A process that prepares films cannot be started. Is there memory left?") from error
        theirs.close()

    def give(self, held: _Held) -> None:
        """Hand it an item."""
        if not self.held:
            self._since = time.monotonic()
        self.held.append(held)
        with contextlib.suppress(OSError):  # that it has died is found when it is listened to
            self.connection.send(held.item)

    def receive(self) -> Any:
        """Return what it says; EOFError or OSError where it has died."""
        result = self.connection.recv()
        self._since = time.monotonic()
        if not self.ready:
            self.ready = True
            return _READY
        return result

    def done(self) -> _Held:
        """Return the item that was just answered."""
        return self.held.popleft()

    def seconds(self) -> float:
        """Return for how long it has been at its item."""
        return time.monotonic() - self._since if self.ready else 0.0

    def kill(self) -> None:
        """Kill it; what it held is given to others when its pipe is seen to have ended."""
        self._process.kill()

    def end(self) -> None:
        """Kill it, and wait for it."""
        self._process.kill()
        self._process.join()
        self.connection.close()


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach: the one that started it ends it, in order."""
    handles = threading.current_thread() is threading.main_thread()
    # a new process keeps both: that the signal is ignored, and, where this thread may not say so, that it waits
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if handles else None
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        if handles:
            signal.signal(signal.SIGINT, before)


def _work(connection: Connection, job: Callable[[Any], Any]) -> None:
    """Answer items until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    products_on_one_thread()
    with contextlib.suppress(EOFError, OSError):
        connection.send(_READY)
        while True:
            item = connection.recv()
            try:
                result = job(item)
            except BaseException:
                # no word of it: it might quote the film. The item is tried again, and then refused
                os._exit(1)
            connection.send(result)
