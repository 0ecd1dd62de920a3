"""The worst images of a label, and their source files."""

import hashlib

import numpy as np
import pytest

from cxr_core.displays.score_distribution import worst_failures
from cxr_core.errors import PathUnusable
from cxr_core.evaluation.images import find_source_images


def test_false_negatives_ascend_false_positives_descend_and_ties_keep_their_order():
    truth = np.array([1, 0, 1, 0, 1, 0, 1], dtype=bool)
    scores = np.array([0.9, 0.8, 0.1, 0.8, 0.1, 0.2, 0.05])
    worst = worst_failures(truth, scores, 3)
    assert worst.false_negatives.tolist() == [6, 2, 4]
    assert worst.false_positives.tolist() == [1, 3, 5]
    all_failures = worst_failures(truth, scores, 100)
    assert (len(all_failures.false_negatives), len(all_failures.false_positives)) == (4, 3)


def test_without_positives_there_are_no_false_negatives():
    worst = worst_failures(np.zeros(3, bool), np.array([0.1, 0.3, 0.2]), 2)
    assert worst.false_negatives.tolist() == []
    assert worst.false_positives.tolist() == [1, 2]


def test_a_file_is_accepted_only_if_its_bytes_are_those_of_the_evaluated_image(tmp_path):
    (tmp_path / "below").mkdir()
    for name, data in (("a.png", b"one"), ("below/b.png", b"two"), ("c.png", b"changed"), ("d.png", b"four")):
        (tmp_path / name).write_bytes(data)
    digests = [hashlib.sha256(data).hexdigest() for data in (b"one", b"two", b"three")]
    one, two, changed, unknown, missing = find_source_images(
        ["a.png", "b.png", "c.png", "d.png", "e.png"], [*digests, "", digests[0]], tmp_path
    )
    assert (one.data, two.data) == (b"one", b"two")
    assert (changed.data, unknown.data, missing.data) == (None, None, None)
    assert "has other content than the evaluated image" in changed.reason
    assert "has no SHA-256" in unknown.reason
    assert "no file with this name" in missing.reason
    with pytest.raises(PathUnusable, match="not a folder"):
        find_source_images(["a.png"], digests[:1], tmp_path / "none")
