"""One image of the worklist: its file, its reading, what the reader has chosen for it; what adds and stores images."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from ..imaging import Radiograph, VoiScale
from ..logs import request_id
from ..model import Reading
from ..reading_queue import Job
from ..store.read_record import Opinion, OpinionValue
from ..studies import StudyHeader

__all__ = ["POSITIONS", "AddResult", "ImageStatus", "Keeper", "WorklistImage"]

POSITIONS = 100_000
"""Places of one upload; files beyond share the last one."""

ImageStatus = Literal["waiting", "read", "refused", "unreadable"]


@dataclass(eq=False)
class WorklistImage:
    """One added file.

    Attributes:
        digest: SHA-256 of the bytes, hexadecimal; identifies the image.
        name: file name, cleaned by :func:`cxr_core.formatting.shown_name`; for display as text only.
        path: the name with the folder and the archive that the file came in, as far as they are known; as text only.
        data: bytes of the file; None if unloaded, because it is unreadable or others were viewed since.
        load: reads the file from the store of studies; None where it is not stored.
        header: its study and patient; None for a file that is no DICOM.
        upload: number of the upload that it came with.
        position: its place in that upload.
        pixels: checksum of its stored pixels, once it was decoded.
        status: ``waiting`` for its reading; ``read``; ``refused`` by the gate (displayed, can be read anyway);
            ``unreadable`` (the bytes give no image).
        reading: the reading, also of a refused image; None while waiting and if unreadable.
        reason: why the image is unreadable, one line.
        read_anyway: the reader's reason to read a refused image.
        quarter_turns: rotation by the reader, clockwise, in quarter turns.
        mirrored: whether the reader had left and right exchanged, before the rotation.
        voi_scale: how the VOI LUT is scaled.
        revealed: with "Read first" on: whether the reader has asked for the findings.
        findings_shown: whether its findings were shown at any time, with "Read first" on or off.
        opinions: what the reader has stated of its findings, in the order of time; only added to, and replaced as a
            whole.
        comments: by label, what the reader has written on findings and given no opinion with yet; in memory alone, and
            replaced as a whole.
        label: label of the finding that was chosen last.
        radiograph: the decoded image, of the last viewed images; else None.
        shape: (rows, columns) once it was decoded.
        pixels_version: :func:`.viewer.pixels_version` of the pixels that its reading is of, or empty.
        job: its job in the reading queue, if any.
        wanted: whether the pixels that its job decodes are to be kept, because somebody waits to see them.
        stability_error: type of the error at which reading small changes of the image ended, if any.
        added: when the whole file was there and examined, in seconds of ``time.monotonic``; None for one that was
            stored before.
        answer_seconds: from then to the first reading; None where that is not known.
        read_at: when the model had read it, with a time zone; None before.
        request_id: id of the request that it came with; empty where it came with none.
        place: what worklists are sorted by, in every process: the time at which its upload began, in milliseconds
            since 1970, times :data:`POSITIONS`, and its position there.
    """

    digest: str
    name: str = field(repr=False)
    data: bytes | None = field(repr=False)
    header: StudyHeader | None = field(default=None, repr=False)
    upload: int = 0
    position: int = 0
    pixels: int | None = field(default=None, repr=False)
    status: ImageStatus = "waiting"
    reading: Reading | None = None
    reason: str = ""
    read_anyway: str | None = None
    quarter_turns: int = 0
    mirrored: bool = False
    voi_scale: VoiScale = "file"
    revealed: bool = False
    findings_shown: bool = False
    opinions: tuple[Opinion, ...] = field(default=(), repr=False)
    comments: dict[str, str] = field(default_factory=dict, repr=False)
    label: str | None = None
    path: str = field(default="", repr=False)
    radiograph: Radiograph | None = field(default=None, repr=False)
    shape: tuple[int, int] | None = None
    pixels_version: str = field(default="", repr=False)
    job: Job[tuple[Radiograph, Reading]] | None = field(default=None, repr=False)
    wanted: bool = False
    stability_error: str = ""
    load: Callable[[], bytes] | None = field(default=None, repr=False)
    added: float | None = field(default_factory=time.monotonic, repr=False)
    answer_seconds: float | None = None
    read_at: datetime | None = None
    place: int = 0
    request_id: str = field(default_factory=request_id)

    @property
    def has_file(self) -> bool:
        """Whether its file is in memory or in the store of studies."""
        return self.data is not None or self.load is not None

    def file(self) -> bytes | None:
        """Return its file, from the store of studies where it is not in memory; None where it is gone."""
        # not kept here: memory is bounded by what was added in this session
        return self.load() if self.data is None and self.load is not None else self.data

    def requeue(self) -> None:
        """Have the image read again, with other options."""
        self.leave_queue()
        self.status, self.radiograph, self.job, self.stability_error = "waiting", None, None, ""
        self.pixels_version = ""

    def set_reading(self, reading: Reading) -> None:
        """Store a reading."""
        if self.reading is None and self.added is not None and self.answer_seconds is None:
            self.answer_seconds = time.monotonic() - self.added
        self.reading, self.reason, self.read_at = reading, "", datetime.now(UTC)
        self.status = "read" if reading.findings else "refused"

    def mark_unreadable(self, reason: str) -> None:
        """Store why the bytes give no image."""
        self.reading, self.reason, self.status = None, reason, "unreadable"
        self.unload()

    def leave_queue(self) -> None:
        """Cancel its job, if that has not begun."""
        if self.job is not None:
            self.job.cancel()

    def unload(self) -> None:
        """Release file and pixels, whoever still refers to the image."""
        self.data = self.radiograph = None

    def last_opinion(self, label: str) -> Opinion | None:
        """Return the reader's last opinion of a finding, or None."""
        return next((one for one in reversed(self.opinions) if one.label == label), None)

    def set_comment(self, label: str, comment: str) -> None:
        """Keep a comment on a finding without an opinion; an empty one is none."""
        others = {name: text for name, text in self.comments.items() if name != label}
        self.comments = others | ({label: comment} if comment else {})

    def reasons(self) -> tuple[str, ...]:
        """Return why the image was not read; empty if it was read or waits."""
        if self.status == "unreadable":
            return (self.reason,)
        if self.status == "refused" and self.reading is not None:
            return self.reading.quality.reasons
        return ()


