"""Compaction: the files of the database no longer hold anything of rows that were deleted.

SQLite overwrites deleted rows with zeros (``PRAGMA secure_delete``) but may leave copies where it had moved rows to
other pages; VACUUM writes a new file (https://sqlite.org/pragma.html#pragma_secure_delete). On PostgreSQL, VACUUM FULL
does, except for rows that a transaction of before the deletion may still ask for; and column statistics hold values of
rows, too (:mod:`.column_statistics`). Its write-ahead log, and what a disk holds of an unlinked file, are the
administrator's to destroy.

A row of ``compactions`` stands for each deletion after which this was not done yet. One that begins with "column
statistics" stands for statistics that were removed: the files of the catalogs hold their values until they are
rewritten, by this program where its role may do that, and otherwise by the administrator. Two numbers in the row are
those of the files that have to be replaced.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ..errors import PathUnusable, StoreDamaged
from .column_statistics import TABLES, keep_no_statistics
from .database import DAMAGED, is_damage, transaction

__all__ = ["compact", "is_due", "request"]

_WAIT_SECONDS, _POLL_SECONDS = 20.0, 0.2
_LOCK_TIMEOUT = "5s"
"""For who waits for an exclusive lock, everybody else waits as well."""

_CATALOGS = ("pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data")
_STATISTICS = "column statistics"
_NOT_NOW = "The deleted rows cannot be overwritten in the files of the database at the moment"
_CATALOGS_STAY = (
    "PostgreSQL's files still hold values of deleted rows, from statistics of their columns, and the role of "
    f"SECOND_READ_DATABASE_URL may not rewrite them: have a superuser or the owner of the database execute "
    f"VACUUM (FULL) {', '.join(_CATALOGS)}."
)


def request(connection: Connection) -> None:
    """Have the next :func:`compact` do its work."""
    _add(connection, secrets.token_hex(10))


def is_due(connection: Connection) -> bool:
    """Return whether rows were deleted since the last compaction."""
    return bool(_due(connection))


def compact(engine: Engine) -> None:
    """Remove what the files of the database still hold of deleted rows, where that is due.

    Raises PathUnusable where that is not possible at the moment; it stays due.
    """
    with transaction(engine) as connection:
        due = _due(connection)
    if not due:
        return
    try:
        if engine.dialect.name == "sqlite":
            _compact_file(engine)
        elif engine.dialect.name == "postgresql":
            _compact_server(engine, due)
    except SQLAlchemyError as error:
        if is_damage(error):
            raise StoreDamaged(DAMAGED) from error
        raise PathUnusable(f"{_NOT_NOW}.") from error
    with transaction(engine, writing=True) as connection:
        _remove(connection, due)


def _due(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute(text("SELECT id FROM compactions"))]


def _add(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO compactions VALUES (:id) ON CONFLICT DO NOTHING"), {"id": name})


def _remove(connection: Connection, names: Iterable[str]) -> None:
    for name in names:
        connection.execute(text("DELETE FROM compactions WHERE id = :id"), {"id": name})


def _compact_file(engine: Engine) -> None:
    with engine.connect() as connection:
        # outside a transaction, since the driver begins none
        connection.exec_driver_sql("VACUUM")
        # in WAL mode, which an administrator may have chosen, the new file is in the log, and the former one beside it
        busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    if busy:
        raise PathUnusable(f"{_NOT_NOW}: another program reads the database.")


def _compact_server(engine: Engine, due: Sequence[str]) -> None:
    """Rewrite the tables, where rows were deleted, and the catalogs; each is not due any more once it is done."""
    statistics = [name for name in due if name.startswith(_STATISTICS)]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        if keep_no_statistics(connection):
            statistics.append(f"{_STATISTICS} {secrets.token_hex(10)}")
            _add(connection, statistics[-1])
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        _wait_for_older_transactions(connection)
        connection.exec_driver_sql(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
        try:
            if deletions := set(due).difference(statistics):
                if _rewrite(connection, TABLES):
                    raise PathUnusable(f"{_NOT_NOW}: the role of SECOND_READ_DATABASE_URL must own the tables.")
                _remove(connection, deletions)
            _rewrite_catalogs(connection, statistics)
        finally:
            connection.exec_driver_sql("RESET lock_timeout")


def _rewrite_catalogs(connection: Connection, statistics: Sequence[str]) -> None:
    """Rewrite the catalogs of statistics; raises PathUnusable where files with removed statistics stay.

    Args:
        connection: made when no transaction can see the removed statistics any more.
        statistics: names of the rows that stand for them.
    """
    before = _files(connection, _CATALOGS)
    _rewrite(connection, _CATALOGS)
    now = _files(connection, _CATALOGS)
    left = set()
    for name in statistics:
        numbers = name.removeprefix(_STATISTICS).split()
        # the files of the first attempt: whoever has replaced them since has left nothing of the statistics
        files = frozenset(map(int, numbers)) if len(numbers) == len(_CATALOGS) else before
        if not now.isdisjoint(files):
            left.add(f"{_STATISTICS} {' '.join(map(str, sorted(files)))}")
    for name in left.difference(statistics):
        _add(connection, name)
    _remove(connection, set(statistics) - left)
    if left:
        raise PathUnusable(_CATALOGS_STAY)


def _rewrite(connection: Connection, tables: Sequence[str]) -> frozenset[int]:
    """Write tables to new files; return the numbers of the files that stay: without the right to, the server warns."""
    before = _files(connection, tables)
    connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(tables)}")
    return before & _files(connection, tables)


def _files(connection: Connection, tables: Sequence[str]) -> frozenset[int]:
    """Return the numbers of the files that hold the rows of tables."""
    names = {f"table_{number}": table for number, table in enumerate(tables)}
    numbers = ", ".join(f"pg_relation_filenode(to_regclass(:{name}))" for name in names)
    return frozenset(connection.execute(text(f"SELECT {numbers}"), names).one())


def _wait_for_older_transactions(connection: Connection) -> None:
    """Wait until no transaction can ask for a row that was deleted before; raises PathUnusable after a while.

    First for those that write, in any database of the server: a snapshot that is made while one runs reaches back to
    it. Then for all of this database that had begun by then.
    """
    latest = connection.execute(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")).scalar_one()
    oldest = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    _wait_until(lambda: connection.execute(oldest).scalar_one() >= latest)
    running = text(
        "SELECT virtualtransaction FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'virtualxid' "
        "AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    earlier = set(connection.execute(running).scalars())
    _wait_until(lambda: earlier.isdisjoint(connection.execute(running).scalars()))


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise PathUnusable(f"{_NOT_NOW}: a transaction from before the deletion is still open on the server.")
        time.sleep(_POLL_SECONDS)
