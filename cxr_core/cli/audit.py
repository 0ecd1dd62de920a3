"""``audit``: the audit trail, for a person at a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from ..access import audit as trail
from ..errors import WrongArguments

__all__ = ["audit"]


def audit(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Leave out what was before, such as 2026-11-24 or 2026-11-24T08:30.")
    ] = "",
) -> None:
    """Print the audit trail, one event a line: when (UTC), who, in which role, what, and to which film, model or run.

    Digests are cut to twelve digits; the file itself has them whole, as JSON. Example:

      python -m cxr_core audit --since 2026-11-24
    """
    if since and not since[:4].isdigit():
        raise WrongArguments(f"--since {since[:40]!r}: write a time such as 2026-11-24 or 2026-11-24T08:30, in UTC.")
    events, broken = trail.read(since)
    for event in events:
        print(event_words(event))
    if not events:
        print(f"No event{f' since {since}' if since else ''} in {trail.path()}.")
    if broken:
        typer.echo(f"{broken} line{'s' * (broken > 1)} of {trail.path()} could not be read.", err=True)


def event_words(event: trail.Event) -> str:
    """Return an event as one line."""
    films = f"{len(event.films)} films" if len(event.films) > 1 else "".join(f"film {sha[:12]}" for sha in event.films)
    about = (films, event.model and f"model {event.model[:12]}", event.run and f"run {event.run}")
    what = f"{event.what} {event.detail}".strip()
    who = "".join(letter if letter.isprintable() else "?" for letter in event.who) or "unknown"
    return f"{event.when}  {who}  {event.role or 'no role'}  {what}  {', '.join(filter(None, about))}".rstrip()
