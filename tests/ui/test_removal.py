"""Removal that can be undone: order, what was added again, and release in the end."""

import time

from cxr_core.ui.removal import Removal


def test_entries_come_back_at_their_places_and_those_added_since_stay_behind():
    entries = {key: key for key in "abcde"}
    removal = Removal(entries, ["b", "d", "unknown"], lambda entry: None)
    assert (list(removal.remaining), len(removal), len(entries)) == (["a", "c", "e"], 2, 5)
    later = removal.remaining | {"f": "f"}
    assert list(removal.undo(later)) == ["a", "b", "c", "d", "e", "f"]
    assert removal.undo(later) == later


def test_what_was_added_again_is_kept_and_the_removed_entry_released():
    released = []
    removal = Removal({"a": "old", "b": "b"}, ["a"], released.extend)
    assert removal.undo(removal.remaining | {"a": "new"}) == {"a": "new", "b": "b"}
    assert released == ["old"]


def test_entries_are_released_once_when_the_time_is_over():
    released = []
    removal = Removal({"a": "a"}, ["a"], released.extend, seconds=0.05)
    deadline = time.monotonic() + 60
    while not released and time.monotonic() < deadline:
        time.sleep(0.01)
    removal.discard()
    assert released == ["a"]
    assert removal.undo({}) == {}
