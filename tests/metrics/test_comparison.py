import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import auc_difference, patient_bootstrap_auc


def drawn(seed: int, patients: int = 120, films: int = 3):
    """Return labels, a good score, a worse one that shares its noise, and patients."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), films)
    labels = np.repeat(rng.random(patients) < 0.4, films)
    noise = rng.normal(size=len(labels)) + np.repeat(rng.normal(size=patients), films)
    return labels, 1.5 * labels + noise, 0.8 * labels + noise, patient


def test_it_is_the_difference_that_scikit_learn_gives():
    labels, good, worse, patients = drawn(1)
    found = auc_difference(labels, good, worse, patients, resamples=200)
    assert found.value == pytest.approx(roc_auc_score(labels, good) - roc_auc_score(labels, worse), abs=1e-12)
    assert found.low < found.value < found.high


def test_the_same_resamples_make_it_narrower_than_two_intervals():
    labels, good, worse, patients = drawn(2)
    paired = auc_difference(labels, good, worse, patients, resamples=500)
    ours, theirs = (patient_bootstrap_auc(labels, s, patients, resamples=500) for s in (good, worse))
    assert paired.high - paired.low < 0.7 * np.hypot(ours.high - ours.low, theirs.high - theirs.low)
    assert paired.low > 0


def test_the_bounds_are_those_of_resamples_done_one_by_one():
    labels, good, worse, patients = drawn(3, patients=30, films=2)
    found = auc_difference(labels, good, worse, patients, resamples=300, seed=5)
    rng, differences = np.random.default_rng(5), []
    for _ in range(300):
        drawn_patients = rng.integers(0, 30, 30)
        films = np.concatenate([np.flatnonzero(patients == p) for p in drawn_patients])
        if 0 < labels[films].sum() < len(films):
            areas = [roc_auc_score(labels[films], s[films]) for s in (good, worse)]
            differences.append(areas[0] - areas[1])
    assert [found.low, found.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=1e-12)


def test_a_model_against_itself_differs_by_nothing():
    labels, good, _, patients = drawn(4)
    found = auc_difference(labels, good, 2 * good + 1, patients, resamples=100)
    assert found.value == 0
    assert found.low is None
    assert "same value" in found.reason


def test_too_few_patients_are_said_to_be_too_few():
    labels, good, worse, patients = drawn(5)
    labels = patients < 4
    assert auc_difference(labels, good, worse, patients).reason == "too few cases: 4 positive, 116 negative patients"
    assert auc_difference(labels & False, good, worse, patients).reason == "no positive"
