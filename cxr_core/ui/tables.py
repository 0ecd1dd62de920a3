"""A table as HTML, for numbers that a reader compares line by line."""

from __future__ import annotations

from html import escape

import streamlit as st

__all__ = ["table"]


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]], numbers: int = 0) -> None:
    """Write rows of HTML cells; the caller escapes what comes from outside.

    Args:
        heads: of the columns, plain text; empty ones give no head.
        rows: HTML.
        numbers: how many columns after the first hold numbers, which are aligned.
    """

    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="n"' if 0 < column <= numbers else ""
        return f"<{tag}{kind}>{text}</{tag}>"

    head = "".join(cell("th", i, escape(text)) for i, text in enumerate(heads))
    body = "".join("<tr>" + "".join(cell("td", i, text) for i, text in enumerate(row)) + "</tr>" for row in rows)
    wide = " wide" if len(heads) > 3 else ""
    top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    st.html(f'<div class="sr-scroll"><table class="sr-table{wide}">{top}<tbody>{body}</tbody></table></div>')
