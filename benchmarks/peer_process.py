"""A peer in a process of its own, which waits while others are measured: no library's threads, settings or memory
are another's."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.interleaved import Part, timed


@dataclass
class Peer:
    """The work of one library.

    Attributes:
        work: by the name of the part.
        answers: arrays that must be ours: ``logits`` (labels,) and ``maps`` (labels, h, w), rectified.
        settings: in words.
    """

    work: dict[str, Callable[[], object]] = field(default_factory=dict)
    answers: dict[str, np.ndarray] = field(default_factory=dict)
    settings: list[str] = field(default_factory=list)


class NotInstalled(Exception):
    """A library that the peer needs is not there, or does not start here; the message says which."""


class PeerProcess:
    """One function of a module, called in another process, and its work done there part by part.

    Args:
        module: its name.
        function: takes ``arguments`` and returns a :class:`Peer`.
        arguments: picklable.

    Raises:
        NotInstalled: a library cannot be imported, or not be used here.
    """

    def __init__(self, module: str, function: str, *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, module, function, arguments), daemon=True)
        self._process.start()
        theirs.close()
        missing, names, self.answers, self.settings = self._connection.recv()
        if missing:
            self.close()
            raise NotInstalled(missing)
        self.parts: dict[str, Part] = {name: _Remote(self._connection, name) for name in names}

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()


class _Remote:
    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name

    def __call__(self) -> float:
        self._connection.send(self._name)
        return self._connection.recv()


def _serve(connection: Connection, module: str, function: str, arguments: tuple) -> None:
    try:
        peer = getattr(importlib.import_module(module), function)(*arguments)
    except Exception as error:
        # a build for other hardware, or beside another library, is found out only when it is loaded
        missing = isinstance(error, ImportError) and error.name
        words = (
            f"not installed: {missing}"
            if missing
            else f"does not start: {(str(error) or type(error).__name__).splitlines()[0]}"
        )
        connection.send((words, (), {}, []))
        return
    answers: dict[str, np.ndarray] = peer.answers
    with contextlib.suppress(EOFError, OSError):  # the other side is gone
        connection.send(("", tuple(peer.work), answers, peer.settings))
        while True:
            work = timed(peer.work[connection.recv()])
            # what is on its way through the pipe is nobody's work
            connection.send(work())
