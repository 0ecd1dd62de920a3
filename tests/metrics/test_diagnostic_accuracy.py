"""Sensitivity, specificity, predictive values and likelihood ratios at a threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as peer

from cxr_core.metrics import (
    BootstrapOptions,
    at_threshold,
    patient_bootstrap,
    patient_proportion,
    predictive_values_at_prevalence,
    sensitivity_specificity,
)

steady = settings(deadline=None, derandomize=True)


def table(tp, fn, fp, tn):
    """Return labels and scores, of which those over one half are called."""
    return np.repeat([1, 1, 0, 0], [tp, fn, fp, tn]), np.repeat([0.9, 0.1, 0.9, 0.1], [tp, fn, fp, tn])


def test_by_hand():
    # 40 positives, 30 above; 160 negatives, 40 above
    labels, scores = table(30, 10, 40, 120)
    point = at_threshold(labels, scores, 0.5, np.arange(200))
    assert (point.true_positives, point.false_negatives, point.false_positives, point.true_negatives) == (
        30,
        10,
        40,
        120,
    )
    assert (point.sensitivity.value, point.specificity.value) == (0.75, 0.75)
    assert point.positive_predictive_value.value == 30 / 70
    assert point.negative_predictive_value.value == 120 / 130
    assert point.positive_likelihood_ratio.value == pytest.approx(0.75 / 0.25)
    assert point.negative_likelihood_ratio.value == pytest.approx(0.25 / 0.75)
    # at a prevalence of 0.02 the odds are 1 to 49: above 3 to 49, below 1 to 3 x 49
    rare = predictive_values_at_prevalence(point, 0.02)
    assert rare.positive_predictive_value.value == pytest.approx(3 / 52)
    assert rare.negative_predictive_value.value == pytest.approx(147 / 148)
    # and at that of the images themselves they are those of the images
    at_prevalence = predictive_values_at_prevalence(point, 0.2)
    assert at_prevalence.positive_predictive_value.value == pytest.approx(30 / 70, abs=1e-12)
    assert at_prevalence.negative_predictive_value.value == pytest.approx(120 / 130, abs=1e-12)
    for estimate in (point.positive_likelihood_ratio, rare.positive_predictive_value, rare.negative_predictive_value):
        assert estimate.low < estimate.value < estimate.high
        assert (estimate.positives, estimate.negative_patients) == (40, 160)


@steady
@given(*(st.integers(0, 12) for _ in range(4)))
def test_values_equal_the_peer(tp, fn, fp, tn):
    labels, scores = table(tp, fn, fp, tn)
    point = at_threshold(labels, scores, 0.5, np.arange(len(labels)), options=BootstrapOptions(min_patients=1))
    called = scores > 0.5
    if len(labels):
        matrix = peer.confusion_matrix(labels, called, labels=[0, 1]).ravel().tolist()
        assert [point.true_negatives, point.false_positives, point.false_negatives, point.true_positives] == matrix
    for ours, enough, theirs in (
        (point.sensitivity, tp + fn, lambda: peer.recall_score(labels, called)),
        (point.specificity, fp + tn, lambda: peer.recall_score(1 - labels, ~called)),
        (point.positive_predictive_value, tp + fp, lambda: peer.precision_score(labels, called)),
        (point.negative_predictive_value, fn + tn, lambda: peer.precision_score(1 - labels, ~called)),
        (point.positive_likelihood_ratio, (tp + fn) * fp, lambda: peer.class_likelihood_ratios(labels, called)[0]),
        (point.negative_likelihood_ratio, (tp + fn) * tn, lambda: peer.class_likelihood_ratios(labels, called)[1]),
    ):
        assert (ours.value is None) == (enough == 0) == (ours.reason is not None and ours.value is None)
        if enough:
            # the peer gives no likelihood ratio at all where one of the two is infinite
            expected = (
                theirs()
                if fp * tn or ours not in (point.positive_likelihood_ratio, point.negative_likelihood_ratio)
                else None
            )
            assert expected is None or ours.value == pytest.approx(expected, abs=1e-12)
            assert ours.low is None or 0 <= ours.low <= ours.value * (1 + 1e-12)
            assert ours.high is None or ours.high >= ours.value * (1 - 1e-12)


def test_what_is_infinite_or_empty_has_a_reason():
    labels, scores = table(12, 8, 0, 30)
    point = at_threshold(labels, scores, 0.5, np.arange(50))
    assert point.positive_likelihood_ratio.reason == "infinite: no negative is above"
    # no false alarm among 30: above means positive here, but the limits say how sure that is
    at = predictive_values_at_prevalence(point, 0.1).positive_predictive_value
    assert (at.value, at.high) == (1, 1)
    assert 0.1 < at.low < 0.9
    nobody = at_threshold(labels, scores, 1.0, np.arange(50))
    assert nobody.positive_predictive_value.reason == "no image above"
    assert predictive_values_at_prevalence(nobody, 0.1).positive_predictive_value.reason == "no image above"
    assert predictive_values_at_prevalence(nobody, 0.1).negative_predictive_value.value == pytest.approx(0.9)
    everybody = at_threshold(labels, scores, 0.0, np.arange(50))
    assert everybody.negative_likelihood_ratio.reason == "infinite: no negative is below"
    assert everybody.positive_likelihood_ratio.value == 1
    few = at_threshold(*table(3, 2, 20, 30), 0.5, np.arange(55))
    assert few.positive_likelihood_ratio.reason == "too few cases (5 positive patients)"
    assert (
        predictive_values_at_prevalence(few, 0.1).negative_predictive_value.reason
        == "too few cases (5 positive patients)"
    )
    assert at_threshold(*table(3, 20, 2, 30), 0.5, np.arange(55)).positive_predictive_value.reason == (
        "too few cases (5 patients with an image above)"
    )


def test_limits_of_a_ratio_are_those_of_its_source():
    # 15 of 20 above and 6 of 30; written out for the two Wilson intervals
    point = at_threshold(*table(15, 5, 6, 24), 0.5, np.arange(50))
    a, b = point.sensitivity, point.specificity
    b_value, b_low, b_high = 1 - b.value, 1 - b.high, 1 - b.low
    ab = a.value * b_value
    low = (ab - np.sqrt(ab**2 - a.low * b_high * (2 * a.value - a.low) * (2 * b_value - b_high))) / (
        b_high * (2 * b_value - b_high)
    )
    high = (ab + np.sqrt(ab**2 - a.high * b_low * (2 * a.value - a.high) * (2 * b_value - b_low))) / (
        b_low * (2 * b_value - b_low)
    )
    ratio = point.positive_likelihood_ratio
    assert (ratio.low, ratio.high) == pytest.approx((low, high), abs=1e-12)
    # and a predictive value is a function of the ratio
    value = predictive_values_at_prevalence(point, 0.3).positive_predictive_value
    assert value.low == pytest.approx(0.3 * low / (0.3 * low + 0.7), abs=1e-12)


def test_images_of_one_patient_are_not_independent():
    labels, scores = (np.repeat(part, 6) for part in table(15, 5, 8, 32))
    by_patient = at_threshold(labels, scores, 0.5, np.repeat(np.arange(60), 6))
    by_image = at_threshold(labels, scores, 0.5, np.arange(360))
    for name in ("sensitivity", "positive_predictive_value", "positive_likelihood_ratio"):
        wide, narrow = getattr(by_patient, name), getattr(by_image, name)
        assert wide.value == narrow.value
        assert wide.high - wide.low > 1.8 * (narrow.high - narrow.low)


@pytest.mark.parametrize("prevalence", [0, 1, 1.5, np.nan])
def test_other_prevalences_are_refused(prevalence):
    point = at_threshold(*table(15, 5, 6, 24), 0.5, np.arange(50))
    with pytest.raises(ValueError, match="prevalence"):
        predictive_values_at_prevalence(point, prevalence)


def simulate(seed=0, patients=80, images=200):
    random = np.random.default_rng(seed)
    labels = random.random(images) < 0.4
    return labels, random.normal(labels.astype(float)), random.integers(0, patients, images)


def test_sensitivity_and_specificity_by_hand():
    # 20 positives of which 15 are at or over 0.5, 30 negatives of which 24 are below
    labels = np.repeat([1, 0], [20, 30])
    scores = np.concatenate([np.repeat([0.5, 0.4], [15, 5]), np.repeat([0.7, 0.49], [6, 24])])
    sensitivity, specificity = sensitivity_specificity(labels, scores, 0.5, np.arange(50))
    assert sensitivity.value == 15 / 20
    assert specificity.value == 24 / 30
    assert sensitivity.low < 15 / 20 < sensitivity.high
    for estimate in (sensitivity, specificity):
        assert (estimate.positives, estimate.negatives) == (20, 30)
        assert (estimate.positive_patients, estimate.negative_patients) == (20, 30)


def test_intervals_equal_the_plain_loop():
    labels, scores, patients = simulate()
    estimates = sensitivity_specificity(
        labels, scores, 0.4, patients, options=BootstrapOptions(resamples=200, seed=6, bootstrap_min_patients=0)
    )
    plain = [
        patient_bootstrap(statistic, labels, scores, patients=patients, options=BootstrapOptions(resamples=200, seed=6))
        for statistic in (lambda y, s: np.mean(s[y] >= 0.4), lambda y, s: np.mean(s[~y] < 0.4))
    ]
    flagged = patient_proportion(
        scores >= 0.4, patients, options=BootstrapOptions(resamples=200, seed=6, bootstrap_min_patients=0)
    )
    plain_flagged = patient_bootstrap(
        lambda above: np.mean(above), scores >= 0.4, patients=patients, options=BootstrapOptions(resamples=200, seed=6)
    )
    for ours, expected in zip((*estimates, flagged), (*plain, plain_flagged), strict=True):
        np.testing.assert_allclose(
            [ours.value, ours.low, ours.high],
            [expected.value, expected.low, expected.high],
            rtol=0,
            atol=1e-12,
        )


def test_identical_images_make_the_interval_wider():
    # 60 patients with 6 identical images each: by image, narrower by about sqrt(6)
    above = np.repeat(np.random.default_rng(2).random(60) < 0.3, 6)
    by_patient = patient_proportion(above, np.repeat(np.arange(60), 6))
    by_image = patient_proportion(above, np.arange(360))
    assert by_patient.value == by_image.value
    ratio = (by_patient.high - by_patient.low) / (by_image.high - by_image.low)
    assert ratio == pytest.approx(6**0.5, rel=0.1)


@pytest.mark.parametrize("flagged", [0, 1])
def test_where_all_images_agree_each_patient_is_one_trial(flagged):
    estimate = patient_proportion(np.full(60, flagged), np.repeat(np.arange(20), 3))
    expected = binomtest(20 * flagged, 20).proportion_ci(method="wilson")
    assert estimate.value == flagged
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_where_nothing_is_missed_the_interval_is_not_a_point():
    labels = np.repeat([1, 0], [12, 30])
    sensitivity, specificity = sensitivity_specificity(labels, labels, 0.5, np.arange(42))
    # z**2 = 3.841459: 12 of 12 has the lower limit 12 / (12 + z**2)
    assert sensitivity.value == sensitivity.high == 1
    assert sensitivity.low == pytest.approx(12 / (12 + 3.841459), abs=1e-6)
    assert specificity.low == pytest.approx(30 / (30 + 3.841459), abs=1e-6)


def test_each_needs_its_own_cases():
    labels = np.repeat([1, 0], [3, 40])
    sensitivity, specificity = sensitivity_specificity(labels, np.arange(43) % 5, 2, np.arange(43))
    assert (sensitivity.value, sensitivity.reason) == (None, "too few cases (3 positive patients)")
    assert specificity.value is not None
    sensitivity, _ = sensitivity_specificity(np.zeros(40), np.arange(40) % 5, 2, np.arange(40))
    assert (sensitivity.value, sensitivity.reason) == (None, "no positive")
    _, specificity = sensitivity_specificity(np.ones(40), np.arange(40) % 5, 2, np.arange(40))
    assert (specificity.value, specificity.reason) == (None, "no negative")


def test_resamples_without_a_positive_are_too_few_cases():
    # two positive patients of 40 are both missing from (38/40)**40 = 13 % of resamples
    patients = np.repeat(np.arange(40), 2)
    sensitivity, _ = sensitivity_specificity(
        patients < 2,
        np.arange(80) % 2,
        0.5,
        patients,
        options=BootstrapOptions(min_patients=1, bootstrap_min_patients=0),
    )
    assert (sensitivity.value, sensitivity.reason) == (None, "too few cases (2 positive patients)")


@pytest.mark.parametrize("threshold", [-np.inf, np.inf])
def test_infinite_thresholds_are_the_ends(threshold):
    labels, scores, patients = simulate()
    sensitivity, specificity = sensitivity_specificity(labels, scores, threshold, patients)
    assert (sensitivity.value, specificity.value) == ((1, 0) if threshold < 0 else (0, 1))


def test_no_threshold_is_refused():
    labels, scores, patients = simulate()
    with pytest.raises(ValueError, match="threshold"):
        sensitivity_specificity(labels, scores, np.nan, patients)
