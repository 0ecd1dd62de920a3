"""The store of runs: rows in a database, predictions beside it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from ..errors import PathUnusable, StoreDamaged, WrongArguments
from ..files import cannot_write, file_sha256, make_tree_private, private_folder
from ..settings import settings
from .database import DAMAGED, DATABASE, open_migrated, transaction
from .predictions import (
    Localisation,
    Predictions,
    has_readers,
    read_localisation,
    read_predictions,
    write_localisation,
    write_predictions,
)
from .record import RunRecord, with_current_names

__all__ = ["EMBEDDED", "RunStore", "StoredRun", "is_run_folder"]

EMBEDDED = Path(__file__).with_name("embedded")
"""Runs that come with the project: numbers, no images."""

PREDICTIONS = "predictions.parquet"
LOCALISATION = "localisation.parquet"
RECORD = "run.json"


@dataclass(frozen=True)
class StoredRun:
    """A run's record, and the folder of its files."""

    record: RunRecord
    folder: Path

    def predictions(self) -> Predictions:
        """Return every prediction; raises PathUnusable where the file is not the one that was stored."""
        return _read(self._checked(PREDICTIONS, self.record.predictions_sha256), self.record.predictions_sha256)

    def is_there(self) -> bool:
        """Return whether its file of predictions exists, changed or not."""
        return (self.folder / PREDICTIONS).is_file()

    def has_readers(self) -> bool:
        """Return whether it holds answers of individual readers; False where its file cannot be read."""
        return has_readers(self.folder / PREDICTIONS)

    def check(self) -> None:
        """Raise PathUnusable where a file of the run is not the one that was stored."""
        self._checked(PREDICTIONS, self.record.predictions_sha256)
        if self.record.localisation_sha256:
            self._checked(LOCALISATION, self.record.localisation_sha256)

    def localisation(self) -> Localisation | None:
        """Return the localisation of the heat maps, or None without boxes; raises as :meth:`predictions`."""
        if not self.record.localisation_sha256:
            return None
        return read_localisation(self._checked(LOCALISATION, self.record.localisation_sha256))

    def _checked(self, name: str, sha256: str) -> Path:
        path = self.folder / name
        try:
            now = path.stat()
            if _sha256_of(path, now.st_mtime_ns, now.st_size) == sha256:
                return path
        except OSError:
            pass
        raise PathUnusable(f"Run {self.record.id}: {name} is missing or was changed since it was stored.")


@lru_cache(maxsize=4)
def _read(path: Path, sha256: str) -> Predictions:
    return read_predictions(path)


