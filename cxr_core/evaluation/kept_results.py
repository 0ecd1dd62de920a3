"""Results of runs that take long to compute: kept in the folder of runs, and computed by one program at a time."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..files import lock, private_folder, write_whole
from ..settings import settings

__all__ = ["FOLDER", "KeptResult", "Progress", "Report", "not_reported", "result_key"]

FOLDER = "summaries"
"""Results, below the folder of runs. It may be deleted at any time."""

LOCKS = Path("cache", "computing")
"""What is being computed, below the folder of runs: locks, and the progress of who holds them."""

_ROOMS = ("evaluation", "metrics", "model", "store")
"""Their source, and the modules at the top of the package such as ``estimate``, decide the numbers."""

_POLL_SECONDS = 0.25
_LOCK_FILES = 16**2

Report = Callable[[int, int], None]
"""Called with the work that is done and with all work, in units that take about the same time."""

T = TypeVar("T")


def not_reported(done: int, steps: int) -> None:
    """Report no progress."""


class Progress:
    """Adds up the work of finished steps, and reports after each.

    Args:
        report: called with the work that is done and with all work.
    """

    def __init__(self, report: Report) -> None:
        self._report, self._done, self._all = report, 0, 0

    def begin(self, work: int) -> None:
        """Set the work of all steps, of which none is done."""
        self._all = work
        self._report(0, work)

    def step(self, work: int) -> None:
        """Add the work of a finished step."""
        self._done += work
        self._report(self._done, self._all)

    @contextmanager
    def part(self, work: int) -> Iterator[None]:
        """Add, at the end of a part of all steps, what the steps within did not add of its work."""
        end = self._done + work
        yield
        if self._done < end:
            self.step(end - self._done)


def result_key(*parts: object) -> str:
    """Return the key of a result: a digest of what it is computed from, and of the source that computes it.

    Args:
        parts: JSON.
    """
    text = json.dumps([*parts, source_version()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@lru_cache(maxsize=1)
def source_version() -> list[str]:
    """Return a digest of the source that decides the numbers, and the versions of its libraries."""
    package = Path(__file__).parents[1]
    files = sorted([*package.glob("*.py"), *(file for room in _ROOMS for file in (package / room).rglob("*.py"))])
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return [digest, version("numpy"), version("scipy")]


@dataclass(frozen=True)
class KeptResult(Generic[T]):
    """A result that is on disk, or will be.

    Attributes:
        key: of :func:`result_key`; a result with another key is another result.
        adapter: writes it as JSON and reads it.
    """

    key: str
    adapter: TypeAdapter[T]

    def read(self) -> T | None:
        """Return the result; None where it is not kept, or its file is damaged."""
        try:
            return self.adapter.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def read_or_compute(self, compute: Callable[[Report], T], report: Report = not_reported) -> T:
        """Return the result, computed if it is not kept.

        Another program, or thread, that computes it meanwhile is waited for. If the folder cannot be written, each
        computes it.

        Args:
            compute: called with a function to which it reports its work; its errors are raised.
            report: called with the work that is done, also by another program.
        """
        result = self.read()
        with ExitStack() as stack:
            while result is None and not self._locked(stack):
                if (steps := self._progress_of_other()) is not None:
                    report(*steps)
                time.sleep(_POLL_SECONDS)
                result = self.read()
            # between the first look and the lock another program may have finished
            if result is None and (result := self.read()) is None:
                result = compute(self._reporting(report))
                self._keep(result)
            return result

    @property
    def _path(self) -> Path:
        return settings().runs / FOLDER / f"{self.key}.json"

    @property
    def _lock(self) -> Path:
        # a few files for all keys: a lock that is removed while another program opens it locks nothing
        return settings().runs / LOCKS / f"{int(self.key[:8], 16) % _LOCK_FILES:02x}.lock"

    @property
    def _progress(self) -> Path:
        return settings().runs / LOCKS / f"{self.key}.json"

    def _locked(self, stack: ExitStack) -> bool:
        """Return whether this thread has the lock, until the stack is closed, or there can be none."""
        try:
            private_folder(self._lock.parent)
            stack.enter_context(lock(self._lock, wait=False))
        except OSError as error:
            return error.errno not in _HELD
        stack.callback(self._progress.unlink, missing_ok=True)
        return True

    def _reporting(self, report: Report) -> Report:
        """Return a function that reports here, and now and then to other programs that wait."""
        written = -_POLL_SECONDS

        def both(done: int, steps: int) -> None:
            nonlocal written
            report(done, steps)
            if time.monotonic() - written > _POLL_SECONDS:
                written = time.monotonic()
                with suppress(OSError):
                    write_whole(self._progress, json.dumps([done, steps]).encode(), private=True)

        return both

    def _progress_of_other(self) -> tuple[int, int] | None:
        try:
            done, steps = json.loads(self._progress.read_bytes())
            return int(done), int(steps)
        except (OSError, ValueError, TypeError):
            return None

    def _keep(self, result: T) -> None:
        with suppress(OSError):
            private_folder(self._path.parent)
            write_whole(self._path, self.adapter.dump_json(result), private=True)


_HELD = {errno.EAGAIN, errno.EWOULDBLOCK} | ({errno.EACCES, errno.EDEADLK} if sys.platform == "win32" else set())
"""Of the error of a lock that another one holds."""
