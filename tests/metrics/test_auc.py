"""The AUC with its interval, and the difference of two models."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import (
    BootstrapOptions,
    auc_difference,
    auc_per_class,
    auc_with_interval,
    clustered_test,
    compare_models,
    count_cases,
    holm,
    roc_auc,
)
from cxr_core.metrics.bootstrap import DEFAULTS
from cxr_core.metrics.ranking_replicates import auc_replicates


def simulate(patients=60, images=3, rate=0.3, steps=None, seed=0):
    """Return labels, scores, patients; with ``steps``, scores fall on so many levels."""
    random = np.random.default_rng(seed)
    which = np.sort(random.integers(0, patients, patients * images))
    labels = random.random(len(which)) < rate
    scores = random.normal(labels.astype(float))
    return labels, np.round(scores * steps) / steps if steps else scores, which


def bootstrap_auc(labels, scores, patients, options=DEFAULTS):
    """Return the AUC with percentiles of the bootstrap, however few the patients."""
    return auc_with_interval(labels, scores, patients, replace(options, bootstrap_min_patients=0))


def test_interval_is_the_percentiles_of_the_replicates():
    labels, scores, patients = simulate()
    estimate = bootstrap_auc(labels, scores, patients, options=BootstrapOptions(resamples=400, seed=2, level=0.9))
    replicates = auc_replicates([(labels, scores)], patients, BootstrapOptions(400, 2))[0]
    expected = np.quantile(replicates, [0.05, 0.95])
    np.testing.assert_allclose([estimate.low, estimate.high], expected, rtol=0, atol=1e-12)
    assert estimate.value == roc_auc(labels, scores).value
    assert (estimate.positives, estimate.negatives) == (labels.sum(), (~labels).sum())
    assert estimate.counts == count_cases(labels, patients)
    assert estimate.low < estimate.value < estimate.high


def test_one_image_a_patient_is_the_ordinary_bootstrap():
    labels, scores, _ = simulate(patients=40)
    images = np.arange(len(labels))
    random = np.random.default_rng(4)
    drawn = random.integers(0, len(labels), size=(200, len(labels)))
    expected = np.quantile([roc_auc_score(labels[d], scores[d]) for d in drawn], [0.025, 0.975])
    estimate = bootstrap_auc(labels, scores, images, options=BootstrapOptions(resamples=200, seed=4))
    np.testing.assert_allclose([estimate.low, estimate.high], expected, rtol=0, atol=1e-12)


def test_images_that_repeat_make_the_interval_wider():
    # 80 patients with 5 identical images each carry as much as 80 images, and an image-level interval takes
    # them for 400: it should be narrower by about sqrt(5)
    random = np.random.default_rng(11)
    labels = np.repeat(random.random(80) < 0.4, 5)
    scores = np.repeat(random.normal(size=80), 5) + labels
    patients = np.repeat(np.arange(80), 5)
    by_patient = bootstrap_auc(labels, scores, patients)
    by_image = bootstrap_auc(labels, scores, np.arange(400))
    one_image = bootstrap_auc(labels[::5], scores[::5], patients[::5])
    ratio = (by_patient.high - by_patient.low) / (by_image.high - by_image.low)
    assert ratio == pytest.approx(5**0.5, rel=0.1)
    assert by_patient.value == by_image.value == one_image.value
    assert (by_patient.low, by_patient.high) == (one_image.low, one_image.high)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    # two normals a distance of 1 apart have an AUC of Phi(1 / sqrt(2)) = 0.7602; of 200 intervals at 0.9,
    # 180 should hold it, with a standard deviation of sqrt(200 * 0.9 * 0.1) = 4.2
    truth, held = 0.7602, 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        labels = np.repeat([True, False], 40)
        scores = random.normal(labels.astype(float))
        estimate = bootstrap_auc(labels, scores, np.arange(80), options=BootstrapOptions(resamples=200, level=0.9))
        held += estimate.low <= truth <= estimate.high
    assert 180 - 4 * 4.2 < held < 180 + 4 * 4.2


def test_classes_together_equal_classes_one_by_one():
    cases = [simulate(rate=rate, seed=seed) for rate, seed in ((0.2, 1), (0.7, 2))]
    labels, scores = (np.stack([case[k] for case in cases], axis=1) for k in (0, 1))
    labels, scores = np.column_stack([labels, np.zeros(len(labels))]), np.column_stack([scores, scores[:, 0]])
    patients = cases[0][2]
    options = BootstrapOptions(resamples=300, bootstrap_min_patients=0)
    together = auc_per_class(labels, scores, patients, options)
    for c, estimate in enumerate(together):
        assert estimate == bootstrap_auc(labels[:, c], scores[:, c], patients, options=BootstrapOptions(resamples=300))
    assert together[2].reason == "no positive"
    assert together[2].low is together[2].value is None


def test_seed_decides_and_order_of_images_does_not():
    labels, scores, patients = simulate()
    first = bootstrap_auc(labels, scores, patients, options=BootstrapOptions(resamples=300))
    assert first == bootstrap_auc(labels, scores, patients, options=BootstrapOptions(resamples=300))
    assert first != bootstrap_auc(labels, scores, patients, options=BootstrapOptions(resamples=300, seed=1))
    order = np.random.default_rng(0).permutation(len(labels))
    assert first == bootstrap_auc(
        labels[order], scores[order], patients[order], options=BootstrapOptions(resamples=300)
    )
    names = np.array([f"p{patient:03}" for patient in patients])
    assert first == bootstrap_auc(labels, scores, names, options=BootstrapOptions(resamples=300))


def test_too_few_patients_is_said_with_counts():
    labels = np.repeat([True, False], [9, 20])
    estimate = bootstrap_auc(labels, np.arange(29.0) % 7, np.arange(29))
    assert estimate.value is estimate.low is estimate.high is None
    assert estimate.reason == "too few cases (9 positive, 20 negative patients)"
    assert (estimate.positives, estimate.positive_patients) == (9, 9)
    assert (
        bootstrap_auc(labels, np.arange(29.0) % 7, np.arange(29), options=BootstrapOptions(min_patients=9)).value
        is not None
    )


def test_resamples_without_a_class_are_too_few_cases():
    # one positive patient of 30 is missing from (29/30)**30 = 36 % of resamples
    labels = np.arange(30) == 0
    estimate = bootstrap_auc(labels, np.arange(30.0) % 11, np.arange(30), options=BootstrapOptions(min_patients=1))
    assert estimate.value is None
    assert estimate.reason == "too few cases (1 positive, 29 negative patients)"


def test_images_in_perfect_order_have_no_interval():
    labels = np.repeat([True, False], 20)
    estimate = bootstrap_auc(labels, labels.astype(float), np.arange(40))
    assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)
    assert "same value" in estimate.reason


def test_no_image():
    assert bootstrap_auc([], [], []).reason == "no image"
    assert [e.reason for e in auc_per_class(np.zeros((0, 2)), np.zeros((0, 2)), [])] == ["no image"] * 2


@pytest.mark.parametrize(
    ("labels", "scores", "patients"),
    [
        ([0, 1], [0.1, 0.2], [1]),
        ([0, 1], [0.1, np.nan], [1, 2]),
        ([0, 1], [[0.1], [0.2]], [1, 2]),
        ([0, 2], [0.1, 0.2], [1, 2]),
        (np.zeros((2, 1, 1)), np.zeros((2, 1, 1)), [1, 2]),
    ],
)
def test_other_input_is_refused(labels, scores, patients):
    with pytest.raises(ValueError, match=r"accepted|cannot"):
        bootstrap_auc(labels, scores, patients)


def drawn(seed: int, patients: int = 120, images: int = 3):
    """Return labels, a good score, a worse one that shares its noise, and patients."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), images)
    labels = np.repeat(rng.random(patients) < 0.4, images)
    noise = rng.normal(size=len(labels)) + np.repeat(rng.normal(size=patients), images)
    return labels, 1.5 * labels + noise, 0.8 * labels + noise, patient


