"""Parts in turn, and the arithmetic of their ratios, with seconds that are given."""

import numpy as np
import pytest

from benchmarks.interleaved import Line, markdown, ratio, run_interleaved

SECONDS = {
    "read": np.array([0.3, 0.9, 0.4]),
    "network": np.array([0.1, 0.6, 0.2]),
    "product": np.array([0.5, 0.5, 0.5]),
    "other product": np.array([0.25, 0.25, 4.0]),
}


def test_parts_run_interleaved_and_the_warm_up_does_not_count():
    ran, reported = [], []

    def part(name):
        def run():
            ran.append(name)
            return float(len(ran))

        return run

    seconds = run_interleaved({name: part(name) for name in "abc"}, 8, warm_up=1, report=reported.append)
    rounds = [ran[start : start + 3] for start in range(0, len(ran), 3)]
    assert [sorted(names) for names in rounds] == [["a", "b", "c"]] * 9
    # nobody is always behind the same neighbour
    assert len({tuple(names) for names in rounds}) > 2
    assert reported == list(range(1, 10))
    for name in "abc":
        assert seconds[name].tolist() == [3 * turn + names.index(name) + 1 for turn, names in enumerate(rounds)][1:]


def test_a_ratio_is_taken_within_each_round():
    result = ratio(Line("", "read", ("network",)), SECONDS)
    # 3, 1.5 and 2; the ratio of the medians would be 2 as well, its spread would not
    assert result.middle == pytest.approx(2)
    assert (result.low, result.high) == (pytest.approx(1.75), pytest.approx(2.5))
    assert (result.over, result.under) == (0.4, 0.2)


def test_of_several_the_fastest_by_work_is_compared_with():
    line = Line("", "network", ("product", "other product"), {"network": 10, "product": 40, "other product": 10})
    result = ratio(line, SECONDS)
    # medians by work: 0.0125 and 0.025
    assert result.name == "product"
    assert result.middle == pytest.approx((0.2 / 10) / (0.5 / 40))


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (Line("all", "read", ("network",), at_most=2.5), ["all", "400", "network", "200", "2.00 (1.75 to 2.50)"]),
        (Line("peer", missing="not installed: torch", at_least=3), ["peer", "", "not installed: torch", "", ""]),
    ],
)
def test_a_line_of_the_table(line, cells):
    row = [cell.strip() for cell in markdown([line], SECONDS).splitlines()[-1].strip("|").split("|")]
    assert row[:5] == cells


@pytest.mark.parametrize(
    ("aim", "words"),
    [
        ({"at_most": 1.9}, "missed"),
        ({"at_most": 2.1}, "reached"),
        ({"at_least": 1.9}, "reached"),
        ({"at_least": 2.1}, "missed"),
        ({}, ""),
    ],
)
def test_whether_an_aim_is_reached(aim, words):
    assert markdown([Line("", "read", ("network",), **aim)], SECONDS).rpartition("|")[0].split("|")[-1].strip() == words
