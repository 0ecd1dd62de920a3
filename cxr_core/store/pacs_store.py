"""The store of the DICOM network: received instances, the jobs that read them, and the results that go back.

The receiver adds instances, workers plan and advance jobs, the app shows them: processes over one database and folder.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import text

from ..access import Visitor
from .database import transaction
from .pacs_deletion import delete_due, delete_instances, finish
from .pacs_files import load_checked, pacs_folder, remove_results, result_path, save_result
from .pacs_jobs import JobStore, clock, one_line
from .pacs_records import JOB_STATES, BuiltResult, Job, JobState, Receipt, StoredResult

__all__ = ["PacsStore"]

_RESULTS = (
    "SELECT job, name, destination, sop_class, sop_instance_uid, sha256, bytes, sent, verified FROM pacs_results "
    "WHERE job = :job ORDER BY destination, name"
)
_INSERT = text(
    "INSERT INTO pacs_results (job, name, destination, sop_class, series_uid, sop_instance_uid, sha256, bytes) VALUES "
    "(:job, :name, :destination, :sop_class, :series_uid, :sop_instance_uid, :sha256, :bytes)"
)
_MARKED = {
    "sent": "UPDATE pacs_results SET sent = COALESCE(sent, :now) "
    "WHERE job = :job AND destination = :destination AND name = :name",
    "verified": "UPDATE pacs_results SET verified = COALESCE(verified, :now) "
    "WHERE job = :job AND destination = :destination AND name = :name",
}


class PacsStore(JobStore):
    """Instances, jobs and results of one database and folder. Safe for several threads and several programs at once."""

    def advance(
        self,
        job: Job,
        state: JobState,
        *,
        results: Sequence[BuiltResult] = (),
        reason: str = "",
        now: datetime | None = None,
    ) -> Job:
        """Note that a leased job has reached a later state, which is on the disk when this returns.

        The lease goes on; it ends with ``verified``, where the files of the results are deleted.

        Args:
            job: that is leased.
            state: a later one than the job's; ValueError for another, or for ``parked``.
            results: objects that were built, with ``built`` alone. They are sent as they are stored here.
            reason: why there are none, for example, in one line without patient data.
            now: for tests.

        Raises:
            LeaseLost: another worker may have the job; nothing was changed.
            PathUnusable: it cannot be written at the moment.
        """
        if state == "parked" or JOB_STATES.index(state) <= JOB_STATES.index(job.state):
            raise ValueError(f"a job that is {job.state} does not become {state}")
        if results and state != "built":
            raise ValueError("results are stored once they are built")
        # files before rows, so that no row is without one; those of a lease that was lost are removed with the job
        stored = [(result, save_result(job.id, result.data)) for result in results]
        change = f"state = :state, {state}_at = :now, attempts = 0, reason = :reason"
        change += ", lease_until = NULL" if state == "verified" else ""
        with transaction(self._engine, writing=True) as connection:
            time = clock(connection, now)
            advanced = self._changed(connection, job, change, time, state=state, reason=one_line(reason))
            if state == "built":
                connection.execute(text("DELETE FROM pacs_results WHERE job = :job"), {"job": job.id})
            for result, sha256 in stored:
                connection.execute(
                    _INSERT,
                    {
                        "job": job.id, "name": result.name, "destination": result.destination,
                        "sop_class": result.sop_class, "series_uid": result.series_uid,
                        "sop_instance_uid": result.sop_instance_uid, "sha256": sha256, "bytes": len(result.data),
                    },
                )  # fmt: skip
        if state == "verified":
            remove_results(job.id)
        return advanced

    def results(self, job: str) -> tuple[StoredResult, ...]:
        """Return the results of a job, by destination and name; those of a verified one without their files."""
        with transaction(self._engine) as connection:
            return tuple(StoredResult(*row) for row in connection.execute(text(_RESULTS), {"job": job}))

    def load_result(self, result: StoredResult) -> bytes:
        """Return the file of a result; raises PathUnusable where it is not there, was changed, or stays encrypted."""
        return load_checked(result_path(result.job, result.sha256), result.sha256)

    def mark_result(
        self, job: Job, result: StoredResult, state: Literal["sent", "verified"], now: datetime | None = None
    ) -> StoredResult:
        """Note that a destination has taken a result, or that it was read back from there; raises LeaseLost."""
        with transaction(self._engine, writing=True) as connection:
            time = clock(connection, now)
            # nothing of the job changes, but its lease is checked, and it cannot end meanwhile
            self._changed(connection, job, "state = state", time)
            key = {"job": result.job, "destination": result.destination, "name": result.name}
            connection.execute(text(_MARKED[state]), key | {"now": time})
        if state == "sent":
            return replace(result, sent=result.sent or time)
        return replace(result, verified=result.verified or time)

    def replace_instance(self, data: bytes, source: str, who: Visitor) -> Receipt:
        """Store a file instead of the image that is here under its UID, with whose jobs, results and alarms that goes.

        Where the same image is here, in whatever transfer syntax, nothing is changed but its alarms, which are settled.

        Raises as :meth:`add_instance` and :meth:`delete_instances`.
        """
        receipt = self.add_instance(data, source)
        if receipt.outcome == "conflict":
            self.delete_instances(who, [receipt.instance.sop_instance_uid])
            return replace(self.add_instance(data, source), replaces=True)
        for alarm in self.alarms(study_uid=receipt.instance.study_uid):
            if alarm.sop_instance_uid == receipt.instance.sop_instance_uid and alarm.kind != "study":
                self.acknowledge(alarm.id)
        return receipt

    def delete_instances(self, who: Visitor, sop_instance_uids: Collection[str]) -> int:
        """Delete instances with their jobs, results and alarms, and return how many.

        Raises as :func:`.pacs_deletion.delete_instances`.
        """
        return delete_instances(self._engine, who, sop_instance_uids, "received images")

    def delete_due(self, now: datetime | None = None) -> int:
        """Delete what is to be deleted by now, and files that killed programs left; return the number that expired.

        Raises as :func:`.pacs_deletion.delete_instances`.
        """
        # what is marked is deleted with or without the folder, which is not made for nothing
        if pacs_folder().is_dir():
            finish(self._engine)
        return delete_due(self._engine, now)
