"""What programs over one store have to know of each other's worklists: removals that can be undone, and the progress.

A removed image has the time of its removal in its row. The program in which it was removed deletes it when that can no
longer be undone, or takes the mark away; where that program ended before, any other one deletes it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, bindparam, text

from ..access import SERVER
from .database import transaction
from .deletion import delete_images

__all__ = ["ABANDONED_SECONDS", "Progress", "abandoned_limit", "delete_abandoned", "note_removals", "reader_progress"]

ABANDONED_SECONDS = 90.0
"""From a removal until another program deletes the image: the minute of the undo, and time for who is about to."""

_AT_ONCE = 500


class Progress(NamedTuple):
    """How far a reader has come with an image: whether its findings were shown, and the number of opinions."""

    revealed: bool
    opinions: int


def note_removals(engine: Engine, reader: str, digests: Collection[str], *, removed: bool) -> None:
    """Mark images of a reader as removed now, or as removed no more.

    Raises PathUnusable where that cannot be written; then nothing is changed.
    """
    names, now = sorted(digests), datetime.now(UTC).isoformat(timespec="milliseconds") if removed else None
    statement = text(
        "UPDATE images SET removed = :now WHERE deleted = 0 AND digest IN :digests "
        "AND study IN (SELECT id FROM studies WHERE reader = :reader)"
    ).bindparams(bindparam("digests", expanding=True))
    with transaction(engine, writing=True) as connection:
        for start in range(0, len(names), _AT_ONCE):
            values = {"now": now, "reader": reader, "digests": names[start : start + _AT_ONCE]}
            connection.execute(statement, values)


def abandoned_limit(now: datetime | None = None) -> datetime:
    """Return the time before which an image was removed whose removal nobody undoes any more."""
    return (now or datetime.now(UTC)) - timedelta(seconds=ABANDONED_SECONDS)


def delete_abandoned(engine: Engine, now: datetime | None = None) -> int:
    """Delete images whose removal nobody has finished or undone; return their number.

    Raises as :func:`.deletion.delete_images`.
    """
    limit = abandoned_limit(now)
    with transaction(engine) as connection:
        query = text("SELECT study, digest FROM images WHERE removed < :limit AND deleted = 0")
        rows = connection.execute(query, {"limit": limit.isoformat(timespec="milliseconds")})
        images = [(study, digest) for study, digest in rows]
    delete_images(engine, SERVER, images, "removed")
    return len(images)


def reader_progress(engine: Engine, reader: str) -> dict[tuple[str, str], Progress]:
    """Return the progress of a reader with each image, by study and digest."""
    query = text(
        "SELECT images.study, digest, (SELECT COUNT(*) FROM opinions WHERE opinions.study = images.study "
        "AND opinions.image = images.digest AND opinions.reader = :reader) AS opinions, "
        "EXISTS (SELECT 1 FROM reads WHERE reads.study = images.study AND reads.image = images.digest "
        "AND reads.reader = :reader AND revealed IS NOT NULL) AS revealed "
        "FROM images JOIN studies ON studies.id = images.study WHERE studies.reader = :reader AND deleted = 0"
    )
    with transaction(engine) as connection:
        rows = connection.execute(query, {"reader": reader}).fetchall()
    return {(row.study, row.digest): Progress(bool(row.revealed), row.opinions) for row in rows}
