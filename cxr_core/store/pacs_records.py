"""What the store of the DICOM network holds: received instances, alarms, jobs and their results, as plain records.

Nothing here names a patient: an instance is known by its UIDs, and its patient by a keyed digest. Times are UTC,
ISO 8601 with milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

__all__ = [
    "JOB_STATES",
    "OPEN_STATES",
    "Alarm",
    "AlarmKind",
    "BuiltResult",
    "HourlyCounts",
    "InstanceHeader",
    "Job",
    "JobOrder",
    "JobState",
    "Outcome",
    "Receipt",
    "SentResults",
    "StoredInstance",
    "StoredResult",
    "StudyPatient",
]

JobState = Literal["received", "read", "built", "sent", "verified", "parked"]
"""What was done last: the image is here, its reading was made, its results were built, sent, and read back; or the job
waits for an administrator."""

Outcome = Literal["stored", "confirmed", "conflict"]

AlarmKind = Literal["image", "patient", "study"]
"""What an alarm is of: another data set came under the UID of an image that is here; one of another patient did; or a
study has images of two patients, which are all here."""

JOB_STATES: tuple[JobState, ...] = get_args(JobState)

OPEN_STATES: tuple[JobState, ...] = ("received", "read", "built", "sent")
"""States in which there is work left that a worker does."""


@dataclass(frozen=True)
class InstanceHeader:
    """Attributes of a DICOM file by which rules choose it; empty where the file does not state one validly.

    Attributes:
        sop_instance_uid, study_uid, series_uid: never empty.
        sop_class: SOP Class UID.
        transfer_syntax: Transfer Syntax UID.
        modality, body_part: coded strings, in capitals.
        station_name: of the equipment, in capitals.
        patient_key: HMAC-SHA-256 of Patient ID and its issuer by the setting ``store_key``; empty without either.
        is_result: whether Second Read made the object: its results come back from a PACS, and are never read.
    """

    sop_instance_uid: str
    study_uid: str
    series_uid: str
    sop_class: str
    transfer_syntax: str
    modality: str = ""
    body_part: str = ""
    station_name: str = ""
    patient_key: str = ""
    is_result: bool = False


@dataclass(frozen=True, kw_only=True)
class StoredInstance(InstanceHeader):
    """An instance that was received.

    Attributes:
        sha256: of the whole file as it lies here.
        dataset_sha256: of the data set without the File Meta Information, which each sender writes itself.
        bytes: size of the file.
        source: where it came from: ``AE`` and the calling AE title, ``stow``, or ``fetch`` and the source's name.
        received: when it was on the disk; that of a prior which has come for itself since, when it did.
        planned: when rules were applied to it; None while they were not.
        is_prior: whether it is here only to be compared with later studies: no rules are applied to it.
    """

    sha256: str
    dataset_sha256: str
    bytes: int
    source: str
    received: str
    planned: str | None = None
    is_prior: bool = False


@dataclass(frozen=True)
class Receipt:
    """What became of a file that was received.

    Attributes:
        outcome: ``stored``; ``confirmed``, where the same image was here already, in whatever transfer syntax; or
            ``conflict``, where the UID is that of another image: the file was kept out, and there is an alarm.
        instance: that is here under the UID.
        replaces: whether it is stored in place of another image, whose jobs and results are gone.
    """

    outcome: Outcome
    instance: StoredInstance
    replaces: bool = False


@dataclass(frozen=True)
class Alarm:
    """A data set that was kept out, because another one is here under its SOP Instance UID; or a study of two patients.

    Attributes:
        id: of the alarm. That of a study cannot be acknowledged: it lasts while images of two patients are here.
        sop_instance_uid, study_uid: of the instance that is here; of a study, its last instance of a further patient.
        dataset_sha256, bytes: digest of the data set that was kept out, and size of its file; of a study those of the
            instance.
        source: where it came from last.
        created, last: when it came first and last.
        count: how often it came; of a study the number of instances of further patients.
        acknowledged: when an administrator has seen it, or None.
        kind: what it is of.
    """

    id: str
    sop_instance_uid: str
    study_uid: str
    dataset_sha256: str
    bytes: int
    source: str
    created: str
    last: str
    count: int
    acknowledged: str | None
    kind: AlarmKind = "image"

    @property
    def holds_study(self) -> bool:
        """Whether nothing more of the study is read or sent until it is cleared: it is not known whose the study is."""
        return self.kind != "image" and self.acknowledged is None


@dataclass(frozen=True)
class SentResults:
    """What a destination was sent of the images that are here.

    Attributes:
        destination: its name.
        sent: number of result objects that it took.
        verified: number of those that were read back from there.
        series: their Series Instance UIDs, sorted. Those that were built before this was stored have none.
    """

    destination: str
    sent: int
    verified: int
    series: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.verified == self.sent:
            verified = "verified"
        else:
            verified = f"{self.verified:,} of them verified" if self.verified else "not verified"
        return f"{self.sent:,} result{'s' * (self.sent != 1)} sent to {self.destination}, {verified}"


@dataclass(frozen=True)
class StudyPatient:
    """One of the patients of a study, who has a number and no name here.

    Attributes:
        number: from 1 in the order in which their first images came; 0 for images whose patient is not known, which
            state no Patient ID, or whose file cannot be read.
        sop_instance_uids: of their images, in the order in which they came. Results of our own are left out.
        sources: where these came from, each once.
        received: when the first of them came.
        results: results of these images that were sent, by destination.
    """

    number: int
    sop_instance_uids: tuple[str, ...]
    sources: tuple[str, ...]
    received: str
    results: tuple[SentResults, ...]


@dataclass(frozen=True)
class JobOrder:
    """How an instance is read.

    Attributes:
        model_id, weights_sha256: of the model.
        operating_point: name of the model's operating point.
        content: SHA-256 of everything else that decides the results: rule, prevalence, kinds of result, destinations.
        plan: JSON for the worker alone, with nothing about a patient.
    """

    model_id: str
    weights_sha256: str
    operating_point: str
    content: str
    plan: str = field(default="", compare=False)


@dataclass(frozen=True)
class BuiltResult:
    """A result object that is to be stored.

    Attributes:
        name: of the object among the results of its reading, such as ``sr`` or ``sc-1``.
        destination: name of the destination it goes to.
        sop_class, series_uid, sop_instance_uid: of the object.
        data: the file.
    """

    name: str
    destination: str
    sop_class: str
    series_uid: str
    sop_instance_uid: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class StoredResult:
    """A result object of a job. Its file is kept until the job is verified, and sent again as it is.

    Attributes:
        job: id of the job.
        name, destination, sop_class, sop_instance_uid: as in :class:`BuiltResult`.
        sha256, bytes: of the file.
        sent, verified: when the destination took it, and when it was read back; or None.
    """

    job: str
    name: str
    destination: str
    sop_class: str
    sop_instance_uid: str
    sha256: str
    bytes: int
    sent: str | None = None
    verified: str | None = None


@dataclass(frozen=True)
class Job:
    """One instance that is read by one model in one way; there is never a second job for the same.

    Attributes:
        id: of the job.
        sop_instance_uid, study_uid, source: of the instance.
        order: how it is read.
        state: what was done last.
        attempts: leases since it advanced last; that of a worker which was killed counts.
        next_attempt: the job is leased from then on.
        owner: who has or had the lease; empty where nobody did.
        lease_until: when the lease ends, or None.
        reason: of the last failure, in one line without patient data; empty after a success.
        times: when each state was reached.
    """

    id: str
    sop_instance_uid: str
    study_uid: str
    source: str
    order: JobOrder
    state: JobState
    attempts: int
    next_attempt: str
    owner: str
    lease_until: str | None
    reason: str
    times: dict[JobState, str]


@dataclass(frozen=True)
class HourlyCounts:
    """What was done in an hour.

    Attributes:
        hour: such as ``2026-11-27T05``, UTC.
        received, received_bytes: instances that were received, and the size of their files.
        verified: jobs whose results were verified.
        parked: jobs that were parked.
    """

    hour: str
    received: int
    received_bytes: int
    verified: int
    parked: int
