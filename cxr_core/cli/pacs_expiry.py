"""Deletion of received images whose days have passed, beside what a command of the DICOM network does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import CxrError
from ..store.pacs_store import PacsStore

__all__ = ["expiring"]

_LOG = logging.getLogger(__name__)
_SECONDS = 3600.0


@contextmanager
def expiring(store: PacsStore) -> Iterator[None]:
    """Delete the images whose days have passed, before the block, and every hour in a thread until the block ends.

    A failure is logged, and is no failure of the command.
    """
    _delete_due(store)
    ended = threading.Event()
    thread = threading.Thread(target=_every_hour, args=(store, ended), name="expiry", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _every_hour(store: PacsStore, ended: threading.Event) -> None:
    while not ended.wait(_SECONDS):
        _delete_due(store)


def _delete_due(store: PacsStore) -> None:
    try:
        if count := store.delete_due():
            _LOG.warning("%d received images were deleted: their days have passed", count)
    except CxrError as error:
        _LOG.warning("%s", error)
    except Exception as error:
        # its message may be of a patient
        _LOG.warning("Received images whose days have passed could not be deleted: %s", type(error).__name__)
