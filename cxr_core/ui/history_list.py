"""The table of stored reads: filters that are in the address, a search that is not, pages, and download as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st

from ..formatting import duration
from ..labels import NOTICE, display_name
from ..model.formatting import STATE_NAMES
from ..settings import settings
from ..store.read_history import (
    Choices,
    HistoryRow,
    ReadChoice,
    ReadKey,
    history_rows,
    matching_reads,
    present_choices,
)
from ..table_files import csv_text
from .chrome import asset, empty_state, page_heading, small
from .downloads import download_button
from .history_scope import (
    ReadScope,
    copy_address,
    format_time,
    go,
    query,
    read_store,
    reader_keys,
    reader_titles,
    time_zone,
)

__all__ = ["CSV_COLUMNS", "PATIENT_COLUMNS", "ROWS_PER_PAGE", "show_list"]

ROWS_PER_PAGE = 50

CSV_COLUMNS = (
    "read", "time", "study", "image", "view", "model", "model_version", "model_sha256", "operating_point", "above",
    "quality", "reader", "seconds_on_screen", "findings_shown", "opinions", "notice",
)  # fmt: skip
"""One line per read. ``above`` and ``quality`` are empty where the findings are hidden from who downloads."""

PATIENT_COLUMNS = ("patient", "patient_id", "study_date", "accession_number")
"""After the time, where identity is stored."""

_FILTERS = ("since", "until", "label", "state", "model", "reader")
_SEARCH = "history-search"

# registered at import: registering the name again would replace the component under a mounted one
_TABLE = st.components.v2.component(
    "second_read_history", html="<div class=reads></div>", css=asset("history.css"), js=asset("history.js")
)


def show_list(scope: ReadScope, study: str) -> bool:
    """Draw the reads that match the filters, or those of a study; return False where there is no such study."""
    store = read_store()
    if study and not matching_reads(store, scope.choice(study=study)):
        return False
    choices = present_choices(store, scope.reader)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        head = st.empty()
        tools = st.container(horizontal=True, width="content")
    if study:
        with tools:
            copy_address(study=study)
            st.button("All reads", icon=":material/arrow_back:", on_click=go, kwargs={"study": ""}, type="tertiary")
        choice, words = scope.choice(study=study), ""
    else:
        choice, words = _filters(scope, choices)
    keys = matching_reads(store, choice, words)
    whose = "reads of all readers" if scope.sees_all else "your reads"
    with head:
        page_heading("Reads of a study" if study else "History", f"{len(keys):,} {whose}; times in {time_zone()}")
    if not keys:
        _nothing(choices, scope)
        return True
    identity = settings().identity == "store"
    with tools:
        _download(keys, scope, choices.readers, identity)
    _table(keys, scope, choices.readers, identity)
    return True


def _nothing(choices: Choices, scope: ReadScope) -> None:
    if choices.models:
        empty_state("No read matches", "Change or reset the filters.", level=2)
        return
    whose = "" if scope.sees_all else " of yours"
    empty_state(
        f"No read{whose} is stored yet",
        "Every image that is read on the page Second opinion is listed here, until it is removed from the worklist or "
        f"{settings().keep_days} days have passed.",
        level=2,
    )


def _filters(scope: ReadScope, choices: Choices) -> tuple[ReadChoice, str]:
    """Draw the filters, which follow the address, and the search; return what they choose."""
    keys = reader_keys(choices.readers) if scope.sees_all else {}
    titles = reader_titles(scope, choices.readers) if scope.sees_all else {}
    readers = {key: titles[reader] for reader, key in keys.items()}
    options = {
        "label": {label: display_name(label) for label in choices.labels},
        "state": {str(state): name for state, name in STATE_NAMES.items()},
        "model": {model: model for model in choices.models},
        "reader": readers,
    }
    chosen, unknown = _from_address(options)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="history-filters"):
        st.date_input("From", format="YYYY-MM-DD", key="history-since", on_change=_apply, width=132)
        st.date_input("To", format="YYYY-MM-DD", key="history-until", on_change=_apply, width=132)
        for name, width in (("label", 190), ("state", 130), ("model", 190), ("reader", 160)):
            if name == "reader" and not scope.sees_all:
                continue
            texts = {"": "Any" if name in ("label", "state") else "All"} | options[name]
            st.selectbox(
                name.capitalize(), list(texts), format_func=texts.__getitem__, key=f"history-{name}", on_change=_apply,
                width=width,
            )  # fmt: skip
        words = ""
        if settings().identity == "store":
            words = st.text_input(
                "Search", key=_SEARCH, persist_state="session", placeholder="Patient name, ID or accession number",
                on_change=go, kwargs={"page": ""}, width=270, max_chars=100,
            )  # fmt: skip
        if any(chosen.values()) or words:
            st.button("Reset", icon=":material/filter_alt_off:", on_click=_reset, key="history-reset")
    if unknown:
        small(f"The address names a {' and a '.join(unknown)} that no read here has. It is ignored.", "sr-assumed")
    readers_of_keys = {key: reader for reader, key in keys.items()}
    choice = scope.choice(
        since=_start_of(chosen["since"]),
        until=_start_of(chosen["until"], days=1),
        reader=readers_of_keys.get(chosen["reader"], ""),
        **{name: chosen[name] for name in ("label", "state", "model")},
    )
    return choice, words.strip()


def _from_address(options: dict[str, dict[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Return the filters of the address, which the widgets are set to, and the names of those that are not known."""
    chosen, unknown = {name: query(name) for name in _FILTERS}, []
    for name, value in chosen.items():
        known = _day(value) is not None if name in ("since", "until") else value in options[name]
        if value and not known:
            unknown.append(name)
            chosen[name] = ""
    for name, value in chosen.items():
        st.session_state[f"history-{name}"] = _day(value) if name in ("since", "until") else value
    return chosen, unknown


