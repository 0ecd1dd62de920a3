"""Draws of patients, and percentiles of what they give."""

import numpy as np
import pytest

from cxr_core.metrics import resampling
from cxr_core.metrics.resampling import (
    index_patients,
    multiplicities,
    patient_folds,
    percentile_interval,
    resamples_for,
)


def drawn(*arguments, **keywords):
    return np.concatenate(list(multiplicities(*arguments, **keywords)), axis=1)


def test_each_resample_has_as_many_patients_as_there_are():
    counts = drawn(7, 50, seed=1)
    assert counts.shape == (7, 50)
    assert (counts.sum(axis=0) == 7).all()
    assert (counts == counts.round()).all()
    assert (counts >= 0).all()


def test_the_draws_are_those_of_the_generator():
    numbers = np.random.default_rng(5).integers(0, 4, size=(20, 4))
    expected = [[int((row == patient).sum()) for row in numbers] for patient in range(4)]
    assert drawn(4, 20, seed=5).tolist() == expected


def test_every_patient_is_drawn_as_often_as_any_other():
    # the mean over R resamples of a count of variance 1 - 1/P has a standard error under 1 / sqrt(R)
    resamples = 10_000
    assert np.abs(drawn(20, resamples, seed=0).mean(axis=1) - 1).max() < 4 / resamples**0.5


def test_narrow_chunks_draw_the_same():
    # a caller with tall arrays gets 2**21 // 300_000 = 6 resamples at a time
    chunks = list(multiplicities(9, 20, 3, rows=300_000))
    assert [chunk.shape[1] for chunk in chunks] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate(chunks, axis=1), drawn(9, 20, 3))


def test_draws_that_are_too_many_to_keep_are_the_same(monkeypatch):
    kept = drawn(300, 50, seed=2, rows=300_000)
    monkeypatch.setattr(resampling, "_KEPT_CELLS", 0)
    np.testing.assert_array_equal(drawn(300, 50, seed=2), kept)


def test_so_many_resamples_as_films_allow():
    drawn = {0: 2000, 60: 2000, 25_000: 2000, 50_000: 1000, 112_120: 445, 10**7: 400}
    assert {films: resamples_for(films) for films in drawn} == drawn


def test_the_seed_decides():
    assert (drawn(9, 20, seed=3) == drawn(9, 20, seed=3)).all()
    assert (drawn(9, 20, seed=3) != drawn(9, 20, seed=4)).any()


@pytest.mark.parametrize(("patients", "resamples"), [(0, 5), (5, 0)])
def test_nothing_to_draw_is_refused(patients, resamples):
    with pytest.raises(ValueError, match="at least 1"):
        next(multiplicities(patients, resamples, 0))


def test_patients_are_numbered_in_sorted_order():
    number, which = index_patients(["b", "a", "b", "c"], 4)
    assert number == 3
    assert which.tolist() == [1, 0, 1, 2]


def test_patients_numbered_anyhow_are_the_same():
    near, far = np.array([5, 2, 5, 9, 0]), np.array([5, 2, 5, 9, 0]) * 10**12
    for numbers in (near, far, near - 7, near.astype(str), near.astype(float)):
        number, which = index_patients(numbers, 5)
        assert number == 4
        assert which.tolist() == [2, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("patients", "said"),
    [
        (["a", "b"], "shape"),
        ([["a", "b", "c"]], "shape"),
        (["a", "", "c"], "without a patient"),
        ([1.0, np.nan, 2.0], "without a patient"),
        (np.array(["a", None, "c"], dtype=object), "without a patient"),
        (np.array(["a", np.nan, "c"], dtype=object), "without a patient"),
        (np.array(["a", 1, "c"], dtype=object), "more than one type"),
    ],
)
def test_other_patients_are_refused(patients, said):
    with pytest.raises(ValueError, match=said):
        index_patients(patients, 3)


def test_percentiles_by_hand():
    # 0, 1, ..., 100: the 2.5th percentile lies half way between 2 and 3
    low, high, reason = percentile_interval(np.random.default_rng(0).permutation(np.arange(101.0)), 0.95)
    assert (low, high) == (pytest.approx(2.5), pytest.approx(97.5))
    assert reason is None


def test_five_percent_may_be_undefined_and_no_more():
    replicates = np.arange(100.0)
    replicates[:5] = np.nan
    assert percentile_interval(replicates, 0.9)[:2] == (
        pytest.approx(5 + 0.05 * 94),
        pytest.approx(5 + 0.95 * 94),
    )
    replicates[5] = np.nan
    assert percentile_interval(replicates, 0.9) == (None, None, "too few cases")
    assert percentile_interval(np.full(3, np.nan), 0.9) == (None, None, "too few cases")


def test_no_variation_is_no_interval():
    low, high, reason = percentile_interval(np.ones(100), 0.95)
    assert (low, high) == (None, None)
    assert "same value" in reason


@pytest.mark.parametrize("level", [0, 1, 95, np.nan])
def test_other_levels_are_refused(level):
    with pytest.raises(ValueError, match="level"):
        percentile_interval(np.arange(9.0), level)


def test_folds_hold_whole_patients_and_are_even():
    patients = np.random.default_rng(0).integers(0, 23, 400)
    fold = patient_folds(patients, 5, seed=3)
    assert all(len(set(fold[patients == patient])) == 1 for patient in np.unique(patients))
    sizes = [len(np.unique(patients[fold == k])) for k in range(5)]
    assert sorted(sizes) == [4, 4, 5, 5, 5]
    np.testing.assert_array_equal(fold, patient_folds(patients, 5, seed=3))
    assert (fold != patient_folds(patients, 5, seed=4)).any()


def test_a_label_is_as_common_in_one_fold_as_in_another():
    random = np.random.default_rng(0)
    patients = random.integers(0, 200, 900)
    # a few patients with many positive films, as in a clinic
    labels = random.random(900) < np.where(patients < 15, 0.7, 0.02)
    balanced, plain = patient_folds(patients, 5, 1, labels), patient_folds(patients, 5, 1)
    assert all(len(set(balanced[patients == patient])) == 1 for patient in np.unique(patients))
    positives, films = np.bincount(balanced[labels], minlength=5), np.bincount(balanced)
    assert np.ptp(positives) <= 1
    assert np.ptp(films) <= 5
    assert np.ptp(np.bincount(plain[labels], minlength=5)) > 5


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_without_a_patient_are_refused(folds):
    with pytest.raises(ValueError, match="3 patients"):
        patient_folds([1, 2, 3, 3], folds, seed=0)
