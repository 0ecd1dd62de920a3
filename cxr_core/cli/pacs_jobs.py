"""Commands of the DICOM network that read, send and show: ``pacs work``, ``send``, ``status`` and ``retry``."""

from __future__ import annotations

import json
import secrets
import socket
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..errors import WrongArguments
from ..logs import configure_logs
from ..operations.checks import log_findings_at_start
from ..pacs import destinations
from ..pacs.destinations import Destination, ResultFile
from ..pacs.results import check_highdicom
from ..pacs.rules import load_rules
from ..pacs.worker import Worker
from ..report.stored_read import read_dicom
from ..settings import settings
from ..store.card_files import card_of_read
from ..store.pacs_records import AlarmKind
from ..store.pacs_store import PacsStore
from ..store.reads import ReadStore
from .pacs_expiry import expiring
from .stop_signals import stopped_by_signals

__all__ = ["delete", "retry", "send", "status", "work"]

_ALL = 10**9
_ALARMS: dict[AlarmKind, str] = {
    "image": "another image under the SOP Instance UID {0.sop_instance_uid} was kept out ({0.count} times)",
    "patient": "an image of another patient under the SOP Instance UID {0.sop_instance_uid} was kept out "
    "({0.count} times); nothing more of its study is read or sent",
    "study": "images of two patients in one study, {0.count} of them of a further one; "
    "nothing more of it is read or sent",
}


def work(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when no job is due.")] = False,
    again_since: Annotated[
        str, typer.Option(metavar="TIME", help="Apply the rules again to images received since, such as 2026-11-24.")
    ] = "",
) -> None:
    """Read received images by the rules, and send their results to the PACS, until it is stopped with Ctrl-C.

    Several workers may run at once, on one machine or more. One that is stopped (SIGTERM, Ctrl-C) finishes the step
    that it is at, and gives its job back. --again-since is for a change of the rules: what was read is read once more
    where model, operating point, results or destinations are others now. Images are deleted after
    SECOND_READ_PACS_KEEP_DAYS.
    """
    check_highdicom()
    _check_identity()
    rules = load_rules()
    configure_logs("worker")
    log_findings_at_start()
    owner = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    with closing(PacsStore()) as store, stopped_by_signals() as stop, expiring(store):
        worker = Worker(store, rules, owner, lambda line: print(line, flush=True))
        if again_since:
            print(f"New jobs: {worker.plan_again(again_since)}", flush=True)
        if until_idle:
            worker.work_until_idle(stop)
        else:
            print(f"Worker {owner} waits for images.", flush=True)
            worker.run(stop)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print how many jobs are in each state, what was done in 24 hours, parked jobs with their reason, and alarms."""
    since = datetime.now(UTC) - timedelta(hours=24)
    with closing(PacsStore()) as store:
        counts, hours = store.counts(), store.throughput(since.isoformat(timespec="milliseconds"))
        parked = store.jobs(["parked"])
        failing = [job for job in store.jobs(["received", "read", "built", "sent"]) if job.reason]
        alarms = store.alarms()
    if as_json:
        shown = {
            "jobs": counts,
            "hours": [asdict(hour) for hour in hours],
            "parked": [
                {"job": job.id, "study": job.study_uid, "since": job.times["parked"], "reason": job.reason}
                for job in parked
            ],
            "failing": [{"job": job.id, "next": job.next_attempt, "reason": job.reason} for job in failing],
            "alarms": [asdict(alarm) for alarm in alarms],
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
    for alarm in alarms:
        what = _ALARMS[alarm.kind].format(alarm)
        print(f"Alarm {alarm.created[:16]}  study {alarm.study_uid}, from {alarm.source}: {what}")


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
        for job in jobs or [job.id for job in store.jobs(["parked"])]:
            print(f"Job {job[:40]}: {store.retry(job).state}")


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


def send(
    read: Annotated[str, typer.Argument(metavar="ID", help="Id of a stored read, or the beginning of it.")],
    to: Annotated[str, typer.Option(metavar="NAME", help="Destination, where there are several.")] = "",
    kinds: Annotated[str, typer.Option(metavar="KINDS", help="Of sr, sc, pdf, gsps and seg, with commas.")] = "sr,sc",
) -> None:
    """Send a stored read to the PACS as DICOM results, with the opinions of its reader, and read them back.

    A result that the PACS has already is not sent again. `reads list` prints the ids.
    """
    check_highdicom()
    _check_identity()
    wanted = list(dict.fromkeys(kind.strip() for kind in kinds.split(",")))
    if unknown := [kind for kind in wanted if kind not in ("sr", "sc", "pdf", "gsps", "seg")]:
        raise WrongArguments(f"--kinds {unknown[0][:40]!r}: sr, sc, pdf, gsps and seg are accepted.")
    destination = _destination(to)
    with closing(ReadStore()) as store:
        stored = store.read(read)
        summary = stored.summary
        card = card_of_read(stored)
        if card is None:
            raise WrongArguments("The model that read it is no longer installed, or has other weights.")
        opinions, data = store.opinions(summary.study, summary.image), store.load(summary.study, summary.image)
    made = read_dicom(stored, opinions, data, card, wanted)
    results = [ResultFile(name, content) for name, content in made.items()]
    # before anything is sent: what is not in the trail must not happen
    audit.record(
        acting_user(),
        "export",
        f"results to {destination.name}",
        images=[summary.image],
        model=summary.model_sha256,
    )
    there = list(destinations.present(destination, results))
    new = [result for result, known in zip(results, there, strict=True) if not known]
    for _ in destinations.send(destination, new):
        pass
    for result in destinations.verify(destination, new):
        print(f"{result.name}: sent to {destination.name}")
    for result, known in zip(results, there, strict=True):
        if known:
            print(f"{result.name}: {destination.name} has it already")


def _destination(name: str) -> Destination:
    known = load_rules().destinations
    if name and name not in known:
        raise WrongArguments(f"--to {name[:40]!r}: no such destination. There are: {', '.join(known)}.")
    if not name and len(known) != 1:
        raise WrongArguments(f"There are several destinations: give one of {', '.join(known)} by --to.")
    return known[name] if name else next(iter(known.values()))


def _check_identity() -> None:
    if settings().identity == "off":
        raise WrongArguments("DICOM results carry the patient and the study, which SECOND_READ_IDENTITY=off forbids.")
