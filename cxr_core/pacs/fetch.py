"""Studies fetched from a PACS into the store, each image once; and the priors of their patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import date

from ..access import acting_user, audit
from ..errors import InputRefused, WrongArguments
from ..settings import settings
from ..store.pacs_patients import NOBODY
from ..store.pacs_records import Receipt, StoredInstance
from ..store.pacs_store import PacsStore
from ..studies import Study, StudyHeader, prior_studies
from .addresses import DimseAddress, parse_address
from .administration import retry_jobs
from .dimse_source import DimseSource
from .leased_job import HELD
from .source import RemoteStudy, Source, is_fetched
from .web_source import WebSource

__all__ = ["Fetched", "PacsClient", "configured_client"]

MODALITIES = ("CR", "DX")
"""Of the studies that are looked for."""

_MOVED = (
    "--replace: by C-MOVE (SECOND_READ_PACS_RETRIEVE) images come to the receiver, which keeps what is here. Delete "
    "the study by `pacs delete`, then fetch it."
)
_ALL = 10**9

_WILDCARDS = frozenset("*?\\")
"""Which a matching key must not have where it is meant as it is (PS3.4 C.2.2.2)."""


@dataclass(frozen=True)
class Fetched:
    """What became of the images of a study.

    Attributes:
        stored: that were not here, or another image under their UID.
        present: that were here before.
        conflicts: of which the store has other bytes under the same UID; they are kept out, and the store has an alarm.
        missing: that have not arrived, or that the store refuses, such as too large ones.
        replaced: SOP Instance UIDs of those that are stored in place of another image, whose jobs and results are gone.
        deleted: SOP Instance UIDs of what was here of the study and is not in the PACS.
        retried: ids of parked jobs that were given back to the workers.
    """

    stored: int = 0
    present: int = 0
    conflicts: int = 0
    missing: int = 0
    replaced: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    retried: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = {
            "fetched": self.stored,
            "already here": self.present,
            "kept out, since the store has other bytes under the same UID": self.conflicts,
            "not received, or refused by the store": self.missing,
        }
        stated = [
            f"{number} {'image' if number == 1 else 'images'} {what}" for what, number in counts.items() if number
        ]
        return "; ".join(stated) or "no radiographs"


class PacsClient:
    """Fetches from one PACS into one store.

    Its methods raise PacsUnavailable and PacsRefused where the PACS does not do what it is asked for, PathUnusable
    where an image cannot be stored, and WrongArguments.

    Args:
        source: the PACS.
        name: of the PACS, such as its address; stored beside each image that comes from it.
        store: where images are stored.
    """

    def __init__(self, source: Source, name: str, store: PacsStore) -> None:
        self.source, self.name, self.store = source, name, store

    def search(self, keys: Mapping[str, str]) -> list[RemoteStudy]:
        """Return the studies of radiographs that match all keys; one without a match for an accession number is empty.

        Args:
            keys: matching keys by keyword. A value with a wildcard matches nothing: other patients would match it.
        """
        if any(_WILDCARDS.intersection(value) for value in keys.values()):
            return []
        found = (self.source.studies({**keys, "ModalitiesInStudy": modality}) for modality in MODALITIES)
        return list({study.uid: study for studies in found for study in studies}.values())

    def of_days(self, first: date, last: date | None = None) -> list[RemoteStudy]:
        """Return the studies of radiographs of some days, by Study Date."""
        until = "" if last is None else f"{last:%Y%m%d}"
        return self.search({"StudyDate": f"{first:%Y%m%d}-{until}"})

    def of_accession(self, number: str) -> list[RemoteStudy]:
        """Return the studies of radiographs of an accession number."""
        found = self.search({"AccessionNumber": number})
        return [study for study in found if study.header.accession_number == number]

    def replace(self, study_uid: str, on_replaced: Callable[[str], None] = lambda uid: None) -> Fetched:
        """Fetch the images of a study, and have the study here be as the PACS has it.

        An image that is another one here is replaced as soon as it has come, with its jobs, results and alarms. Once
        all of them have come, what the PACS has no more is deleted: radiographs that it did not return, and objects
        that it was not asked for, such as a dose report, where they are of another patient than what it returned. What
        is received meanwhile stays, since its sender has a confirmation. Parked jobs of the study are then tried again,
        since what they were parked for may be gone; where not all images have come, those that were parked for a second
        patient, if there is none any more: between the first image and the last one there was.

        Args:
            study_uid: of the study.
            on_replaced: called with the UID of each image as soon as it is replaced, also if the PACS breaks off then.

        Raises WrongArguments for C-MOVE, by which images come to the receiver.
        """
        if self.source.moves:
            raise WrongArguments(_MOVED)
        before = self.store.instances(study_uid=study_uid, limit=_ALL)
        images, source, who = self.source.images(study_uid), f"fetch {self.name}", acting_user()
        came: dict[str, Receipt] = {}

        def keep(data: bytes) -> None:
            try:
                receipt = self.store.replace_instance(data, source, who)
            except InputRefused:
                return
            came[receipt.instance.sop_instance_uid] = receipt
            if receipt.replaces:
                on_replaced(receipt.instance.sop_instance_uid)

        if images:
            try:
                self.source.retrieve(images, keep)
            finally:
                self._note(list(came), "replace")
        outcomes = Counter(receipt.outcome for receipt in came.values())
        missing = sum(image.sop_instance_uid not in came for image in images)
        is_whole = bool(images) and not missing
        deleted = self._not_there(study_uid, before, came) if is_whole else []
        self.store.delete_instances(who, deleted)
        return Fetched(
            outcomes["stored"],
            outcomes["confirmed"],
            outcomes["conflict"],
            missing,
            replaced=tuple(sorted(uid for uid, receipt in came.items() if receipt.replaces)),
            deleted=tuple(sorted(deleted)),
            retried=tuple(self._retry_parked(study_uid, every=is_whole)),
        )

    def _not_there(self, study_uid: str, before: Iterable[StoredInstance], came: Container[str]) -> list[str]:
        """Return the UIDs of what was here of a study and is no more in the PACS, by what came from there."""
        patients = self.store.study_patients(study_uid)
        right = {patient.number for patient in patients if any(uid in came for uid in patient.sop_instance_uids)}
        known = right.difference([NOBODY])
        of_others = {
            uid
            for patient in patients
            if known and patient.number not in {*right, NOBODY}
            for uid in patient.sop_instance_uids
        }
        return [
            one.sop_instance_uid
            for one in before
            if one.sop_instance_uid not in came and (is_fetched(one) or one.sop_instance_uid in of_others)
        ]

    def _retry_parked(self, study_uid: str, *, every: bool) -> list[str]:
        """Retry parked jobs of a study where it is known whose it is: those that were parked for that, or every one.

        Returns their ids.
        """
        if any(alarm.holds_study for alarm in self.store.alarms(study_uid=study_uid)):
            return []
        retried: list[str] = []
        for job in self.store.jobs(["parked"], study_uid=study_uid, limit=_ALL):
            if every or job.reason in HELD:
                # another program may have tried it again
                with suppress(WrongArguments):
                    retried += [given_back.id for given_back in retry_jobs(self.store, acting_user(), [job])]
        return retried

    def fetch(self, study_uid: str, *, as_prior: bool = False) -> Fetched:
        """Fetch the images of a study that are not here, or whose files are damaged.

        Args:
            study_uid: Study Instance UID.
            as_prior: whether it is a prior of another study; if not, images that are here as priors are so no more.
        """
        images, source = self.source.images(study_uid), f"fetch {self.name}"
        wanted = [
            image for image in images if not self.store.confirm(image.sop_instance_uid, source, is_prior=as_prior)
        ]
        outcomes: Counter[str] = Counter()

        def keep(data: bytes) -> None:
            try:
                outcomes[self.store.add_instance(data, source, is_prior=as_prior).outcome] += 1
            except InputRefused:
                outcomes["refused"] += 1

        # what comes to the receiver cannot be distinguished by itself from a new image, or from a prior of before
        moved = [image.sop_instance_uid for image in wanted] if self.source.moves else []
        if moved and not as_prior:
            self.store.await_no_priors(moved)
        if wanted:
            try:
                with self.store.awaiting_priors(moved) if moved and as_prior else nullcontext():
                    self.source.retrieve(wanted, keep)
            finally:
                arrived = self._note([image.sop_instance_uid for image in wanted], "prior" if as_prior else "fetch")
            if self.source.moves:
                # the receiver, another process, has stored each before the PACS is answered
                outcomes["stored"] = arrived
        stored, confirmed, conflicts = (outcomes[name] for name in ("stored", "confirmed", "conflict"))
        return Fetched(
            stored, len(images) - len(wanted) + confirmed, conflicts, len(wanted) - stored - confirmed - conflicts
        )

    def _note(self, asked_for: list[str], how: str) -> int:
        """Note in the audit trail which images have arrived, and return how many."""
        instances = (self.store.instance(uid) for uid in asked_for)
        digests = [instance.sha256 for instance in instances if instance is not None]
        if digests:
            audit.note(acting_user(), "retrieval", how, images=digests)
        return len(digests)

    def fetch_priors(self, header: StudyHeader, count: int) -> list[Fetched]:
        """Fetch the latest earlier studies of the patient of a study.

        None where the patient is not certainly known by an ID, the study has no date or identity is not to be read; and
        none from a PACS of which none are to be fetched (:attr:`.source.Source.no_priors`).

        Args:
            header: of the study.
            count: largest number of priors that have images.
        """
        patient = header.patient
        if settings().identity == "off" or not patient.known_id or header.study_date is None or self.source.no_priors:
            return []
        earlier = self.search({"PatientID": patient.patient_id, "StudyDate": f"-{header.study_date:%Y%m%d}"})
        dated = {study.uid: _dated(study.header) for study in earlier if study.uid != header.study_uid}
        priors: list[Fetched] = []
        for prior in prior_studies(_dated(header), tuple(dated.values())):
            if len(priors) == count:
                break
            uid = next(uid for uid, study in dated.items() if study is prior)
            fetched = self.fetch(uid, as_prior=True)
            if fetched.stored or fetched.present:
                priors.append(fetched)
        return priors


def _dated(header: StudyHeader) -> Study:
    return Study((), header.patient, header.study_date, header.study_time)


def configured_client(store: PacsStore) -> PacsClient:
    """Return the client of the PACS in the settings; raises WrongArguments where none is set."""
    given = settings()
    text = given.pacs_source or given.pacs
    if not text:
        raise WrongArguments("No PACS is set that studies are fetched from: set SECOND_READ_PACS_SOURCE.")
    address = parse_address(text)
    if isinstance(address, DimseAddress):
        source: Source = DimseSource(address, moves=given.pacs_retrieve == "move")
    else:
        # those of another address are not sent to this one
        own = given.pacs_source is None
        source = WebSource(address, given.pacs_credentials if own else given.pacs_source_credentials)
    return PacsClient(source, str(address), store)
