"""Whether this process can read images now: model, database, folders and reading queue.

Each check returns, or raises CxrError with one line for the log. What a stranger is shown of a check that has failed is
its entry in :data:`SUMMARIES`: no path, no name and no setting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from ..errors import CxrError, ModelUnusable
from ..model.folder import find_model, open_model
from ..reading_queue import FairQueue, shared_queue
from ..settings import settings
from ..store.backup_members import database_url
from ..store.database import open_migrated, sqlite_file
from .folders import check_writable

__all__ = [
    "SUMMARIES",
    "ModelCheck",
    "Stuck",
    "check_folders",
    "check_queue",
    "check_store",
    "model_check",
    "readiness_checks",
]

SUMMARIES = {
    "model": "The model is missing, or its files are not those that it was made with.",
    "store": "The database cannot be opened, or is not at the version of this program.",
    "folders": "The program cannot write its files: no space is left, or it has no permission.",
    "queue": "Images wait to be read, and none has been read for a while.",
}
"""What is shown of each check that has failed."""

VERIFIED_SECONDS = 600.0
"""For so long files whose size and time of change are the same are not hashed again."""

_MARGIN_SECONDS = 10.0


class Stuck(CxrError):
    """The reading queue does not move."""


class ModelCheck:
    """Verifies models by their ``SHA256SUMS``; hashes the files of one again once one of them was touched.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._verified: dict[Path, tuple[tuple[str, ...], float]] = {}

    def __call__(self, model: str = "") -> None:
        """Return where a model, by default the one that serves, is as it was made; raises ModelUnusable."""
        with self._lock:
            folder, now = find_model(model or settings().model), self._clock()
            marks = _marks(folder)
            known = self._verified.pop(folder, None)
            if known is None or known[0] != marks or now >= known[1]:
                open_model(str(folder))
                known = marks, now + VERIFIED_SECONDS
            self._verified[folder] = known


def _marks(folder: Path) -> tuple[str, ...]:
    """Return name, size, time of change and number of each file of a model folder."""
    try:
        entries = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError as error:
        raise ModelUnusable(f"Model {folder.name}: its folder cannot be read.") from error
    return tuple(f"{path} {entry.st_size} {entry.st_mtime_ns} {entry.st_ino}" for path, entry in entries)


def check_store() -> None:
    """Return where the database is reachable and has every migration of this version, and no later one.

    A file of SQLite that is not there yet is made when it is first needed, and not by this check.

    Raises:
        StoreDamaged: it is damaged.
        PathUnusable: it cannot be opened, or is newer.
    """
    url = database_url()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return
    # a database of an earlier version is brought up to date, as by whatever else opens it
    open_migrated(url, settings().runs).dispose()


def check_folders() -> None:
    """Return where the folders that the program writes to can be written; raises PathUnusable."""
    check_writable(settings().home, "SECOND_READ_HOME")
    check_writable(settings().runs, "SECOND_READ_RUNS")


def check_queue(queue: FairQueue) -> None:
    """Return unless images wait and none has begun or ended for longer than a read may take; raises Stuck."""
    state, limit = queue.state(), stuck_seconds()
    if state.waiting and state.still_seconds > limit:
        raise Stuck(
            f"{state.waiting} images wait in the reading queue, the oldest for {state.oldest_seconds:.0f} s, and none "
            f"has begun or ended for {state.still_seconds:.0f} s. Restart the app."
        )


def stuck_seconds() -> float:
    """Return for how long nothing may move in the reading queue: twice the time limit of a decoder, and a margin."""
    return 2 * settings().decode_seconds + _MARGIN_SECONDS


@lru_cache(maxsize=1)
def model_check() -> ModelCheck:
    """Return the one of this process."""
    return ModelCheck()


def readiness_checks() -> Mapping[str, Callable[[], None]]:
    """Return the checks by name, in the order of :data:`SUMMARIES`."""
    return {
        "model": model_check(),
        "store": check_store,
        "folders": check_folders,
        "queue": lambda: check_queue(shared_queue()),
    }
