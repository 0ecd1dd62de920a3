"""Downloads: each is recorded in the audit trail, and made only for the person to whom it was offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import streamlit as st

from ..access import Role, audit
from ..errors import CxrError
from ..logs import request_id, within_request
from .visitor import visitor

__all__ = ["audited", "download_button", "set_page_run"]

_PAGE_RUN = "page_run"


def set_page_run(run: str) -> None:
    """Set the evaluation run that the downloads of this page belong to; empty for none."""
    st.session_state[_PAGE_RUN] = run


def audited(
    make: Callable[[], Any],
    detail: str,
    *,
    images: Iterable[str] = (),
    model: str = "",
    run: str | None = None,
    role: Role = Role.READER,
    required: bool = False,
) -> Callable[[], Any]:
    """Wrap the function that makes a download, for ``st.download_button``.

    Streamlit makes a download in a separate thread, long after the page was drawn and without a session. The visitor,
    and the request of the tab, are therefore determined now, and the role checked again when the button is pressed.

    Args:
        make: returns the content of the file.
        detail: kind of download for the audit trail, such as ``findings-csv``.
        images, model, run: digests, as in :class:`cxr_core.access.audit.Event`; by default the run of the page.
        role: lowest role that may download.
        required: refuse the download if the audit trail cannot be written. True for exports of a run, False for the
            findings of a reader's own images.

    Returns:
        A function that makes the download, or raises CxrError, which the page shows as a failed download.
    """
    person, identifier = visitor(), request_id()
    images, run = tuple(images), st.session_state.get(_PAGE_RUN, "") if run is None else run

    def make_audited() -> Any:
        if not person.may(role):
            raise CxrError("Your sign-in has expired, so no file was made. Sign in again.")
        with within_request(identifier):
            (audit.record if required else audit.note)(person, "export", detail, images=images, model=model, run=run)
            return make()

    return make_audited


def download_button(
    title: str, make: Callable[[], Any], detail: str, file_name: str, mime: str, **audit_details: Any
) -> None:
    """Draw a button for a file that is made when the button is pressed; see :func:`audited`."""
    st.download_button(
        title,
        audited(make, detail, **audit_details),
        file_name=file_name,
        mime=mime,
        on_click="ignore",
        width="stretch",
        key=f"download-{detail}",
    )
