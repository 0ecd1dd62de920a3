"""Who decodes films ahead of the training step: threads, or processes where a decoder holds Python's lock."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait

__all__ = ["decoders"]


@contextmanager
def decoders(workers: int | None = None, *, processes: bool = False) -> Iterator[Executor]:
    """Yield a pool that decodes.

    Pillow and NumPy work outside Python's lock, so threads are enough for PNG and JPEG, and hand films over
    without a copy. The decoders of compressed DICOM hold it: there processes help.

    Args:
        workers: how many; None is one for each processor.
        processes: processes instead of threads.
    """
    workers = workers or os.cpu_count() or 1
    if processes:
        # spawn: a fork of a process in which TensorFlow runs may hang
        pool: Executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _end_with_parent)
    else:
        pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when its parent has gone: a training that is killed must leave nothing behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
