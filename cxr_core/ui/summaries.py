"""The numbers of runs, found once in the process, with time left on the page of whoever waits for them.

They are found in a thread of their own: a script that is ended, because its reader clicked or left, ends nothing, and
two who open the same run wait for the same numbers.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import streamlit as st

from ..duration import duration
from ..evaluation import RunSummary, summary_of
from ..store import StoredRun

__all__ = ["summary_with_time_left"]

_LOOK = 0.5  # seconds between two words on the screen


def summary_with_time_left(stored: StoredRun, reference: str) -> RunSummary:
    """Return a run's numbers, saying how long it takes where they were never found before; raises as they do."""
    job = _jobs().job(stored, reference)
    if not job.done_within(_LOOK):
        place = st.empty()
        while not job.done_within(_LOOK):
            place.progress(
                job.share(), f"Computing the numbers of {stored.record.films:,} films; they are kept{job.left()}"
            )
        place.empty()
    return job.result.result()


@dataclass(eq=False)
class _Job:
    result: Future[RunSummary] = field(default_factory=Future)
    began: float = 0.0
    steps: tuple[int, int] = (0, 1)

    def done_within(self, seconds: float) -> bool:
        try:
            self.result.exception(seconds)
        except TimeoutError:
            return False
        return True

    def share(self) -> float:
        done, steps = self.steps
        return done / steps

    def left(self) -> str:
        done, steps = self.steps
        return f", {duration((time.monotonic() - self.began) / done * (steps - done))} left" if done else ""


class _Jobs:
    """What is being found, by run, content and reference; one after the other, as each takes all cores."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "summaries")
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str, str], _Job] = {}

    def job(self, stored: StoredRun, reference: str) -> _Job:
        key = stored.record.id, stored.record.predictions_sha256, reference
        with self._lock:
            if key not in self._jobs:
                self._jobs[key] = _Job()
                self._thread.submit(self._find, key, stored, reference)
            return self._jobs[key]

    def _find(self, key: tuple[str, str, str], stored: StoredRun, reference: str) -> None:
        job = self._jobs[key]
        job.began = time.monotonic()

        def report(done: int, steps: int) -> None:
            job.steps = done, steps

        try:
            job.result.set_result(summary_of(stored, reference, report))
        except BaseException as error:
            job.result.set_exception(error)
        finally:
            # they are on the disk by now, and in the cache of whoever waited
            with self._lock:
                del self._jobs[key]


@st.cache_resource(show_spinner=False)
def _jobs() -> _Jobs:
    return _Jobs()
