"""The store of studies that this process has open, and what stands for it while it cannot be opened.

It deletes what is to be deleted for as long as the process runs.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import lru_cache

from ..errors import CxrError, PathUnusable
from ..settings import settings
from ..store.image_files import studies_folder
from ..store.pacs_files import pacs_folder
from ..store.read_record import Opinion, OpinionValue
from ..store.reads import ReadStore
from .pacs_store import is_pacs_set_up
from .stored_choice import StoredChoice
from .worklist import Worklist
from .worklist_image import WorklistImage

__all__ = ["UnavailableStore", "open_read_store", "read_store"]

_EXPIRY_SECONDS, _RETRY_SECONDS, _SLOW_SECONDS = 3600.0, 300.0, 1.0

_LOG = logging.getLogger(__name__)


_OPENING = threading.Lock()
_failures: deque[tuple[float, PathUnusable]] = deque(maxlen=1)
"""Until when no further attempt to open the store is made, and why the last one failed."""


def read_store() -> ReadStore:
    """Return the store of this process; raises PathUnusable where it cannot be opened.

    After an attempt that failed slowly, as on a server that gives no answer, the same error is raised at once for as
    long as the attempt took: otherwise sessions would wait one after the other.
    """
    with _OPENING:
        began = time.monotonic()
        if _failures and began < _failures[0][0]:
            raise _repeated(_failures[0][1])
        try:
            return _opened()
        except PathUnusable as error:
            now = time.monotonic()
            if now - began > _SLOW_SECONDS:
                _failures.append((now + (now - began), _repeated(error)))
            raise


def _repeated(error: PathUnusable) -> PathUnusable:
    """Return the error without its traceback, which would keep the variables of a session."""
    return type(error)(*error.args)


@lru_cache(maxsize=1)
def _opened() -> ReadStore:
    # a page does not wait for deletions
    store = ReadStore(delete_due=False)
    threading.Thread(target=_delete_due, args=(store,), name="second-read-expiry", daemon=True).start()
    return store


def open_read_store() -> None:
    """Open the store, in a thread, as the server starts: where images are stored or received, or some of before are.

    So they are deleted when their days have passed, whether somebody opens a page or not.
    """
    if settings().keep == "store" or is_pacs_set_up() or studies_folder().is_dir() or pacs_folder().is_dir():
        threading.Thread(target=_open, name="second-read-store", daemon=True).start()


def _open() -> None:
    while True:
        try:
            read_store()
        except Exception as error:
            # the text of an error that is none of ours may quote anything
            reason = str(error) if isinstance(error, CxrError) else type(error).__name__
            _LOG.error("The store of studies could not be opened: %s", reason)
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _delete_due(store: ReadStore) -> None:
    """Delete studies whose days have passed, now and every hour; and sooner what is left of a deletion."""
    last = -math.inf
    while True:
        if store.unfinished or time.monotonic() - last >= _EXPIRY_SECONDS:
            last = time.monotonic()
            try:
                store.delete_due()
            except Exception as error:
                _LOG.error("Expired studies could not be deleted: %s", type(error).__name__)
        else:
            try:
                store.delete_abandoned()
            except Exception as error:
                _LOG.error("Removed images could not be deleted: %s", type(error).__name__)
        time.sleep(_RETRY_SECONDS)


class UnavailableStore:
    """Keeper of a worklist that is to be stored, while the store cannot be opened: images stay in memory.

    Nothing that has to be stored first is taken: no opinion, and no reveal. The switch "Read first" is not in the
    database, and holds.

    Args:
        images: the worklist.
        reader: what the store calls the person.
        problem: why the store cannot be opened, one line.
    """

    away: frozenset[str] = frozenset()

    def __init__(self, images: Worklist, reader: str, problem: str) -> None:
        self._choice, self._problem = StoredChoice(images, reader), problem

    def added(self, images: Sequence[WorklistImage]) -> None:
        """Leave the images in memory; they are stored once the store can be opened."""

    def leaving(self, digests: Sequence[str]) -> None:
        """Do nothing: the images are not stored."""

    returned = removed = leaving

    def follow(self) -> None:
        """Take over the switch alone: the next script run tries to open the store."""
        self._choice.follow()

    def read_first_chosen(self, on: bool) -> None:
        """Store the switch; where that fails, it holds in memory."""
        self._choice.turn(on)

    def shown(self, tab: object, digest: str | None) -> None:
        """Do nothing: there is no read whose time could be counted."""

    def stop(self) -> None:
        """Do nothing: nothing was begun."""

    def revealed(self, image: WorklistImage) -> None:
        """Raise PathUnusable."""
        raise PathUnusable(self._problem)

    def add_opinion(self, image: WorklistImage, label: str, opinion: OpinionValue, comment: str) -> tuple[Opinion, ...]:
        """Raise PathUnusable."""
        raise PathUnusable(self._problem)
