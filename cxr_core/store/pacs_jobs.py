"""Jobs of received instances: each is leased by one worker at a time, which advances it from state to state.

A worker that is killed leaves a lease that ends, and another worker takes the job over. What a worker does without a
lease is refused, so that a result is never built or sent by two.

The clock of leases is that of the database server, where there is one, since workers run on several machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from ..errors import LeaseLost, PathUnusable, WrongArguments
from .database import transaction
from .pacs_instances import InstanceStore
from .pacs_records import JOB_STATES, OPEN_STATES, HourlyCounts, Job, JobOrder, JobState
from .stored_studies import new_id

__all__ = ["JobStore", "clock", "one_line"]

_MOST_LETTERS = 400
"""Of a reason."""

_TIMES = ", ".join(f"{state}_at" for state in JOB_STATES)
_COLUMNS = (
    "pacs_jobs.id, pacs_jobs.sop_instance_uid, study_uid, source, model_id, weights_sha256, operating_point, content, "
    f"plan, state, attempts, next_attempt, owner, lease_until, reason, {_TIMES}"
)
_OF_JOBS = "FROM pacs_jobs JOIN pacs_instances ON pacs_instances.sop_instance_uid = pacs_jobs.sop_instance_uid"
_JOBS = f"SELECT {_COLUMNS} {_OF_JOBS} WHERE deleted = 0"
_OPEN = ", ".join(f"'{state}'" for state in OPEN_STATES)
_DUE = (
    f"{_JOBS} AND state IN ({_OPEN}) AND next_attempt <= :now AND (lease_until IS NULL OR lease_until <= :now) "
    "ORDER BY next_attempt, received_at, pacs_jobs.id LIMIT 1"
)
"""A job that has failed goes behind those that were due before it is tried again."""
_INSERT = text(
    "INSERT INTO pacs_jobs (id, sop_instance_uid, model_id, weights_sha256, operating_point, content, plan, state, "
    "attempts, next_attempt, owner, reason, received_at) VALUES (:id, :uid, :model_id, :weights_sha256, "
    ":operating_point, :content, :plan, 'received', 0, :now, '', '', :now) "
    "ON CONFLICT (sop_instance_uid, weights_sha256, operating_point, content) DO NOTHING"
)
_HELD = "UPDATE pacs_jobs SET {} WHERE id = :id AND owner = :owner AND lease_until = :until AND lease_until > :now"
_RELEASED = "lease_until = NULL, attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END"
"""Without an attempt, unless there is none since the job advanced."""
_LOST = "The lease of a job has ended, and another worker may have it."


class JobStore(InstanceStore):
    """Jobs of the instances of :class:`.pacs_instances.InstanceStore`."""

    def plan(self, sop_instance_uid: str, orders: Sequence[JobOrder]) -> tuple[Job, ...]:
        """Add a job for each order, unless there is one already, and note that rules were applied to the instance.

        Raises PathUnusable where the instance was deleted, or it cannot be written; then nothing is changed.
        """
        with transaction(self._engine, writing=True, lock="pacs_jobs") as connection:
            now = clock(connection)
            planned = text(
                "UPDATE pacs_instances SET planned = COALESCE(planned, :now) "
                "WHERE sop_instance_uid = :uid AND deleted = 0"
            )
            if connection.execute(planned, {"now": now, "uid": sop_instance_uid}).rowcount == 0:
                raise PathUnusable("The received image was deleted.")
            return tuple(_added(connection, sop_instance_uid, order, now)[0] for order in orders)

    def enqueue(self, sop_instance_uid: str, order: JobOrder) -> tuple[Job, bool]:
        """Add the job of an order; return it, or the one that there is, and whether it is new.

        Raises PathUnusable where the instance was deleted, or it cannot be written.
        """
        with transaction(self._engine, writing=True, lock="pacs_jobs") as connection:
            present = text("SELECT 1 FROM pacs_instances WHERE sop_instance_uid = :uid AND deleted = 0")
            if connection.execute(present, {"uid": sop_instance_uid}).first() is None:
                raise PathUnusable("The received image was deleted.")
            return _added(connection, sop_instance_uid, order, clock(connection))

    def lease(self, owner: str, seconds: float, now: datetime | None = None) -> Job | None:
        """Give the job that waits longest to a worker for so many seconds, or return None where none is due.

        Args:
            owner: name of the worker, another one for each.
            seconds: until another worker may take the job over.
            now: for tests; by default the clock's time.
        """
        with transaction(self._engine, writing=True) as connection:
            time = clock(connection, now)
            # on a server, workers do not wait for each other: each takes the next row that nobody has locked
            skipping = " FOR UPDATE OF pacs_jobs SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
            row = connection.execute(text(_DUE + skipping), {"now": time}).first()
            if row is None:
                return None
            leased = text(
                "UPDATE pacs_jobs SET owner = :owner, lease_until = :until, attempts = attempts + 1 WHERE id = :id"
            )
            connection.execute(leased, {"owner": owner, "until": _later(time, seconds), "id": row.id})
            return _job(connection, row.id)

    def renew(self, job: Job, seconds: float, now: datetime | None = None) -> Job:
        """Lease a job for so many seconds from now; raises LeaseLost."""
        with transaction(self._engine, writing=True) as connection:
            time = clock(connection, now)
            return self._changed(connection, job, "lease_until = :later", time, later=_later(time, seconds))

    def release(self, job: Job, now: datetime | None = None) -> None:
        """Give a lease back, as if it had not been taken; one that has ended is passed over."""
        with transaction(self._engine, writing=True) as connection:
            values = {"id": job.id, "owner": job.owner, "until": job.lease_until, "now": clock(connection, now)}
            connection.execute(text(_HELD.format(_RELEASED)), values)

    def fail(self, job: Job, reason: str, wait: float | None, now: datetime | None = None) -> Job:
        """End a lease after a failure.

        Args:
            job: that is leased.
            reason: one line for the administrator, with nothing about a patient.
            wait: seconds after which it is tried again, by the clock of leases; None parks the job.
            now: for tests.

        Raises LeaseLost.
        """
        with transaction(self._engine, writing=True) as connection:
            time = clock(connection, now)
            change = "lease_until = NULL, reason = :reason"
            if wait is None:
                return self._changed(
                    connection, job, f"{change}, state = 'parked', parked_at = :now", time, reason=one_line(reason)
                )
            change += ", next_attempt = :next"
            return self._changed(connection, job, change, time, reason=one_line(reason), next=_later(time, wait))

    def retry(self, job: str, now: datetime | None = None) -> Job:
        """Return a parked job to the state that it had, due now; raises WrongArguments where no such job is parked."""
        with transaction(self._engine, writing=True) as connection:
            parked = _job(connection, job)
            if parked is None or parked.state != "parked":
                raise WrongArguments("No such parked job.")
            # results that were built are kept and sent again; a reading is not kept
            state = next((state for state in ("sent", "built") if state in parked.times), "received")
            again = text(
                "UPDATE pacs_jobs SET state = :state, attempts = 0, next_attempt = :now, parked_at = NULL, reason = '' "
                "WHERE id = :id AND state = 'parked'"
            )
            connection.execute(again, {"id": job, "state": state, "now": clock(connection, now)})
            return _present(_job(connection, job))

    def counts(self) -> dict[JobState, int]:
        """Return the number of jobs in each state."""
        query = text(f"SELECT state, COUNT(*) AS jobs {_OF_JOBS} WHERE deleted = 0 GROUP BY state")
        with transaction(self._engine) as connection:
            counts = {row.state: row.jobs for row in connection.execute(query)}
        return {state: counts.get(state, 0) for state in JOB_STATES}

    def oldest_open(self) -> str | None:
        """Return when the oldest job with work left was received, or None where there is none."""
        query = text(f"SELECT MIN(received_at) {_OF_JOBS} WHERE deleted = 0 AND state IN ({_OPEN})")
        with transaction(self._engine) as connection:
            return connection.scalar(query)

    def job(self, job: str) -> Job | None:
        """Return a job by its id, or None."""
        with transaction(self._engine) as connection:
            return _job(connection, job)

    def jobs(
        self,
        states: Sequence[JobState] = (),
        *,
        study_uid: str = "",
        sop_instance_uid: str = "",
        limit: int = 1000,
    ) -> tuple[Job, ...]:
        """Return jobs in these states, by default in any, of a study or of an instance; the last one first."""
        query = text(
            f"{_JOBS} AND state IN :states AND (:study = '' OR study_uid = :study) "
            "AND (:uid = '' OR pacs_jobs.sop_instance_uid = :uid) ORDER BY received_at DESC, pacs_jobs.id LIMIT :limit"
        ).bindparams(bindparam("states", expanding=True))
        values = {"states": states or JOB_STATES, "study": study_uid, "uid": sop_instance_uid, "limit": limit}
        with transaction(self._engine) as connection:
            return tuple(map(_as_job, connection.execute(query, values)))

    def throughput(self, since: str) -> tuple[HourlyCounts, ...]:
        """Return what was done in each hour since the beginning of a time in UTC; hours without any are left out."""
        hours: dict[str, list[int]] = {}
        with transaction(self._engine) as connection:
            received = text(
                "SELECT SUBSTR(received, 1, 13), COUNT(*), SUM(bytes) FROM pacs_instances "
                "WHERE deleted = 0 AND received >= :since GROUP BY 1"
            )
            for hour, count, size in connection.execute(received, {"since": since}):
                hours.setdefault(hour, [0, 0, 0, 0])[:2] = count, int(size)
            for place, state in enumerate(("verified", "parked"), 2):
                chosen = f"WHERE deleted = 0 AND {state}_at >= :since GROUP BY 1"
                done = text(f"SELECT SUBSTR({state}_at, 1, 13), COUNT(*) {_OF_JOBS} {chosen}")
                for hour, count in connection.execute(done, {"since": since}):
                    hours.setdefault(hour, [0, 0, 0, 0])[place] = count
        return tuple(HourlyCounts(hour, *counts) for hour, counts in sorted(hours.items()))

    @staticmethod
    def _changed(connection: Connection, job: Job, change: str, now: str, **values: object) -> Job:
        """Change the row of a leased job and return it; raises LeaseLost where the lease is no longer its."""
        lease = {"id": job.id, "owner": job.owner, "until": job.lease_until, "now": now}
        if connection.execute(text(_HELD.format(change)), values | lease).rowcount == 0:
            raise LeaseLost(_LOST)
        return _present(_job(connection, job.id))


def _added(connection: Connection, uid: str, order: JobOrder, now: str) -> tuple[Job, bool]:
    values = {
        "id": new_id(), "uid": uid, "model_id": order.model_id, "weights_sha256": order.weights_sha256,
        "operating_point": order.operating_point, "content": order.content, "plan": order.plan, "now": now,
    }  # fmt: skip
    is_new = connection.execute(_INSERT, values).rowcount == 1
    query = text(
        f"{_JOBS} AND pacs_jobs.sop_instance_uid = :uid AND weights_sha256 = :weights_sha256 "
        "AND operating_point = :operating_point AND content = :content"
    )
    return _as_job(connection.execute(query, values).one()), is_new


def _job(connection: Connection, job: str) -> Job | None:
    row = connection.execute(text(f"{_JOBS} AND pacs_jobs.id = :id"), {"id": job}).first()
    return None if row is None else _as_job(row)


def _present(job: Job | None) -> Job:
    """Return a job whose instance was not deleted meanwhile; raises LeaseLost."""
    if job is None:
        raise LeaseLost("The image of a job was deleted.")
    return job


def _as_job(row: Row[Any]) -> Job:
    times: dict[JobState, str] = {
        state: row._mapping[f"{state}_at"] for state in JOB_STATES if row._mapping[f"{state}_at"] is not None
    }
    order = JobOrder(row.model_id, row.weights_sha256, row.operating_point, row.content, row.plan)
    return Job(
        row.id, row.sop_instance_uid, row.study_uid, row.source, order, row.state, row.attempts, row.next_attempt,
        row.owner, row.lease_until, row.reason, times,
    )  # fmt: skip


def clock(connection: Connection, now: datetime | None = None) -> str:
    """Return the time by which leases are measured."""
    if now is None and connection.dialect.name == "postgresql":
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return _text(now or datetime.now(UTC))


def one_line(reason: str) -> str:
    """Return a reason as it is stored."""
    return " ".join(reason.split())[:_MOST_LETTERS]


def _later(time: str, seconds: float) -> str:
    return _text(datetime.fromisoformat(time) + timedelta(seconds=seconds))


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
