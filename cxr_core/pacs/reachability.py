"""Whether each PACS of the settings answers, by C-ECHO or by a DICOMweb search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import CxrError
from ..settings import settings
from .addresses import parse_address
from .destinations import Destination, echo
from .rules import load_rules

__all__ = ["Answer", "ask", "called"]


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
