"""Removal of entries from a dictionary, which can be undone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

__all__ = ["UNDO_SECONDS", "Removal"]

UNDO_SECONDS = 60.0
"""How long a removal from the worklist can be undone; then the files are released."""

T = TypeVar("T")


class Removal(Generic[T]):
    """Entries that were taken out of a dictionary, each with its place in it. No dictionary given is changed.

    Attributes:
        remaining: the dictionary without them.

    Args:
        entries: the dictionary.
        keys: of the entries to take out; unknown ones are ignored.
        release: called once with the entries that can no longer be put back, in their order.
        seconds: from now until then.
    """

    def __init__(
        self,
        entries: dict[str, T],
        keys: Collection[str],
        release: Callable[[Sequence[T]], None],
        seconds: float = UNDO_SECONDS,
    ) -> None:
        self._order = list(entries)
        self._release = release
        self._lock = threading.Lock()
        self._taken = {key: entry for key, entry in entries.items() if key in keys}
        self.remaining = {key: entry for key, entry in entries.items() if key not in self._taken}
        self._timer = threading.Timer(seconds, self.discard)
        self._timer.daemon = True
        self._timer.start()

    def __len__(self) -> int:
        """Return how many entries can be put back."""
        return len(self._taken)

    def entries(self) -> list[T]:
        """Return the entries that can be put back, in their order."""
        return list(self._taken.values())

    def undo(self, entries: dict[str, T]) -> dict[str, T]:
        """Return a dictionary with the entries put back at their places.

        A key that was added again in the meantime keeps its new entry; what was added since stays behind the rest.
        """
        with self._lock:
            self._timer.cancel()
            taken, self._taken = self._taken, {}
        back = {key: entry for key, entry in taken.items() if key not in entries}
        if replaced := [entry for key, entry in taken.items() if key not in back]:
            self._release(replaced)
        present = entries | back
        order = [key for key in self._order if key in present]
        order += [key for key in present if key not in self._order]
        return {key: present[key] for key in order}

    def discard(self) -> None:
        """Release the entries; they cannot be put back any more."""
        with self._lock:
            self._timer.cancel()
            taken, self._taken = self._taken, {}
        if taken:
            self._release(list(taken.values()))
