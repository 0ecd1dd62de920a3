"""``backup`` and ``restore``: everything that the program keeps, to one file and back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..store.backup import Contents, back_up
from ..store.backup import restore as restore_backup
from ..store.database import sqlite_file
from ..store.kept_files import database_url
from .progress import telling

__all__ = ["backup", "restore"]

REFUSED = 3

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Backup to write.")], overwrite: Overwrite = False
) -> None:
    """Write all that the program keeps to one file: runs and their database, audit trail, models, keys.

    The app may go on meanwhile. Images are not kept, so none is in it; nor are compiled graphs and the numbers of runs,
    which are found again, nor the checkpoints of a training. The file holds the keys: keep it as you keep the folder.
    Example:

      python -m cxr_core backup second-read-2026-11-26.zip
    """
    # first, since what is not in the trail must not leave; so that the backup itself holds the event
    audit.record(asked_by(), "backup")
    with ExitStack() as stack:
        made = back_up(file, overwrite=overwrite, report=telling(stack, "Files written"))
    print(f"{file}: {_words(made)}")
    if sqlite_file(database_url()) is None:
        print("The database lies elsewhere and is not in it; a restore makes its rows from the runs.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Backup to restore.")], overwrite: Overwrite = False
) -> int:
    """Put everything of a backup where the program keeps it now. Stop the app before.

    The backup is compared with its checksums first. Files that are here already with other contents are replaced only
    with --overwrite; the former audit trail then stays beside the new one. Exit status 3 where a run could not be
    brought back. Example:

      python -m cxr_core restore second-read-2026-11-26.zip
    """
    with ExitStack() as stack:
        done = restore_backup(file, overwrite=overwrite, report=telling(stack, "Files compared and written"))
    audit.note(asked_by(), "restore", f"backup of {done.contents.created}")
    print(f"{file}, of {done.contents.created}: {_words(done.contents)}; {done.written} files written.")
    for run in done.rebuilt.added:
        print(f"{run.record.id}: brought back; the database of the backup does not know it")
    for _, reason in done.rebuilt.refused:
        typer.echo(f"Error: {reason}", err=True)
    return REFUSED if done.rebuilt.refused else 0


def _words(contents: Contents) -> str:
    runs, models, files = contents.count("runs"), contents.count("models"), len(contents.files)
    return f"{runs} runs, {models} models, {files} files, {contents.bytes / 1e6:,.1f} MB"
