"""Patients: numbered, counted, and dealt into folds."""

import numpy as np
import pytest

from cxr_core.estimate import Counts
from cxr_core.metrics import (
    count_cases,
)
from cxr_core.metrics.cases import index_patients, patient_folds


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
    # a few patients with many positive images, as in a clinic
    labels = random.random(900) < np.where(patients < 15, 0.7, 0.02)
    balanced, plain = patient_folds(patients, 5, 1, labels), patient_folds(patients, 5, 1)
    assert all(len(set(balanced[patients == patient])) == 1 for patient in np.unique(patients))
    positives, images = np.bincount(balanced[labels], minlength=5), np.bincount(balanced)
    assert np.ptp(positives) <= 1
    assert np.ptp(images) <= 5
    assert np.ptp(np.bincount(plain[labels], minlength=5)) > 5


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_without_a_patient_are_refused(folds):
    with pytest.raises(ValueError, match="3 patients"):
        patient_folds([1, 2, 3, 3], folds, seed=0)


def test_patients_by_hand():
    # a has both kinds, b only positive images, c only negative ones
    labels = [1, 0, 1, 1, 0]
    assert count_cases(labels, ["a", "a", "b", "b", "c"]) == Counts(3, 2, 2, 2)
    assert count_cases([], []) == Counts(0, 0, 0, 0)
