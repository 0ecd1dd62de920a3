import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import auc_difference, clustered_test, compare_models, holm, patient_bootstrap_auc


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
    found = auc_difference(labels, good, worse, patients, resamples=300, seed=5, bootstrap_from=0)
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
    assert "no spread" in found.reason


def test_too_few_patients_are_said_to_be_too_few():
    labels, good, worse, patients = drawn(5)
    labels = patients < 4
    assert auc_difference(labels, good, worse, patients).reason == "too few cases: 4 positive, 116 negative patients"
    assert auc_difference(labels & False, good, worse, patients).reason == "no positive"


def test_with_many_patients_it_is_resampled_and_with_few_it_is_clustered():
    labels, good, worse, patients = drawn(6, patients=60)
    few, many = (auc_difference(labels, good, worse, patients, resamples=400, bootstrap_from=k) for k in (200, 0))
    assert few == clustered_test(labels, good, worse, patients).difference
    assert (few.method, many.method) == ("clustered by patient", "resampled patients, percentiles")
    assert few.high - few.low == pytest.approx(many.high - many.low, rel=0.25)


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.04 of four: 4 x 0.01, 3 x 0.02, then 2 x 0.03 = 0.06, and 0.04 is raised to it
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1, 1)
    # what has no test does not count
    assert holm([None, 0.02, None]) == (None, 0.02, None)
    assert holm([]) == ()
    with pytest.raises(ValueError, match="P-values"):
        holm([1.2])


def test_holm_calls_different_what_the_step_down_rule_does():
    rng = np.random.default_rng(0)
    for _ in range(100):
        p = rng.random(14) ** 3
        rejected, order = np.zeros(14, dtype=bool), np.argsort(p)
        for k, which in enumerate(order):
            if p[which] > 0.05 / (14 - k):
                break
            rejected[which] = True
        assert ((np.array(holm(p.tolist())) <= 0.05) == rejected).all()


def test_models_are_compared_on_every_class():
    labels, good, worse, patients = drawn(7)
    half = patients % 2 == 0
    classes = [
        (labels, good, worse, patients),
        (patients < 4, good, worse, patients),
        tuple(array[half] for array in (labels, good, good, patients)),
    ]
    better, few, same = compare_models(classes, resamples=200)
    assert better.difference == auc_difference(labels, good, worse, patients, resamples=200)
    assert better.p_value == clustered_test(labels, good, worse, patients).p_value
    # the only test there is: the second has too few cases, the third no spread
    assert better.adjusted_p_value == better.p_value < 0.05
    assert (few.p_value, few.adjusted_p_value) == (None, None)
    assert "too few cases" in few.difference.reason
    assert (same.p_value, same.difference.value) == (None, 0)