def test_it_is_the_difference_that_scikit_learn_gives():
    labels, good, worse, patients = drawn(1)
    difference = auc_difference(labels, good, worse, patients, options=BootstrapOptions(resamples=200))
    assert difference.value == pytest.approx(roc_auc_score(labels, good) - roc_auc_score(labels, worse), abs=1e-12)
    assert difference.low < difference.value < difference.high


def test_the_same_resamples_make_it_narrower_than_two_intervals():
    labels, good, worse, patients = drawn(2)
    paired = auc_difference(labels, good, worse, patients, options=BootstrapOptions(resamples=500))
    ours, theirs = (
        auc_with_interval(labels, s, patients, BootstrapOptions(500, bootstrap_min_patients=0)) for s in (good, worse)
    )
    assert paired.high - paired.low < 0.7 * np.hypot(ours.high - ours.low, theirs.high - theirs.low)
    assert paired.low > 0


def test_the_bounds_are_those_of_resamples_done_one_by_one():
    labels, good, worse, patients = drawn(3, patients=30, images=2)
    difference = auc_difference(
        labels, good, worse, patients, options=BootstrapOptions(resamples=300, seed=5, bootstrap_min_patients=0)
    )
    rng, differences = np.random.default_rng(5), []
    for _ in range(300):
        drawn_patients = rng.integers(0, 30, 30)
        images = np.concatenate([np.flatnonzero(patients == p) for p in drawn_patients])
        if 0 < labels[images].sum() < len(images):
            areas = [roc_auc_score(labels[images], s[images]) for s in (good, worse)]
            differences.append(areas[0] - areas[1])
    assert [difference.low, difference.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=1e-12)


def test_a_model_against_itself_differs_by_nothing():
    labels, good, _, patients = drawn(4)
    difference = auc_difference(labels, good, 2 * good + 1, patients, options=BootstrapOptions(resamples=100))
    assert difference.value == 0
    assert difference.low is None
    assert "no spread" in difference.reason


def test_too_few_patients_are_said_to_be_too_few():
    labels, good, worse, patients = drawn(5)
    labels = patients < 4
    assert auc_difference(labels, good, worse, patients).reason == "too few cases (4 positive, 116 negative patients)"
    assert auc_difference(labels & False, good, worse, patients).reason == "no positive"


def test_with_many_patients_it_is_resampled_and_with_few_it_is_clustered():
    labels, good, worse, patients = drawn(6, patients=60)
    few, many = (
        auc_difference(labels, good, worse, patients, options=BootstrapOptions(resamples=400, bootstrap_min_patients=k))
        for k in (200, 0)
    )
    assert few == clustered_test(labels, good, worse, patients).difference
    assert (few.method, many.method) == ("clustered by patient", "patient bootstrap, percentiles")
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
    better, few, same = compare_models(classes, options=BootstrapOptions(resamples=200))
    assert better.difference == auc_difference(labels, good, worse, patients, options=BootstrapOptions(resamples=200))
    assert better.p_value == clustered_test(labels, good, worse, patients).p_value
    # the only test there is: the second has too few cases, the third no spread
    assert better.adjusted_p_value == better.p_value < 0.05
    assert (few.p_value, few.adjusted_p_value) == (None, None)
    assert "too few cases" in few.difference.reason
    assert (same.p_value, same.difference.value) == (None, 0)
