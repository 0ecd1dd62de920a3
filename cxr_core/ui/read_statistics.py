"""Shared parts of the pages Concordance and Monitoring: the store, choices that are in the address, their results."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import NamedTuple, NoReturn, TypeVar

import streamlit as st

from ..settings import settings
from ..store.read_tables import state_of_store, stored_models, stored_months
from ..store.reads import ReadStore
from .addresses import addressed, say_if_unknown, write_address
from .chrome import empty_state, time_left
from .read_store import read_store

__all__ = ["ALL", "Period", "choose", "choose_period", "compute", "open_store", "tiles"]

ALL = "all"

_DAYS = {"7d": 7, "30d": 30, "90d": 90}
_RESULTS_IN_MEMORY = 24
_REPORT_SECONDS = 0.2

T = TypeVar("T")
Report = Callable[[int, int], None]


class Period(NamedTuple):
    """Times of reads, as :func:`.store.read_tables.read_rows` takes them."""

    since: str = ""
    until: str = ""


def open_store(title: str, what: str) -> tuple[ReadStore, dict[str, str]]:
    """Return the store of reads and the models that they are of; stop the page where there is no read.

    Args:
        title, what: of what is written there.

    Raises:
        CxrError: the store cannot be read.
    """
    store = read_store()
    models = stored_models(store)
    if not models:
        _none_stored(title, what)
    return store, models


def choose(title: str, name: str, options: Mapping[str, str], *, width: int = 190, help: str | None = None) -> str:
    """Draw a select box whose choice is in the address, and return it.

    Args:
        title: of the box.
        name: of the choice in the address.
        options: titles of the options by their value in the address; the first one is the default.
        width: in pixels.
        help: what the choice is for.
    """
    key, wanted = f"reads-{name}", addressed(name)
    if wanted in options:
        st.session_state[key] = wanted
    if st.session_state.get(key) not in options:
        st.session_state[key] = next(iter(options))
    chosen = st.selectbox(
        title, list(options), format_func=lambda option: options.get(option, option), key=key,
        persist_state="session", width=width, help=help,
    )  # fmt: skip
    say_if_unknown(f"choice that is not offered here ({title.lower()})", wanted, options, options[chosen])
    write_address(**{name: chosen})
    return chosen


def choose_period(store: ReadStore) -> Period:
    """Draw the choice of a period: all stored reads, the last days, or a month; return it."""
    days = {name: f"Last {number} days" for name, number in _DAYS.items()}
    months = {month: f"{datetime.strptime(month, '%Y-%m'):%B %Y}" for month in stored_months(store)}
    chosen = choose("Period", "period", {ALL: "All stored reads"} | days | months)
    if chosen in _DAYS:
        return Period(f"{datetime.now(UTC) - timedelta(days=_DAYS[chosen]):%Y-%m-%d}")
    if re.fullmatch(r"\d{4}-\d{2}", chosen):
        year, month = (int(part) for part in chosen.split("-"))
        return Period(chosen, f"{year + month // 12}-{month % 12 + 1:02}")
    return Period()


class _Results:
    """Results in memory by what they were computed from, those used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, key: Hashable) -> object | None:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def add(self, key: Hashable, result: object) -> None:
        with self._lock:
            self._results[key] = result
            while len(self._results) > _RESULTS_IN_MEMORY:
                self._results.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _results() -> _Results:
    return _Results()


def compute(store: ReadStore, text: str, make: Callable[[Report], T], *parameters: Hashable) -> T:
    """Return what ``make`` returns, computed once for the parameters and what the store holds now.

    Args:
        store: of the reads.
        text: beside the progress bar, which is drawn until the result is there.
        make: computes the result; it is given what it calls with the steps done and their number.
        parameters: name of the result, and all that it depends on beside the store.

    Raises:
        CxrError: as ``make`` raises it.
    """
    key = (*parameters, state_of_store(store), settings().reader_names)
    known = _results().get(key)
    if known is not None:
        return known  # type: ignore[return-value]
    place, started = st.empty(), time.monotonic()
    place.progress(0.0, text)
    shown = started

    def report(done: int, count: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _REPORT_SECONDS:
            shown = now
            place.progress(done / max(count, 1), f"{text}{time_left(started, done, count)}")

    try:
        result = make(report)
    finally:
        place.empty()
    _results().add(key, result)
    return result


def _none_stored(title: str, what: str) -> NoReturn:
    """Say that nothing is stored yet, and why, and stop the page."""
    if settings().keep == "store":
        empty_state(title, what, level=2)
    else:
        empty_state(
            title,
            "This server keeps reads in memory only. To store them, with the opinions of their readers, an "
            f"administrator sets SECOND_READ_KEEP=store and restarts the app. {what}",
            level=2,
        )
    st.stop()


def tiles(facts: Sequence[tuple[str, str, str]]) -> None:
    """Write numbers in a row: name, number, and what belongs to it, such as its interval."""
    boxes = "".join(
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(number)}</b><span>{escape(beside)}</span></dd></div>"
        for name, number, beside in facts
    )
    st.html(f'<dl class="sr-tiles">{boxes}</dl>')
