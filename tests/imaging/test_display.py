import numpy as np
import pytest

from cxr_core.imaging import Lut, Voi
from cxr_core.imaging.display import apply_lut, apply_window, percentile_of_counts, usable


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        # c = 2048, w = 4096: (x - 2047.5) / 4095 + 0.5
        ("LINEAR", 0, 0.0),
        ("LINEAR", 4095, 1.0),
        ("LINEAR", 1000, (1000 - 2047.5) / 4095 + 0.5),
        # (x - 2048) / 4096 + 0.5
        ("LINEAR_EXACT", 0, 0.0),
        ("LINEAR_EXACT", 4095, 4095 / 4096),
        ("LINEAR_EXACT", 3072, 0.75),
        ("LINEAR_EXACT", 5000, 1.0),
        # 1 / (1 + exp(-4 (x - 2048) / 4096))
        ("SIGMOID", 2048, 0.5),
        ("SIGMOID", 3072, 1 / (1 + np.exp(-1))),
        ("SIGMOID", 0, 1 / (1 + np.exp(2))),
    ],
)
def test_the_three_functions_by_hand(function, value, expected):
    found = apply_window(np.array([value], np.float32), Voi(2048, 4096, function))
    assert found[0] == pytest.approx(expected, abs=1e-7)


def test_a_linear_width_of_one_is_a_threshold():
    # PS3.3 C.11.2.1.2.1, note: width 1 is a threshold at c - 0.5
    assert apply_window(np.array([9, 10], np.float32), Voi(10, 1)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("voi", "answer"),
    [
        (Voi(0, 0), False),
        (Voi(0, 0.5), False),
        (Voi(0, 0.5, "LINEAR_EXACT"), True),
        (Voi(float("nan"), 10), False),
        (Voi(0, float("inf")), False),
    ],
)
def test_which_windows_can_be_applied(voi, answer):
    assert usable(voi) is answer


def test_a_table_holds_its_ends():
    lut = Lut(np.array([10, 20, 30], np.uint16), first=-1, bits=8)
    assert apply_lut(np.array([-5, -1, 0, 1, 9], np.float32), lut).tolist() == [10, 10, 20, 30, 30]


@pytest.mark.parametrize("percent", [0, 0.5, 33.3, 50, 99.5, 100])
def test_percentiles_of_counts_are_numpys(percent):
    rng = np.random.default_rng(2)
    values, counts = rng.permutation(50).astype(float), rng.integers(0, 9, 50)
    expected = np.percentile(np.repeat(values, counts), percent)
    assert percentile_of_counts(values, counts, percent) == pytest.approx(expected)


def test_one_marker_does_not_darken_a_percentile_window():
    values = np.arange(60001, dtype=float)
    counts = np.where(values < 1000, 1000, 0)
    marked = counts.copy()
    marked[60000] = 20
    plain, darker = (percentile_of_counts(values, c, 99.5) for c in (counts, marked))
    assert darker == pytest.approx(plain, rel=1e-2)
