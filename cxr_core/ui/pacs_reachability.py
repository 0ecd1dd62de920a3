"""Whether each PACS of the settings answers, by C-ECHO or by a DICOMweb search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import streamlit as st

from ..errors import CxrError
from ..pacs.addresses import DimseAddress, parse_address
from ..pacs.destinations import Destination, echo
from ..pacs.rules import load_rules
from ..settings import settings
from .chrome import heading, refusal, small, table
from .history_scope import format_time

__all__ = ["Answer", "ask", "called", "reachability"]

_ANSWERS = "pacs-answers"


@dataclass(frozen=True)
class Answer:
    """What a PACS answered.

    Attributes:
        milliseconds: until it answered.
        problem: why it did not, one line; empty where it did.
        asked: when, UTC, ISO 8601.
    """

    milliseconds: float
    problem: str
    asked: str


def called() -> tuple[Destination, ...]:
    """Return each PACS that results are sent to or studies are fetched from; raises WrongArguments."""
    given = settings()
    destinations = tuple(load_rules().destinations.values()) if given.pacs or given.pacs_rules else ()
    if not given.pacs_source:
        return destinations
    return *destinations, Destination("source", parse_address(given.pacs_source), given.pacs_source_credentials)


def ask(destinations: Sequence[Destination]) -> dict[Destination, Answer]:
    """Ask each PACS at the same time, and return what it answered."""
    if not destinations:
        return {}
    with ThreadPoolExecutor(len(destinations)) as threads:
        return dict(zip(destinations, threads.map(_answer, destinations), strict=True))


def _answer(destination: Destination) -> Answer:
    when, start, problem = datetime.now(UTC).isoformat(), time.monotonic(), ""
    try:
        echo(destination)
    except CxrError as error:
        problem = str(error)
    return Answer(1000 * (time.monotonic() - start), problem, when)


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
