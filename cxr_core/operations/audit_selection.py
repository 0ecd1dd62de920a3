"""Events of the audit trail that match a filter, the newest first, and as CSV."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from typing import Literal

from ..access import audit
from ..access.audit import Event
from ..table_files import csv_text

__all__ = ["AuditFilter", "EventOutcome", "events_csv", "select"]

EventOutcome = Literal["done", "refused"]
"""``refused`` for a page that was refused to its visitor; everything else was done."""

_TOLERANCE = timedelta(days=1)
"""By which the clock may have been set back between two events."""


@dataclass(frozen=True)
class AuditFilter:
    """What is asked of the trail; empty texts and None stand for everything.

    Attributes:
        since, until: first and last moment, UTC; None for no limit.
        what: kind of event.
        who: text that the user's name has, without regard to case.
        outcome: whether it was done.
    """

    since: datetime | None = None
    until: datetime | None = None
    what: str = ""
    who: str = ""
    outcome: EventOutcome | None = None

    def matches(self, event: Event) -> bool:
        """Return whether an event is asked for."""
        when = _time(event)
        return (
            (self.since is None or (when is not None and when >= self.since))
            and (self.until is None or (when is not None and when <= self.until))
            and (not self.what or event.what == self.what)
            and self.who.casefold() in event.who.casefold()
            and (self.outcome is None or (event.what == "refusal") == (self.outcome == "refused"))
        )

    def is_past(self, event: Event) -> bool:
        """Return whether this event, and every one before it in the trail, is too old to match."""
        when = _time(event)
        return self.since is not None and when is not None and when < self.since - _TOLERANCE


def select(wanted: AuditFilter) -> Iterator[Event]:
    """Yield the events that match, the newest first, reading only as much of the trail as that takes.

    Raises AuditUnwritable where the trail cannot be read.
    """
    recent = itertools.takewhile(lambda event: not wanted.is_past(event), audit.newest_first())
    return filter(wanted.matches, recent)


def events_csv(wanted: AuditFilter) -> bytes:
    """Return all events that match as CSV, the newest first; raises as :func:`select`."""
    columns = [field.name for field in fields(Event)]
    rows = ([" ".join(value) if isinstance(value, tuple) else value for value in astuple(e)] for e in select(wanted))
    return csv_text(columns, rows).encode()


def _time(event: Event) -> datetime | None:
    try:
        when = datetime.fromisoformat(event.when)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None
