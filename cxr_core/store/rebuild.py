"""A database anew from the files of the runs: each keeps its record in ``run.json`` beside its predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import CxrError, PathUnusable, StoreDamaged
from ..settings import settings
from .database import DAMAGED, DATABASE, put_aside, sqlite_file
from .record import RunRecord
from .runs import RECORD, RunStore, StoredRun

__all__ = ["Rebuilt", "rebuild"]

_ADAPTER = TypeAdapter(RunRecord)


@dataclass(frozen=True)
class Rebuilt:
    """What became of the runs that the database did not know.

    Attributes:
        added: runs that it knows now.
        refused: (folder's name, why) of the others, one line each.
        aside: where the damaged database was put, or None where it was not damaged.
    """

    added: tuple[StoredRun, ...]
    refused: tuple[tuple[str, str], ...]
    aside: Path | None


def rebuild(report: Callable[[int, int], None] = lambda done, runs: None) -> Rebuilt:
    """Give each run of the folder of runs that the database does not know its row.

    A damaged SQLite database is put aside first. A run whose predictions are not the ones that were stored is refused,
    and the others are brought back.

    Args:
        report: called with the runs done and their number.

    Raises:
        PathUnusable: the database cannot be opened, or is damaged and on a server.
    """
    store, aside = _opened()
    try:
        folders = store.unknown()
        added, refused = [], []
        for done, folder in enumerate(folders, 1):
            try:
                added.append(store.bring_back(_record_of(folder)))
            except CxrError as error:
                refused.append((folder.name, str(error)))
            report(done, len(folders))
        return Rebuilt(tuple(added), tuple(refused), aside)
    finally:
        store.close()


def _opened() -> tuple[RunStore, Path | None]:
    try:
        store = RunStore()
    except StoreDamaged:
        return _anew()
    try:
        store.check()
    except StoreDamaged:
        store.close()
        return _anew()
    except BaseException:
        store.close()
        raise
    return store, None


def _anew() -> tuple[RunStore, Path]:
    url = settings().database_url
    file = settings().runs / DATABASE if url is None else sqlite_file(url)
    if file is None:
        raise PathUnusable(f"{DAMAGED.partition('.')[0]}, and is not a file here: repair or restore it on its server.")
    aside = put_aside(file)
    return RunStore(), aside


def _record_of(folder: Path) -> RunRecord:
    try:
        record = _ADAPTER.validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError) as error:
        raise PathUnusable(f"Run {folder.name}: {RECORD} cannot be read, or is not a run's.") from error
    if record.id != folder.name:
        raise PathUnusable(f"Run {folder.name}: its {RECORD} is of run {record.id}. Give the folder that name.")
    return record
