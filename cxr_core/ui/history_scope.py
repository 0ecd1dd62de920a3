"""Which stored reads a visitor may see, and what the pages of them have in common: addresses, times, readers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import streamlit as st

from ..access import Role
from ..access.audit_chain import seal, trail_key
from ..errors import CxrError
from ..settings import settings
from ..store import reader_names
from ..store.read_history import HistoryRow, ReadChoice, history_rows, matching_reads, stored_study
from .chrome import small
from .read_store import read_store
from .server.browser_cookie import reader_name
from .visitor import may

__all__ = [
    "ReadScope", "address_of", "copy_address", "format_time", "go", "query", "read_store", "reader_keys",
    "reader_titles", "stored_study_of", "time_zone",
]  # fmt: skip

_PAGE = "/history"

_NOBODY = "-"
"""No name in the store: those of readers have a |."""


@dataclass(frozen=True)
class ReadScope:
    """What a visitor may see: reviewers and administrators the reads of all readers, a reader the reader's own.

    Attributes:
        viewer: what the store calls the visitor; empty where it is not known.
        sees_all: whether reads by other readers are seen.
    """

    viewer: str = field(repr=False)
    sees_all: bool

    @classmethod
    def of_visitor(cls) -> ReadScope:
        """Return that of the visitor of this session."""
        return cls(reader_name() or "", may(Role.REVIEWER))

    @property
    def reader(self) -> str:
        """Reader to whose reads the scope is limited; empty for all."""
        return "" if self.sees_all else self.viewer or _NOBODY

    def choice(self, **chosen: str) -> ReadChoice:
        """Return a choice within the scope; ``reader`` counts only where reads by other readers are seen."""
        reader = chosen.pop("reader", "")
        return ReadChoice(reader=self.reader or reader, viewer=self.viewer, **chosen)

    def row(self, read: str, *, identity: bool) -> HistoryRow | None:
        """Return the line of a read; None where there is none with this id, or the visitor may not see it."""
        keys = matching_reads(read_store(), self.choice(read=read)) if read else []
        return next(history_rows(read_store(), [key.read for key in keys], identity=identity, viewer=self.viewer), None)

    def is_own(self, row: HistoryRow) -> bool:
        """Return whether the visitor made the read."""
        return row.reader == self.viewer


def go(**changes: str) -> None:
    """Change the address of the page; an empty value removes its name. For callbacks, which run before the page."""
    st.query_params.from_dict({k: v for k, v in (st.query_params.to_dict() | changes).items() if v})


def address_of(**names: str) -> str:
    """Return an address that leads to a read or a study on the page History; it holds opaque ids alone."""
    page = (st.context.url or "").rstrip("/")
    return f"{page.removesuffix(_PAGE)}{_PAGE}?{urlencode(names)}"


def copy_address(**names: str) -> None:
    """Draw a control that shows an address, to be copied."""
    with st.popover("Copy address", type="tertiary", icon=":material/link:", key="copy-address"):
        st.code(address_of(**names), language=None, wrap_lines=True)
        small("Those who may see it can open it, after sign-in.")


def time_zone() -> tzinfo:
    """Return the time zone of the browser; UTC where it is not known."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC


def format_time(created: str) -> str:
    """Return a stored time in the browser's time zone, to the minute."""
    return f"{datetime.fromisoformat(created).astimezone(time_zone()):%Y-%m-%d %H:%M}"


def reader_keys(readers: Iterable[str]) -> dict[str, str]:
    """Return what stands for each reader in an address, by the name in the store.

    It is sealed with the key of the audit trail: whoever knows a name cannot compute it.
    """
    key = trail_key()
    return {reader: seal(key, "reader", reader.encode())[:10] for reader in readers}


def stored_study_of(image: str) -> str:
    """Return the id of the stored study of the visitor's image; empty where it is not stored, or not known."""
    reader = reader_name() if settings().keep == "store" else None
    with suppress(CxrError):
        return "" if reader is None else stored_study(read_store(), reader, image)
    return ""


def reader_titles(scope: ReadScope, readers: Iterable[str]) -> dict[str, str]:
    """Return what each reader is called on the page, by the name in the store: as in the statistics."""
    titles = reader_names.reader_titles(read_store(), readers)
    return {reader: f"{title} (you)" if reader == scope.viewer else title for reader, title in titles.items()}


def query(name: str) -> str:
    """Return a part of the address, of at most 200 letters; empty where it has none."""
    value: Any = st.query_params.get(name, "")
    return str(value)[:200]
