"""``backup``, ``restore`` and ``audit``: back up all that the program stores, restore it, and print the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user
from ..access import audit as trail
from ..access import audit_verification as verification
from ..errors import WrongArguments
from ..store.backup import Contents, back_up
from ..store.backup import restore as restore_backup
from ..store.backup_folder import remove_interrupted
from ..store.backup_members import database_url
from ..store.database import sqlite_file
from ..store.last_backup import note_backup
from .progress import progress_callback

__all__ = [
    "audit",
    "backup",
    "restore",
]


REFUSED = 3

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Backup to write.")], overwrite: Overwrite = False
) -> None:
    """Write all that the program stores to one file: runs, studies and their database, audit trail, models, keys.

    The app may keep running. The file holds no images but those of stored studies (SECOND_READ_KEEP=store), nothing
    that can be computed again (compiled graphs, metrics of runs), nor checkpoints. It holds the keys of the folder of
    runs: protect it like the folder itself. The key of the store, SECOND_READ_STORE_KEY, is not in it. Example:

      python -m cxr_core backup second-read-2026-11-26.zip
    """
    # before the backup, which then holds the event; without it there is no backup
    trail.record(acting_user(), "backup")
    if interrupted := remove_interrupted(file):
        print(f"Removed what {interrupted} interrupted backup{'s' * (interrupted > 1)} had left in that folder.")
    with ExitStack() as stack:
        contents = back_up(
            file, overwrite=overwrite, report=progress_callback(stack, "Runs, images and models written")
        )
    print(f"{file}: {_describe(contents)}")
    try:
        note_backup(len(contents.files), contents.bytes)
    except OSError:
        typer.echo("The page Operations will not show this backup: the folder of runs cannot be written.", err=True)
    if sqlite_file(database_url()) is None:
        print("The database is on a server and not in the backup; a restore writes its rows from the runs.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Backup to restore.")], overwrite: Overwrite = False
) -> int:
    """Restore a backup to where the program stores its data now. Stop the app first.

    The backup is compared with its checksums first. Existing files with other contents are replaced only with
    --overwrite; the former audit trail then stays beside the new one. Exit status 3 where a run could not be
    restored. Example:

      python -m cxr_core restore second-read-2026-11-26.zip
    """
    with ExitStack() as stack:
        restored = restore_backup(
            file, overwrite=overwrite, report=progress_callback(stack, "Files compared and written")
        )
    trail.note(acting_user(), "restore", f"backup of {restored.contents.created}")
    print(f"{file}, of {restored.contents.created}: {_describe(restored.contents)}; {restored.written} files written.")
    for run in restored.rebuilt.added:
        print(f"{run.record.id}: added; the database of the backup does not list it")
    for _, reason in restored.rebuilt.refused:
        typer.echo(f"Error: {reason}", err=True)
    return REFUSED if restored.rebuilt.refused else 0


def _describe(contents: Contents) -> str:
    runs, models, files = contents.count("runs"), contents.count("models"), len(contents.files)
    studies = contents.count("studies")
    stored = f"{studies} {'study' if studies == 1 else 'studies'}, " if studies else ""
    return f"{runs} runs, {stored}{models} models, {files} files, {contents.bytes / 1e6:,.1f} MB"


CHANGED = 4
"""Exit status where the trail has been changed."""

MAX_PROBLEMS = 100
"""Largest number of problems that are printed."""


def audit(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Leave out earlier events, such as 2026-11-24 or 2026-11-24T08:30.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every line with its seal instead of printing it.")
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="With --verify: a file of the trail in another folder, such as a rotated one."
        ),
    ] = None,
    first: Annotated[
        int, typer.Option(min=1, help="With --verify: number of the oldest event that must be there.")
    ] = 1,
) -> int:
    """Print the audit trail, one event per line: time (UTC), user, role, event, and the image, model or run concerned.

    Digests are cut to twelve digits; the file itself has them in full, as JSON. What came through a request has its id,
    by which the lines of the log are found. --verify reports lines that were deleted, changed, inserted, moved or cut
    off at the end; exit status 4 where there are any. Examples:

      python -m cxr_core audit --since 2026-11-24

      python -m cxr_core audit --verify
    """
    if verify:
        return _verify(also or (), first)
    if since and not since[:4].isdigit():
        raise WrongArguments(f"--since {since[:40]!r}: write a time such as 2026-11-24 or 2026-11-24T08:30, in UTC.")
    events, broken = trail.read(since)
    for event in events:
        print(format_event(event))
    if not events:
        print(f"No event{f' since {since}' if since else ''} in {trail.path()}.")
    if broken:
        typer.echo(f"{broken} line{'s' * (broken > 1)} of {trail.path()} could not be read.", err=True)
    return 0


def _verify(also: Sequence[Path], first: int) -> int:
    result = verification.verify(also, first)
    for problem in result.problems[:MAX_PROBLEMS]:
        typer.echo(f"Error: {problem}", err=True)
    if len(result.problems) > MAX_PROBLEMS:
        typer.echo(f"Error: and {len(result.problems) - MAX_PROBLEMS:,} more.", err=True)
    for place in result.torn:
        print(f"{place}: truncated while it was written, by a crash or a full disk; it holds no event.")
    before = f", {result.before:,} line{'s' * (result.before != 1)} from before the chain" if result.before else ""
    files = f"{len(result.files)} file{'s' * (len(result.files) != 1)}"
    if not result.events:
        print(f"No sealed event in {files}{before}.")
    else:
        print(
            f"Events {result.first:,} to {result.last:,}, {result.events:,} as they were written, in {files}{before}."
        )
        # recorded elsewhere, it shows later whether the trail still has all events up to this one
        print(f"Seal of event {result.last:,}: {result.mac}")
    return CHANGED if result.problems else 0


def format_event(event: trail.Event) -> str:
    """Return an event as one line."""
    images = (
        f"{len(event.images)} images" if len(event.images) > 1 else "".join(f"image {sha[:12]}" for sha in event.images)
    )
    request = event.request_id and f"request {event.request_id}"
    about = (images, event.model and f"model {event.model[:12]}", event.run and f"run {event.run}", request)
    what = f"{event.what} {event.detail}".strip()
    who = "".join(letter if letter.isprintable() else "?" for letter in event.who) or "unknown"
    return f"{event.when}  {who}  {event.role or 'no role'}  {what}  {', '.join(filter(None, about))}".rstrip()
