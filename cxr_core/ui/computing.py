"""Results that take long: computed once for all visitors, while the pages that wait show a progress bar."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import streamlit as st

from ..evaluation.kept_results import Report
from .chrome import time_left

__all__ = ["with_progress"]

_POLL_SECONDS = 0.5  # between updates of the progress bar

T = TypeVar("T")


def with_progress(key: Hashable, text: str, compute: Callable[[Report], T]) -> T:
    """Return the result of ``compute``, with a progress bar while it takes long; raises what it raises.

    It runs in a background thread. A page that is interrupted does not interrupt it, and two visitors who ask for the
    same result wait for the same computation.

    Args:
        key: of the result.
        text: what is computed, beside the time left.
        compute: called with a function to which it reports its steps.
    """
    job = _jobs().job(key, compute)
    if not job.is_done(_POLL_SECONDS):
        place = st.empty()
        while not job.is_done(_POLL_SECONDS):
            place.progress(job.fraction(), f"{text}{job.remaining_text()}")
        place.empty()
    return cast("T", job.result.result())


@dataclass(eq=False)
class _Job:
    result: Future[Any] = field(default_factory=Future)
    started: float = 0.0
    steps: tuple[int, int] = (0, 1)

    def is_done(self, timeout: float) -> bool:
        try:
            self.result.exception(timeout)
        except TimeoutError:
            return False
        return True

    def fraction(self) -> float:
        done, steps = self.steps
        return done / steps

    def remaining_text(self) -> str:
        return time_left(self.started, *self.steps)


class _Jobs:
    """Running computations by key; one at a time, because each uses all cores and much memory."""

    def __init__(self) -> None:
        self._one, self._lock = threading.Lock(), threading.Lock()
        self._jobs: dict[Hashable, _Job] = {}

    def job(self, key: Hashable, compute: Callable[[Report], Any]) -> _Job:
        with self._lock:
            if key not in self._jobs:
                self._jobs[key] = _Job()
                # a daemon: a server that stops does not wait for it, and the next one computes what is not kept
                threading.Thread(target=self._compute, args=(key, compute), name="results", daemon=True).start()
            return self._jobs[key]

    def _compute(self, key: Hashable, compute: Callable[[Report], Any]) -> None:
        job = self._jobs[key]

        def report(done: int, steps: int) -> None:
            if not done:
                # what came before, such as the start of a process, says nothing about the steps
                job.started = time.monotonic()
            job.steps = done, steps

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
