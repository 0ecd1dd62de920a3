"""Statistics that PostgreSQL keeps of the columns of stored studies: none, because they hold values of rows.

ANALYZE, which autovacuum runs on its own, copies the most common values of a column and the bounds of its histogram to
``pg_statistic``, where they outlive the rows (https://www.postgresql.org/docs/current/view-pg-stats.html). Queries of
these tables follow their keys, and need no statistics. SQLite keeps counts alone.
"""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, text

__all__ = ["TABLES", "keep_no_statistics"]

TABLES = (
    "studies", "images", "reads", "read_findings", "opinions", "pacs_instances", "pacs_alarms", "pacs_jobs",
    "pacs_results", "pacs_awaited_priors",
)  # fmt: skip
"""Tables whose rows are of studies."""

# a target of 0 stands for "collect none"; the default is -1, from PostgreSQL 17 on NULL
_COLUMNS = text(
    "SELECT c.relname AS tab, a.attname AS col, format_type(a.atttypid, a.atttypmod) AS type, "
    "COALESCE(a.attstattarget, -1) <> 0 AS collects, "
    "EXISTS (SELECT 1 FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname "
    "AND s.attname = a.attname) OR EXISTS (SELECT 1 FROM pg_stats_ext e WHERE e.schemaname = n.nspname "
    "AND e.tablename = c.relname AND a.attname = ANY(e.attnames)) AS collected "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.oid = to_regclass(:tab) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
)


def keep_no_statistics(connection: Connection) -> bool:
    """Have PostgreSQL collect no statistics of the columns, and remove what it has; return whether it had any.

    What it had is then a deleted row of ``pg_statistic``, which VACUUM FULL of that table removes.
    """
    if connection.dialect.name != "postgresql":
        return False
    changes: dict[str, list[str]] = defaultdict(list)
    had = False
    for table in TABLES:
        for row in connection.execute(_COLUMNS, {"tab": table}):
            if row.collects:
                changes[table].append(f'ALTER COLUMN "{row.col}" SET STATISTICS 0')
            if row.collected:
                had = True
                # a new type, even the same, makes the statistics void: no other statement removes them
                changes[table].append(f'ALTER COLUMN "{row.col}" TYPE {row.type}')
    for table, actions in changes.items():
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(actions)}")
    return had
