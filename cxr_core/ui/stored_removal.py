"""Removal of images that are stored: noted in the store for other processes, then deleted, tried until it succeeds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Executor

from ..errors import CxrError

__all__ = ["StoredRemoval"]

RETRY_SECONDS = 60.0
"""From a deletion that failed to the next attempt."""

_LOG = logging.getLogger(__name__)


class StoredRemoval:
    """What notes removals of one worklist, and deletes removed images.

    Attributes:
        digests: images that are to be deleted and are not yet.
        noted: images of which the store knows that they were removed here.

    Args:
        note: notes of images that they are removed, or no more; raises CxrError where that fails.
        delete: deletes images from the store; raises where that fails.
        writer: of the threads that write to the store.
    """

    def __init__(
        self,
        note: Callable[[Collection[str], bool], None],
        delete: Callable[[Collection[str]], None],
        writer: Executor,
    ) -> None:
        self.digests: set[str] = set()
        self.noted: set[str] = set()
        self._note, self._delete, self._writer = note, delete, writer
        self._pending: dict[str, bool] = {}
        self._failed: set[str] = set()
        self._noting = threading.Lock()

    @property
    def problem(self) -> str:
        """What could not be deleted yet, or empty."""
        return "A removed image could not be deleted from the store. It is tried again." if self._failed else ""

    def note(self, digests: Collection[str], *, removed: bool) -> None:
        """Note that images are removed and may come back, or that they are back; what fails is tried again."""
        with self._noting:
            self._pending |= dict.fromkeys(digests, removed)
            if not removed:
                self.noted -= set(digests)
        self.note_pending()

    def note_pending(self) -> None:
        """Note what could not be noted before."""
        with self._noting:
            for removed in (True, False):
                digests = {digest for digest, one in self._pending.items() if one is removed}
                if not digests:
                    continue
                try:
                    self._note(digests, removed)
                except CxrError as error:
                    _LOG.error("A removal could not be noted: %s", type(error).__name__)
                    return
                for digest in digests:
                    del self._pending[digest]
                if removed:
                    self.noted |= digests

    def added(self, digest: str) -> None:
        """Note that an image was stored again, by which it is no more removed."""
        with self._noting:
            self.noted.discard(digest)
            self._pending.pop(digest, None)

    def is_returning(self, digest: str) -> bool:
        """Return whether an image is back here, which the store does not know yet."""
        return self._pending.get(digest) is False

    def delete(self, digests: Collection[str]) -> None:
        """Delete images soon, all by one deletion."""
        self.digests |= set(digests)
        self._writer.submit(self._attempt, tuple(digests))

    def _attempt(self, digests: tuple[str, ...]) -> None:
        try:
            self._delete(digests)
        except Exception as error:
            self._failed |= set(digests)
            _LOG.error("A removed image could not be deleted from the store: %s", type(error).__name__)
            timer = threading.Timer(RETRY_SECONDS, self._writer.submit, (self._attempt, digests))
            timer.daemon = True
            timer.start()
        else:
            self._failed -= set(digests)
            self.digests -= set(digests)
            for digest in digests:
                self.added(digest)
