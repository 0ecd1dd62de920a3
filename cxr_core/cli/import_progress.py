"""How far an import is, for a person or for a program."""

from __future__ import annotations

import json
import sys
import time

from ..duration import duration
from ..model.weights import MAX_FILE_BYTES
from .progress import Steps

__all__ = ["JsonTeller", "Teller", "WordsTeller"]


class Teller:
    """Tells how far an import is."""

    def bytes(self, done: int, size: int | None) -> None:
        """Tell how much was downloaded."""

    def downloaded(self) -> None:
        """Tell that the download has ended."""

    def step(self, name: str) -> None:
        """Tell what begins."""


class WordsTeller(Teller):
    """For a person: a bar on a terminal while downloading, a line for every step."""

    def __init__(self) -> None:
        self._bar: Steps | None = None

    def bytes(self, done: int, size: int | None) -> None:
        """Show how much was downloaded."""
        if self._bar is None:
            self._bar = Steps("Downloading (kB)", (size or MAX_FILE_BYTES) // 1000)
            self._bar.__enter__()
        self._bar.done(done // 1000)

    def downloaded(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def step(self, name: str) -> None:
        """Show what begins."""
        print(name, file=sys.stderr)


class JsonTeller(Teller):
    """For a program, such as the page."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._told = 0.0

    def bytes(self, done: int, size: int | None) -> None:
        """Show how much was downloaded."""
        now = time.monotonic()
        if now - self._told < 0.2 and done != size:
            return
        self._told = now
        left = None if not size else (now - self._start) * (size - done) / done
        words = f"Downloading, {done / 1e6:.1f} MB" + (f" of {size / 1e6:.1f} MB" if size else "")
        self._put(words, None if not size else done / size, None if left is None else f"{duration(left)} left")

    def step(self, name: str) -> None:
        """Show what begins."""
        self._put(name, None, None)

    def _put(self, step: str, share: float | None, left: str | None) -> None:
        print(json.dumps({"step": step, "share": share, "left": left}), file=sys.stderr, flush=True)
