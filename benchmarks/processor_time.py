"""How long the processes that this one has started were on a processor: on a busy machine it says more than a clock.

Source: the first field of ``/proc/PID/task/TID/schedstat``, in nanoseconds: sched-stats.rst of Linux' documentation.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

__all__ = ["processor_ms"]

_PROC = Path("/proc")


def processor_ms(names: dict[str, str]) -> dict[str, float]:
    """Return the milliseconds of all descendants of this process so far, by kind; zeros where there is no ``/proc``.

    Args:
        names: a part of the command line of each kind of process, and the name of the kind.
    """
    spent = dict.fromkeys(names.values(), 0.0)
    for process in _descendants():
        command = _text(process / "cmdline")
        kind = next((name for part, name in names.items() if part in command), None)
        if kind is not None:
            threads = process.glob("task/*/schedstat")
            spent[kind] += sum(int((_text(thread).split() or ["0"])[0]) for thread in threads) / 1e6
    return spent


def _descendants() -> list[Path]:
    children = defaultdict(list)
    for process in _PROC.glob("[0-9]*"):
        # the name, in parentheses, may hold anything
        fields = _text(process / "stat").rpartition(")")[2].split()
        if fields:
            children[int(fields[1])].append(process)
    descendants: list[Path] = []
    parents = [os.getpid()]
    while parents:
        of_parent = children[parents.pop()]
        descendants += of_parent
        parents += [int(process.name) for process in of_parent]
    return descendants


def _text(file: Path) -> str:
    """Return the content of a file of a process; empty where it has ended."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
