"""Results that take long: computed once for all visitors, while the pages that wait show a progress bar."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st

from ..evaluation.kept_results import Report
from .chrome import time_left

__all__ = ["Computation", "begin"]

_POLL_SECONDS = 0.5  # between updates of the progress bar

T = TypeVar("T")


def begin(key: Hashable, compute: Callable[[Report], T]) -> Computation[T]:
    """Begin to compute a result in a background thread, unless it is being computed already.

    A page that is interrupted does not interrupt it, and two visitors who ask for the same result wait for the same
    computation.

    Args:
        key: of the result.
        compute: called with a function to which it reports its work.
    """
    return _jobs().job(key, compute)


@dataclass(eq=False)
class Computation(Generic[T]):
    """A result that is being computed."""

    result: Future[T] = field(default_factory=Future)
    started: float = 0.0
    work: tuple[int, int] = (0, 1)

    def wait(self) -> T:
        """Return the result, drawing nothing; raises what computing it raised."""
        return self.result.result()

    def wait_on_page(self, text: str) -> T:
        """Return the result, with a progress bar while it takes long; raises what computing it raised.

        Args:
            text: what is computed, beside the time left.
        """
        if not self.is_done(_POLL_SECONDS):
            place = st.empty()
            while not self.is_done(_POLL_SECONDS):
                place.progress(self.fraction(), f"{text}{self.remaining_text()}")
            place.empty()
        return self.wait()

    def is_done(self, timeout: float) -> bool:
        """Return whether the result is there, or an error in its place, within some seconds."""
        try:
            self.result.exception(timeout)
        except TimeoutError:
            return False
        return True

    def fraction(self) -> float:
        """Return the proportion of the work that is done."""
        done, work = self.work
        return done / work

    def remaining_text(self) -> str:
        """Return the time left, as :func:`.chrome.time_left` writes it."""
        return time_left(self.started, *self.work)


class _Jobs:
    """Running computations by key; one at a time, because each uses all cores and much memory."""

    def __init__(self) -> None:
        self._one, self._lock = threading.Lock(), threading.Lock()
        self._jobs: dict[Hashable, Computation[Any]] = {}

    def job(self, key: Hashable, compute: Callable[[Report], Any]) -> Computation[Any]:
        with self._lock:
            if key not in self._jobs:
                self._jobs[key] = Computation()
                # a daemon: a server that stops does not wait for it, and the next one computes what is not kept
                threading.Thread(target=self._compute, args=(key, compute), name="results", daemon=True).start()
            return self._jobs[key]

    def _compute(self, key: Hashable, compute: Callable[[Report], Any]) -> None:
        job = self._jobs[key]

        def report(done: int, work: int) -> None:
            if not done:
                # what came before, such as the start of a process, says nothing about the work
                job.started = time.monotonic()
            job.work = done, work

        try:
            with self._one:
                job.started = time.monotonic()
                job.result.set_result(compute(report))
        except BaseException as error:
            job.result.set_exception(error)
        finally:
            # the result is on disk by now, and held by whoever waited for it
            with self._lock:
                del self._jobs[key]


@st.cache_resource(show_spinner=False)
def _jobs() -> _Jobs:
    return _Jobs()
