import numpy as np
import pytest

from cxr_core.imaging import Lut, Voi, look_up
from cxr_core.imaging.windowing import apply_lut, apply_window, is_usable, weighted_percentile


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
    result = apply_window(np.array([value], np.float32), Voi(2048, 4096, function))
    assert result[0] == pytest.approx(expected, abs=1e-7)


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
    assert is_usable(voi) is answer


def test_a_table_maps_values_beyond_its_ends_to_its_ends():
    lut = Lut(np.array([10, 20, 30], np.uint16), first=-1, bits=8)
    assert apply_lut(np.array([-5, -1, 0, 1, 9], np.float32), lut).tolist() == [10, 10, 20, 30, 30]


@pytest.mark.parametrize("percent", [0, 0.5, 33.3, 50, 99.5, 100])
def test_weighted_percentiles_equal_those_of_numpy(percent):
    rng = np.random.default_rng(2)
    values, counts = rng.permutation(50).astype(float), rng.integers(0, 9, 50)
    expected = np.percentile(np.repeat(values, counts), percent)
    assert weighted_percentile(values, counts, percent) == pytest.approx(expected)


def test_one_marker_does_not_darken_a_percentile_window():
    values = np.arange(60001, dtype=float)
    counts = np.where(values < 1000, 1000, 0)
    marked = counts.copy()
    marked[60000] = 20
    plain, darker = (weighted_percentile(values, c, 99.5) for c in (counts, marked))
    assert darker == pytest.approx(plain, rel=1e-2)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_looking_up_equals_numpys_take(depth, kind):
    rng = np.random.default_rng(1)
    most = np.iinfo(depth).max
    codes = rng.integers(0, most, (37, 41), dtype=depth, endpoint=True)
    table = rng.integers(0, 256, most + 1).astype(kind)
    result = look_up(table, codes[::2, ::3])
    assert result.dtype == kind
    np.testing.assert_array_equal(result, table[codes[::2, ::3]])


def test_a_table_that_does_not_hold_every_code_is_refused():
    with pytest.raises(ValueError, match="255 entries"):
        look_up(np.zeros(255, np.float32), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="int16"):
        look_up(np.zeros(65536, np.float32), np.zeros((2, 2), np.int16))
