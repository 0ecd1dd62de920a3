"""The worst films of a class, and the files behind them."""

import hashlib

import numpy as np
import pytest

from cxr_core.errors import PathUnusable
from cxr_core.evaluation.failures import worst_failures
from cxr_core.evaluation.originals import find_originals


def test_misses_rise_and_false_alarms_fall_and_ties_keep_their_order():
    truth = np.array([1, 0, 1, 0, 1, 0, 1], dtype=bool)
    scores = np.array([0.9, 0.8, 0.1, 0.8, 0.1, 0.2, 0.05])
    found = worst_failures(truth, scores, 3)
    assert found.misses.tolist() == [6, 2, 4]
    assert found.false_alarms.tolist() == [1, 3, 5]
    everything = worst_failures(truth, scores, 100)
    assert (len(everything.misses), len(everything.false_alarms)) == (4, 3)


def test_without_a_positive_there_is_no_miss():
    found = worst_failures(np.zeros(3, bool), np.array([0.1, 0.3, 0.2]), 2)
    assert found.misses.tolist() == []
    assert found.false_alarms.tolist() == [1, 2]


def test_a_file_is_taken_for_a_film_only_where_its_bytes_are_those_that_were_scored(tmp_path):
    (tmp_path / "below").mkdir()
    for name, data in (("a.png", b"one"), ("below/b.png", b"two"), ("c.png", b"changed"), ("d.png", b"four")):
        (tmp_path / name).write_bytes(data)
    digests = [hashlib.sha256(data).hexdigest() for data in (b"one", b"two", b"three")]
    one, two, changed, unknown, missing = find_originals(
        ["a.png", "b.png", "c.png", "d.png", "e.png"], [*digests, "", digests[0]], tmp_path
    )
    assert (one.data, two.data) == (b"one", b"two")
    assert (changed.data, unknown.data, missing.data) == (None, None, None)
    assert "has other bytes than the film that was scored" in changed.reason
    assert "kept no digest" in unknown.reason
    assert "no file of this film's name" in missing.reason
    with pytest.raises(PathUnusable, match="not a folder"):
        find_originals(["a.png"], digests[:1], tmp_path / "none")
