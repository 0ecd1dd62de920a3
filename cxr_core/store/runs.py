"""The store of runs: rows in a database, predictions beside it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from ..errors import PathUnusable, StoreDamaged, WrongArguments
from ..private_files import make_tree_private, private_folder
from ..settings import settings
from ..whole_files import cannot_write
from .database import DAMAGED, DATABASE, close_to_others, is_damage, open_database, sqlite_file
from .localisation import Localisation, read_localisation, write_localisation
from .migrations import migrate
from .predictions import Predictions, read_predictions, write_predictions
from .record import RunRecord

__all__ = ["EMBEDDED", "RunStore", "StoredRun"]

EMBEDDED = Path(__file__).with_name("embedded")
"""Runs that come with the project: numbers, no images."""

PREDICTIONS = "predictions.parquet"
LOCALISATION = "localisation.parquet"
RECORD = "run.json"


@dataclass(frozen=True)
class StoredRun:
    """A run's record and where its files are."""

    record: RunRecord
    folder: Path

    def predictions(self) -> Predictions:
        """Return every prediction; raises PathUnusable where the file is not the one that was stored."""
        return _read(self._checked(PREDICTIONS, self.record.predictions_sha256), self.record.predictions_sha256)

    def is_there(self) -> bool:
        """Return whether its predictions lie where they were stored, changed or not."""
        return (self.folder / PREDICTIONS).is_file()

    def check(self) -> None:
        """Raise PathUnusable where a file of the run is not the one that was stored."""
        self._checked(PREDICTIONS, self.record.predictions_sha256)
        if self.record.localisation_sha256:
            self._checked(LOCALISATION, self.record.localisation_sha256)

    def localisation(self) -> Localisation | None:
        """Return where the maps point, or None where no box was given; raises as :meth:`predictions`."""
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
    """Runs of one database and folder, and those that come with the project.

    Safe for several threads and for several programs at once.

    Args:
        url: of the database, any that SQLAlchemy knows; by default the setting ``database_url``.
        folder: keeps a folder a run; by default the setting ``runs``.
        embedded: folder of runs that are only read.
    """

    def __init__(self, url: str | None = None, folder: Path | None = None, embedded: Path = EMBEDDED) -> None:
        self.folder = folder or settings().runs
        self._embedded = embedded
        url = url or settings().database_url or f"sqlite:///{self.folder / DATABASE}"
        self._engine = open_database(url)
        try:
            close_to_others(self.folder, sqlite_file(url))
            migrate(self._engine)
        except (OSError, SQLAlchemyError) as error:
            self.close()
            if is_damage(error):
                raise StoreDamaged(DAMAGED) from error
            raise PathUnusable("The store of runs cannot be opened. Check SECOND_READ_DATABASE_URL.") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give its connections back."""
        self._engine.dispose()

    def list(self) -> tuple[StoredRun, ...]:
        """Return all runs, the newest first, those of the project last."""
        with self._transaction() as connection:
            rows = connection.execute(text("SELECT record FROM runs ORDER BY created DESC, id")).fetchall()
        try:
            own = [self._stored(_record(json.loads(row[0]))) for row in rows]
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreDamaged(DAMAGED) from error
        known = {run.record.id for run in own}
        return (*own, *(run for run in self._of_project() if run.record.id not in known))

    def get(self, run: str) -> StoredRun:
        """Return a run by its id, or by the beginning of it; raises WrongArguments where that names none or several."""
        runs = self.list()
        found = [one for one in runs if one.record.id == run] or [one for one in runs if one.record.id.startswith(run)]
        if run and len(found) == 1:
            return found[0]
        known = ", ".join(one.record.id for one in found or runs) or "none"
        raise WrongArguments(f"Run {run!r}: {'several begin so' if found else 'no such run'}. Found: {known}.")

    def add(self, record: RunRecord, predictions: Predictions, localisation: Localisation | None = None) -> StoredRun:
        """Keep a run.

        The predictions are written first and the row last: what has a row is whole. How often the films were
        evaluated before is counted in the same transaction, so that no evaluation is missed.

        Raises:
            WrongArguments: there is a run of this id.
            PathUnusable: it cannot be written.
        """
        final, part = self.folder / record.id, self.folder / f"{record.id}.writing"
        shutil.rmtree(part, ignore_errors=True)
        try:
            private_folder(part)
            write_predictions(predictions, part / PREDICTIONS)
            record = replace(record, predictions_sha256=_sha256(part / PREDICTIONS))
            if localisation is not None:
                write_localisation(localisation, part / LOCALISATION)
                record = replace(record, localisation_sha256=_sha256(part / LOCALISATION))
            with self._transaction(writing=True) as connection:
                here = connection.execute(text("SELECT 1 FROM runs WHERE id = :id"), {"id": record.id}).first()
                if here or final.exists() or any(run.record.id == record.id for run in self._of_project()):
                    raise WrongArguments(f"Run {record.id}: there is one of this name. Give another name.")
                before = self._evaluations(connection, record.data_sha256)
                record = replace(record, evaluated_before=before)
                (part / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
                make_tree_private(part)
                self._insert(connection, record)
                part.rename(final)
        except OSError as error:
            raise cannot_write(f"Run {record.id}", error) from error
        finally:
            # a run that could not be kept leaves nothing
            shutil.rmtree(part, ignore_errors=True)
        return self._stored(record)

    def unknown(self) -> tuple[Path, ...]:
        """Return the folders of runs that lie beside the others and have no row: the database was deleted, or is older.

        :func:`.rebuild.rebuild` brings them back.
        """
        try:
            records = sorted(self.folder.glob(f"*/{RECORD}"))
        except OSError:
            return ()
        found = [path.parent for path in records if (path.parent / PREDICTIONS).is_file() and _is_id(path.parent.name)]
        if not found:
            return ()
        with self._transaction() as connection:
            known = {name for (name,) in connection.execute(text("SELECT id FROM runs"))}
        return tuple(folder for folder in found if folder.name not in known)

    def bring_back(self, record: RunRecord) -> StoredRun:
        """Give a run whose files lie in the folder its row, where it has none; raises as :meth:`StoredRun.check`."""
        stored = self._stored(record)
        stored.check()
        with self._transaction(writing=True) as connection:
            if connection.execute(text("SELECT 1 FROM runs WHERE id = :id"), {"id": record.id}).first() is None:
                self._insert(connection, record)
        return stored

    def check(self) -> None:
        """Raise StoreDamaged where the database cannot be read through, or a row of it says nothing of a run."""
        with self._transaction() as connection:
            if self._engine.dialect.name == "sqlite":
                found = connection.exec_driver_sql("PRAGMA quick_check").scalar_one()
                if found != "ok":
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
        """Return how often films of a fingerprint were evaluated, by any model."""
        with self._transaction() as connection:
            return self._evaluations(connection, data_sha256)

    def _evaluations(self, connection: Connection, data_sha256: str) -> int:
        query = text("SELECT COUNT(*) FROM runs WHERE data_sha256 = :films")
        own = connection.execute(query, {"films": data_sha256}).scalar_one()
        return own + sum(run.record.data_sha256 == data_sha256 for run in self._of_project())

    def _stored(self, record: RunRecord) -> StoredRun:
        return StoredRun(record, self.folder / record.id)

    def _of_project(self) -> tuple[StoredRun, ...]:
        found = sorted(self._embedded.glob(f"*/{RECORD}"))
        return tuple(StoredRun(_record(json.loads(path.read_text(encoding="utf-8"))), path.parent) for path in found)

    @contextmanager
    def _transaction(self, *, writing: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                if self._engine.dialect.name == "sqlite":
                    # a writer waits for another instead of failing when it comes to write; who reads may have no
                    # leave to write
                    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
                elif writing and self._engine.dialect.name == "postgresql":
                    # two writers would each count without the other's row; readers do not wait
                    connection.exec_driver_sql("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE")
                yield connection
        except SQLAlchemyError as error:
            if is_damage(error):
                raise StoreDamaged(DAMAGED) from error
            raise PathUnusable("The store of runs cannot be read or written just now. Try again.") from error


def _record(fields: dict) -> RunRecord:
    return RunRecord(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})


def _is_id(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) is not None


@lru_cache(maxsize=64)
def _sha256_of(path: Path, _modified_ns: int, _size: int) -> str:
    """Return the digest, found once in a process for as long as time and size stay what they are."""
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
