"""The worker: takes jobs of the store, and brings each from the received image to results that the PACS keeps.

Several workers share one store. One that is killed, at any moment, leaves a job that another one continues when the
lease ends; results have UIDs by their content, so that a PACS never has one twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, get_args

from ..errors import CxrError, InputRefused, LeaseLost, ModelUnusable, PacsRefused, PathUnusable, WrongArguments
from ..store.pacs_records import Job, JobState
from ..store.pacs_store import PacsStore
from .destinations import Pauses
from .leased_job import LEASE_SECONDS, LeasedJob
from .rules import Rules

__all__ = ["OUTCOMES", "READING_ATTEMPTS", "STEPS", "WAITS", "StepOutcome", "WorkObserver", "Worker"]

WAITS = (5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
"""Seconds after a first failure, a second, and so on. A job that fails once more is parked, about a day later."""

READING_ATTEMPTS = 4
"""Attempts at reading an image and building its results: one that ends the process would end every worker."""

POLL_SECONDS, STORE_SECONDS = 0.5, 10
"""After which a worker without a job asks for one, and one whose store failed asks it again."""

STEPS: dict[JobState, str] = {"received": "read", "read": "build", "built": "send", "sent": "verify"}
"""What a worker does next with a job, by its state."""

StepOutcome = Literal["done", "retried", "parked", "lease_lost"]
"""What became of a step: it was done; it failed and is tried again later, or the job is parked; or the lease had ended,
so that another worker may have the job."""

OUTCOMES: tuple[StepOutcome, ...] = get_args(StepOutcome)

_ALL = 10**9

_FINAL = (PacsRefused, InputRefused, ModelUnusable, WrongArguments)
"""Errors that would come again."""


class WorkObserver:
    """What a worker calls at each step; here it does nothing."""

    def step_ended(self, step: str, outcome: StepOutcome, seconds: float) -> None:
        """Note that a step of :data:`STEPS` has ended, after how many seconds."""

    def set_busy(self, busy: bool) -> None:
        """Note whether the worker has a job."""

    def store_failed(self) -> None:
        """Note that the store could not be used."""


class Worker:
    """Does one job after the other.

    Args:
        store: of instances and jobs.
        rules: which images are read, and where results go.
        owner: name of this worker, which no other one has.
        report: is called with one line for each step, with nothing about a patient.
        observer: is called at each step.
    """

    def __init__(
        self,
        store: PacsStore,
        rules: Rules,
        owner: str,
        report: Callable[[str], None] = lambda line: None,
        observer: WorkObserver | None = None,
    ) -> None:
        self._store, self._rules, self._owner, self._report = store, rules, owner, report
        self._observer = observer or WorkObserver()
        self._pauses = Pauses()

    def run(self, stop: threading.Event) -> None:
        """Work until the event is set; a store that fails is asked again."""
        while not stop.is_set():
            try:
                self.work_until_idle(stop)
                stop.wait(POLL_SECONDS)
            except PathUnusable as error:
                self._observer.store_failed()
                self._report(str(error))
                stop.wait(STORE_SECONDS)

    def work_until_idle(self, stop: threading.Event) -> None:
        """Work until no job is due, or the event is set; raises PathUnusable where the store fails."""
        while not stop.is_set():
            self.plan()
            job = self._store.lease(self._owner, LEASE_SECONDS)
            if job is None:
                return
            self.work(job, stop)

    def plan(self) -> None:
        """Make jobs of the instances to which the rules were not applied yet."""
        for instance in self._store.unplanned():
            rule = self._rules.matching(instance, instance.source)
            # one that was deleted meanwhile
            with suppress(PathUnusable):
                self._store.plan(instance.sop_instance_uid, [] if rule is None else [rule.order()])

    def plan_again(self, since: str) -> int:
        """Apply the rules, as they are now, to the images with jobs that were received since a time in UTC.

        What was read in the same way is not read again. Returns the number of new jobs.
        """
        images = {job.sop_instance_uid for job in self._store.jobs(limit=_ALL)}
        new = 0
        for instance in self._store.instances(since=since, limit=_ALL):
            rule = self._rules.matching(instance, instance.source)
            if instance.sop_instance_uid in images and rule is not None:
                new += self._store.enqueue(instance.sop_instance_uid, rule.order())[1]
        return new

    def work(self, job: Job, stop: threading.Event) -> None:
        """Bring a leased job as far as possible; what fails is noted in the store.

        Where the event is set, the job is given back between two steps.
        """
        leased = LeasedJob(self._store, self._rules, job, self._pauses)
        self._observer.set_busy(True)
        try:
            if job.attempts > _limit(job):
                error = PacsRefused("Workers have ended without a word while they had the job.")
                self._step(leased, lambda: self._fail(leased, error))
            while leased.job.state not in ("verified", "parked"):
                if stop.is_set():
                    leased.release()
                    return
                if self._step(leased, lambda: self._advance(leased)) != "done":
                    return
                self._say(leased.job, leased.job.state, leased.job.reason)
        except LeaseLost:
            self._say(job, "another worker has it")
        finally:
            self._observer.set_busy(False)

    def _step(self, leased: LeasedJob, act: Callable[[], StepOutcome]) -> StepOutcome:
        """Take the next step of a job, and tell the observer what became of it."""
        step, begun = STEPS[leased.job.state], time.monotonic()
        try:
            outcome = act()
        except LeaseLost:
            self._observer.step_ended(step, "lease_lost", time.monotonic() - begun)
            raise
        self._observer.step_ended(step, outcome, time.monotonic() - begun)
        return outcome

    def _advance(self, leased: LeasedJob) -> StepOutcome:
        try:
            leased.advance()
        except LeaseLost:
            raise
        except Exception as error:
            return self._fail(leased, error)
        return "done"

    def _fail(self, leased: LeasedJob, error: Exception) -> StepOutcome:
        # the text of an error that is none of ours may quote the image
        reason = str(error) if isinstance(error, CxrError) else f"Unexpected error ({type(error).__name__})."
        job, wait = leased.job, None
        if not isinstance(error, _FINAL) and job.attempts < _limit(job):
            # none yet where the lease was that of the step before
            wait = WAITS[max(job.attempts, 1) - 1]
        leased.fail(reason, wait)
        self._say(job, "parked" if wait is None else f"{job.state}, to be tried again", leased.job.reason)
        return "parked" if wait is None else "retried"

    def _say(self, job: Job, state: str, reason: str = "") -> None:
        self._report(f"Job {job.id}: {state}{': ' if reason else ''}{reason}")


def _limit(job: Job) -> int:
    """Return after how many attempts in its state a job is parked."""
    return READING_ATTEMPTS if job.state in ("received", "read") else len(WAITS) + 1
