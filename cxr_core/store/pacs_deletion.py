"""Deletion of received instances with their jobs, results and alarms: neither database nor disk holds any of it.

As for stored images (:mod:`.deletion`): one transaction marks them, files are deleted before rows, and then what the
files of the database still hold of the rows. Whoever deletes next finishes what is marked.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, bindparam, text

from ..access import SERVER, Visitor, audit
from ..settings import settings
from .compaction import request
from .database import transaction
from .deletion import finish_deletions
from .pacs_files import pacs_lock, remove_instance_file, remove_orphans, remove_results

__all__ = ["delete_due", "delete_instances", "finish"]

UNFINISHED = "What is to be deleted is not shown any more; the rest of it is deleted later."
_AT_ONCE = 500

_MARK = text("UPDATE pacs_instances SET deleted = 1 WHERE sop_instance_uid IN :uids").bindparams(
    bindparam("uids", expanding=True)
)
_DIGESTS = text("SELECT sha256 FROM pacs_instances WHERE deleted = 0 AND sop_instance_uid IN :uids").bindparams(
    bindparam("uids", expanding=True)
)
_MARKED_JOBS = text("SELECT pacs_jobs.id FROM pacs_jobs JOIN pacs_instances USING (sop_instance_uid) WHERE deleted = 1")


def delete_instances(engine: Engine, who: Visitor, uids: Collection[str], detail: str) -> int:
    """Delete instances, and return how many; when this returns, nothing of them is left.

    Args:
        engine: of the database.
        who: asks for it.
        uids: SOP Instance UIDs; unknown ones are passed over.
        detail: fixed text for the audit trail.

    Raises:
        AuditUnwritable: nothing was deleted, because the audit trail cannot be written.
        DeletionUnfinished: they are not shown any more, and something of them is left. It is deleted later.
        PathUnusable: nothing was deleted, because the database cannot be written at the moment.
    """
    chosen = sorted(set(uids))
    digests: set[str] = set()
    if not chosen:
        return 0
    with pacs_lock(), transaction(engine, writing=True, lock="pacs_instances") as connection:
        for start in range(0, len(chosen), _AT_ONCE):
            values = {"uids": chosen[start : start + _AT_ONCE]}
            digests.update(connection.execute(_DIGESTS, values).scalars())
            connection.execute(_MARK, values)
        if digests:
            # before the marks hold: none does without its line
            audit.record(who, "deletion", detail, images=sorted(digests))
    finish(engine)
    return len(digests)


def delete_expired(engine: Engine, days: int, now: datetime | None = None) -> int:
    """Delete the instances that were received more than so many days ago; raises as :func:`delete_instances`."""
    limit = (now or datetime.now(UTC)) - timedelta(days=days)
    query = text("SELECT sop_instance_uid FROM pacs_instances WHERE received < :limit AND deleted = 0")
    with transaction(engine) as connection:
        uids = connection.execute(query, {"limit": limit.isoformat(timespec="milliseconds")}).scalars().all()
    return delete_instances(engine, SERVER, uids, "received images, expired")


def delete_due(engine: Engine, now: datetime | None = None) -> int:
    """Delete the instances whose days have passed, and what is marked; return how many have expired.

    Raises as :func:`delete_instances`.
    """
    with transaction(engine) as connection:
        marked = connection.execute(text("SELECT 1 FROM pacs_instances WHERE deleted = 1 LIMIT 1")).first()
    if marked is not None:
        finish(engine)
    return delete_expired(engine, settings().pacs_keep_days, now)


def finish(engine: Engine) -> None:
    """Finish the deletions that were decided, and remove what killed programs left.

    Raises as :func:`.deletion.finish_deletions`.
    """
    finish_deletions(engine, _remove_marked, UNFINISHED)


def _remove_marked(engine: Engine) -> None:
    with pacs_lock():
        with transaction(engine) as connection:
            marked = connection.execute(text("SELECT sha256 FROM pacs_instances WHERE deleted = 1")).scalars().all()
            jobs = connection.execute(_MARKED_JOBS).scalars().all()
            stored = set(connection.execute(text("SELECT sha256 FROM pacs_instances")).scalars())
            building = set(connection.execute(text("SELECT id FROM pacs_jobs WHERE state <> 'verified'")).scalars())
        for sha256 in marked:
            remove_instance_file(sha256)
        for job in jobs:
            remove_results(job)
        remove_orphans(stored, building)
        if marked:
            # a worker that advances a job has locked it, and then asks for its instance: so both tables
            with transaction(engine, writing=True, lock="pacs_jobs, pacs_instances") as connection:
                connection.execute(text("DELETE FROM pacs_instances WHERE deleted = 1"))
                request(connection)
