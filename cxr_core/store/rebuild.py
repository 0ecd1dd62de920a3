"""Rebuild the database from the files of the runs: each has its record in ``run.json`` beside its predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ..errors import CxrError, PathUnusable, StoreDamaged
from ..settings import settings
from .database import DAMAGED, DATABASE, rename_damaged, sqlite_file
from .record import RunRecord, with_current_names
from .runs import RECORD, RunStore, StoredRun

__all__ = ["Rebuilt", "rebuild"]

_ADAPTER = TypeAdapter(RunRecord)


@dataclass(frozen=True)
class Rebuilt:
    """Runs that were missing in the database.

    Attributes:
        added: runs that were added.
        refused: (folder's name, reason) of the others, one line each.
        aside: new path of the damaged database, or None where it was not damaged.
    """

    added: tuple[StoredRun, ...]
    refused: tuple[tuple[str, str], ...]
    aside: Path | None


def rebuild(report: Callable[[int, int], None] = lambda done, runs: None) -> Rebuilt:
    """Add the runs of the folder of runs that are missing in the database.

    A damaged SQLite database is renamed first. A run whose predictions are not the ones that were stored is refused,
    and the others are added.

    Args:
        report: called with the runs done and their number.

    Raises:
        PathUnusable: the database cannot be opened, or is damaged and on a server.
    """
    store, damaged = _opened()
    try:
        folders = store.unknown()
        added, refused = [], []
        for done, folder in enumerate(folders, 1):
            try:
                added.append(store.add_row(_record_of(folder)))
            except CxrError as error:
                refused.append((folder.name, str(error)))
            report(done, len(folders))
        return Rebuilt(tuple(added), tuple(refused), damaged)
    finally:
        store.close()


def _opened() -> tuple[RunStore, Path | None]:
    try:
        store = RunStore()
    except StoreDamaged:
        return _replaced()
    try:
        store.check()
    except StoreDamaged:
        store.close()
        return _replaced()
    except BaseException:
        store.close()
        raise
    return store, None


def _replaced() -> tuple[RunStore, Path]:
    """Rename the damaged database, and return an empty store and the new path of the damaged one."""
    url = settings().database_url
    file = settings().runs / DATABASE if url is None else sqlite_file(url)
    if file is None:
        raise PathUnusable(f"{DAMAGED.partition('.')[0]}, and is not a file here: repair or restore it on its server.")
    damaged = rename_damaged(file)
    return RunStore(), damaged


def _record_of(folder: Path) -> RunRecord:
    try:
        record = _ADAPTER.validate_python(with_current_names(json.loads((folder / RECORD).read_bytes())))
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise PathUnusable(f"Run {folder.name}: {RECORD} cannot be read, or is not a run's.") from error
    if record.id != folder.name:
        raise PathUnusable(f"Run {folder.name}: its {RECORD} is of run {record.id}. Rename the folder to that id.")
    return record
