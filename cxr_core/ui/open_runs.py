"""Runs in memory: their predictions and summary, computed once for all visitors, and a cache of further results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import streamlit as st

from ..displays import outcomes_of
from ..displays.display import RunView
from ..evaluation import RunSummary, summary_of
from ..store import RunRecord, RunStore, StoredRun
from .chrome import time_left

__all__ = ["RunOnPage", "cached", "run_on_page", "run_store"]

_RUNS_IN_MEMORY = 6
"""Runs whose predictions and summary stay in memory; one of 112,120 images takes some 60 MB."""

_POLL_SECONDS = 0.5  # between updates of the progress bar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RunOnPage(RunView):
    """A run on a page.

    Attributes:
        stored: the run in the store.
    """

    stored: StoredRun = field(kw_only=True)

    @property
    def record(self) -> RunRecord:
        """Record of the run."""
        return self.stored.record

    @property
    def key(self) -> tuple[str, str, str]:
        """Run, content and reference standard: the cache key of its results."""
        return self.record.id, self.record.predictions_sha256, self.summary.reference


def cached(run: RunOnPage, name: str, make: Callable[[], T], *parameters: object) -> T:
    """Return the result of ``make``, computed once for a run, a name and further parameters."""
    return _cached(run.key, name, parameters, make)


@st.cache_resource(show_spinner=False)
def run_store() -> RunStore:
    """Return the store of runs, which all visitors share."""
    return RunStore()


def run_on_page(stored: StoredRun, reference: str) -> RunOnPage:
    """Return a run by a reference standard; draws a progress bar while its summary is computed. Raises CxrError."""
    key, summarised = (stored.record.id, stored.record.predictions_sha256, reference), _summarised()
    summary = None if key in summarised else _summary_with_progress(stored, reference)
    summarised.add(key)
    return _loaded(*key, stored, summary)


@st.cache_resource(show_spinner=False)
def _summarised() -> set[tuple[str, str, str]]:
    """Return the (run, content, reference) of which this process has the summary in memory or in its cache folder."""
    return set()


@st.cache_resource(max_entries=_RUNS_IN_MEMORY, show_spinner="Opening the run")
def _loaded(run: str, sha256: str, reference: str, _stored: StoredRun, _summary: RunSummary | None) -> RunOnPage:
    predictions = _stored.predictions()
    summary = _summary or summary_of(_stored, reference)
    return RunOnPage(predictions, summary, outcomes_of(predictions, reference), stored=_stored)


@st.cache_resource(max_entries=300, show_spinner="Computing once; the result is cached", show_time=True)
def _cached(key: tuple[str, str, str], name: str, parameters: tuple[object, ...], _make: Callable[[], T]) -> T:
    return _make()


def _summary_with_progress(stored: StoredRun, reference: str) -> RunSummary:
    """Return the summary of a run, with a progress bar if it has to be computed; raises what the computation raises.

    It is computed in a background thread. A script that is interrupted does not interrupt it, and two visitors who open
    the same run wait for the same result.
    """
    job = _summary_jobs().job(stored, reference)
    if not job.is_done(_POLL_SECONDS):
        place = st.empty()
        while not job.is_done(_POLL_SECONDS):
            text = f"Computing the results of {stored.record.images:,} images once{job.remaining_text()}"
            place.progress(job.fraction(), text)
        place.empty()
    return job.result.result()


@dataclass(eq=False)
class _SummaryJob:
    result: Future[RunSummary] = field(default_factory=Future)
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


class _SummaryJobs:
    """Running computations by run, content and reference standard; one at a time, because each uses all cores."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "summaries")
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str, str], _SummaryJob] = {}

    def job(self, stored: StoredRun, reference: str) -> _SummaryJob:
        key = stored.record.id, stored.record.predictions_sha256, reference
        with self._lock:
            if key not in self._jobs:
                self._jobs[key] = _SummaryJob()
                self._thread.submit(self._compute, key, stored, reference)
            return self._jobs[key]

    def _compute(self, key: tuple[str, str, str], stored: StoredRun, reference: str) -> None:
        job = self._jobs[key]
        job.started = time.monotonic()

        def report(done: int, steps: int) -> None:
            job.steps = done, steps

        try:
            job.result.set_result(summary_of(stored, reference, report))
        except BaseException as error:
            job.result.set_exception(error)
        finally:
            # the summary is on disk by now, and held by whoever waited for it
            with self._lock:
                del self._jobs[key]


@st.cache_resource(show_spinner=False)
def _summary_jobs() -> _SummaryJobs:
    return _SummaryJobs()