@dataclass(frozen=True)
class AddResult:
    """Result of adding files.

    Digests of new images, number of duplicates, number of skipped files and why, and the image to show, if any.
    """

    added: tuple[str, ...] = ()
    duplicates: int = 0
    skipped: int = 0
    reason: str = ""
    shown: str = ""


class Keeper(Protocol):
    """What stores the images of a worklist."""

    @property
    def away(self) -> Collection[str]:
        """Images that were removed in another process, such as the one before a restart, where it can be undone."""

    def added(self, images: Sequence[WorklistImage]) -> None:
        """Store images; when this returns, they are stored, or the page says that they are not."""

    def leaving(self, digests: Sequence[str]) -> None:
        """Note that images were removed, which can be undone."""

    def returned(self, digests: Sequence[str]) -> None:
        """Note that the removal of images is undone."""

    def removed(self, digests: Sequence[str]) -> None:
        """Delete images whose removal can no longer be undone."""

    def follow(self) -> None:
        """Take over what another program has changed, if it is time to look."""

    def read_first_chosen(self, on: bool) -> None:
        """Store what the person has chosen; where that fails, the page says so."""

    def shown(self, tab: object, digest: str | None) -> None:
        """Note which image a visible tab shows now; None once it shows none, or is no longer visible."""

    def stop(self) -> None:
        """Follow the worklist no more; what is stored stays stored."""

    def revealed(self, image: WorklistImage) -> None:
        """Store that the findings of an image are shown from now on; raises CxrError where that cannot be stored."""

    def add_opinion(self, image: WorklistImage, label: str, opinion: OpinionValue, comment: str) -> tuple[Opinion, ...]:
        """Store an opinion, unless it equals the last one that is stored, with the image where that was not stored.

        Returns all opinions of the reader on the image, in the order of time, or the new one alone where the others
        cannot be read at the moment. Whether the findings had been shown is taken from the store. Raises CxrError where
        it cannot be written.
        """
