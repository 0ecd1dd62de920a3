"""Deletion of stored images with their reads and opinions, so that neither database nor disk holds anything of them.

A deletion is decided by one transaction that marks the images. Whatever happens then, it is finished by this program or
by the next that opens the store: files first, rows after them, then what the files of the database still hold of the
rows (:mod:`.compaction`). The audit trail alone says what was deleted, by digest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from ..access import SERVER, Visitor, audit
from ..errors import DeletionUnfinished, PathUnusable, StoreDamaged
from .compaction import compact, is_due, request
from .database import transaction
from .image_files import files_before, remove_file, remove_leftovers, studies_lock

__all__ = [
    "delete_expired",
    "delete_images",
    "expiry_limit",
    "finish_deletions",
    "is_unfinished",
    "mark_deleted",
    "remove_marked",
]

UNFINISHED = (
    "What is to be deleted is not shown any more; the rest of it is deleted when the store is opened next, and by the "
    "app within minutes."
)


def delete_images(engine: Engine, who: Visitor, images: Sequence[tuple[str, str]], detail: str = "") -> None:
    """Delete images, and studies that have no further ones; when this returns, nothing of them is left.

    Args:
        engine: of the database.
        who: asks for it.
        images: (study, digest) of each.
        detail: fixed text for the audit trail.

    Raises:
        AuditUnwritable: nothing was deleted, because the audit trail cannot be written.
        PathUnusable: nothing was deleted, because the database cannot be written at the moment.
        DeletionUnfinished: the images are not shown any more, and something of them is left. It is tried again.
    """
    if not images:
        return
    with studies_lock(), transaction(engine, writing=True) as connection:
        _mark(connection, images)
        # before the marks hold: none does without its line. A program that is killed here leaves a line alone
        audit.record(who, "deletion", detail, images=sorted({digest for _, digest in images}))
    finish_deletions(engine)


def mark_deleted(engine: Engine, images: Sequence[tuple[str, str]]) -> None:
    """Decide the deletion of images; :func:`finish_deletions` does it. For a holder of the lock."""
    with transaction(engine, writing=True) as connection:
        _mark(connection, images)


def _mark(connection: Connection, images: Sequence[tuple[str, str]]) -> None:
    for study, digest in images:
        connection.execute(
            text("UPDATE images SET deleted = 1 WHERE study = :study AND digest = :digest"),
            {"study": study, "digest": digest},
        )


def expiry_limit(days: int, now: datetime | None = None) -> datetime:
    """Return the time before which a study was stored whose days have passed."""
    return (now or datetime.now(UTC)) - timedelta(days=days)


def delete_expired(engine: Engine, days: int, now: datetime | None = None) -> int:
    """Delete the studies that were stored more than so many days ago; return the number of images.

    Raises as :func:`delete_images`.
    """
    limit = expiry_limit(days, now)
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
        return marked is not None or is_due(connection)


def finish_deletions(
    engine: Engine, remove: Callable[[Engine], None] | None = None, unfinished: str = UNFINISHED
) -> None:
    """Finish the deletions that were decided, and remove what killed programs left.

    Args:
        engine: of the store.
        remove: deletes what is marked; by default :func:`remove_marked`.
        unfinished: what the error says of what is left.

    Raises:
        DeletionUnfinished: something is left; it is tried again, and everything else is deleted.
        StoreDamaged: the database is damaged.
    """
    problems = []
    for step in (remove or remove_marked, compact):
        try:
            step(engine)
        except StoreDamaged:
            raise
        except PathUnusable as error:
            problems.append(error)
    if problems:
        raise DeletionUnfinished(f"{problems[0]} {unfinished}") from problems[0]


def remove_marked(engine: Engine) -> None:
    """Delete files and rows of the images that are marked; raises PathUnusable for those whose file stays."""
    problem = None
    with studies_lock():
        remove_leftovers()
        with transaction(engine) as connection:
            marked = connection.execute(text("SELECT study, digest FROM images WHERE deleted = 1")).fetchall()
        removed = []
        for study, digest in marked:
            try:
                remove_file(study, digest)
            except PathUnusable as error:
                problem = error
            else:
                removed.append((study, digest))
        if removed:
            # both tables first: who adds a read or an opinion has locked one, and then asks for the row of the image
            with transaction(engine, writing=True, lock="opinions, reads") as connection:
                for study, digest in removed:
                    connection.execute(
                        text("DELETE FROM images WHERE study = :study AND digest = :digest AND deleted = 1"),
                        {"study": study, "digest": digest},
                    )
                connection.execute(
                    text("DELETE FROM studies WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.study = studies.id)")
                )
                request(connection)
    if problem is not None:
        raise problem
