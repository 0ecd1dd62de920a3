"""A download stands in the audit trail, and is made only for whom it was offered to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import streamlit as st

from ..access import Role, audit
from ..errors import CxrError
from .visitor import visitor

__all__ = ["about_run", "audited"]

_RUN = "run of the page"


def about_run(run: str) -> None:
    """Say of which run the rest of this page is; empty where it is of none."""
    st.session_state[_RUN] = run


def audited(
    make: Callable[[], Any],
    detail: str,
    *,
    films: Iterable[str] = (),
    model: str = "",
    run: str | None = None,
    role: Role = Role.READER,
    required: bool = False,
) -> Callable[[], Any]:
    """Wrap what makes a download, for ``st.download_button``.

    Streamlit makes a download in a thread of its own, long after the page was drawn, and knows nobody there: so who
    takes it is asked now, and at the press of the button whether that person still may.

    Args:
        make: returns the file's content.
        detail: what it is, in the program's own words, such as ``findings-csv``.
        films, model, run: digests, as in :class:`cxr_core.access.audit.Event`; by default the run that the page
            is of.
        role: the least that is needed.
        required: refuse the download where the trail cannot be written; so it is for what is taken out of a run,
            and not for the findings of a reader's own films.

    Returns:
        What makes the download, or raises CxrError, which the page shows as a failed download.
    """
    someone = visitor()
    films, run = tuple(films), st.session_state.get(_RUN, "") if run is None else run

    def made() -> Any:
        if not someone.may(role):
            raise CxrError("The sign-in has ended: nothing is made. Sign in again.")
        (audit.record if required else audit.note)(someone, "export", detail, films=films, model=model, run=run)
        return make()

    return made
