"""The database of runs and reads: opening, transactions, file permissions, and a damaged database."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import PathUnusable, StoreDamaged
from ..files import make_private, make_tree_private, open_private, private_folder
from .migrations import migrate

__all__ = [
    "DAMAGED",
    "DATABASE",
    "SIDE_FILES",
    "close_to_others",
    "is_damage",
    "open_database",
    "open_migrated",
    "rename_damaged",
    "sqlite_file",
    "transaction",
]


DATABASE = "second-read.sqlite"
WAIT_SECONDS = 30

SIDE_FILES = ("-journal", "-wal", "-shm")
"""Endings of what SQLite keeps beside a database while it writes."""

DAMAGED = (
    "The database of runs is damaged. `python -m cxr_core runs rebuild` renames it and makes a new one from the files "
    "of the runs; or restore a backup."
)


def open_database(url: str, wait_seconds: int = WAIT_SECONDS) -> Engine:
    """Return the engine of a database.

    Args:
        url: in SQLAlchemy's form.
        wait_seconds: for a server that gives no answer, or another program that writes to the file.

    Raises PathUnusable for an address that is none, or whose driver is missing; and so does the first connection to a
    database of PostgreSQL that does not have the encoding UTF8.
    """
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        timeouts = {"sqlite": {"timeout": wait_seconds}, "postgresql": {"connect_timeout": wait_seconds}}
        # a server may have closed a connection that waits in the pool
        engine = create_engine(
            address,
            connect_args=timeouts.get(address.get_backend_name(), {}),
            pool_pre_ping=not url.startswith("sqlite"),
        )
    except ImportError as error:
        package = "-r requirements-postgres.txt" if error.name == "psycopg" else error.name
        raise PathUnusable(f"SECOND_READ_DATABASE_URL needs a driver: pip install {package}.") from error
    except SQLAlchemyError as error:
        # the address may hold a password: nothing of it is quoted
        raise PathUnusable("SECOND_READ_DATABASE_URL is not the address of a database that can be opened.") from error
    if engine.dialect.name == "sqlite":
        # the driver would begin transactions on its own, and later than is safe

        @event.listens_for(engine, "connect")
        def _connected(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")

    elif engine.dialect.name == "postgresql":
        # before SQLAlchemy asks for the version: of SQL_ASCII the driver returns bytes, which are no text to it
        event.listen(engine, "connect", _check_encoding, insert=True)
    return engine


def _check_encoding(connection: Any, _record: object) -> None:
    """Refuse a database that cannot store every text, such as a comment of a reader.

    Its encoding is among what a server reports as a connection begins (PostgreSQL, "Asynchronous Operations").
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise PathUnusable(
            f"The database of SECOND_READ_DATABASE_URL has the encoding {encoding}, and UTF8 is needed. Make one with "
            "createdb --encoding UTF8 --template template0."
        )


def open_migrated(url: str, folder: Path, store: object) -> Engine:
    """Return the engine of a database that is up to date; its file and the folder of runs are private.

    Args:
        url: in SQLAlchemy's form.
        folder: of runs.
        store: whose engine it is: when nobody has it any more, its connections are closed.

    Raises:
        StoreDamaged: the file is no database, or is corrupt.
        PathUnusable: it cannot be opened, or is newer than this program.
    """
    engine = open_database(url)
    try:
        close_to_others(folder, sqlite_file(url))
        migrate(engine)
    except (OSError, SQLAlchemyError) as error:
        engine.dispose()
        if is_damage(error):
            raise StoreDamaged(DAMAGED) from error
        raise PathUnusable("The database of runs cannot be opened. Check SECOND_READ_DATABASE_URL.") from error
    except BaseException:
        engine.dispose()
        raise
    weakref.finalize(store, engine.dispose).atexit = False
    return engine


@contextmanager
def transaction(engine: Engine, *, writing: bool = False, lock: str = "") -> Iterator[Connection]:
    """Give a connection within a transaction, committed at the end.

    Args:
        engine: of the database.
        writing: whether it writes; then a writer waits for another one instead of failing.
        lock: on a server, the table that other writers wait for, where two of them would miss each other's rows.

    Raises:
        StoreDamaged: the file is no database, or is corrupt.
        PathUnusable: it cannot be read or written at the moment.
    """
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                # a reader may not have write permission
                connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
            elif lock and engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"LOCK TABLE {lock} IN SHARE ROW EXCLUSIVE MODE")
            yield connection
    except SQLAlchemyError as error:
        if is_damage(error):
            raise StoreDamaged(DAMAGED) from error
        raise PathUnusable("The database of runs cannot be read or written at the moment. Try again.") from error


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database, or None where the address is of another kind."""
    try:
        address = make_url(url)
    except SQLAlchemyError:
        return None
    name = address.database
    if address.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def close_to_others(folder: Path, database: Path | None) -> None:
    """Make the folder of runs and the database readable by their owner only, and restrict existing files likewise.

    Raises OSError where they cannot be made.
    """
    private_folder(folder)
    if folder.stat().st_mode & 0o077:
        # made by a version that followed the umask; only the program's own files, since the folder may hold others
        for place in folder.iterdir():
            is_ours = place.name in _KEPT_FOLDERS or place.suffix in _KEPT_ENDINGS or (place / "run.json").is_file()
            if is_ours and place.is_dir():
                make_tree_private(place)
            elif place.is_file() and place.name.startswith(_KEPT_FILES):
                make_private(place)
        make_private(folder)
    if database is None:
        return
    if database.parent.is_dir() and not database.exists():
        # made here, since SQLite would follow the umask; its journal gets the mode of the database
        os.close(open_private(database, os.O_RDWR))
    for ending in ("", *SIDE_FILES):
        make_private(database.with_name(database.name + ending))


_KEPT_FOLDERS = frozenset({"compiled", "summaries", "train"})
_KEPT_ENDINGS = frozenset({".scoring", ".writing"})
_KEPT_FILES = ("audit", "patients.key", DATABASE)


def is_damage(error: BaseException) -> bool:
    """Return whether an error says that the file is no database, or is corrupt."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, sqlite3.Error):
        return False
    # primary result codes, https://sqlite.org/rescode.html; a missing table is SQLITE_ERROR with this text
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "no such table" in str(cause)


def rename_damaged(database: Path) -> Path:
    """Rename a damaged database with its journals, and return the new path; raises PathUnusable."""
    number = 1
    while (renamed := database.with_name(f"{database.name}.damaged-{number}")).exists():
        number += 1
    try:
        for ending in (*SIDE_FILES, ""):
            part = database.with_name(database.name + ending)
            if part.exists():
                part.rename(renamed.with_name(renamed.name + ending))
    except OSError as error:
        raise PathUnusable("The damaged database cannot be renamed. Rename it yourself, then try again.") from error
    return renamed
