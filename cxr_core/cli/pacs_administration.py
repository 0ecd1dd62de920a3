"""Commands of the DICOM network for who looks after it: ``pacs status``, ``retry`` and ``delete``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ..access import acting_user
from ..errors import WrongArguments
from ..pacs.administration import retry_jobs
from ..pacs.alarm_texts import ALARM_TEXTS, describe_patient, describe_sent
from ..store.pacs_records import Alarm, AlarmKind, Job, SentResults, StudyPatient
from ..store.pacs_store import PacsStore

__all__ = ["delete", "retry", "status"]

_ALL = 10**9
_ALARMS: dict[AlarmKind, str] = {
    "study": "images of two patients in one study, {0.count} of them of a further one; "
    "nothing more of it is read or sent",
    "patient": "an image of another patient under the SOP Instance UID {0.sop_instance_uid} was kept out "
    "({0.count} times); nothing more of its study is read or sent",
    "image": "another image under the SOP Instance UID {0.sop_instance_uid} was kept out ({0.count} times)",
}


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print how many jobs are in each state, what was done in 24 hours, parked jobs with their reason, and alarms.

    Of an alarm: images, and results that were sent, with the Series Instance UIDs that they have in the PACS.
    """
    since = datetime.now(UTC) - timedelta(hours=24)
    with closing(PacsStore()) as store:
        counts, hours = store.counts(), store.throughput(since.isoformat(timespec="milliseconds"))
        parked = store.jobs(["parked"])
        failing = [job for job in store.jobs(["received", "read", "built", "sent"]) if job.reason]
        alarms = store.alarms()
        patients = {alarm.id: store.study_patients(alarm.study_uid) for alarm in alarms if alarm.kind == "study"}
        sent = {alarm.id: store.sent_results(alarm.study_uid, _image_of(alarm)) for alarm in alarms}
    if as_json:
        shown = {
            "jobs": counts,
            "hours": [asdict(hour) for hour in hours],
            "parked": [
                {"job": job.id, "study": job.study_uid, "since": job.times["parked"], "reason": job.reason}
                for job in parked
            ],
            "failing": [{"job": job.id, "next": job.next_attempt, "reason": job.reason} for job in failing],
            "alarms": [
                asdict(alarm)
                | {"patients": [asdict(patient) for patient in patients.get(alarm.id, ())]}
                | {"results": [asdict(results) for results in sent[alarm.id]]}
                for alarm in alarms
            ],
        }
        print(json.dumps(shown))
        return
    print("Jobs: " + ", ".join(f"{state} {count}" for state, count in counts.items()))
    received, size, verified, stopped = (
        sum(getattr(hour, name) for hour in hours) for name in ("received", "received_bytes", "verified", "parked")
    )
    print(
        f"Last 24 hours: {received} images received ({size / 1e6:.0f} MB), {verified} jobs verified, {stopped} parked"
    )
    for job in parked:
        print(f"Parked {job.times['parked'][:16]}  {job.id}  study {job.study_uid}  {job.reason}")
    for job in failing:
        print(f"Next attempt {job.next_attempt[:16]}  {job.id}  {job.reason}")
    for kind, texts in ALARM_TEXTS.items():
        of_kind = [alarm for alarm in alarms if alarm.kind == kind]
        for alarm in of_kind:
            _print_alarm(alarm, patients.get(alarm.id, ()), sent[alarm.id])
        if of_kind:
            print(f"  {texts.remedy}")


def _image_of(alarm: Alarm) -> str:
    """Return the SOP Instance UID of the image whose results an alarm is about; empty for those of its study."""
    return alarm.sop_instance_uid if alarm.kind == "image" else ""


def _print_alarm(alarm: Alarm, patients: Iterable[StudyPatient], sent: Iterable[SentResults]) -> None:
    what = _ALARMS[alarm.kind].format(alarm)
    print(f"Alarm {alarm.created[:16]}  study {alarm.study_uid}, from {alarm.source}: {what}")
    print(f"  of the {'image' if alarm.kind == 'image' else 'study'}: {describe_sent(sent)}")
    if alarm.kind != "study":
        _print_series(sent)
    for patient in patients:
        print(f"  {describe_patient(patient)}:")
        for uid in patient.sop_instance_uids:
            print(f"    {uid}")
        _print_series(patient.results)


def _print_series(sent: Iterable[SentResults]) -> None:
    for results in sent:
        for uid in results.series:
            print(f"    results at {results.destination}: series {uid}")


def retry(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Ids of parked jobs, in full.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Retry all parked jobs.")] = False,
) -> None:
    """Give parked jobs back to the workers, at the step where they failed. Example:

    python -m cxr_core pacs retry --all
    """
    if not jobs and not every:
        raise WrongArguments("Give ids of parked jobs, or --all.")
    with closing(PacsStore()) as store:
        parked = (
            store.jobs(["parked"], limit=_ALL) if every else [_parked(store, job) for job in dict.fromkeys(jobs or ())]
        )
        for job in retry_jobs(store, acting_user(), parked):
            print(f"Job {job.id}: {job.state}")


def _parked(store: PacsStore, job: str) -> Job:
    known = store.job(job)
    if known is None or known.state != "parked":
        raise WrongArguments("No such parked job.")
    return known


def delete(
    uids: Annotated[
        list[str], typer.Argument(metavar="UID...", help="Study Instance UIDs, or SOP Instance UIDs of images.")
    ],
) -> int:
    """Delete received images with their jobs, results and alarms, such as those of the wrong patient in a study.

    What the PACS or the modality still has can be sent or fetched again. Results that were sent stay where they are.
    The audit trail says which images, by digest. Exit status 3 where there is none of a UID. Example:

      python -m cxr_core pacs delete 1.2.826.0.1.3680043.8.498.7.1
    """
    status = 0
    with closing(PacsStore()) as store:
        for uid in uids:
            image = store.instance(uid)
            chosen = store.instances(study_uid=uid, limit=_ALL) if image is None else [image]
            count = store.delete_instances(acting_user(), [one.sop_instance_uid for one in chosen])
            print(f"{uid[:70]}: {count} image{'s' * (count != 1)} deleted.")
            status = status if count else 3
    return status
