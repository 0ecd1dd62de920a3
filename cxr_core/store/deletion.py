"""Deletion of stored images with their reads and opinions, so that neither database nor disk holds anything of them.

A deletion is decided by one transaction that marks the images. Whatever happens then, it is finished by this program or
by the next that opens the store: files first, rows after them, then what the database file still holds of the rows. The
audit trail alone says what was deleted, by digest.

SQLite overwrites deleted rows with zeros (``PRAGMA secure_delete``) but may leave copies where it had moved rows to
other pages; VACUUM writes a new file (https://sqlite.org/pragma.html#pragma_secure_delete). On PostgreSQL, VACUUM
FULL does; its write-ahead log, and what a disk holds of an unlinked file, are the administrator's to destroy.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ..access import SERVER, Visitor, audit
from ..errors import PathUnusable
from .database import transaction
from .image_files import files_before, remove_file, remove_leftovers, studies_lock

__all__ = ["delete_expired", "delete_images", "finish_deletions", "is_unfinished", "mark_deleted"]

_TABLES = "studies, images, reads, read_findings, opinions"


def delete_images(engine: Engine, who: Visitor, images: Sequence[tuple[str, str]], detail: str = "") -> None:
    """Delete images, and studies that have no further ones; when this returns, nothing of them is left.

    Args:
        engine: of the database.
        who: asks for it.
        images: (study, digest) of each.
        detail: fixed text for the audit trail.

    Raises:
        AuditUnwritable: nothing was deleted, because the audit trail cannot be written.
        PathUnusable: database or disk cannot be written at the moment. What was marked is deleted by the next attempt.
    """
    if not images:
        return
    audit.record(who, "deletion", detail, images=sorted({digest for _, digest in images}))
    with studies_lock():
        mark_deleted(engine, images)
    finish_deletions(engine)


def mark_deleted(engine: Engine, images: Sequence[tuple[str, str]]) -> None:
    """Decide the deletion of images; :func:`finish_deletions` does it. For a holder of the lock."""
    with transaction(engine, writing=True) as connection:
        for study, digest in images:
            connection.execute(
                text("UPDATE images SET deleted = 1 WHERE study = :study AND digest = :digest"),
                {"study": study, "digest": digest},
            )


def delete_expired(engine: Engine, days: int, now: datetime | None = None) -> int:
    """Delete the studies that were stored more than so many days ago; return the number of images.

    Raises as :func:`delete_images`.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=days)
    with transaction(engine) as connection:
        rows = connection.execute(
            text(
                "SELECT images.study, images.digest FROM images JOIN studies ON studies.id = images.study "
                "WHERE studies.created < :limit AND images.deleted = 0"
            ),
            {"limit": limit.isoformat(timespec="milliseconds")},
        )
        images = [(study, digest) for study, digest in rows]
        # the restored backup of an earlier database has no rows of what was stored since
        known = {(study, digest) for study, digest in connection.execute(text("SELECT study, digest FROM images"))}
    orphans = [image for image in files_before(limit.timestamp()) if image not in known]
    delete_images(engine, SERVER, [*images, *orphans], "expired")
    if orphans:
        with studies_lock():
            for study, digest in orphans:
                remove_file(study, digest)
    return len(images) + len(orphans)


def is_unfinished(engine: Engine) -> bool:
    """Return whether a deletion was decided and not finished."""
    with transaction(engine) as connection:
        marked = connection.execute(text("SELECT 1 FROM images WHERE deleted = 1 LIMIT 1")).first()
        return marked is not None or bool(_compactions(connection))


def finish_deletions(engine: Engine) -> None:
    """Finish the deletions that were decided, and remove what killed programs left; raises PathUnusable."""
    with studies_lock():
        remove_leftovers()
        with transaction(engine) as connection:
            marked = connection.execute(text("SELECT study, digest FROM images WHERE deleted = 1")).fetchall()
        for study, digest in marked:
            remove_file(study, digest)
        if marked:
            with transaction(engine, writing=True) as connection:
                for study, digest in marked:
                    connection.execute(
                        text("DELETE FROM images WHERE study = :study AND digest = :digest AND deleted = 1"),
                        {"study": study, "digest": digest},
                    )
                connection.execute(
                    text("DELETE FROM studies WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.study = studies.id)")
                )
                connection.execute(text("INSERT INTO compactions VALUES (:id)"), {"id": secrets.token_hex(10)})
    _compact(engine)


def _compact(engine: Engine) -> None:
    """Overwrite what the database file still holds of deleted rows."""
    with transaction(engine) as connection:
        due = _compactions(connection)
    if not due:
        return
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # outside a transaction, since the driver begins none
                connection.exec_driver_sql("VACUUM")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            elif engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql(f"VACUUM (FULL) {_TABLES}")
    except SQLAlchemyError as error:
        raise PathUnusable(
            "The deleted rows cannot be overwritten in the file of the database at the moment. Try again."
        ) from error
    with transaction(engine, writing=True) as connection:
        for name in due:
            connection.execute(text("DELETE FROM compactions WHERE id = :id"), {"id": name})


def _compactions(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute(text("SELECT id FROM compactions"))]
