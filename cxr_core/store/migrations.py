"""How the database came to be as it is: named steps, each in a transaction with its record."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection, Engine, inspect, text

from ..errors import PathUnusable

__all__ = ["MIGRATIONS", "migrate"]


def runs_table(connection: Connection) -> None:
    """One row a run; what is looked for has a column, the rest is JSON."""
    connection.execute(
        text(
            "CREATE TABLE runs (id VARCHAR(80) PRIMARY KEY, created VARCHAR(32) NOT NULL, "
            "model_id VARCHAR(200) NOT NULL, data_sha256 VARCHAR(64) NOT NULL, part VARCHAR(20) NOT NULL, "
            "record TEXT NOT NULL)"
        )
    )


def evaluations_by_films(connection: Connection) -> None:
    """How often the same films were evaluated is asked at every evaluation."""
    connection.execute(text("CREATE INDEX runs_by_films ON runs (data_sha256)"))


def image_names_kept(connection: Connection) -> None:
    """Runs of before held the names of images; from here on a record says whether it does.

    A version that does not know this would take a digest for a name.
    """
    for run, record in connection.execute(text("SELECT id, record FROM runs")).fetchall():
        with suppress(ValueError):
            told = json.dumps({"image_names_kept": True} | json.loads(record))
            connection.execute(text("UPDATE runs SET record = :record WHERE id = :id"), {"record": told, "id": run})


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (runs_table, evaluations_by_films, image_names_kept)
"""In order; one that was released is never changed, only followed."""


_LOCK = 5_302_117
"""Of PostgreSQL's advisory locks the one that is this program's; any number that others do not use."""


def migrate(engine: Engine) -> tuple[str, ...]:
    """Bring a database up to date and return the names of the steps that were done.

    Raises:
        PathUnusable: a step is recorded that this version does not know: the store is newer.
    """
    with engine.connect() as connection:
        # a store that is only read must not be written to for that
        if not _todo(connection):
            return ()
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # two programs that open a new store at once: one waits here, and then finds it done
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        todo = _todo(connection)
        if not inspect(connection).has_table("migrations"):
            connection.execute(text("CREATE TABLE migrations (name VARCHAR(80) PRIMARY KEY)"))
        for step in todo:
            step(connection)
            connection.execute(text("INSERT INTO migrations (name) VALUES (:name)"), {"name": step.__name__})
        return tuple(step.__name__ for step in todo)


def _todo(connection: Connection) -> list[Callable[[Connection], None]]:
    if not inspect(connection).has_table("migrations"):
        return list(MIGRATIONS)
    done = {name for (name,) in connection.execute(text("SELECT name FROM migrations"))}
    if newer := done - {step.__name__ for step in MIGRATIONS}:
        raise PathUnusable(
            f"The store of runs is newer than this program: it has {', '.join(sorted(newer))}. "
            "Use the version that wrote it, or another SECOND_READ_DATABASE_URL."
        )
    return [step for step in MIGRATIONS if step.__name__ not in done]
