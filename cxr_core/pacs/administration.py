"""What an administrator changes, on the page PACS or by a command; the audit trail says it before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..access import Visitor, audit
from ..store.pacs_records import Alarm, Job
from ..store.pacs_store import PacsStore

__all__ = ["acknowledge_alarm", "retry_jobs"]

_AT_ONCE = 100
"""Jobs that are one line of the audit trail."""


def retry_jobs(store: PacsStore, who: Visitor, jobs: Sequence[Job]) -> Iterator[Job]:
    """Give parked jobs back to the workers, and yield each as it is then.

    Raises:
        AuditUnwritable: the audit trail cannot be written; no further job is given back.
        WrongArguments: a job is parked no more, such as one that somebody else has retried.
    """
    for start in range(0, len(jobs), _AT_ONCE):
        part = jobs[start : start + _AT_ONCE]
        _record(store, who, "retry", [job.sop_instance_uid for job in part])
        for job in part:
            yield store.retry(job.id)


def acknowledge_alarm(store: PacsStore, who: Visitor, alarm: Alarm) -> None:
    """Note that an administrator has seen an alarm of something that was kept out; raises as :func:`retry_jobs`."""
    _record(store, who, "acknowledge", [alarm.sop_instance_uid])
    store.acknowledge(alarm.id)


def _record(store: PacsStore, who: Visitor, what: str, uids: Sequence[str]) -> None:
    found = (store.instance(uid) for uid in dict.fromkeys(uids))
    audit.record(who, "pacs-change", what, images=[instance.sha256 for instance in found if instance is not None])
