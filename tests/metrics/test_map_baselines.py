"""Average maps, thresholds and the paired test beside brute force, SciPy's binomial test and written-out arithmetic."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from cxr_core.metrics import (
    average_of_others,
    best_threshold_of_others,
    box_coverage,
    evaluate_map,
    levels_of_equal_area,
    paired_difference,
    sign_flip_test,
)


def test_average_leaves_out_every_map_of_the_patient():
    random = np.random.default_rng(0)
    maps, patients = random.random((12, 3, 4)), np.array(list("aabbbcdefghh"))
    averages = average_of_others(maps, patients)
    for row, patient in enumerate(patients):
        others = [other for other in range(12) if patients[other] != patient]
        np.testing.assert_allclose(averages[row], np.mean([maps[other] for other in others], axis=0))
    assert np.isnan(average_of_others(maps[:2], patients[:2])).all()


def test_levels_mark_as_many_cells():
    cells = np.random.default_rng(1).permutation(49).reshape(7, 7).astype(float)
    for count in range(50):
        (level,) = levels_of_equal_area(cells, [count / 49])
        assert (cells >= level).sum() == count


def test_threshold_of_an_image_is_the_best_of_the_other_patients():
    random = np.random.default_rng(2)
    overlap, patients = random.random((40, 9)), random.integers(0, 15, 40)
    chosen = best_threshold_of_others(overlap, patients)
    for row, patient in enumerate(patients):
        assert chosen[row] == np.argmax(overlap[patients != patient].mean(axis=0))
    assert best_threshold_of_others([[0.1, 0.2], [0.3, 0.0]], [5, 5]).tolist() == [0, 0]


def brute_force(differences, patients):
    """Try every sign of every patient."""
    sums = np.array([differences[patients == patient].sum() for patient in np.unique(patients)])
    totals = np.array([np.dot(signs, sums) for signs in product((-1, 1), repeat=len(sums))])
    return (np.abs(totals) >= abs(differences.sum()) - 1e-9).mean()


@pytest.mark.parametrize("seed", range(8))
def test_whole_differences_equal_brute_force_over_the_signs_of_patients(seed):
    random = np.random.default_rng(seed)
    differences, patients = random.choice([-1, 0, 1], 30, p=[0.2, 0.3, 0.5]), random.integers(0, 12, 30)
    assert sign_flip_test(differences, patients) == pytest.approx(brute_force(differences, patients), abs=1e-12)


def test_one_image_of_each_patient_is_mcnemars_exact_test():
    random = np.random.default_rng(3)
    for better, worse in ((9, 2), (30, 31), (0, 4), (120, 80)):
        differences = random.permutation([1] * better + [-1] * worse + [0] * 25)
        expected = binomtest(better, better + worse).pvalue
        assert sign_flip_test(differences, np.arange(len(differences))) == pytest.approx(expected, rel=1e-9)


def test_other_differences_agree_with_brute_force_within_the_error_of_the_draws():
    random = np.random.default_rng(4)
    differences, patients = random.normal(0.25, 1, 26), random.integers(0, 13, 26)
    exact = brute_force(differences, patients)
    # four standard errors of 9,999 draws
    assert abs(sign_flip_test(differences, patients) - exact) < 4 * np.sqrt(exact * (1 - exact) / 9_999)
    assert sign_flip_test(np.full(60, 0.3), np.arange(60)) == 1 / 10_000


def test_p_values_without_a_difference_are_uniform_enough():
    random = np.random.default_rng(5)
    patients = np.repeat(np.arange(40), 2)
    # both images of a patient have the same difference: a test that took them as independent would reject far more
    p_values = [sign_flip_test(np.repeat(random.choice([-1, 0, 1], 40), 2), patients) for _ in range(400)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.08


def test_difference_and_counts():
    hits, centre = np.array([1] * 12 + [0] * 8), np.array([0] * 10 + [1] * 4 + [0] * 6)
    result = paired_difference(hits, centre, np.arange(20))
    assert result.difference.value == pytest.approx((12 - 4) / 20)
    assert result.p_value == pytest.approx(binomtest(10, 12).pvalue)
    assert result.difference.low < 0.4 < result.difference.high
    few = paired_difference(hits[:3], centre[:3], np.arange(3))
    assert (few.difference.value, few.p_value) == (None, None)


def test_proportion_inside_is_the_sum_of_the_cells_in_the_boxes():
    random = np.random.default_rng(6)
    cells = random.normal(size=(5, 6))
    boxes = np.array([[0.5, 1, 3, 4.25], [2, 0, 5.5, 2]])
    result = evaluate_map(cells, boxes, ())
    covered = box_coverage(boxes, 5, 6)
    assert result.inside == pytest.approx((np.maximum(cells, 0) * covered).sum() / np.maximum(cells, 0).sum())
    # union of 2.5 x 3.25 and 3.5 x 2 less their overlap of 1 x 1
    assert result.area == pytest.approx((2.5 * 3.25 + 3.5 * 2 - 1) / 30)
    assert evaluate_map(np.ones((5, 6)), boxes, ()).inside == pytest.approx(result.area)
    assert evaluate_map(-np.ones((5, 6)), boxes, ()).inside == 0
