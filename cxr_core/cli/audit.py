"""``audit``: the audit trail, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..access import audit as trail
from ..access import audit_verification as verification
from ..errors import WrongArguments

__all__ = ["audit"]

CHANGED = 4
"""Exit status where the trail is not as it was written."""


MOST = 100
"""Lines that are named, of a trail that is not as it was written."""


def audit(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Leave out what was before, such as 2026-11-24 or 2026-11-24T08:30.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every line with its seal instead of printing it.")
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="With --verify: a file of the trail that lies elsewhere, such as a rotated one."
        ),
    ] = None,
    first: Annotated[
        int, typer.Option(min=1, help="With --verify: number of the oldest event that must be there.")
    ] = 1,
) -> int:
    """Print the audit trail, one event a line: when (UTC), who, in which role, what, and to which image, model or run.

    Digests are cut to twelve digits; the file itself has them whole, as JSON. With --verify it says whether a line was
    deleted, changed, inserted, moved or cut off at the end, and which; exit status 4 where one was. Examples:

      python -m cxr_core audit --since 2026-11-24

      python -m cxr_core audit --verify
    """
    if verify:
        return _verify(also or (), first)
    if since and not since[:4].isdigit():
        raise WrongArguments(f"--since {since[:40]!r}: write a time such as 2026-11-24 or 2026-11-24T08:30, in UTC.")
    events, broken = trail.read(since)
    for event in events:
        print(event_words(event))
    if not events:
        print(f"No event{f' since {since}' if since else ''} in {trail.path()}.")
    if broken:
        typer.echo(f"{broken} line{'s' * (broken > 1)} of {trail.path()} could not be read.", err=True)
    return 0


def _verify(also: Sequence[Path], first: int) -> int:
    found = verification.verify(also, first)
    for problem in found.problems[:MOST]:
        typer.echo(f"Error: {problem}", err=True)
    if len(found.problems) > MOST:
        typer.echo(f"Error: and {len(found.problems) - MOST:,} more.", err=True)
    for place in found.torn:
        print(f"{place}: cut short as it was written, by a crash or a full disk; it holds no event.")
    before = f", {found.before:,} line{'s' * (found.before != 1)} from before the chain" if found.before else ""
    files = f"{len(found.files)} file{'s' * (len(found.files) != 1)}"
    if not found.events:
        print(f"No sealed event in {files}{before}.")
    else:
        print(f"Events {found.first:,} to {found.last:,}, {found.events:,} as they were written, in {files}{before}.")
        # noted elsewhere, it shows later whether this much of the trail is still there
        print(f"Seal of event {found.last:,}: {found.mac}")
    return CHANGED if found.problems else 0


def event_words(event: trail.Event) -> str:
    """Return an event as one line."""
    films = (
        f"{len(event.films)} images" if len(event.films) > 1 else "".join(f"image {sha[:12]}" for sha in event.films)
    )
    about = (films, event.model and f"model {event.model[:12]}", event.run and f"run {event.run}")
    what = f"{event.what} {event.detail}".strip()
    who = "".join(letter if letter.isprintable() else "?" for letter in event.who) or "unknown"
    return f"{event.when}  {who}  {event.role or 'no role'}  {what}  {', '.join(filter(None, about))}".rstrip()