class RunStore:
    """Runs of one database and folder, and those included in the project.

    Safe for several threads and for several programs at once.

    Args:
        url: of the database, as SQLAlchemy accepts it; by default the setting ``database_url``.
        folder: has a folder per run; by default the setting ``runs``.
        embedded: folder of read-only runs.
    """

    def __init__(self, url: str | None = None, folder: Path | None = None, embedded: Path = EMBEDDED) -> None:
        self.folder = folder or settings().runs
        self._embedded = embedded
        url = url or settings().database_url or f"sqlite:///{self.folder / DATABASE}"
        self._engine = open_migrated(url, self.folder, self)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def list(self) -> tuple[StoredRun, ...]:
        """Return all runs, newest first, those included in the project last.

        Of these, the newest version of a model comes first, and of a version the run of the most images.
        """
        with self._transaction() as connection:
            rows = connection.execute(text("SELECT record FROM runs ORDER BY created DESC, id")).fetchall()
        try:
            stored = [self._stored(_record(json.loads(row[0]))) for row in rows]
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreDamaged(DAMAGED) from error
        known = {run.record.id for run in stored}
        return (*stored, *(run for run in self._of_project() if run.record.id not in known))

    def get(self, run: str) -> StoredRun:
        """Return a run by its id or the beginning of it; raises WrongArguments where that matches none or several."""
        runs = self.list()
        matching = [candidate for candidate in runs if candidate.record.id == run] or [
            candidate for candidate in runs if candidate.record.id.startswith(run)
        ]
        if run and len(matching) == 1:
            return matching[0]
        ids = ", ".join(stored.record.id for stored in matching or runs) or "none"
        problem = "several ids begin with this" if matching else "no such run"
        raise WrongArguments(f"Run {run!r}: {problem}. Found: {ids}.")

    def add(self, record: RunRecord, predictions: Predictions, localisation: Localisation | None = None) -> StoredRun:
        """Store a run.

        The predictions are written first and the row last: a run with a row is complete. How often the images were
        evaluated before is counted in the same transaction, so that no evaluation is missed.

        Raises:
            WrongArguments: a run with this id exists.
            PathUnusable: it cannot be written.
        """
        final, part = self.folder / record.id, self.folder / f"{record.id}.writing"
        shutil.rmtree(part, ignore_errors=True)
        try:
            private_folder(part)
            write_predictions(predictions, part / PREDICTIONS)
            record = replace(record, predictions_sha256=file_sha256(part / PREDICTIONS))
            if localisation is not None:
                write_localisation(localisation, part / LOCALISATION)
                record = replace(record, localisation_sha256=file_sha256(part / LOCALISATION))
            with self._transaction(writing=True) as connection:
                existing = connection.execute(text("SELECT 1 FROM runs WHERE id = :id"), {"id": record.id}).first()
                if existing or final.exists() or any(run.record.id == record.id for run in self._of_project()):
                    raise WrongArguments(f"Run {record.id}: a run with this name exists. Give another name.")
                evaluations = self._evaluations(connection, record.data_sha256)
                record = replace(record, evaluated_before=evaluations)
                (part / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
                make_tree_private(part)
                self._insert(connection, record)
                part.rename(final)
        except OSError as error:
            raise cannot_write(f"Run {record.id}", error) from error
        finally:
            # a run that could not be stored leaves no files
            shutil.rmtree(part, ignore_errors=True)
        return self._stored(record)

    def unknown(self) -> tuple[Path, ...]:
        """Return the folders of complete runs without a row: the database was deleted, or is older.

        :func:`.rebuild.rebuild` adds their rows.
        """
        try:
            records = sorted(self.folder.glob(f"*/{RECORD}"))
        except OSError:
            return ()
        complete = [path.parent for path in records if is_run_folder(path.parent)]
        unknown = self._without_row(complete, writing=False)
        if unknown:
            # a run that is being added has its folder a moment before its row: wait for who writes
            with suppress(PathUnusable):
                unknown = self._without_row(unknown, writing=True)
        return unknown

    def _without_row(self, folders: Sequence[Path], *, writing: bool) -> tuple[Path, ...]:
        if not folders:
            return ()
        with self._transaction(writing=writing) as connection:
            known = {name for (name,) in connection.execute(text("SELECT id FROM runs"))}
        return tuple(folder for folder in folders if folder.name not in known and is_run_folder(folder))

    def add_row(self, record: RunRecord) -> StoredRun:
        """Add the row of a run whose files are in the folder, if it has none; raises as :meth:`StoredRun.check`."""
        stored = self._stored(record)
        stored.check()
        with self._transaction(writing=True) as connection:
            if connection.execute(text("SELECT 1 FROM runs WHERE id = :id"), {"id": record.id}).first() is None:
                self._insert(connection, record)
        return stored

    def check(self) -> None:
        """Raise StoreDamaged where the database is corrupt, or a row is not a run's record."""
        with self._transaction() as connection:
            if self._engine.dialect.name == "sqlite":
                result = connection.exec_driver_sql("PRAGMA quick_check").scalar_one()
                if result != "ok":
                    raise StoreDamaged(DAMAGED)
        self.list()

    @staticmethod
    def _insert(connection: Connection, record: RunRecord) -> None:
        connection.execute(
            text("INSERT INTO runs VALUES (:id, :created, :model_id, :data_sha256, :part, :record)"),
            {
                "id": record.id,
                "created": record.created,
                "model_id": record.model_id,
                "data_sha256": record.data_sha256,
                "part": record.part,
                "record": json.dumps(asdict(record)),
            },
        )

    def evaluations(self, data_sha256: str) -> int:
        """Return how often images of a fingerprint were evaluated, by any model."""
        with self._transaction() as connection:
            return self._evaluations(connection, data_sha256)

    def _evaluations(self, connection: Connection, data_sha256: str) -> int:
        rows = connection.execute(text("SELECT id FROM runs WHERE data_sha256 = :images"), {"images": data_sha256})
        # a run of the project may lie in the folder of runs as well
        ids = {identifier for (identifier,) in rows}
        return len(ids | {run.record.id for run in self._of_project() if run.record.data_sha256 == data_sha256})

    def _stored(self, record: RunRecord) -> StoredRun:
        return StoredRun(record, self.folder / record.id)

    def _of_project(self) -> tuple[StoredRun, ...]:
        paths = self._embedded.glob(f"*/{RECORD}")
        runs = (StoredRun(_record(json.loads(path.read_text(encoding="utf-8"))), path.parent) for path in paths)
        return tuple(sorted(runs, key=_place_in_project))

    def _transaction(self, *, writing: bool = False) -> AbstractContextManager[Connection]:
        # two writers would each miss the other's row when counting; readers do not wait
        return transaction(self._engine, writing=writing, lock="runs" if writing else "")


def _record(fields: dict[str, Any]) -> RunRecord:
    values: dict[str, Any] = with_current_names(fields)
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return RunRecord(**(values | lists))


def _place_in_project(run: StoredRun) -> tuple[float, int, str, str]:
    record = run.record
    version = float(record.model_version) if record.model_version.isdecimal() else 0.0
    return -version, -record.images, record.created, record.id


def is_run_folder(folder: Path) -> bool:
    """Return whether a folder has the name of a run and its files; one that is being written has another name."""
    is_id = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", folder.name) is not None
    return is_id and all((folder / name).is_file() for name in (RECORD, PREDICTIONS))


@lru_cache(maxsize=64)
def _sha256_of(path: Path, _modified_ns: int, _size: int) -> str:
    """Return the digest of a file, computed again only when its time or size has changed."""
    return file_sha256(path)
