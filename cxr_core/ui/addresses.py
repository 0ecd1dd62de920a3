"""Addresses of figures: run, reference standard, label, model and figure, which a colleague can open.

They hold names of runs, labels and models alone, nothing of a patient. Who opens one needs the role of its page.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode

import streamlit as st

from .chrome import asset, small

__all__ = ["addressed", "figure_address", "say_if_unknown", "show_if_addressed", "write_address"]

_WRITTEN = "address-written"
"""In the session state: the choices that a page wrote into the address last, by name."""

_FIGURE = "figure"

# registered at import: registering the name again would replace the component under a mounted one
_SHOWN = st.components.v2.component("second_read_figure", html="<span></span>", js=asset("figure.js"))


def addressed(name: str) -> str | None:
    """Return a choice that came with the address: a link, a reload, the browser's Back; None if a page wrote it last.

    The address is the visitor's latest word only where no page wrote it: after a change in a select box it still holds
    the value before.
    """
    value = st.query_params.get(name)
    return None if value == st.session_state.get(_WRITTEN, {}).get(name) else value


def write_address(**choices: str) -> None:
    """Write choices into the address of the page, which then leads a colleague to the same figures."""
    st.session_state.setdefault(_WRITTEN, {}).update(choices)
    before = st.query_params.to_dict()
    if before | choices != before:
        # in one step, which the browser's Back undoes as one
        st.query_params.from_dict(before | choices)


def say_if_unknown(kind: str, value: str | None, known: Collection[str], shown: str) -> None:
    """Say that the address names something that is not among what can be shown, and what is shown in its place.

    ``kind`` says what: ``label that this run does not have``.
    """
    if value is not None and value not in known:
        small(f"The address names a {kind}. Shown: {shown}.", "sr-assumed")


def figure_address(figure: str) -> str:
    """Return the address of a figure of this page, with the choices that it is drawn for."""
    return f"{st.context.url or ''}?{urlencode(st.query_params.to_dict() | {_FIGURE: figure})}"


def show_if_addressed(figure: str) -> None:
    """Have the browser scroll to the heading of a figure, beside which this is called, if the address names it."""
    if st.query_params.get(_FIGURE) == figure:
        _SHOWN(key="addressed-figure", width="content")
