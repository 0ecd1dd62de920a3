"""The worklist as one tab shows it: the images of the person, their readings, and which image is chosen here.

Streamlit forgets uploaded files on a page switch, so they are moved here at once. An image is identified by the digest
of its bytes. Its file name is for display as text only: it is never a path, never HTML, and never logged.

All tabs of a person share one :class:`.shared_worklist.SharedWorklist`; a tab has its chosen image for itself. Whose
worklist it is, and how long it stays in memory, is decided in :mod:`.worklists`. Script runs, the routes of the server
and the threads that read images use a worklist at the same time.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

import numpy as np

from ..imaging import Radiograph
from ..model import ModelCard, Reading, reassess
from ..settings import settings
from ..studies import Study, StudyImage, group_studies, read_study_header
from .removal import Removal
from .shared_worklist import DECODED_KEPT, FILES_KEPT, SharedWorklist, by_place
from .worklist_image import AddResult, Keeper, WorklistImage

__all__ = ["DECODED_KEPT", "FILES_KEPT", "AddResult", "Keeper", "Worklist", "WorklistImage"]

T = TypeVar("T")


class _Shared(Generic[T]):
    """An attribute of the shared worklist, as one of each tab's."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, tab: Any, owner: type) -> T:
        return cast(T, getattr(tab.shared, self._name))

    def __set__(self, tab: Any, value: T) -> None:
        setattr(tab.shared, self._name, value)


