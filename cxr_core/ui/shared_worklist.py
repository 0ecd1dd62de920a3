"""What all tabs of one person share: images, readings, the settings that apply to them, and the last removal.

Memory is bounded: all files together by the setting ``session_mb``; of the images that were viewed only the last
:data:`FILES_KEPT` keep their file and the last :data:`DECODED_KEPT`, with one more for each further tab, their pixels.
Findings are kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..formatting import shown_name
from ..imaging import Radiograph
from ..settings import settings
from ..studies import StudyHeader
from .removal import Removal
from .worklist_image import POSITIONS, AddResult, Keeper, WorklistImage

__all__ = ["DECODED_KEPT", "FILES_KEPT", "ExaminedFile", "SharedWorklist", "by_place", "starts_hidden"]

FILES_KEPT = 10
"""Viewed images that keep their file; images that were not viewed yet always keep it."""

DECODED_KEPT = 2
"""Viewed images that keep their pixels, and one more for each further tab.

2048 x 2048 pixels take some 16 MB, and 20 to 100 ms to decode again.
"""

ExaminedFile = tuple[str, bytes, str, StudyHeader | None]
"""Name or path, content, SHA-256 and study attributes of a file."""


def starts_hidden() -> bool:
    """Return whether a worklist begins with its findings hidden: where the setting ``read_first`` is ``on``."""
    return settings().read_first == "on"


def by_place(images: dict[str, WorklistImage]) -> dict[str, WorklistImage]:
    """Return images in the order of their places; those of one place stay in theirs."""
    return dict(sorted(images.items(), key=lambda entry: entry[1].place))


class _Tab(Protocol):
    chosen: str | None
    chosen_before: str | None


@dataclass(eq=False)
class SharedWorklist:
    """Images by digest, in the order in which they were added, and what all tabs share beside them.

    ``operating_point`` and ``prevalence`` (assumed prevalence by label, or None) apply to all readings. ``read_first``
    hides the findings of each image until the reader reveals them. ``listeners`` are called after changes, in whichever
    thread made them; ``keeper`` stores images, if anything does. ``tabs`` show the worklist; ``last_chosen`` is what
    one of them chose last. ``revision`` counts the changes after which a tab that did not make them has its script run.

    The dictionary of images is replaced, never changed, so that whoever iterates over it is not disturbed.
    """

    images: dict[str, WorklistImage] = field(default_factory=dict)
    operating_point: str = "default"
    prevalence: dict[str, float] | None = None
    read_first: bool = field(default_factory=starts_hidden)
    uploads: int = 0
    removal: Removal[WorklistImage] | None = field(default=None, repr=False)
    listeners: set[Callable[[], None]] = field(default_factory=set, repr=False)
    keeper: Keeper | None = field(default=None, repr=False)
    tabs: list[_Tab] = field(default_factory=list, repr=False)
    last_chosen: str | None = None
    revision: int = 0
    numbers: dict[str, int] = field(default_factory=dict, repr=False)
    decided: set[int] = field(default_factory=set, repr=False)
    begun: dict[int, int] = field(default_factory=dict, repr=False)
    viewed: list[str] = field(default_factory=list, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def notify(self) -> None:
        """Call the listeners, in this thread: something has changed."""
        for listener in tuple(self.listeners):
            listener()

    def is_chosen(self, digest: str) -> bool:
        """Return whether a tab shows the image."""
        return any(tab.chosen == digest for tab in tuple(self.tabs))

    def with_removed(self) -> dict[str, WorklistImage]:
        """Return the images by digest, with those of the last removal, which can come back."""
        removal = self.removal
        removed = {} if removal is None else {image.digest: image for image in removal.entries()}
        return removed | self.images

    def restorable(self) -> list[str]:
        """Return the ids of removed images that an undo restores, those that another process has removed too."""
        away = () if self.keeper is None else sorted(self.keeper.away)
        removal = self.removal
        last = [] if removal is None else [image.digest for image in removal.entries()]
        return [digest for digest in dict.fromkeys((*last, *away)) if digest not in self.images]

    def used_bytes(self) -> int:
        """Return how many bytes of files the worklist holds, those of the last removal too."""
        return sum(len(image.data or b"") for image in self.with_removed().values())

    def free_bytes(self) -> int:
        """Return how many bytes of files can still be added, by the setting ``session_mb``."""
        return settings().session_mb * 10**6 - self.used_bytes()

    def insert(
        self, examined: list[ExaminedFile], max_images: int, skipped: int, upload: int, position: int, *, more: bool
    ) -> tuple[AddResult, str | None]:
        """Insert examined files; return the result, and which image they are added to show, if any.

        For a holder of the lock; the arguments are those of :meth:`.worklist.Worklist.add`.
        """
        added: list[str] = []
        present: list[str] = []
        images, free = dict(self.images), self.free_bytes()
        if upload not in self.begun:
            # two uploads of one worklist never begin at once
            self.begun[upload] = max(time.time_ns() // 10**6, *self.begun.values(), 0) + 1
        place = self.begun[upload] * POSITIONS + min(position, POSITIONS - 1)
        removed = {} if self.removal is None else {image.digest: image for image in self.removal.entries()}
        full = f"the worklist holds at most {settings().session_mb} MB of files"
        reason = full if skipped else ""
        held, of_upload = self._limited(upload)
        for name, data, digest, header in examined:
            image = images.get(digest)
            if image is not None and image.data is not None:
                present.append(digest)
            elif image is None and of_upload >= max_images:
                skipped, reason = skipped + 1, f"an upload has at most {max_images} files"
            elif image is None and held + of_upload >= max_images:
                apart = "" if self.keeper is None else " that are not stored"
                skipped, reason = skipped + 1, f"the worklist holds at most {max_images} files{apart}"
            elif len(data) > free:
                skipped, reason = skipped + 1, full
            else:
                free -= len(data)
                if image is None:
                    path = shown_name(name)
                    image = WorklistImage(digest, path.rpartition("/")[2], data, header, upload, position, path=path)
                    image.place = place
                    if (before := removed.get(digest)) is not None:
                        # what the reader has seen and stated of it is not undone by removing it
                        before.data, before.upload, before.position, image = data, upload, position, before
                        before.place = place
                        if image.status == "unreadable":
                            image.requeue()
                    images[digest] = image
                    added.append(digest)
                    of_upload += 1
                    continue
                present.append(digest)
                image.data = data
                if image.status == "unreadable":
                    image.requeue()
        # files of an upload may arrive in another order
        self.images = by_place(images)
        frontal = [digest for digest in added if getattr(images[digest].header, "view", "") != "lateral"]
        shown = next(iter(frontal or ([] if more else added) or present[-1:]), None)
        return AddResult(tuple(added), len(present), skipped, reason, shown or ""), shown

    def _limited(self, upload: int) -> tuple[int, int]:
        """Return how many images are in memory alone, and how many came with an upload, which are not among them.

        A stored image takes no room: its file is loaded when it is wanted.
        """
        images = self.images.values()
        unstored = sum(image.load is None and image.upload != upload for image in images)
        return unstored, sum(image.upload == upload for image in images)

    def keep_viewed(self, image: WorklistImage, radiograph: Radiograph) -> None:
        """Keep the decoded image that is viewed, and unload those that were viewed longest ago."""
        # a copy without its cached properties, two float32 arrays of every pixel
        image.radiograph = replace(radiograph)
        with self.lock:
            others = [digest for digest in self.viewed if digest in self.images and digest != image.digest]
            self.viewed = [*others, image.digest]
            # one more for each further tab: else two tabs would have each other's image decoded again and again
            decoded = DECODED_KEPT + max(0, len(self.tabs) - 1)
            for digest in others[: 1 - decoded]:
                self.images[digest].radiograph = None
            for digest in others[: 1 - FILES_KEPT]:
                self.images[digest].data = None

    def unload_pixels(self) -> None:
        """Release all decoded images, for nobody looks at them; they are decoded again when somebody does."""
        for image in self.images.values():
            image.radiograph = None

    def show_something(self, order: Sequence[str] = ()) -> None:
        """Have each tab whose image is gone show the next one in an earlier order, or another. For a lock's holder."""
        for tab in self.tabs:
            if tab.chosen in self.images:
                continue
            behind = order[order.index(tab.chosen) :] if tab.chosen in order else tuple(self.images)
            tab.chosen = next((one for one in behind if one in self.images), next(reversed(self.images), None))

    def take_all(self) -> None:
        """Release all images, those of the last removal too, and leave the worklist empty."""
        with self.lock:
            if self.removal is not None:
                self.removal.discard()
                self.removal = None
            taken, self.images, self.last_chosen = self.images, {}, None
            for tab in self.tabs:
                tab.chosen = tab.chosen_before = None
            self.numbers.clear()
            self.decided.clear()
            self.begun.clear()
        for image in taken.values():
            image.unload()
            image.leave_queue()
