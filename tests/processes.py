"""Processes that tests start: a port that stays theirs, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator

__all__ = ["free_port", "held_port", "stop"]


def held_port() -> socket.socket:
    """Return a socket on a free port of loopback that does not listen.

    While it is open nobody is given this port, and a server that sets SO_REUSEADDR as well, as Orthanc, Caddy and
    Python's own do, can listen there; until one does, connections are refused.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


@contextlib.contextmanager
def free_port() -> Iterator[int]:
    """Give a port as :func:`held_port` does, until the end of the block."""
    with held_port() as held:
        yield held.getsockname()[1]


def stop(process: subprocess.Popen, seconds: float = 60) -> None:
    """Ask a process to end; TimeoutExpired where it takes longer, and then it is killed."""
    process.terminate()
    try:
        process.wait(seconds)
    finally:
        # nothing where it has ended
        process.kill()
        process.wait()
