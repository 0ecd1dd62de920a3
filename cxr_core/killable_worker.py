"""Processes that can be killed: limited in time and memory, and replaced when they die.

Used for decoding (:mod:`cxr_core.imaging.isolated_decoder`) and for preparing the images of an archive
(:mod:`cxr_core.archive.pipeline`). A request and its answers are messages: a line of JSON, and as many bytes as it
says. Nothing that a worker sends is unpickled here: a codec that a hostile file has taken over is confined to its own
process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import LifoQueue
from typing import IO, Any, cast

from .errors import InputRefused

__all__ = ["Answer", "Head", "Message", "Reply", "WorkerLost", "WorkerPool", "WorkerUnstartable"]

PROJECT = Path(__file__).resolve().parents[1]

LATE = 5
"""Seconds after its time limit after which a worker ends itself, in case its parent does not end it."""

PARENT_SECONDS = 1.0
"""Between two looks of a worker whether its parent is still there."""

MOST_HEAD, MOST_BODY = 2**26, 2**30
"""Largest bytes of a message: a worker that a hostile file has taken over must not fill the memory of its parent."""

_PIPE_BYTES = 2**20
"""What Linux grants every user (fs.pipe-max-size)."""

Head = dict[str, Any]
Message = tuple[Head, bytes]
Reply = tuple[Head, bytes | memoryview]
Answer = Callable[[Head, bytes], Iterable[Reply]]
"""Answers a request, in the worker; every answer but the last has ``more`` in its head."""


class WorkerLost(Exception):
    """A worker died during a request, or was killed because it took too long."""


class WorkerUnstartable(Exception):
    """A worker cannot be started, or dies before it is ready."""


class WorkerPool:
    """A few workers, started when needed, and again when they have died. Safe to use from several threads.

    Args:
        target: ``module:function`` that is called in each worker with ``setup`` and returns its :data:`Answer`.
        processes: number of simultaneous requests; a further one waits.
        setup: argument of ``target``.
        megabytes: memory (10^6 bytes) that a worker may use beyond its libraries; unlimited by default, and where the
            system has no such limit.
    """

    def __init__(self, target: str, processes: int, *, setup: bytes = b"", megabytes: int | None = None) -> None:
        self._target, self._setup, self._megabytes = target, setup, megabytes
        # last in, first out: a caller with one request at a time uses one worker
        self._free: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(processes):
            self._free.put(None)
        self._workers: set[_Worker] = set()
        self._closed = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start a worker ahead of the first request, without waiting for it."""
        worker = self._free.get()
        try:
            with contextlib.suppress(WorkerUnstartable):
                worker = worker or self._started()
        finally:
            self._free.put(worker)

    def ask(self, head: Head, body: bytes = b"", *, seconds: float) -> Iterator[Message]:
        """Yield the answers to a request. A caller that leaves before the last one ends the worker.

        Args:
            head: of the request, JSON.
            body: of the request.
            seconds: time from when the worker is ready until it is killed.

        Raises:
            InputRefused: the worker's answer.
            WorkerLost: it died or was killed.
            WorkerUnstartable: no worker can be started.
        """
        free = self._free.get()
        worker: _Worker | None = None
        finished = False
        try:
            if free is not None and not free.is_alive():
                self._end(free)
                free = None
            worker = asked = free or self._started()
            asked.wait_until_ready()
            with asked.killed_after(seconds) as watch:
                asked.send(head | {"seconds": seconds}, body)
                while not finished:
                    answer, content = asked.receive()
                    finished = not answer.get("more", False)
                    if finished:
                        # before this generator is closed, since the caller may keep it open after the last answer
                        watch.cancel()
                    if "refused" in answer:
                        raise InputRefused(answer["refused"])
                    yield answer, content
        except (EOFError, OSError, ValueError) as error:
            raise WorkerLost from error
        finally:
            if worker is not None and not finished:
                # its remaining answers would be taken for those of the next request
                self._end(worker)
                worker = None
            self._free.put(worker)

    def close(self) -> None:
        """Kill all workers; requests in other threads raise WorkerLost."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        for free in [self._free.get() for _ in range(self._free.qsize())]:
            if free is not None:
                self._end(free)
            self._free.put(None)

    def _started(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise WorkerUnstartable
            worker = _Worker(self._target, self._setup, self._megabytes)
            self._workers.add(worker)
            return worker

    def _end(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._workers.discard(worker)


class _Worker:
    """One process, seen from its parent. Not thread-safe, except for :meth:`kill`."""

    def __init__(self, target: str, setup: bytes, megabytes: int | None) -> None:
        # by its path, not from the working directory, which the user chooses
        program = "import sys; sys.path.insert(0, sys.argv[1]); from cxr_core import killable_worker as worker; "
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own module and function
                [sys.executable, "-P", "-c", program + "worker.serve(sys.argv[2])", str(PROJECT), target],
                # to print the backtrace of a panic Rust takes memory, and waits for ever where there is none
                env=os.environ | {"RUST_BACKTRACE": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise WorkerUnstartable from error
        self._requests, self._answers = cast("IO[bytes]", self._child.stdin), cast("IO[bytes]", self._child.stdout)
        for stream in (self._requests, self._answers):
            _widen(stream)
        self._ready = False
        with contextlib.suppress(OSError):  # a process that has died is detected when it is waited for
            self.send({"megabytes": megabytes}, setup)

    def wait_until_ready(self) -> None:
        """Wait until its libraries are loaded, which takes a second and is not the request's time."""
        if not self._ready:
            try:
                self.receive()
            except (EOFError, OSError, ValueError) as error:
                raise WorkerUnstartable from error
            self._ready = True

    @contextlib.contextmanager
    def killed_after(self, seconds: float) -> Iterator[threading.Timer]:
        watch = threading.Timer(seconds, self.kill)
        # a program that ends does not wait for it: the worker ends itself
        watch.daemon = True
        watch.start()
        try:
            yield watch
        finally:
            watch.cancel()

    def is_alive(self) -> bool:
        return self._child.poll() is None

    def send(self, head: Head, body: bytes) -> None:
        _send(self._requests, head, body)

    def receive(self) -> Message:
        return _receive(self._answers)

    def kill(self) -> None:
        self._child.kill()

    def end(self) -> None:
        """Kill it, and wait for it."""
        self._child.kill()
        self._child.wait()
        for stream in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                stream.close()


