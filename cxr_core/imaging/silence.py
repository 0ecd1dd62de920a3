"""Keep C libraries quiet: they write to stderr past Python."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

__all__ = ["silence"]

_stderr = threading.Lock()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Let nothing through to stderr, of the whole process, while a decoder runs: one refusal is one line."""
    with _stderr:
        kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nothing)
