"""A copy of the database for a backup, consistent, and without what is to be deleted."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import cast

from ..errors import PathUnusable, StoreDamaged
from .backup_members import database_url
from .database import DAMAGED, is_damage, open_database, sqlite_file

__all__ = ["copy_database"]


def copy_database(copy: Path, since: datetime, removed_since: datetime) -> bool:
    """Copy the database in a consistent state; return False where there is none, or it is on a server.

    Others may write to it meanwhile. The copy holds nothing of what is decided to be deleted, of studies whose days
    have passed, and of images that were removed, also where that could not be deleted from the database yet. Nor does
    it hold images that were received over the DICOM network, which a PACS has, and their jobs.

    Args:
        copy: file that is written.
        since, removed_since: as for :meth:`.StudyStore.all_images`.

    Raises StoreDamaged, or PathUnusable where it cannot be copied at the moment.
    """
    url = database_url()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return False
    engine = open_database(url)
    try:
        if engine.dialect.name != "sqlite":
            return False
        connection = engine.raw_connection()
        target = sqlite3.connect(copy)
        try:
            cast("sqlite3.Connection", connection.driver_connection).backup(target)
            if target.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise StoreDamaged(DAMAGED)
            _finish_deletions(target, since, removed_since)
        finally:
            target.close()
            connection.close()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise StoreDamaged(DAMAGED) from error
        raise PathUnusable(
            "Backup: the database cannot be copied at the moment. Free disk space, then back up again."
        ) from error
    finally:
        engine.dispose()
    return True


_EXPIRED = "UPDATE images SET deleted = 1 WHERE study IN (SELECT id FROM studies WHERE created < ?)"
_REMOVED = "UPDATE images SET deleted = 1 WHERE removed < ?"
_RECEIVED = "SELECT 1 FROM pacs_instances LIMIT 1"
_MARKED = "SELECT 1 FROM images WHERE deleted = 1 UNION ALL SELECT 1 FROM compactions"


def _finish_deletions(copy: sqlite3.Connection, since: datetime, removed_since: datetime) -> None:
    tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
    # a database of an earlier version has none of these
    if "compactions" not in tables:
        return
    copy.execute("PRAGMA foreign_keys = ON")
    copy.execute(_EXPIRED, (since.isoformat(timespec="milliseconds"),))
    if "removed" in {column[1] for column in copy.execute("PRAGMA table_info(images)")}:
        copy.execute(_REMOVED, (removed_since.isoformat(timespec="milliseconds"),))
    received = "pacs_instances" in tables and copy.execute(_RECEIVED).fetchone() is not None
    if received:
        copy.execute("DELETE FROM pacs_instances")
    if received or copy.execute(_MARKED).fetchone() is not None:
        copy.executescript(
            "DELETE FROM images WHERE deleted = 1; "
            "DELETE FROM studies WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.study = studies.id); "
            "DELETE FROM compactions; VACUUM;"
        )
