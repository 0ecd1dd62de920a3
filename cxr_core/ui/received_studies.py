"""Studies that came over the DICOM network, for the worklist: whose they are, where from, and where their results went.

A person opens one as if its files had been dropped. Until then nothing of it is read here, and it is in nobody's
worklist. Whose it is stands in the files alone, so they are looked at in a thread of its own, each once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from ..access import Visitor, audit
from ..errors import CxrError
from ..imaging.conformance import CAPTURE_CLASSES, RADIOGRAPH_CLASSES
from ..settings import settings
from ..store.pacs_records import Job, StoredInstance, StoredResult
from ..store.pacs_store import PacsStore
from ..studies import Study, StudyHeader, StudyImage, group_studies, prior_studies, read_study_header
from .file_intake import add_files
from .pacs_store import describe_results, is_pacs_set_up, pacs_store
from .session_cleanup import at_every_poll
from .worklist import Worklist

__all__ = ["Origin", "ReceivedStudies", "describe_origin", "open_received", "received_studies"]

REFRESH_SECONDS = 3.0
"""Interval at which the store is looked at while somebody has a worklist on the screen."""

FORGET_SECONDS = 60.0
"""After which patients leave the memory where nobody has a worklist on the screen."""

_RETRY_SECONDS = 60.0

_MOST_IMAGES = 400
"""That can be read, of the last ones that were received; the files of all of them are looked at once."""

_AT_ONCE = 20
"""Files after which what is known so far is shown."""

_READABLE = RADIOGRAPH_CLASSES.keys() | CAPTURE_CLASSES.keys()

_LOG = logging.getLogger(__name__)
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="second-read-received")


@dataclass(frozen=True)
class Origin:
    """Where an image came from, and what became of it.

    Attributes:
        instance: the image.
        state: of its jobs: "no job", "in work", "parked" or "done".
        results: one line for each destination, as :func:`.pacs_store.describe_results`; what is sent may depend on the
            findings.
    """

    instance: StoredInstance
    state: str = "no job"
    results: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where it came from: an AE title, the name of a source, or DICOMweb."""
        name = self.instance.source
        return "DICOMweb" if name == "stow" else name.partition(" ")[2] or name

    def describe(self, *, hidden: bool) -> str:
        """Return in one line where the image came from and where its results are.

        Args:
            hidden: whether the findings are; then results are omitted, since which there are depends on them.
        """
        if hidden or self.state == "no job":
            return f"from {self.source}"
        states = {"in work": "results in work", "parked": "results parked", "done": "no results"}
        results = "; ".join(f"results at {line}" for line in self.results) or states[self.state]
        return f"from {self.source}; {results}"


@dataclass(frozen=True)
class ReceivedStudies:
    """What was received, of one moment.

    Attributes:
        studies: with images that can be read, the one that was received last first.
        origins: of each image, by SHA-256 of its file.
    """

    studies: tuple[Study, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=lambda: MappingProxyType({}))

    def describe(self, digest: str, *, hidden: bool) -> str:
        """Return :meth:`Origin.describe` of an image; empty for one that did not come over the network."""
        origin = self.origins.get(digest)
        return "" if origin is None else origin.describe(hidden=hidden)

    def study(self, digest: str) -> Study | None:
        """Return the study whose first image has this digest, or None."""
        return next((study for study in self.studies if study.images[0].digest == digest), None)

    def received(self, study: Study) -> str:
        """Return when the last image of a study was received, UTC, ISO 8601."""
        return max(self.origins[image.digest].instance.received for image in study.images)


