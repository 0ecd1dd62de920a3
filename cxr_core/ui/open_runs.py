"""Runs in memory: their predictions and summary, computed once for all visitors, and a cache of further results."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import streamlit as st

from ..displays import outcomes_of
from ..displays.display import RunView
from ..evaluation import RunComparison, RunSummary
from ..evaluation.computing_process import comparison_apart, summary_apart
from ..store import RunRecord, RunStore, StoredRun
from .computing import with_progress

__all__ = ["RunOnPage", "cached", "comparison_on_page", "run_on_page", "run_store"]

_RUNS_IN_MEMORY = 6
"""Runs whose predictions and summary stay in memory; one of 112,120 images takes some 60 MB."""

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
    key, computed = (stored.record.id, stored.record.predictions_sha256, reference), _computed()
    summary = None
    if key not in computed:
        text = f"Computing the results of {stored.record.images:,} images once"
        summary = with_progress(key, text, lambda report: summary_apart(stored, reference, report))
        computed.add(key)
    return _loaded(*key, stored, summary)


def comparison_on_page(run: RunOnPage, other: StoredRun, view: str) -> RunComparison:
    """Return the comparison of two runs; draws a progress bar while it is computed. Raises CxrError."""
    parameters = other.record.id, other.record.predictions_sha256, view
    key, computed = (*run.key, *parameters), _computed()
    reference = run.summary.reference
    comparison = None
    if key not in computed:
        text = f"Comparing the runs on their {run.record.images:,} images once"
        comparison = with_progress(
            key, text, lambda report: comparison_apart(run.stored, other, reference, view, report)
        )
        computed.add(key)
    return cached(
        run, "comparison", lambda: comparison or comparison_apart(run.stored, other, reference, view), *parameters
    )


@st.cache_resource(show_spinner=False)
def _computed() -> set[Hashable]:
    """Return the keys of the results that this process has in memory, or in the folder of runs."""
    return set()


@st.cache_resource(max_entries=_RUNS_IN_MEMORY, show_spinner="Opening the run")
def _loaded(run: str, sha256: str, reference: str, _stored: StoredRun, _summary: RunSummary | None) -> RunOnPage:
    predictions = _stored.predictions()
    summary = _summary or summary_apart(_stored, reference)
    return RunOnPage(predictions, summary, outcomes_of(predictions, reference), stored=_stored)


@st.cache_resource(max_entries=300, show_spinner="Computing once; the result is cached", show_time=True)
def _cached(key: tuple[str, str, str], name: str, parameters: tuple[object, ...], _make: Callable[[], T]) -> T:
    return _make()
