"""Whether each PACS of the settings answers, by C-ECHO or by a DICOMweb search."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from html import escape

import streamlit as st

from ..errors import CxrError
from ..pacs import association, dicomweb
from ..pacs.addresses import DimseAddress, parse_address
from ..settings import settings
from .chrome import heading, refusal, small, table
from .history_scope import format_time

__all__ = ["Answer", "Peer", "ask", "peers", "reachability"]

_ANSWERS = "pacs-answers"


@dataclass(frozen=True)
class Peer:
    """A PACS of the settings.

    Attributes:
        name: of the destination in the rules, or what it is there for.
        address: as it is written.
        service: how it is asked.
        echo: asks it; raises CxrError.
    """

    name: str
    address: str
    service: str
    echo: Callable[[], None] = field(repr=False, compare=False)


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


def peers() -> tuple[Peer, ...]:
    """Return each PACS that results are sent to or studies are fetched from; raises WrongArguments."""
    given = settings()
    configured = (
        ("pacs", given.pacs, given.pacs_credentials),
        ("source", given.pacs_source, given.pacs_source_credentials),
    )
    return tuple(_peer(name, text, credentials) for name, text, credentials in configured if text)


def _peer(name: str, text: str, credentials: str | None) -> Peer:
    address = parse_address(text)
    if isinstance(address, DimseAddress):
        return Peer(name, str(address), "C-ECHO, TLS" if address.tls else "C-ECHO", partial(association.echo, address))
    return Peer(name, str(address), "DICOMweb", partial(dicomweb.echo, address, credentials))


def ask(asked: Sequence[Peer]) -> dict[Peer, Answer]:
    """Ask each PACS at the same time, and return what it answered."""
    if not asked:
        return {}
    with ThreadPoolExecutor(len(asked)) as threads:
        return dict(zip(asked, threads.map(_answer, asked), strict=True))


def _answer(peer: Peer) -> Answer:
    when, start, problem = datetime.now(UTC).isoformat(), time.monotonic(), ""
    try:
        peer.echo()
    except CxrError as error:
        problem = str(error)
    return Answer(1000 * (time.monotonic() - start), problem, when)


def reachability() -> None:
    """Draw whether each PACS answers: asked as the page is opened, and when the administrator asks again."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        heading("Reachability")
        st.button("Check again", icon=":material/refresh:", type="tertiary", key="pacs-check", on_click=_forget)
    try:
        known = peers()
    except CxrError as error:
        refusal("The settings cannot be used", (str(error),))
        return
    if not known:
        small("No PACS is called: neither SECOND_READ_PACS nor SECOND_READ_PACS_SOURCE is set.")
        return
    answers: dict[Peer, Answer] = st.session_state.get(_ANSWERS, {})
    if answers.keys() != set(known):
        with st.spinner("Waiting for an answer"):
            answers = ask(known)
        st.session_state[_ANSWERS] = answers
    table(("PACS", "address", "state"), [_row(peer, answers[peer]) for peer in known])
    small(f"Asked {format_time(next(iter(answers.values())).asked)}.")


def _forget() -> None:
    """Forget the answers, so that the script run that follows asks."""
    st.session_state.pop(_ANSWERS, None)


def _row(peer: Peer, answer: Answer) -> tuple[str, ...]:
    if answer.problem:
        state = f'<span class="sr-bad">does not answer</span><br>{escape(answer.problem)}'
    else:
        state = f'<span class="sr-good">answers</span> {escape(peer.service)}, {answer.milliseconds:,.0f} ms'
    return escape(peer.name), f"<code>{escape(peer.address)}</code>", state