def _apply() -> None:
    """Write the filters into the address, which the page then follows."""
    values = {name: st.session_state.get(f"history-{name}") or "" for name in _FILTERS}
    go(**{name: value if isinstance(value, str) else value.isoformat() for name, value in values.items()}, page="")


def _reset() -> None:
    st.session_state[_SEARCH] = ""
    st.query_params.clear()


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _start_of(value: str, days: int = 0) -> str:
    """Return the beginning of a day in the browser's time zone, as times are stored; empty without a day."""
    day = _day(value)
    if day is None or not date.min < day < date.max:
        return ""
    begins = datetime.combine(day + timedelta(days=days), time(), time_zone())
    return begins.astimezone(UTC).isoformat(timespec="milliseconds")


def _table(keys: Sequence[ReadKey], scope: ReadScope, readers: Sequence[str], identity: bool) -> None:
    """Draw one page of the table, and the way to the others."""
    pages = -(-len(keys) // ROWS_PER_PAGE)
    page = min(int(query("page")) if query("page").isdecimal() else 1, pages) or 1
    start = (page - 1) * ROWS_PER_PAGE
    ids = [key.read for key in keys[start : start + ROWS_PER_PAGE]]
    titles = reader_titles(scope, readers) if scope.sees_all else {}
    rows = [
        _line(row, scope, titles) for row in history_rows(read_store(), ids, identity=identity, viewer=scope.viewer)
    ]

    def on_open() -> None:
        read = st.session_state["history"].open
        if isinstance(read, str) and read in ids:
            go(read=read)

    data = {"rows": rows, "withPatient": identity, "withReader": scope.sees_all}
    _TABLE(key="history", data=data, on_open_change=on_open)
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="history-pages"):
            _turn("Newer", ":material/chevron_left:", page - 1, page > 1)
            _turn("Older", ":material/chevron_right:", page + 1, page < pages)
            small(f"{start + 1:,} to {min(start + ROWS_PER_PAGE, len(keys)):,} of {len(keys):,}")


def _turn(title: str, icon: str, page: int, enabled: bool) -> None:
    target = {"page": str(page) if page > 1 else ""}
    st.button(title, icon=icon, on_click=go, kwargs=target, disabled=not enabled, key=f"history-{title}")


def _line(row: HistoryRow, scope: ReadScope, titles: dict[str, str]) -> dict[str, Any]:
    """Return a row of the table, as text."""
    hidden = row.hidden
    above = [display_name(label) for label in row.above]
    if hidden:
        stated = "findings not shown yet"
    elif row.states:
        stated = ", ".join(above) or "none above"
    else:
        stated = "not read"
    patient = None if row.header is None else row.header.patient
    study_date = row.header.study_date if row.header is not None else None
    return {
        "id": row.id,
        "time": format_time(row.created),
        "patient": "" if patient is None else patient.name or patient.patient_id,
        "patientId": "" if patient is None or not patient.name else patient.patient_id,
        "studyDate": "" if study_date is None else study_date.isoformat(),
        "view": row.view,
        "model": row.model_id,
        "version": row.model_version,
        "point": row.operating_point + (", prevalence assumed" if row.prevalence else ""),
        "above": stated,
        "kind": "hidden" if hidden else "above" if above else "none",
        # a warning may be that another window changes a finding
        "quality": "" if hidden else {"warning": "warnings"}.get(row.quality, row.quality),
        "reader": titles.get(row.reader, ""),
        "seconds": duration(row.seconds) if row.seconds else "",
        "opinions": row.opinions,
    }


def _download(keys: Sequence[ReadKey], scope: ReadScope, readers: Sequence[str], identity: bool) -> None:
    titles = reader_titles(scope, readers)
    store, viewer = read_store(), scope.viewer

    def table() -> str:
        columns = (*CSV_COLUMNS[:2], *(PATIENT_COLUMNS if identity else ()), *CSV_COLUMNS[2:])
        rows = history_rows(store, [key.read for key in keys], identity=identity, viewer=viewer)
        return csv_text(columns, (_csv_line(row, titles) for row in rows))

    download_button(
        "Download CSV", table, "reads-csv", "second-read-history.csv", "text/csv",
        images=sorted({key.image for key in keys}), required=scope.sees_all,
    )  # fmt: skip


def _csv_line(row: HistoryRow, titles: dict[str, str]) -> dict[str, object]:
    header = row.header
    line: dict[str, object] = {
        "read": row.id,
        "time": row.created,
        "study": row.study,
        "image": row.image,
        "view": row.view,
        "model": row.model_id,
        "model_version": row.model_version,
        "model_sha256": row.model_sha256,
        "operating_point": row.operating_point,
        "above": "" if row.hidden else "; ".join(row.above),
        "quality": "" if row.hidden else row.quality,
        "reader": titles.get(row.reader, ""),
        "seconds_on_screen": round(row.seconds, 1),
        "findings_shown": row.revealed or "",
        "opinions": row.opinions,
        "notice": NOTICE,
    }
    if header is not None:
        line |= {
            "patient": header.patient.name,
            "patient_id": header.patient.patient_id,
            "study_date": "" if header.study_date is None else header.study_date.isoformat(),
            "accession_number": header.accession_number,
        }
    return line
