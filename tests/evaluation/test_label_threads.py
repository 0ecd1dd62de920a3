import threading

import pytest

from cxr_core.evaluation.label_threads import LabelThreads

LIMIT = 60


def test_labels_are_computed_at_once_and_returned_in_order():
    both = threading.Barrier(2)

    def number(label):
        both.wait(LIMIT)
        return label.upper()

    with LabelThreads(2) as threads:
        assert [*threads.map(number, "abcd")] == ["A", "B", "C", "D"]


def test_a_computation_within_a_computation_does_not_wait_for_a_thread():
    with LabelThreads(1) as threads:
        nested = threads.map(lambda label: "".join(threads.map(str.upper, label)), ["ab", "cd"])
        assert [*nested] == ["AB", "CD"]


def test_an_error_is_raised():
    with pytest.raises(ZeroDivisionError), LabelThreads(2) as threads:
        [*threads.map(lambda label: 1 / (label != "c"), "abcdefgh")]
