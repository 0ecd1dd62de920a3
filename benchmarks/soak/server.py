"""The app's process, seen from outside: memory and processor time, by /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.browser import serving

_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process with its children, which decode."""

    def __init__(self, address: str, pid: int) -> None:
        self.address, self.pid = address, pid

    def memory_mb(self, kind: str = "VmRSS") -> float:
        """Return the resident memory of the app's process, in 10^6 bytes; ``VmHWM`` for the most so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(kind + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError(f"no {kind} in /proc")

    def processor_seconds(self) -> float:
        """Return the processor time of the process and of the children that it has now."""
        return sum(map(_seconds, [self.pid, *_children(self.pid)]))


@contextlib.contextmanager
def served(*options: str, **environment: str) -> Iterator[Server]:
    """Serve the app as :func:`tests.browser.serving`, and say which process does."""
    before = set(_children(os.getpid()))
    with serving(*options, **environment) as address:
        (pid,) = set(_children(os.getpid())) - before
        yield Server(address, pid)


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # a thread may end while it is looked at; its children are then another's
        with contextlib.suppress(OSError):
            children += map(int, (task / "children").read_text().split())
    return children


def _seconds(pid: int) -> float:
    # the name of a program may hold anything, but it ends with the last bracket
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
