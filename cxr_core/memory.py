"""Memory that is free, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

__all__ = ["give_back"]


def give_back() -> None:
    """Collect what hangs in circles, and hand the allocator's free pages back; only the former off Linux's glibc.

    glibc keeps what was freed below the top of a heap for itself: a server that once held many films would look, and
    be charged, as if it still did.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
