"""Progress of a command on stderr: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..formatting import duration
from ..pretrained.weights import MAX_FILE_BYTES

__all__ = ["LINE_SECONDS", "ImportProgress", "JsonProgress", "ProgressBar", "TextProgress", "progress_callback"]


class ImportProgress:
    """Reports the progress of an import; this one is silent."""

    def bytes(self, done: int, size: int | None) -> None:
        """Report the number of bytes downloaded."""

    def downloaded(self) -> None:
        """Report the end of the download."""

    def step(self, name: str) -> None:
        """Report the step that begins."""


class TextProgress(ImportProgress):
    """Progress for a person: a bar while downloading, a line for every step."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None

    def bytes(self, done: int, size: int | None) -> None:
        """Report the number of bytes downloaded."""
        if self._bar is None:
            self._bar = ProgressBar("Downloading (kB)", (size or MAX_FILE_BYTES) // 1000)
            self._bar.__enter__()
        self._bar.update(done // 1000)

    def downloaded(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def step(self, name: str) -> None:
        """Report the step that begins."""
        print(name, file=sys.stderr)


class JsonProgress(ImportProgress):
    """Progress for a program such as the app: one JSON object per line."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._reported = 0.0

    def bytes(self, done: int, size: int | None) -> None:
        """Report the number of bytes downloaded."""
        now = time.monotonic()
        if now - self._reported < 0.2 and done != size:
            return
        self._reported = now
        text = f"Downloading, {done / 1e6:.1f} MB" + (f" of {size / 1e6:.1f} MB" if size else "")
        if size:
            remaining = (now - self._start) * (size - done) / done
            self._print(text, done / size, f"{duration(remaining)} left")
        else:
            self._print(text)

    def step(self, name: str) -> None:
        """Report the step that begins."""
        self._print(name)

    def _print(self, step: str, fraction: float | None = None, time_left: str | None = None) -> None:
        print(json.dumps({"step": step, "fraction": fraction, "remaining": time_left}), file=sys.stderr, flush=True)


LINE_SECONDS = 30.0


class ProgressBar:
    """Progress over a known number of steps, as a context; prints nothing for a command that ends soon."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._start = self._reported = time.monotonic()

    def __enter__(self) -> ProgressBar:
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
            self._task = self._bar.add_task(self._title, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def message(self, line: str) -> None:
        """Write a line to stderr without breaking the bar."""
        if self._bar is not None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr)

    def update(self, steps: int) -> None:
        """Report the number of steps that are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=steps)
        elif time.monotonic() - self._reported > LINE_SECONDS and steps:
            self._reported = time.monotonic()
            remaining = (self._reported - self._start) * (self._total - steps) / steps
            print(f"{self._title}: {steps} of {self._total}, {duration(remaining)} left", file=sys.stderr)


def progress_callback(stack: ExitStack, title: str) -> Callable[[int, int], None]:
    """Return a callback ``(done, steps)`` that shows progress from its first call until the stack is closed."""
    bars: list[ProgressBar] = []

    def report(done: int, steps: int) -> None:
        if not bars:
            bars.append(stack.enter_context(ProgressBar(title, steps)))
        bars[0].update(done)

    return report
