"""How far a command is, on stderr: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..duration import duration

__all__ = ["LINE_SECONDS", "Steps", "telling"]

LINE_SECONDS = 30.0


class Steps:
    """Counts steps of a known number; a context that is silent for a command that ends at once."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._start = self._told = time.monotonic()

    def __enter__(self) -> Steps:
        if self._console.is_terminal and self._total > 1:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Write a line to stderr without breaking the bar."""
        if self._bar is not None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr)

    def done(self, steps: int) -> None:
        """Tell that so many steps are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=steps)
        elif time.monotonic() - self._told > LINE_SECONDS and steps:
            self._told = time.monotonic()
            left = (self._told - self._start) * (self._total - steps) / steps
            print(f"{self._what}: {steps} of {self._total}, {duration(left)} left", file=sys.stderr)


def telling(stack: ExitStack, what: str) -> Callable[[int, int], None]:
    """Return what tells progress, with steps done and their number, from the first step on until the stack ends."""
    told: list[Steps] = []

    def report(done: int, steps: int) -> None:
        if not told:
            told.append(stack.enter_context(Steps(what, steps)))
        told[0].done(done)

    return report