class _Received:
    """Keeps :class:`ReceivedStudies` up to date while they are asked for. Safe to use from any thread."""

    def __init__(self) -> None:
        self.current = ReceivedStudies()
        self._headers: dict[str, StudyHeader | None] = {}
        # of verified jobs, which change no more
        self._results: dict[str, tuple[StoredResult, ...]] = {}
        self._looked, self._asked = -REFRESH_SECONDS, 0.0
        self._scheduling, self._scheduled = threading.Lock(), False

    def ask(self) -> ReceivedStudies:
        """Return what is known, and have the store looked at where that is some seconds ago."""
        with self._scheduling:
            self._asked = time.monotonic()
            if not self._scheduled and self._asked - self._looked >= REFRESH_SECONDS:
                self._scheduled = True
                _THREAD.submit(self._look)
        return self.current

    def forget_unasked(self) -> int:
        """Forget everything where nobody has asked for it lately; return the number of studies."""
        with self._scheduling:
            if self._scheduled or time.monotonic() - self._asked < FORGET_SECONDS:
                return 0
            forgotten = len(self.current.studies)
            self.current, self._headers, self._results = ReceivedStudies(), {}, {}
            return forgotten

    def _look(self) -> None:
        pause = 0.0
        try:
            self.refresh(pacs_store())
        except Exception as error:
            # its message, and the values in its traceback, may be of a patient
            _LOG.error("Received studies could not be listed: %s", type(error).__name__)
            pause = _RETRY_SECONDS
        finally:
            with self._scheduling:
                self._looked, self._scheduled = time.monotonic() + pause, False

    def refresh(self, store: PacsStore) -> None:
        """Look at the store; raises CxrError."""
        instances = store.instances(sop_classes=_READABLE, results=False, limit=_MOST_IMAGES)
        jobs: dict[str, list[Job]] = {}
        for job in store.jobs(limit=2 * _MOST_IMAGES):
            jobs.setdefault(job.sop_instance_uid, []).append(job)
        origins = {one.sha256: self._origin(store, one, jobs.get(one.sop_instance_uid, [])) for one in instances}
        self._headers = {key: header for key, header in self._headers.items() if key in origins}
        present = {job.id for of_image in jobs.values() for job in of_image}
        self._results = {job: results for job, results in self._results.items() if job in present}
        unknown = [one for one in instances if one.sha256 not in self._headers]
        for start in range(0, len(unknown), _AT_ONCE):
            self._publish(instances, origins)
            for one in unknown[start : start + _AT_ONCE]:
                self._headers[one.sha256] = _header(store, one)
        self._publish(instances, origins)

    def _publish(self, instances: Iterable[StoredInstance], origins: Mapping[str, Origin]) -> None:
        # without a header it is not known whose it is
        known = [one for one in instances if self._headers.get(one.sha256) is not None]
        studies = group_studies(StudyImage(one.sha256, self._headers[one.sha256]) for one in reversed(known))
        made = ReceivedStudies(studies, MappingProxyType(dict(origins)))
        self.current = ReceivedStudies(tuple(sorted(studies, key=made.received, reverse=True)), made.origins)

    def _origin(self, store: PacsStore, instance: StoredInstance, jobs: list[Job]) -> Origin:
        if not jobs:
            return Origin(instance)
        states = {job.state for job in jobs}
        state = "parked" if "parked" in states else "done" if states == {"verified"} else "in work"
        results = [result for job in jobs for result in self._results_of(store, job)]
        return Origin(instance, state, tuple(describe_results(results)))

    def _results_of(self, store: PacsStore, job: Job) -> tuple[StoredResult, ...]:
        known = self._results.get(job.id)
        if known is None:
            known = store.results(job.id)
            if job.state == "verified":
                self._results[job.id] = known
        return known


def _header(store: PacsStore, instance: StoredInstance) -> StudyHeader | None:
    try:
        data = store.load_instance(instance.sop_instance_uid)
    except CxrError:
        # deleted meanwhile, or its key is another one
        return None
    return read_study_header(data, identity=settings().identity != "off")


_RECEIVED = _Received()


@at_every_poll
def forget_unasked() -> int:
    """Forget the studies where nobody has a worklist on the screen any more; return their number."""
    return _RECEIVED.forget_unasked()


def received_studies() -> ReceivedStudies | None:
    """Return the studies that came over the DICOM network, as of some seconds ago; None where it is not set up."""
    return _RECEIVED.ask() if is_pacs_set_up() else None


def describe_origin(digest: str, *, hidden: bool) -> str:
    """Return :meth:`Origin.describe` of an image; empty for one that did not come over the network."""
    received = received_studies()
    return "" if received is None else received.describe(digest, hidden=hidden)


def open_received(images: Worklist, digest: str, who: Visitor) -> str:
    """Add a received study, and the prior of its patient that is here, to a worklist, and choose its first image.

    Args:
        images: the worklist.
        digest: of the first image of the study.
        who: opens it.

    Returns:
        Why not all of it is there, one line; or an empty text.
    """
    received = received_studies()
    study = None if received is None else received.study(digest)
    if received is None or study is None:
        return "The study is no longer in the store of the DICOM network."
    problem, priors = "", prior_studies(study, received.studies)[:1]
    # the study last: an upload chooses its first image
    for one in (*priors, study):
        try:
            files = [_file(received.origins[image.digest].instance, n) for n, image in enumerate(one.images, start=1)]
            audit.note(who, "retrieval", "worklist", images=[image.digest for image in one.images])
            problem = add_files(images, files).reason or problem
        except CxrError as error:
            problem = str(error)
    images.choose(study.images[0].digest)
    return problem


def _file(instance: StoredInstance, number: int) -> tuple[str, bytes]:
    return f"{instance.modality or 'image'} {number}", pacs_store().load_instance(instance.sop_instance_uid)
