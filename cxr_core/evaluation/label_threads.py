"""Threads that compute the numbers of several labels at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["LabelThreads"]

_MOST = 8
"""Each takes some 100 MB with 100,000 images."""

T = TypeVar("T")
R = TypeVar("R")


class LabelThreads:
    """A few threads, as a context.

    Args:
        number: of threads; by default as many as the machine has cores, but no more than 8.
    """

    def __init__(self, number: int | None = None) -> None:
        self._here = threading.local()
        number = number or min(os.cpu_count() or 1, _MOST)
        self._pool = ThreadPoolExecutor(number, "labels", initializer=self._begin)

    def __enter__(self) -> LabelThreads:
        return self

    def __exit__(self, *_: object) -> None:
        # after an error, what nobody waits for is not begun
        self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Return the results in the order of the items, as the built-in ``map``, which it is within these threads.

        There a thread that waits for another of them could wait for ever.
        """
        if getattr(self._here, "inside", False):
            return map(function, items)
        return self._pool.map(function, items)

    def _begin(self) -> None:
        self._here.inside = True
