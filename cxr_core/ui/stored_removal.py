"""Deletion from the store of images that were removed from a worklist, tried again until it succeeds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor

__all__ = ["StoredRemoval"]

RETRY_SECONDS = 60.0
"""From a deletion that failed to the next attempt."""

_LOG = logging.getLogger(__name__)


class StoredRemoval:
    """What deletes removed images of one worklist.

    Attributes:
        digests: images that are to be deleted and are not yet.

    Args:
        delete: deletes an image from the store; raises where that fails.
        writer: of the threads that write to the store.
    """

    def __init__(self, delete: Callable[[str], None], writer: Executor) -> None:
        self.digests: set[str] = set()
        self._delete, self._writer = delete, writer
        self._failed: set[str] = set()

    @property
    def problem(self) -> str:
        """What could not be deleted yet, or empty."""
        return "A removed image could not be deleted from the store. It is tried again." if self._failed else ""

    def add(self, digest: str) -> None:
        """Delete an image soon."""
        self.digests.add(digest)
        self._writer.submit(self._attempt, digest)

    def _attempt(self, digest: str) -> None:
        try:
            self._delete(digest)
        except Exception as error:
            self._failed.add(digest)
            _LOG.error("A removed image could not be deleted from the store: %s", type(error).__name__)
            timer = threading.Timer(RETRY_SECONDS, self._writer.submit, (self._attempt, digest))
            timer.daemon = True
            timer.start()
        else:
            self._failed.discard(digest)
            self.digests.discard(digest)
