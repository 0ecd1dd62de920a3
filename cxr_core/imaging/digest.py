"""The digest that names a film, computed beside the work on its pixels."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

__all__ = ["Digest"]

_SMALL = 1 << 20


class Digest:
    """SHA-256 of bytes; who asks first waits for it.

    Hashing a detector's film takes longer than decoding it, and runs outside Python's lock: it is begun at
    once on another thread. A caller that knows the digest gives it.
    """

    def __init__(self, data: bytes, known: str | None = None) -> None:
        self._hex = known if known or len(data) > _SMALL else _sha256(data)
        self._future: Future[str] | None = None if self._hex else _threads().submit(_sha256, data)

    @property
    def sha256(self) -> str:
        """Hex, 64 letters."""
        if self._hex is None:
            self._hex = self._future.result()
            # the future would keep nothing of the bytes, but it is not needed any more
            self._future = None
        return self._hex


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "digest")