def _widen(stream: IO[bytes]) -> None:
    """Let a pipe hold an image, so that who writes it need not be woken for every 64 KiB; where the system can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(stream: IO[bytes], head: Head, body: bytes | memoryview = b"") -> None:
    stream.write(json.dumps(head | {"bytes": len(body)}).encode() + b"\n")
    stream.write(body)
    stream.flush()


def _receive(stream: IO[bytes]) -> Message:
    """Read one message; raises EOFError where the other process has ended, ValueError where it is not a message."""
    line = stream.readline(MOST_HEAD)
    if not line:
        raise EOFError
    head = json.loads(line)
    size = head.get("bytes") if isinstance(head, dict) else None
    if not isinstance(size, int) or not 0 <= size <= MOST_BODY:
        raise ValueError
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return head, body


# In the worker


def serve(target: str) -> None:
    """Answer the requests on stdin until it ends; the body of :class:`_Worker`'s process."""
    # Ctrl-C is handled by the command that started this process, which then ends it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # output of libraries is discarded: the answers have a separate channel
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    requests = sys.stdin.buffer
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError):
        head, setup = _receive(requests)
        module, _, function = target.partition(":")
        answer: Answer = getattr(importlib.import_module(module), function)(setup)
        _bound_memory(head["megabytes"])
        _send(answers, {"ready": True})
        while True:
            head, body = _receive(requests)
            # any other exception ends the process without a message, which might quote the image
            try:
                with _ended_after(head["seconds"]):
                    for reply, content in answer(head, body):
                        _send(answers, reply, content)
            except InputRefused as refusal:
                _send(answers, {"refused": str(refusal)})


def _end_with_parent(parent: int) -> None:
    """End this process once its parent has died, whatever it computes: nobody receives the answer."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def _bound_memory(megabytes: int | None) -> None:
    """Limit the memory of this process beyond what its libraries have mapped, where the system supports it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # crashes are expected occasionally, and a core file would contain the image
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if megabytes is not None:
            with open("/proc/self/statm") as file:
                mapped = int(file.read().split()[0]) * resource.getpagesize()
            limit = mapped + megabytes * 10**6
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End this process if a request takes far too long and the parent has not killed it."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(math.ceil(seconds) + LATE)
    try:
        yield
    finally:
        signal.alarm(0)
