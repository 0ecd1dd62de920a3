"""The audit trail on the page "Operations": filters, the newest events, and export as CSV."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from html import escape
from typing import cast, get_args

import streamlit as st

from ..access import Role, audit
from ..access.audit import Event, What
from ..errors import CxrError
from ..operations.audit_selection import AuditFilter, EventOutcome, events_csv, select
from .chrome import empty_state, heading, refusal, small, table
from .downloads import download_button
from .history_scope import format_time, time_zone

__all__ = ["audit_trail"]

_ROWS = 50
_DIGITS = 12

_PERIODS = {"last 24 hours": 1, "last 7 days": 7, "last 30 days": 30, "last year": 365, "all": None}
"""Days of each period."""


def audit_trail() -> None:
    """Draw filters, events and the export."""
    heading("Audit trail")
    wanted = _filter()
    try:
        shown = list(itertools.islice(select(wanted), _ROWS + 1))
        begun = bool(shown) or next(audit.newest_first(), None) is not None
    except CxrError as error:
        refusal("The audit trail cannot be shown", (str(error),))
        return
    if not begun:
        empty_state(
            "No event yet",
            "What people do is recorded here: sign-ins, exports, imports, evaluations, backups.",
            level=3,
        )
        return
    if not shown:
        small("No event matches these filters.")
        return
    table(("time", "user", "role", "event", "object"), [_row(event) for event in shown[:_ROWS]])
    count = f"The newest {_ROWS} events." if len(shown) > _ROWS else f"{len(shown)} event{'s' * (len(shown) > 1)}."
    small(f"{count} Times in {time_zone()}. To verify the chain: python -m cxr_core audit --verify")
    download_button(
        "Export as CSV",
        lambda: events_csv(wanted),
        "audit-trail",
        "audit-trail.csv",
        "text/csv",
        role=Role.ADMIN,
        required=True,
    )


def _filter() -> AuditFilter:
    """Draw the filters, and return what is chosen."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        period = st.selectbox("Period", tuple(_PERIODS), index=1, key="audit-period", width=150)
        what = st.selectbox("Event", ("all", *sorted(get_args(What))), key="audit-what", width=170)
        who = st.text_input("User contains", key="audit-who", max_chars=200, width=200)
        outcome = st.selectbox("Outcome", ("all", *get_args(EventOutcome)), key="audit-outcome", width=130)
    days = _PERIODS[period]
    return AuditFilter(
        since=None if days is None else datetime.now(UTC) - timedelta(days=days),
        what="" if what == "all" else str(what),
        who=who.strip(),
        outcome=None if outcome == "all" else cast("EventOutcome", outcome),
    )


def _row(event: Event) -> tuple[str, ...]:
    images = f"{len(event.images):,} images" if len(event.images) > 1 else "".join(map(_digest, event.images))
    about = [images, event.model and f"model {_digest(event.model)}", event.run and f"run {escape(event.run)}"]
    who = "".join(letter if letter.isprintable() else "?" for letter in event.who) or "unknown"
    what = f"{event.what} {event.detail}".strip()
    return (
        escape(_shown_time(event.when)),
        escape(who),
        escape(event.role or "no role"),
        escape(what),
        ", ".join(filter(None, about)),
    )


def _shown_time(when: str) -> str:
    try:
        return format_time(when)
    except ValueError:
        # of a line that somebody has changed; `audit --verify` finds it
        return when


def _digest(sha256: str) -> str:
    return f'<code title="{escape(sha256)}">{escape(sha256[:_DIGITS])}</code>'
