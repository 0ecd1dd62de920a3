"""The database of the store of runs: how it is opened, closed to others, told to be damaged, and put aside."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import PathUnusable
from ..private_files import make_private, make_tree_private, open_private, private_folder

__all__ = [
    "DAMAGED",
    "DATABASE",
    "SIDE_FILES",
    "close_to_others",
    "is_damage",
    "open_database",
    "put_aside",
    "sqlite_file",
]

DATABASE = "second-read.sqlite"
WAIT_SECONDS = 30

SIDE_FILES = ("-journal", "-wal", "-shm")
"""Endings of what SQLite keeps beside a database while it writes."""

DAMAGED = (
    "The database of the store of runs is damaged. `python -m cxr_core runs rebuild` puts it aside and makes a new one "
    "from the files of the runs; or restore a backup."
)


def open_database(url: str) -> Engine:
    """Return the engine of a database; raises PathUnusable for an address that is none, or whose driver is missing."""
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        waits = {"sqlite": {"timeout": WAIT_SECONDS}, "postgresql": {"connect_timeout": WAIT_SECONDS}}
        # a server may have closed a connection that waits in the pool
        engine = create_engine(
            address, connect_args=waits.get(address.get_backend_name(), {}), pool_pre_ping=not url.startswith("sqlite")
        )
    except ImportError as error:
        package = {"psycopg": "-r requirements-postgres.txt"}.get(error.name, error.name)
        raise PathUnusable(f"SECOND_READ_DATABASE_URL needs a driver: pip install {package}.") from error
    except SQLAlchemyError as error:
        # the address may hold a password: nothing of it is quoted
        raise PathUnusable("SECOND_READ_DATABASE_URL is no address of a database that can be opened here.") from error
    if engine.dialect.name == "sqlite":
        # the driver would begin transactions by itself, and later than is safe

        @event.listens_for(engine, "connect")
        def _own_transactions(connection, _record) -> None:
            connection.isolation_level = None

    return engine


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database, or None where the address is of another kind."""
    try:
        address = make_url(url)
    except SQLAlchemyError:
        return None
    name = address.database
    plain = address.get_backend_name() == "sqlite" and name and name != ":memory:" and not name.startswith("file:")
    return Path(name) if plain else None


def close_to_others(folder: Path, database: Path | None) -> None:
    """Make the folder of runs and the database, readable by their owner alone, and close what was there before.

    Raises OSError where they cannot be made.
    """
    private_folder(folder)
    if folder.stat().st_mode & 0o077:
        # of a version that went by the umask; only what the program itself keeps, since the folder may hold more
        for place in folder.iterdir():
            ours = place.name in _KEPT_FOLDERS or place.suffix in _KEPT_ENDINGS or (place / "run.json").is_file()
            if ours and place.is_dir():
                make_tree_private(place)
            elif place.is_file() and place.name.startswith(_KEPT_FILES):
                make_private(place)
        make_private(folder)
    if database is None:
        return
    if database.parent.is_dir() and not database.exists():
        # made here, since SQLite would go by the umask; what it keeps beside a database has the database's mode
        os.close(open_private(database, os.O_RDWR))
    for ending in ("", *SIDE_FILES):
        make_private(database.with_name(database.name + ending))


_KEPT_FOLDERS = frozenset({"compiled", "summaries", "train"})
_KEPT_ENDINGS = frozenset({".scoring", ".writing"})
_KEPT_FILES = ("audit", "patients.key", DATABASE)


def is_damage(error: BaseException) -> bool:
    """Return whether an error says that the database is not one, or no longer the one that was made."""
    found = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(found, sqlite3.Error):
        return False
    # primary result codes, https://sqlite.org/rescode.html; a table that is gone is SQLITE_ERROR with these words
    code = getattr(found, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "no such table" in str(found)


def put_aside(database: Path) -> Path:
    """Rename a damaged database and what lies beside it, and return its new name; raises PathUnusable."""
    number = 1
    while (aside := database.with_name(f"{database.name}.damaged-{number}")).exists():
        number += 1
    try:
        for ending in (*SIDE_FILES, ""):
            part = database.with_name(database.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    except OSError as error:
        raise PathUnusable("The damaged database cannot be put aside. Rename it, then try again.") from error
    return aside
