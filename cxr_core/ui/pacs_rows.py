"""Rows of the page "PACS": how many are shown, a line, and an instance or a study by the end of its UID."""

from __future__ import annotations

from html import escape

import streamlit as st

from .chrome import small

__all__ = ["ROWS", "and_more", "line", "uid_text"]

ROWS = 12
"""That are shown of a list."""

_UID_LETTERS = 12


def line(content: str) -> None:
    """Draw a line of HTML."""
    st.html(f'<div class="sr-small">{content}</div>', width="stretch")


def uid_text(name: str, uid: str) -> str:
    """Return a UID as HTML: its end, with all of it on hovering, since it is longer than a line."""
    shown = uid if len(uid) <= _UID_LETTERS else f"…{uid[-_UID_LETTERS:]}"
    return f'<code title="{escape(f"{name} {uid}".strip())}">{escape(shown)}</code>'


def and_more(number: int, what: str) -> None:
    """Say how many of a list are not shown."""
    if number > ROWS:
        small(f"And {number - ROWS:,} more {what}.")
