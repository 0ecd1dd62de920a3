"""Memory: what stays is not looked through again and again, what is free is given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache

__all__ = ["few_heaps", "give_back", "settle"]

_M_ARENA_MAX = -8  # malloc.h of glibc


@cache
def settle() -> None:
    """Keep the collector of circles away from everything that is loaded by now; once in a process.

    Streamlit collects after every run of a script. Looking through the objects of all libraries took 150 ms each time,
    in which no other thread runs; they stay as long as the process.
    """
    gc.collect()
    gc.freeze()


def few_heaps() -> None:
    """Let the allocator keep two heaps for all threads, from now on; only Linux's glibc has that.

    By default it makes up to eight for each core, and of all but the first it never gives the free end back to the
    system: after uploads of 60 MB each held 10 to 20 MB that nobody used, one after the other.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 2)


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