class Worklist:
    """The worklist in one tab.

    Args:
        shared: what the person's tabs share; by default nobody else has it.

    Attributes:
        shared: the same.
        chosen: digest of the image that this tab shows, or None; ``chosen_before`` the one before the last removal.
        seen: revision of the shared worklist that the last script run of this tab has seen.
    """

    images = _Shared[dict[str, WorklistImage]]()
    operating_point = _Shared[str]()
    prevalence = _Shared["dict[str, float] | None"]()
    read_first = _Shared[bool]()
    removal = _Shared["Removal[WorklistImage] | None"]()
    listeners = _Shared[set[Callable[[], None]]]()
    keeper = _Shared["Keeper | None"]()

    def __init__(self, shared: SharedWorklist | None = None) -> None:
        self.shared = shared or SharedWorklist()
        images, last = self.shared.images, self.shared.last_chosen
        self.chosen: str | None = last if last in images else next(iter(images), None)
        self.chosen_before: str | None = None
        self.seen = self.shared.revision
        self._lock = self.shared.lock
        self.shared.tabs.append(self)

    def notify(self) -> None:
        """Call the listeners, in this thread: something has changed."""
        self.shared.notify()

    def changed(self) -> None:
        """Notify, after a change by which what the other tabs draw in their script runs is outdated."""
        with self._lock:
            self.shared.revision += 1
            # what this tab changes it knows, but not what others did before that
            if self.seen == self.shared.revision - 1:
                self.seen = self.shared.revision
        self.notify()

    def is_outdated(self) -> bool:
        """Return whether another tab has changed something since the last script run of this tab."""
        return self.seen != self.shared.revision

    def is_hidden(self, image: WorklistImage) -> bool:
        """Return whether the findings of an image are hidden: "Read first" is on and the reader has not asked."""
        return self.read_first and not image.revealed

    def used_bytes(self) -> int:
        """Return how many bytes of files the worklist holds, those of the last removal too."""
        return self.shared.used_bytes()

    def free_bytes(self) -> int:
        """Return how many bytes of files can still be added, by the setting ``session_mb``."""
        return self.shared.free_bytes()

    def add(
        self,
        files: Iterable[tuple[str, bytes]],
        *,
        max_images: int,
        skipped: int = 0,
        upload: str = "",
        position: int = 0,
        more: bool = False,
    ) -> AddResult:
        """Add files; the first new image that is not a lateral view is chosen, or else the first.

        Args:
            files: (name or path, content) of each.
            max_images: how many images one upload may have, and how many the worklist may hold that are not stored.
            skipped: number of files of an archive for which there was no room.
            upload: names the upload, where its files are added one by one and in any order; a name that is new begins
                an upload, and only the first image of an upload is chosen.
            position: place of the files in that upload.
            more: whether further files of the upload follow; among them may be the frontal view of a lateral one.
        """
        identity = settings().identity != "off"
        # outside the lock: it takes a tenth of a second for a large file
        examined = [
            (name, data, hashlib.sha256(data).hexdigest(), read_study_header(data, identity=identity))
            for name, data in files
        ]
        shared = self.shared
        with self._lock:
            if sum(len(data) for _, data, _, _ in examined) > self.free_bytes():
                self.forget_removed()
            begins, was_empty = not upload or upload not in shared.numbers, not self.images
            if begins:
                shared.uploads += 1
            number = shared.numbers.setdefault(upload, shared.uploads) if upload else shared.uploads
            result, shown = shared.insert(examined, max_images, skipped, number, position, more=more)
            if shown is not None and (number not in shared.decided or self.chosen is None):
                self._show(shown)
                shared.decided.add(number)
            for tab in shared.tabs:
                tab.chosen = tab.chosen or shown
        if self.keeper is not None:
            self.keeper.added([self.images[digest] for digest in result.added])
        if was_empty and result.added:
            self.changed()
        else:
            self.notify()
        return result

    def studies(self) -> tuple[Study, ...]:
        """Return the images as studies; files that cannot be read belong to none."""
        return group_studies(
            StudyImage(image.digest, image.header, image.upload, image.pixels)
            for image in self.images.values()
            if image.status != "unreadable"
        )

    def unchanged(self) -> threading.RLock:
        """Return the lock that keeps others from changing the worklist, for a message that is of one moment.

        What reads the images shares it: a removal cancels jobs, and a job that ends changes the worklist, so that with
        a lock for each the two would wait for each other.
        """
        return self._lock

    def image(self) -> WorklistImage | None:
        """Return the chosen image."""
        return self.images.get(self.chosen) if self.chosen else None

    def choose(self, digest: str) -> None:
        """Choose an image of the worklist; an unknown digest changes nothing."""
        if digest in self.images:
            self._show(digest)

    def _show(self, digest: str | None) -> None:
        self.chosen = self.shared.last_chosen = digest

    def is_chosen(self, digest: str) -> bool:
        """Return whether a tab of the person shows the image."""
        return self.shared.is_chosen(digest)

    def mark_viewed(self, image: WorklistImage, radiograph: Radiograph) -> None:
        """Keep the decoded image that is viewed, and unload those that were viewed longest ago."""
        self.shared.keep_viewed(image, radiograph)

    def set_pixels(self, image: WorklistImage, radiograph: Radiograph) -> None:
        """Store a checksum of the pixels as they lie in the file, by which a repeated SOP Instance UID is examined."""
        if image.pixels is None and image.header is not None and image.header.sop_uid and not radiograph.pose:
            pixels = np.ascontiguousarray(radiograph.pixels.containers)
            image.pixels = zlib.crc32(pixels.data, pixels.shape[0])

    def waiting(self) -> list[WorklistImage]:
        """Return the images that wait to be read, those that tabs show first."""
        images = [image for image in self.images.values() if image.status == "waiting"]
        return sorted(images, key=lambda image: not self.is_chosen(image.digest))

    def set_reading(self, image: WorklistImage, reading: Reading, card: ModelCard) -> None:
        """Store a reading, under the current settings of the worklist, which another script run may be changing."""
        with self._lock:
            image.set_reading(reassess(reading, card, self.operating_point, self.prevalence))
        self.notify()

    def set_changes(self, image: WorklistImage, read: Reading, card: ModelCard) -> None:
        """Store the findings under small changes that a copy of the image's reading has, under the current settings.

        Nothing is stored where the image was read again since.
        """
        with self._lock:
            current = image.reading
            if current is not None and current.class_maps is read.class_maps and image.status == "read":
                changed = replace(current, under_changes=read.under_changes)
                image.reading = reassess(changed, card, self.operating_point, self.prevalence)
        self.notify()

    def apply_settings(self, card: ModelCard, operating_point: str, prevalence: dict[str, float] | None) -> None:
        """Apply another operating point or assumed prevalence to every reading, without reading an image again.

        Those of the last removal are among them: they may come back. Raises WrongArguments if the card does not allow
        it; then nothing is changed.
        """
        with self._lock:
            readings = [
                (image, reassess(image.reading, card, operating_point, prevalence))
                for image in self.shared.with_removed().values()
                if image.reading is not None
            ]
            for image, reading in readings:
                image.reading = reading
            self.operating_point, self.prevalence = operating_point, prevalence
        self.changed()

    def remove(self, *digests: str) -> None:
        """Remove images, so that it can be undone; if the chosen one is among them, its neighbour is chosen.

        Where the images of the last removal are all among them, it becomes part of this one, and is undone with it.
        """
        with self._lock:
            if not set(digests) & set(self.images):
                return
            last = self.removal
            if last is not None and {image.digest for image in last.entries()} <= set(digests):
                self.images, self.removal = last.undo(self.images), None
            else:
                self.forget_removed()
                for tab in self.shared.tabs:
                    tab.chosen_before = tab.chosen
            order = list(self.images)
            self.removal = Removal(self.images, digests, self._release)
            self.images, removed = self.removal.remaining, self.removal.entries()
            for image in removed:
                image.radiograph = None
            self.shared.show_something(order)
        for image in removed:
            image.leave_queue()
        if self.keeper is not None:
            self.keeper.leaving([image.digest for image in removed])
        self.changed()

    def _release(self, images: Sequence[WorklistImage]) -> None:
        """Release images whose removal can no longer be undone; one that was added again stays."""
        gone = [image for image in images if self.images.get(image.digest) is not image]
        for image in gone:
            image.unload()
        digests = [image.digest for image in gone if image.digest not in self.images]
        if self.keeper is not None and digests:
            self.keeper.removed(digests)

    def merge(self, restored: Iterable[WorklistImage], deleted: Collection[str]) -> None:
        """Put stored images at their places, those of the same place in front, and drop what was deleted elsewhere."""
        with self._lock:
            present = {digest: image for digest, image in self.images.items() if digest not in deleted}
            added = {image.digest: image for image in restored if image.digest not in present}
            order, self.images = list(self.images), by_place(added | present)
            self.shared.show_something(order)
            # no tab has made this change
            self.shared.revision += 1
        self.notify()

    def undo_removal(self) -> None:
        """Put the images of the last removal back, with their readings; the one that was chosen is chosen again."""
        if (removal := self.removal) is not None and self.keeper is not None:
            # before they are back: until then what another process has removed is not mistaken for them
            self.keeper.returned([image.digest for image in removal.entries()])
        with self._lock:
            if self.removal is None:
                return
            self.images, self.removal = by_place(self.removal.undo(self.images)), None
            self.choose(self.chosen_before or "")
            self.shared.show_something()
        self.changed()

    def forget_removed(self) -> None:
        """Release the images of the last removal; it can no longer be undone."""
        with self._lock:
            if self.removal is not None:
                self.removal.discard()
                self.removal = None
