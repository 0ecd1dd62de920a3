"""The page "PACS": queue, parked jobs, alarms and throughput of the DICOM network, and whether each PACS answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

import streamlit as st

from ..access import Role
from ..displays import ThroughputDisplay
from ..errors import CxrError
from ..pacs.administration import acknowledge_alarm, retry_jobs
from ..settings import settings
from ..store.pacs_records import OPEN_STATES, Alarm, Job
from ..store.pacs_store import PacsStore
from .chart import show_display
from .chrome import banner, empty_state, heading, page_heading, refusal, small, stop_with, table
from .history_scope import format_time, time_zone
from .pacs_alarms import draw_alarms
from .pacs_reachability import reachability
from .pacs_rows import ROWS, and_more, line, uid_text
from .pacs_store import describe_results, is_pacs_set_up, pacs_store
from .read_statistics import tiles
from .visitor import may, visitor

__all__ = ["pacs_page"]

REFRESH_SECONDS = 5.0
"""Interval at which queue, parked jobs and alarms are read again."""

_MOST = 1000

_IDLE = timedelta(minutes=2)
_HOURS = 24


@dataclass(frozen=True)
class _Queue:
    """What the page shows of the store, of one moment.

    Attributes:
        now: that moment, UTC.
        unplanned: images to which the rules were not applied yet.
        open: jobs with work left, the last one first; at most :data:`_MOST`.
        parked: jobs that wait for an administrator.
        waiting, verified: number of jobs of all times.
        alarms: that were not acknowledged or settled.
    """

    now: datetime
    unplanned: int
    open: tuple[Job, ...]
    parked: tuple[Job, ...]
    waiting: int
    verified: int
    alarms: tuple[Alarm, ...]

    @classmethod
    def of(cls, store: PacsStore) -> _Queue:
        counts = store.counts()
        return cls(
            now=datetime.now(UTC),
            unplanned=len(store.unplanned(_MOST)),
            open=store.jobs(OPEN_STATES, limit=_MOST),
            parked=store.jobs(("parked",), limit=_MOST) if counts["parked"] else (),
            waiting=sum(counts[state] for state in OPEN_STATES),
            verified=counts["verified"],
            alarms=store.alarms(),
        )

    @property
    def leased(self) -> list[Job]:
        """Jobs that a worker has now."""
        return [job for job in self.open if job.lease_until and datetime.fromisoformat(job.lease_until) > self.now]

    def waits_for_a_worker(self) -> bool:
        """Return whether something has been due for minutes, and no worker takes it."""
        due = [datetime.fromisoformat(job.next_attempt) for job in self.open]
        return not self.leased and any(self.now - time > _IDLE for time in due)


def pacs_page() -> None:
    """Draw the page."""
    if not is_pacs_set_up():
        empty_state(
            "No PACS is set up",
            "Once one is, studies that it or a modality sends are received and read, and the results go back into the "
            "study: docs/deployment-pacs.md. Until SECOND_READ_PACS or another setting of the DICOM network is set, "
            "nothing is received and nothing is sent.",
        )
        return
    try:
        pacs_store()
    except CxrError as error:
        stop_with(error)
    page_heading("PACS", f"AE title {settings().pacs_ae_title}; times in {time_zone()}")
    left, right = st.columns([1.25, 1], gap="large")
    with right:
        answers, throughput = st.container(), st.container()
    with left:
        _live()
    with throughput:
        _throughput()
    with answers:
        # last: it may take seconds
        reachability()


@st.fragment(run_every=REFRESH_SECONDS)
def _live() -> None:
    """Draw queue, alarms and parked jobs, again and again."""
    # a fragment runs without the check of the page
    if not may(Role.ADMIN):
        return
    try:
        queue = _Queue.of(pacs_store())
    except CxrError as error:
        refusal("The queue cannot be read at the moment", (str(error),))
        return
    if problem := st.session_state.pop("pacs-problem", ""):
        refusal("Nothing was changed", (problem,))
    heading("Queue")
    _tiles(queue)
    if queue.waits_for_a_worker():
        banner("No worker takes these jobs.", "Start one or more with the command second-read pacs work.")
    draw_alarms(pacs_store(), queue.alarms, _acknowledge)
    with st.container(key="sr-fit-pacs"):
        _parked(queue.parked)
        _latest()


def _tiles(queue: _Queue) -> None:
    oldest = min((job.times["received"] for job in queue.open), default="")
    workers = len({job.owner for job in queue.leased})
    again = sum(1 for job in queue.open if job.reason)
    work = [f"{len(queue.leased):,} in work by {workers} worker{'s' * (workers != 1)}"] if workers else []
    work += [f"{_many(again)} to be tried again"] if again else []
    tiles(
        (
            (
                "Images without a job yet",
                _many(queue.unplanned),
                "a worker applies the rules" if queue.unplanned else "",
            ),
            ("Jobs in the queue", f"{queue.waiting:,}", f"oldest of {format_time(oldest)}" if oldest else ""),
            ("Verified", f"{queue.verified:,}", "results were read back"),
            ("Parked", _many(len(queue.parked)), "wait for you" if queue.parked else ""),
        )
    )
    if work:
        small(f"{'; '.join(work)}.")


def _many(number: int) -> str:
    return f"{number:,}{'+' * (number >= _MOST)}"


def _parked(parked: Sequence[Job]) -> None:
    """Draw the parked jobs by their reason, each reason with the buttons that try them again."""
    heading(f"Parked ({_many(len(parked))})")
    if not parked:
        small("No job is parked.")
        return
    reasons: dict[str, list[Job]] = {}
    for job in parked:
        reasons.setdefault(job.reason, []).append(job)
    for number, (reason, jobs) in enumerate(list(reasons.items())[:ROWS]):
        with st.container(border=True, gap="small"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                line(f"<b>{escape(reason or 'No reason is stored.')}</b>")
                if len(jobs) > 1:
                    st.button("Retry one", key=f"pacs-retry-one-{number}", on_click=_retry, args=(jobs[-1:],))
                title = f"Retry all {len(jobs):,}" if len(jobs) > 1 else "Retry"
                st.button(title, key=f"pacs-retry-{number}", on_click=_retry, args=(jobs,))
            _job_table(jobs)
            and_more(len(jobs), "jobs")
    and_more(len(reasons), "reasons")


def _latest() -> None:
    """Draw the jobs of the images that were received last."""
    try:
        jobs = pacs_store().jobs(limit=ROWS)
    except CxrError:
        return
    heading("Last received")
    if not jobs:
        small("No image has come yet.")
        return
    _job_table(jobs, reasons=True)


def _job_table(jobs: Sequence[Job], *, reasons: bool = False) -> None:
    table(
        ("received", "from", "state", "instance"),
        [
            (
                escape(format_time(job.times["received"])),
                escape(job.source),
                _details(job, reason=reasons),
                uid_text("", job.sop_instance_uid),
            )
            for job in jobs[:ROWS]
        ],
    )


def _details(job: Job, *, reason: bool) -> str:
    """Return the state of a job as HTML, where its results are, the model, and why it failed last."""
    lines = [f"{job.order.model_id}, {job.order.operating_point}"]
    if reason and job.reason:
        lines.append(job.reason)
    with suppress(CxrError):
        lines += describe_results(pacs_store().results(job.id))
    return escape(_state(job)) + "".join(f'<span class="q">{escape(line)}</span>' for line in lines)


def _state(job: Job) -> str:
    """Return the state of a job, and where it was parked the one before."""
    if job.state != "parked":
        return job.state
    before = [state for state in OPEN_STATES if state in job.times]
    return f"parked after {before[-1] if before else 'received'}"


def _retry(jobs: Sequence[Job]) -> None:
    _change(lambda store: deque(retry_jobs(store, visitor(), jobs), maxlen=0))


def _acknowledge(alarm: Alarm) -> None:
    _change(lambda store: acknowledge_alarm(store, visitor(), alarm))


def _change(change: Callable[[PacsStore], object]) -> None:
    """Change something in the store, and have the page say why nothing was changed where that fails."""
    # a callback runs without the check of the page
    if not may(Role.ADMIN):
        return
    try:
        change(pacs_store())
    except CxrError as error:
        # such as a job that another administrator has tried again
        st.session_state["pacs-problem"] = str(error)


@st.fragment(run_every=60.0)
def _throughput() -> None:
    if not may(Role.ADMIN):
        return
    now = datetime.now(UTC)
    try:
        counts = pacs_store().throughput(f"{now - timedelta(hours=_HOURS - 1):%Y-%m-%dT%H}")
    except CxrError as error:
        refusal("The throughput cannot be read at the moment", (str(error),))
        return
    show_display(ThroughputDisplay.of(counts, now, hours=_HOURS, zone=time_zone()), "pacs-throughput")
