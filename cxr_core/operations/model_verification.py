"""Verification of models by ``SHA256SUMS`` and card, as often as asked: files that nobody touched are hashed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ..errors import ModelUnusable
from ..model import ModelCard
from ..model.folder import find_model, open_model
from ..settings import settings

__all__ = ["VERIFIED_SECONDS", "ModelVerification", "model_verification"]

VERIFIED_SECONDS = 600.0
"""For so long files whose size and time of change are the same are not hashed again."""


class ModelVerification:
    """Verifies models; hashes the files of one again once one of them was touched.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._verified: dict[Path, tuple[tuple[str, ...], float, ModelCard]] = {}

    def __call__(self, model: str = "") -> ModelCard:
        """Return the card of a model, by default the one that serves, that is as it was made; raises ModelUnusable."""
        with self._lock:
            folder, now = find_model(model or settings().model), self._clock()
            marks = _marks(folder)
            known = self._verified.pop(folder, None)
            if known is None or known[0] != marks or now >= known[1]:
                known = marks, now + VERIFIED_SECONDS, open_model(str(folder)).card
            self._verified[folder] = known
            return known[2]


def _marks(folder: Path) -> tuple[str, ...]:
    """Return name, size, time of change and number of each file of a model folder."""
    try:
        entries = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError as error:
        raise ModelUnusable(f"Model {folder.name}: its folder cannot be read.") from error
    return tuple(f"{path} {entry.st_size} {entry.st_mtime_ns} {entry.st_ino}" for path, entry in entries)


@lru_cache(maxsize=1)
def model_verification() -> ModelVerification:
    """Return the one of this process."""
    return ModelVerification()
