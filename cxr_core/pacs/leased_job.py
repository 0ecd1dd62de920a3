"""The steps of one job while it is leased: read, build, send, verify.

Each step is in the store before the next begins. What was built is sent as it is stored, again if need be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import datetime
from itertools import groupby
from typing import Literal

from ..access import acting_user, audit
from ..errors import InputRefused, PacsUnavailable, WrongArguments
from ..store.pacs_records import Job, StoredResult
from ..store.pacs_store import PacsStore
from .destinations import Destination, Pauses, ResultFile, send, verify
from .results import ImageReading, build_results, read_received
from .rules import Plan, Rules

__all__ = ["HELD", "LEASE_SECONDS", "LeasedJob"]

TWO_PATIENTS = (
    "The study has images of two patients. Delete those of the wrong one (pacs delete), or replace the study by that "
    "of the PACS (pacs fetch --replace), then retry."
)
OTHER_PATIENT = (
    "An image of another patient came under the UID of one of this study. If the one here is right, acknowledge the "
    "alarm, then retry; if not, replace the study by that of the PACS (pacs fetch --replace)."
)
HELD = frozenset({TWO_PATIENTS, OTHER_PATIENT})
"""Reasons of jobs that were parked since it was not known whose the study is."""

LEASE_SECONDS = 180
"""For which a job is leased. The lease is renewed when a third of it has passed: what is between two looks at it may
take two minutes, such as reading an image, building its results, or the answer of a destination."""


class LeasedJob:
    """A job that this process has leased.

    Every method raises LeaseLost where the lease has ended: then another worker may have the job.

    Args:
        store: of instances and jobs.
        rules: with the destinations that results go to.
        job: as it was leased.
        pauses: of the destinations that have failed, which jobs share.

    Attributes:
        job: as it is now.
    """

    def __init__(self, store: PacsStore, rules: Rules, job: Job, pauses: Pauses) -> None:
        self._store, self._rules, self.job, self._pauses = store, rules, job, pauses
        self._image: ImageReading | None = None
        self._leased_at = time.monotonic()

    def advance(self) -> None:
        """Take the next step of a job that is neither verified nor parked.

        Raises:
            CxrError: the step cannot be taken, now or ever, by the families of the errors.
        """
        self._renew()
        self._check_patient()
        steps = {"received": self._read, "read": self._build, "built": self._send, "sent": self._verify}
        steps[self.job.state]()

    def fail(self, reason: str, wait: float | None) -> None:
        """End the lease after a failure, as :meth:`.PacsStore.fail`."""
        self.job = self._store.fail(self.job, reason, wait)

    def release(self) -> None:
        """Give the lease back."""
        self._store.release(self.job)

    def _renew(self) -> None:
        """Renew the lease, unless that was done lately: each time is a transaction."""
        if time.monotonic() - self._leased_at > LEASE_SECONDS / 3:
            self.job, self._leased_at = self._store.renew(self.job, LEASE_SECONDS), time.monotonic()

    def _check_patient(self) -> None:
        """Raise InputRefused where it is not known whose the study is: nothing more of it is read or sent then."""
        alarms = self._store.alarms(study_uid=self.job.study_uid)
        if kinds := {alarm.kind for alarm in alarms if alarm.holds_study}:
            raise InputRefused(TWO_PATIENTS if "study" in kinds else OTHER_PATIENT)

    def _read(self) -> None:
        self._reading()
        self.job = self._store.advance(self.job, "read")

    def _reading(self) -> ImageReading:
        """Return the reading of the image: that of the step before, or a new one where another worker has made that."""
        if self._image is None:
            self._image = read_received(self._store.load_instance(self.job.sop_instance_uid), self.job.order)
            self._renew()
        return self._image

    def _build(self) -> None:
        image = self._reading()
        results = build_results(image, Plan.model_validate_json(self.job.order.plan).results, self._read_at())
        self._renew()
        reason = image.refusal or ("" if results else "no result is to be sent")
        self.job = self._store.advance(self.job, "built", results=results, reason=reason)

    def _read_at(self) -> datetime:
        """Return when the image was first read by this model at this operating point.

        Jobs that differ in destinations alone have results of the same UIDs, which must be the same files.
        """
        jobs = self._store.jobs(sop_instance_uid=self.job.sop_instance_uid)
        times = [job.times["read"] for job in jobs if "read" in job.times and _reading_of(job) == _reading_of(self.job)]
        return datetime.fromisoformat(min(times)).astimezone()

    def _send(self) -> None:
        self._with_each("sent", self._send_to)
        self._pass_on("sent")

    def _with_each(
        self, mark: Literal["sent", "verified"], act: Callable[[Destination, list[StoredResult]], None]
    ) -> None:
        """Act on the results that lack a mark, of every destination, also where one before it is unavailable."""
        unavailable: PacsUnavailable | None = None
        for destination, results in self._without(mark):
            try:
                with self._pauses.attempt(destination):
                    act(destination, results)
            except PacsUnavailable as error:
                unavailable = unavailable or error
            self._renew()
        if unavailable is not None:
            raise unavailable

    def _send_to(self, destination: Destination, results: list[StoredResult]) -> None:
        image = self._store.instance(self.job.sop_instance_uid)
        # before anything is sent: what is not in the trail must not happen
        audit.record(
            acting_user(),
            "export",
            f"results to {destination.name}",
            images=[] if image is None else [image.sha256],
            model=self.job.order.weights_sha256,
        )
        self._mark(results, send(destination, self._files(results)), "sent")

    def _verify(self) -> None:
        self._with_each("verified", self._verify_at)
        self._pass_on("verified")

    def _verify_at(self, destination: Destination, results: list[StoredResult]) -> None:
        if self.job.attempts > 1:
            # they were not there the last time
            self._send_to(destination, results)
        self._mark(results, verify(destination, self._files(results)), "verified")

    def _files(self, results: list[StoredResult]) -> list[ResultFile]:
        return [ResultFile(result.name, self._store.load_result(result)) for result in results]

    def _mark(
        self, results: list[StoredResult], done: Generator[ResultFile, None, None], mark: Literal["sent", "verified"]
    ) -> None:
        """Mark each result as soon as it is done."""
        with closing(done):
            for _, result in zip(done, results, strict=True):
                self._renew()
                self._store.mark_result(self.job, result, mark)

    def _without(self, mark: Literal["sent", "verified"]) -> Iterator[tuple[Destination, list[StoredResult]]]:
        """Yield the results that lack a mark, by destination."""
        unmarked = [result for result in self._store.results(self.job.id) if getattr(result, mark) is None]
        for name, results in groupby(unmarked, key=lambda result: result.destination):
            if name not in self._rules.destinations:
                raise WrongArguments(f"There is no destination {name} any more. Set it again, and retry the job.")
            yield self._rules.destinations[name], list(results)

    def _pass_on(self, state: Literal["sent", "verified"]) -> None:
        """Advance the job; a reason why it has no results stays, and that of a failure does not."""
        reason = "" if self._store.results(self.job.id) else self.job.reason
        self.job = self._store.advance(self.job, state, reason=reason)


def _reading_of(job: Job) -> tuple[str, str]:
    return job.order.weights_sha256, job.order.operating_point
