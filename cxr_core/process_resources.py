"""Memory and threads of this process: garbage collection, the C allocator, and BLAS."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache

from threadpoolctl import threadpool_limits

__all__ = [
    "few_heaps",
    "give_back",
    "products_on_one_thread",
    "settle",
]


_M_ARENA_MAX = -8  # malloc.h of glibc


@cache
def settle() -> None:
    """Exclude all objects loaded so far from garbage collection; once per process.

    Streamlit runs a collection after every run of a script. Examining the objects of all libraries took 150 ms each
    time, in which no other thread runs; these objects live as long as the process.
    """
    gc.collect()
    gc.freeze()


def few_heaps() -> None:
    """Limit glibc's allocator to two heaps for all threads, from now on; no effect on other systems.

    By default it makes up to eight per core, and releases the free end only of the first to the system: after uploads
    of 60 MB, each of the others held 10 to 20 MB of unused memory.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 2)


def give_back() -> None:
    """Collect garbage, and release the allocator's free pages to the system; without glibc, only the former.

    glibc keeps memory that was freed below the top of a heap: a server that once held many images would appear, and be
    charged, as if it still did.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def products_on_one_thread() -> None:
    """Run NumPy's matrix products on the calling thread only, from now on, in this process.

    Those of a reading are small. On several threads they are no faster, and OpenBLAS' threads spin for some tens of ms
    after each, on the cores that the network, or another process, is about to use.
    """
    threadpool_limits(1, user_api="blas")
