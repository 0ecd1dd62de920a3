"""The page "History": the table of stored reads, one of them as it was shown, or two side by side."""

from __future__ import annotations

import streamlit as st

from ..errors import CxrError
from ..settings import settings
from .chrome import empty_state, page_heading, refusal, small, stop_with
from .history_comparison import show_comparison
from .history_list import show_list
from .history_read import show_read
from .history_scope import ReadScope, go, query

__all__ = ["history"]

NO_SUCH = ("It was deleted, or the address is of something else, or of somebody else's that you may not see.",)
"""One answer for all of these, so that an address tells nothing to those who may not open it."""


def history() -> None:
    """Draw what the address asks for: a read, a comparison of two, the reads of a study, or all reads."""
    if settings().keep != "store":
        page_heading("History", "")
        empty_state(
            "Reads are not stored on this server",
            "The worklist is in memory alone, for a limited time. To keep images, reads and opinions, with deletion "
            "after a number of days, the administrator of this server sets:",
            level=2,
        )
        st.code("SECOND_READ_KEEP=store\nSECOND_READ_KEEP_DAYS=30", language=None)
        small("Patient and study are stored as well where SECOND_READ_IDENTITY=store.")
        return
    try:
        scope = ReadScope.of_visitor()
        read, other, study = query("read"), query("with"), query("study")
        if read and other:
            answered = show_comparison(scope, read, other)
        elif read:
            answered = show_read(scope, read)
        else:
            answered = show_list(scope, study)
    except CxrError as error:
        stop_with(error)
    if not answered:
        refusal("No such read or study", NO_SUCH)
        st.button("Show all reads", type="primary", on_click=go, kwargs={"read": "", "with": "", "study": ""})
