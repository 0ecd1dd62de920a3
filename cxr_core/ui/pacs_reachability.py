"""Whether each PACS of the settings answers, by C-ECHO or by a DICOMweb search."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..errors import CxrError
from ..pacs.addresses import DimseAddress
from ..pacs.destinations import Destination
from ..pacs.reachability import Answer, ask, called
from .chrome import heading, refusal, small, table
from .history_scope import format_time

__all__ = ["reachability"]

_ANSWERS = "pacs-answers"


def reachability() -> None:
    """Draw whether each PACS answers: asked as the page is opened, and when the administrator asks again."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        heading("Reachability")
        st.button("Check again", icon=":material/refresh:", type="tertiary", key="pacs-check", on_click=_forget)
    try:
        known = called()
    except CxrError as error:
        refusal("The settings cannot be used", (str(error),))
        return
    if not known:
        small("No PACS is called: results go nowhere, and nothing is fetched.")
        return
    answers: dict[Destination, Answer] = st.session_state.get(_ANSWERS, {})
    if answers.keys() != set(known):
        with st.spinner("Waiting for an answer"):
            answers = ask(known)
        st.session_state[_ANSWERS] = answers
    table(("PACS", "address", "state"), [_row(one, answers[one]) for one in known])
    small(f"Asked {format_time(next(iter(answers.values())).asked)}.")


def _forget() -> None:
    """Forget the answers, so that the script run that follows asks."""
    st.session_state.pop(_ANSWERS, None)


def _row(destination: Destination, answer: Answer) -> tuple[str, ...]:
    address = destination.address
    service = "DICOMweb"
    if isinstance(address, DimseAddress):
        service = "C-ECHO, TLS" if address.tls else "C-ECHO"
    if answer.problem:
        state = f'<span class="sr-bad">does not answer</span><br>{escape(answer.problem)}'
    else:
        state = f'<span class="sr-good">answers</span> {service}, {answer.milliseconds:,.0f} ms'
    return escape(destination.name), f"<code>{escape(str(address))}</code>", state
