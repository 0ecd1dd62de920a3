"""The store of studies that this process has open, and what stands for it while it cannot be opened."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import lru_cache

from ..errors import PathUnusable
from ..store.read_record import Opinion, OpinionValue
from ..store.reads import ReadStore
from .worklist_image import WorklistImage

__all__ = ["UnavailableStore", "read_store"]

_EXPIRY_SECONDS = 3600.0

_LOG = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def read_store() -> ReadStore:
    """Return the store of this process; studies whose days have passed are deleted every hour from now on."""
    store = ReadStore()
    threading.Thread(target=_delete_expired, args=(store,), name="second-read-expiry", daemon=True).start()
    return store


def _delete_expired(store: ReadStore) -> None:
    while True:
        try:
            store.delete_expired()
        except Exception as error:
            _LOG.error("Expired studies could not be deleted: %s", type(error).__name__)
        time.sleep(_EXPIRY_SECONDS)


class UnavailableStore:
    """Keeper of a worklist that is to be stored, while the store cannot be opened: images stay in memory.

    Nothing that has to be stored first is taken: no opinion, and no reveal.

    Args:
        problem: why the store cannot be opened, one line.
    """

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def added(self, images: Sequence[WorklistImage]) -> None:
        """Leave the images in memory; they are stored once the store can be opened."""

    def removed(self, image: WorklistImage) -> None:
        """Do nothing: the image is not stored."""

    def follow(self) -> None:
        """Do nothing: the next script run tries to open the store."""

    def read_first_chosen(self, on: bool) -> None:
        """Do nothing: the choice holds in memory."""

    def stop(self) -> None:
        """Do nothing: nothing was begun."""

    def revealed(self, image: WorklistImage) -> None:
        """Raise PathUnusable."""
        raise PathUnusable(self._problem)

    def add_opinion(self, image: WorklistImage, label: str, opinion: OpinionValue, comment: str) -> Opinion:
        """Raise PathUnusable."""
        raise PathUnusable(self._problem)
