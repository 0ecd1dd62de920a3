"""For how long each image of a worklist was on the screen of a visible tab.

A browser that has the reading page in sight asks for changes of the worklist all the time, and says with each request
that it has. While such a request is open, its route notes twice a second which image the tab shows
(:mod:`.server.worklist_routes`). What lies between two notes of a tab counts for the image that it showed at the first.
A tab that is hidden, shows another page or was closed has no such request, and nothing counts for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from weakref import WeakKeyDictionary

from ..errors import CxrError

__all__ = ["LONGEST_STEP_SECONDS", "ReadingTime"]

LONGEST_STEP_SECONDS = 5.0
"""Longest time between two notes of a tab that counts: requests follow one another, over a slow network too."""

ADDED_SECONDS = 10.0
"""The time of an image that stays on the screen is added whenever it has become so long."""

_LOG = logging.getLogger(__name__)


class ReadingTime:
    """Times of images in the tabs of one person. Safe to use from any thread.

    An image that two tabs show at the same time has that time once.

    Args:
        read: returns the id of the read that is shown of an image, by its digest; None where there is none yet. Until
            there is one the time is kept here.
        add: adds seconds to the time of a read.
        writer: of the threads that write to the store.
    """

    def __init__(self, read: Callable[[str], str | None], add: Callable[[str, float], None], writer: Executor) -> None:
        self._read, self._add, self._writer = read, add, writer
        self._lock = threading.Lock()
        self._shown: WeakKeyDictionary[object, tuple[str, float]] = WeakKeyDictionary()
        self._until: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def note(self, tab: object, image: str | None) -> None:
        """Note which image a visible tab shows now; None once it shows none, or is no longer visible."""
        now = time.monotonic()
        with self._lock:
            before, since = self._shown.pop(tab, (None, now))
            if image is not None:
                self._shown[tab] = (image, now)
            if before is None:
                return
            # another tab may have shown the image meanwhile
            step = now - max(since, self._until.get(before, since))
            if now - since <= LONGEST_STEP_SECONDS:
                self._seconds[before] = self._seconds.get(before, 0.0) + step
                self._until[before] = now
            if image != before or self._seconds.get(before, 0.0) >= ADDED_SECONDS:
                self._add_time(before)

    def stop(self) -> None:
        """Add the times that were not added yet."""
        with self._lock:
            self._shown.clear()
            for image in tuple(self._seconds):
                self._add_time(image)

    def _add_time(self, image: str) -> None:
        read = self._read(image)
        if read is not None and (seconds := self._seconds.pop(image, 0.0)):
            self._writer.submit(self._write, read, seconds)

    def _write(self, read: str, seconds: float) -> None:
        try:
            self._add(read, seconds)
        except CxrError as error:
            _LOG.error("The time of a read could not be stored: %s", type(error).__name__)
