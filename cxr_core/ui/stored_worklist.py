"""What stores the worklist of a person, where the setting ``keep`` says so.

With ``SECOND_READ_KEEP=store`` it is restored from the store of studies when the person opens the first tab, and
compared with it in every script run and every :data:`REFRESH_SECONDS` while a tab is in sight: so another process of
the app over the same database, and a process that was started again, have the images of the person, with their readings
as they were shown. An image is stored before its upload is answered; readings by a thread that follows the changes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from ..access import Visitor
from ..errors import CxrError, DeletionUnfinished, PathUnusable, WrongArguments
from ..model import ModelCard, Reading
from ..store.read_record import Opinion, OpinionValue, ReadOptions, StoredImage, StoredRead
from ..store.reads import ReadStore
from ..store.removals import note_removals, reader_progress
from ..studies import Study
from .listed_images import OlderImages
from .opinions import set_read_first
from .reading_time import ReadingTime
from .stored_changes import compare, removed_here, take_over_progress
from .stored_choice import StoredChoice
from .stored_image import file_loader, reader_opinions, restored_image
from .stored_removal import StoredRemoval
from .worklist import Worklist, WorklistImage

__all__ = ["StoredWorklist"]

REFRESH_SECONDS = 3.0
"""Interval at which a worklist on a screen is compared with the store, for what another process has changed."""

_LOG = logging.getLogger(__name__)
_WRITER = ThreadPoolExecutor(1, thread_name_prefix="second-read-store")


class StoredWorklist:
    """What stores the images and readings of one worklist, and restores them.

    Attributes:
        images: the worklist.
        reader: what the store calls the person.
        card: of the model that serves.
        deleted: number of images that were deleted elsewhere and that the page has not named yet.
        older: what is stored and not listed.
        away: images that were removed in another process, where that can be undone.
    """

    def __init__(self, images: Worklist, store: ReadStore, reader: str, who: Visitor, card: ModelCard) -> None:
        self.images, self.reader, self.card = images, reader, card
        self._store, self._who = store, who
        self._stored: dict[str, StoredImage] = {}
        self._saved: dict[str, tuple[Reading, ReadOptions, bool]] = {}
        self._reads: dict[str, str] = {}
        self._unstored: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self._leaving = StoredRemoval(self._note_removal, self._delete, _WRITER)
        self.older, self.away = OlderImages(), frozenset[str]()
        self._time = ReadingTime(self._reads.get, store.add_seconds, _WRITER)
        self._scheduled, self._refreshed, self.deleted = False, 0.0, 0
        # never held while the lock of the worklist is asked for, which may be held by who asks for this one
        self._lock, self._scheduling = threading.Lock(), threading.Lock()
        self._choice = StoredChoice(images, reader)
        self.added([image for image in images.images.values() if image.data is not None])
        images.keeper = self
        images.listeners.add(self._changed)

    @property
    def problem(self) -> str:
        """Why something is not stored or not deleted, as of now; empty where everything is."""
        unstored = [why for digest, why in tuple(self._unstored.items()) if digest in self.images.images]
        others = *self._failures.values(), self._choice.problem, self._leaving.problem, self._store.unfinished
        return next(filter(None, (*unstored, *others)), "")

    def refresh(self) -> int:
        """Restore what is stored and not in the worklist, and drop what was deleted elsewhere.

        What could not be stored is tried again. Returns the number of restored images; raises CxrError.
        """
        self._refreshed = time.monotonic()
        self._choice.follow()
        self._leaving.note_pending()
        noted = set(self._leaving.noted)
        with self._lock:
            every = {image.digest: image for image in self._store.images(self.reader)}
            progress = reader_progress(self._store._engine, self.reader)
            here = removed_here(self.images, self._leaving, every, noted)
            changes = compare(every, self._stored, *here, self._leaving)
            stored, deleted, present = changes.stored, changes.deleted, self.images.images
            self.deleted += len((deleted & present.keys() | self.away) - every.keys())
            self._stored, self.away = stored, changes.away
            for digest in deleted:
                for known in (self._saved, self._reads, self._failures, self._unstored):
                    known.pop(digest, None)
            for digest in stored.keys() & present.keys():
                present[digest].load = file_loader(self._store, stored[digest])
            listed = self.older.listed(changes.new, stored)
            restored = self._restored([i for i in listed if i.digest in deleted or i.digest not in present])
        self._list(restored, deleted)
        take_over_progress(self.images, self._store, stored, progress)
        if self._unstored:
            images = self.images.images.values()
            self.added([image for image in images if image.digest not in self._stored and image.data is not None])
            self._changed()
        return len(restored)

    def list_study(self, digest: str) -> None:
        """List the images of a study that was not listed, by one of them; another image changes nothing."""
        with self._lock:
            restored = self._restored(self.older.study_of(digest, tuple(self._stored.values())))
        self._list(restored, ())

    def _list(self, restored: Sequence[WorklistImage], deleted: Collection[str]) -> None:
        """Put restored images into the worklist and drop those that were deleted elsewhere."""
        readings = [self._saved[image.digest][0] for image in restored if image.digest in self._saved]
        first = not self.images.images
        if any(image.status == "read" and not image.revealed for image in restored):
            # what the reader had not asked for stays hidden
            set_read_first(self.images, True)
        if restored or any(digest in self.images.images for digest in deleted):
            self.images.merge(restored, deleted)
        if readings:
            self._apply_settings(readings[-1] if first else None)

    def follow(self) -> None:
        """Compare with the store where that was not done for :data:`REFRESH_SECONDS`; what fails is tried again."""
        if time.monotonic() - self._refreshed >= REFRESH_SECONDS:
            with suppress(CxrError):
                self.refresh()

    def _apply_settings(self, last: Reading | None) -> None:
        """Bring all readings under one operating point and prevalence: those of the last reading, if it is given."""
        if last is not None and last.operating_point in self.card.offered_points:
            prevalence = None if last.prevalence is None else dict(last.prevalence)
            # the card may have been calibrated since
            with suppress(WrongArguments):
                self.images.apply_settings(self.card, last.operating_point, prevalence)
                return
        self.images.apply_settings(self.card, self.images.operating_point, self.images.prevalence)

    def added(self, images: Sequence[WorklistImage]) -> None:
        """Store images; one that cannot be stored stays in memory, is named by ``problem``, and is tried again."""
        if self._leaving.digests & {image.digest for image in images}:
            # until it has left
            _WRITER.submit(bool).result()
        studies = self.images.studies()
        for image in images:
            # the next script run says what is not stored
            with suppress(CxrError):
                self._add(image, studies)

    def _add(self, image: WorklistImage, studies: Sequence[Study]) -> None:
        """Store an image; raises CxrError, and notes why, where that cannot be done."""
        of_image = (study.images for study in studies if image.digest in {member.digest for member in study.images})
        with self._lock:
            known = (self._stored[one.digest].study for one in next(of_image, ()) if one.digest in self._stored)
            try:
                if image.data is None:
                    raise PathUnusable("The file is no longer in memory. Add it again.")
                stored = self._store.add_image(
                    self.reader, image.data, study=next(known, None), position=image.place, name=image.name,
                    path=image.path, header=image.header,
                )  # fmt: skip
                self._take_over(image, stored)
            except CxrError as error:
                self._unstored[image.digest] = str(error)
                raise
            self._stored[image.digest] = stored
            self._leaving.added(image.digest)
            self._unstored.pop(image.digest, None)

    def _take_over(self, image: WorklistImage, stored: StoredImage) -> None:
        """Have an image that was added continue what is stored of it: opinions stay, and what was shown."""
        image.load = file_loader(self._store, stored)
        image.opinions = reader_opinions(self._store, stored) or image.opinions
        read = self._store.last_read(stored)
        if read is not None and read.summary.revealed is not None:
            image.revealed = image.findings_shown = True

    def leaving(self, digests: Sequence[str]) -> None:
        """Note in the store that images were removed, for every process."""
        self._leaving.note([digest for digest in digests if digest in self._stored], removed=True)

    def returned(self, digests: Sequence[str]) -> None:
        """Note in the store that the removal of images is undone, here or in another process."""
        self._leaving.note([one for one in digests if one in self._stored or one in self.away], removed=False)
        self.away -= set(digests)

    def removed(self, digests: Sequence[str]) -> None:
        """Delete images from the store, with their reads and opinions."""
        self._leaving.delete(digests)

    def _note_removal(self, digests: Collection[str], removed: bool) -> None:
        note_removals(self._store._engine, self.reader, digests, removed=removed)

    def _delete(self, digests: Collection[str]) -> None:
        """Delete images, unless they were added again, here or elsewhere; raises CxrError."""
        every = {image.digest: image for image in self._store.images(self.reader)}
        _, back = removed_here(self.images, self._leaving, every, set(self._leaving.noted))
        gone = [digest for digest in digests if digest not in self.images.images and digest not in back]
        if gone:
            # where something is left of it, the store says so
            with suppress(DeletionUnfinished):
                self._store.delete(self._who, reader=self.reader, digests=gone)
        with self._lock:
            # what is back elsewhere, the next look restores
            for digest in {*gone, *back}:
                self._saved.pop(digest, None)
                self._stored.pop(digest, None)

    def _restored(self, stored: Sequence[StoredImage]) -> list[WorklistImage]:
        """Return stored images as images of the worklist, with their readings where the same model serves."""
        uploads: dict[str, int] = {}
        restored = []
        for image in stored:
            if image.study not in uploads:
                self.images.shared.uploads += 1
                uploads[image.study] = self.images.shared.uploads
            try:
                one, read = restored_image(self._store, image, uploads[image.study], self.card)
            except CxrError as error:
                self._failures[image.digest] = f"A stored image could not be opened. {error}"
                continue
            restored.append(one)
            if read is not None:
                self._saved[image.digest] = (read.reading, read.options, one.revealed)
                self._reads[image.digest] = read.summary.id
        return restored

    def _changed(self) -> None:
        """Have the readings stored that were not, by the thread that writes."""
        with self._scheduling:
            if self._scheduled:
                return
            self._scheduled = True
        _WRITER.submit(self.save)

    def save(self) -> None:
        """Store every reading that is shown and was not stored yet."""
        with self._scheduling:
            self._scheduled = False
        for image in self.images.images.values():
            self._save(image)

    def _save(self, image: WorklistImage) -> None:
        """Store the reading that is shown of an image, unless it is stored; log and note what cannot be."""
        try:
            self._read_of(image)
        except Exception as error:
            # its message, and the values in its traceback, may be of a patient
            self._unstored[image.digest] = str(error) if isinstance(error, CxrError) else f"({type(error).__name__})"
            _LOG.error("A reading could not be stored: %s", type(error).__name__)

    def _read_of(self, image: WorklistImage, *, revealed: bool = False) -> str | None:
        """Return the id of an image's read, stored if it was not, as ``revealed`` or as it is; None for none."""
        with self._lock:
            stored, saved = self._stored.get(image.digest), self._saved.get(image.digest)
        reading = image.reading
        if reading is None or stored is None or image.status not in ("read", "refused"):
            return None
        options = ReadOptions(image.read_anyway, image.quarter_turns, image.mirrored, image.voi_scale)
        # shown before "Read first" was turned on, perhaps at a time when that could not be stored
        revealed = revealed or image.findings_shown or not self.images.is_hidden(image)
        if saved is not None and saved[0] is reading and saved[1:] == (options, revealed):
            return self._reads[image.digest]
        version = self.card.version if reading.model_sha256 == self.card.weights_sha256 else ""
        read = self._store.save_read(
            stored, reading, options, version, revealed=revealed, pixels=image.pixels,
            answer_seconds=image.answer_seconds, card=self.card if version else None,
        )  # fmt: skip
        with self._lock:
            self._saved[image.digest], self._reads[image.digest] = (reading, options, revealed), read
            self._unstored.pop(image.digest, None)
        return read

    def revealed(self, image: WorklistImage) -> None:
        """Store that the findings of an image are shown, before they are; raises CxrError where it cannot be."""
        self._required_read(image, revealed=True)

    def add_opinion(self, image: WorklistImage, label: str, opinion: OpinionValue, comment: str) -> tuple[Opinion, ...]:
        """Store an opinion of the read that is or would be shown, and return all; raises CxrError."""
        made = self._store.add_opinion(self._required_read(image), self.reader, label, opinion, comment)
        try:
            return reader_opinions(self._store, self._stored[image.digest])
        except CxrError:
            # it is stored; what others have added is read later
            return (made,)

    def saved_read(self, image: WorklistImage) -> StoredRead:
        """Return the read that is shown of an image, stored now if it was not; raises CxrError."""
        return self._store.read(self._required_read(image))

    def _required_read(self, image: WorklistImage, *, revealed: bool = False) -> str:
        """Return the id of an image's read; image and read are stored now where they were not. Raises CxrError."""
        if image.digest not in self._stored:
            self._add(image, self.images.studies())
        read = self._read_of(image, revealed=revealed)
        if read is None:
            raise PathUnusable("The image is being read again. Try again in a moment.")
        return read

    def read_first_chosen(self, on: bool) -> None:
        """Store the switch "Read first" of the person, for every process."""
        self._choice.turn(on)

    def stop(self) -> None:
        """Follow the worklist no more, which is released from memory."""
        self.images.listeners.discard(self._changed)
        self.images.keeper = None
        self._time.stop()

    def shown(self, tab: object, digest: str | None) -> None:
        """Count the time for which a visible tab shows an image as that of its read."""
        self._time.note(tab, digest)
