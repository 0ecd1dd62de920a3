"""Runs in memory: their predictions and summary, computed once for all visitors, and a cache of further results."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TypeVar

import streamlit as st

from ..evaluation import RunComparison, RunSummary
from ..evaluation.computing_process import comparison_apart, summary_apart
from ..evaluation.outcomes import outcomes_of
from ..evaluation.run_context import context_of
from ..evaluation.run_view import RunView
from ..store import RunRecord, RunStore, StoredRun
from .computing import begin

__all__ = ["RunOnPage", "begin_comparison", "cached", "run_on_page", "run_store"]

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
        return self.record.id, self.record.predictions_sha256, self.context.reference


def cached(run: RunOnPage, name: str, make: Callable[[], T], *parameters: object) -> T:
    """Return the result of ``make``, computed once for a run, a name and further parameters."""
    return _cached(run.key, name, parameters, make)


@st.cache_resource(show_spinner=False)
def run_store() -> RunStore:
    """Return the store of runs, which all visitors share."""
    return RunStore()


def run_on_page(stored: StoredRun, reference: str, *, numbers: bool) -> RunOnPage:
    """Return a run by a reference standard; draws a progress bar while its numbers are computed. Raises CxrError.

    Args:
        stored: the run.
        reference: one of its reference standards.
        numbers: whether the page shows numbers of the summary; else they are computed once something asks for them.
    """
    key, computed = (stored.record.id, stored.record.predictions_sha256, reference), _computed()
    if numbers and key not in computed:
        computing = begin(key, partial(summary_apart, stored, reference))
        # while the process that computes starts
        _loaded(*key, stored)
        import_module("cxr_core.displays")
        text = f"Computing the results of {stored.record.images:,} images once"
        _summary(*key, stored, computing.wait_on_page(text))
        computed.add(key)
    return _loaded(*key, stored)


def begin_comparison(run: RunOnPage, other: StoredRun, view: str) -> Callable[[], RunComparison]:
    """Begin to compare two runs, unless it is known.

    Returns:
        A function that returns the comparison, and draws a progress bar while it is computed. Raises CxrError.
    """
    parameters = other.record.id, other.record.predictions_sha256, view
    key, computed = (*run.key, *parameters), _computed()
    compute = partial(comparison_apart, run.stored, other, run.context.reference, view)
    computing = None if key in computed else begin(key, compute)

    def finish() -> RunComparison:
        known = None
        if computing is not None:
            known = computing.wait_on_page(f"Comparing the runs on their {run.record.images:,} images once")
            computed.add(key)
        return cached(run, "comparison", lambda: known or compute(), *parameters)

    return finish


@st.cache_resource(show_spinner=False)
def _computed() -> set[Hashable]:
    """Return the keys of the results that this process has in memory, or in the folder of runs."""
    return set()


@st.cache_resource(max_entries=_RUNS_IN_MEMORY, show_spinner="Opening the run")
def _loaded(run: str, sha256: str, reference: str, _stored: StoredRun) -> RunOnPage:
    predictions = _stored.predictions()
    find_summary = partial(_summary, run, sha256, reference, _stored)
    context, outcomes = context_of(_stored, reference), outcomes_of(predictions, reference)
    return RunOnPage(predictions, context, outcomes, find_summary, stored=_stored)


@st.cache_resource(max_entries=_RUNS_IN_MEMORY, show_spinner=False)
def _summary(run: str, sha256: str, reference: str, _stored: StoredRun, _known: RunSummary | None = None) -> RunSummary:
    return _known or begin((run, sha256, reference), partial(summary_apart, _stored, reference)).wait()


@st.cache_resource(max_entries=300, show_spinner="Computing once; the result is cached", show_time=True)
def _cached(key: tuple[str, str, str], name: str, parameters: tuple[object, ...], _make: Callable[[], T]) -> T:
    return _make()
