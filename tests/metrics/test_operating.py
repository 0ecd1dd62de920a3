"""Thresholds, and sensitivity, specificity and share flagged at them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from cxr_core.metrics import (
    patient_bootstrap,
    sensitivity_specificity,
    share_flagged,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)

# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


def draw_row(data, n, values):
    return np.array(data.draw(st.lists(values, min_size=n, max_size=n)))


def simulate(seed=0, patients=80, films=200):
    random = np.random.default_rng(seed)
    labels = random.random(films) < 0.4
    return labels, random.normal(labels.astype(float)), random.integers(0, patients, films)


def test_threshold_by_hand():
    # negatives 0.1, 0.2, 0.3, 0.5; three of four must be below, so the threshold lies over 0.3; the next
    # score of any film is the positive at 0.4
    labels, scores = [0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.5, 0.4, 0.25]
    assert threshold_at_specificity(labels, scores, 0.75) == pytest.approx((0.3 + 0.4) / 2)
    # anything over 1/2 asks for three of four as well
    assert threshold_at_specificity(labels, scores, 0.51) == pytest.approx((0.3 + 0.4) / 2)
    # one half asks for two: over 0.2, and the next is the positive at 0.25
    assert threshold_at_specificity(labels, scores, 0.5) == pytest.approx((0.2 + 0.25) / 2)


def test_tied_negatives_go_below_together():
    # half of the negatives must be below; 0.2 holds three of four
    assert threshold_at_specificity([0, 0, 0, 0], [0.2, 0.2, 0.2, 0.4], 0.5) == pytest.approx(0.3)


def test_over_the_highest_score():
    # all must be below 0.9: over it by half the gap to 0.6, or half way to what scores stay below
    assert threshold_at_specificity([0, 0], [0.6, 0.9], 1) == pytest.approx(0.9 + 0.3 / 2)
    assert threshold_at_specificity([0, 0], [0.6, 0.9], 1, upper=1) == pytest.approx((0.9 + 1) / 2)
    assert threshold_at_specificity([0, 0], [0.8, 0.8], 1) == pytest.approx(0.8 + 1 / 2)


def test_neighbouring_numbers_have_no_middle():
    low = 0.3
    high = np.nextafter(low, 1)
    assert threshold_at_specificity([0, 0], [low, high], 0.5) == high


@pytest.mark.parametrize("hundredths", range(1, 101))
def test_a_written_share_is_reached_exactly(hundredths):
    # of 100 negatives with scores 0 to 99, k must be below: between k - 1 and k
    scores = np.arange(100.0)
    assert threshold_at_specificity(np.zeros(100), scores, hundredths / 100) == hundredths - 0.5


@steady
@given(st.data(), st.floats(0.01, 1))
def test_it_is_the_lowest_that_will_do(data, specificity):
    n = data.draw(st.integers(1, 40))
    labels, scores = draw_row(data, n, st.booleans()), draw_row(data, n, st.integers(0, 12)) / 4
    labels[0] = False
    threshold = threshold_at_specificity(labels, scores, specificity)
    negatives = scores[~labels]
    assert np.mean(negatives < threshold) >= specificity
    lower = scores[scores < threshold].max()
    assert np.mean(negatives < lower) < specificity


@pytest.mark.parametrize("specificity", [0.5, 0.9, 0.95, 1])
def test_small_changes_of_scores_move_no_film(specificity):
    # scores a thousandth apart, so thresholds are half a thousandth from any
    random = np.random.default_rng(0)
    scores = random.permutation(500) / 1000
    labels = random.random(500) < 0.3
    above = scores >= threshold_at_specificity(labels, scores, specificity)
    for _ in range(20):
        noisy = scores + random.uniform(-1e-6, 1e-6, 500)
        assert ((noisy >= threshold_at_specificity(labels, scores, specificity)) == above).all()


@pytest.mark.parametrize("specificity", [0, -0.1, 1.01, np.nan])
def test_other_specificities_are_refused(specificity):
    with pytest.raises(ValueError, match="specificity"):
        threshold_at_specificity([0, 1], [0.1, 0.2], specificity)


def test_no_negative_is_refused():
    for labels in ([1, 1], []):
        with pytest.raises(ValueError, match="No negative"):
            threshold_at_specificity(labels, np.zeros(len(labels)), 0.9)


def test_scores_that_reach_the_upper_limit_are_refused():
    with pytest.raises(ValueError, match="below 1"):
        threshold_at_specificity([0, 1], [0.1, 1.0], 0.9, upper=1)


def test_threshold_at_a_sensitivity_by_hand():
    # positives 0.2, 0.4, 0.6, 0.8; three of four at or over: down to 0.4, and the next score is the negative 0.3
    labels, scores = [1, 1, 1, 1, 0, 0], [0.2, 0.4, 0.6, 0.8, 0.3, 0.7]
    assert threshold_at_sensitivity(labels, scores, 0.75) == pytest.approx(0.35)
    assert threshold_at_sensitivity(labels, scores, 0.5) == pytest.approx((0.4 + 0.6) / 2)
    # all of them: under the lowest score by half the gap to 0.3, or half way to what scores stay over
    assert threshold_at_sensitivity(labels, scores, 1) == pytest.approx(0.2 - 0.1 / 2)
    assert threshold_at_sensitivity([1, 1], [0.1, 0.9], 1, lower=0) == pytest.approx(0.05)
    assert threshold_at_sensitivity([1], [3.0], 1) == pytest.approx(2.5)


@steady
@given(st.data(), st.floats(0.01, 1))
def test_it_is_the_highest_that_will_do(data, sensitivity):
    n = data.draw(st.integers(1, 40))
    labels, scores = draw_row(data, n, st.booleans()), draw_row(data, n, st.integers(0, 12)) / 4
    labels[0] = True
    threshold = threshold_at_sensitivity(labels, scores, sensitivity)
    positives = scores[labels]
    assert np.mean(positives >= threshold) >= sensitivity
    assert np.mean(positives > scores[scores >= threshold].min()) < sensitivity


@steady
@given(st.data())
def test_youden_is_the_best_of_all_thresholds(data):
    n = data.draw(st.integers(2, 40))
    labels, scores = draw_row(data, n, st.booleans()), draw_row(data, n, st.integers(0, 12)) / 4
    labels[:2] = True, False

    def index(threshold):
        return np.mean(scores[labels] >= threshold) - np.mean(scores[~labels] >= threshold)

    found = youden_threshold(labels, scores)
    candidates = [*np.unique(scores), np.inf]
    best = max(map(index, candidates))
    assert index(found) == pytest.approx(best)
    # of several that are as good, the one with the fewest films over it
    assert found <= max(t for t in candidates if index(t) == pytest.approx(best))
    assert (scores >= found).sum() == min((scores >= t).sum() for t in candidates if index(t) == pytest.approx(best))


def test_thresholds_that_cannot_be_set_are_refused():
    with pytest.raises(ValueError, match="No positive"):
        threshold_at_sensitivity([0], [1.0], 0.9)
    with pytest.raises(ValueError, match="A sensitivity of"):
        threshold_at_sensitivity([1], [1.0], 0)
    with pytest.raises(ValueError, match="over 0"):
        threshold_at_sensitivity([1], [0.0], 1, lower=0)
    with pytest.raises(ValueError, match="one positive and one negative"):
        youden_threshold([1, 1], [0.1, 0.2])


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
    estimates = sensitivity_specificity(labels, scores, 0.4, patients, resamples=200, seed=6, bootstrap_from=0)
    plain = [
        patient_bootstrap(statistic, labels, scores, patients=patients, resamples=200, seed=6)
        for statistic in (lambda y, s: np.mean(s[y] >= 0.4), lambda y, s: np.mean(s[~y] < 0.4))
    ]
    flagged = share_flagged(scores >= 0.4, patients, resamples=200, seed=6, bootstrap_from=0)
    plain_flagged = patient_bootstrap(
        lambda above: np.mean(above), scores >= 0.4, patients=patients, resamples=200, seed=6
    )
    for ours, expected in zip((*estimates, flagged), (*plain, plain_flagged), strict=True):
        np.testing.assert_allclose(
            [ours.value, ours.low, ours.high],
            [expected.value, expected.low, expected.high],
            rtol=0,
            atol=1e-12,
        )


def test_identical_films_make_the_interval_wider():
    # 60 patients with 6 identical films each: by film, narrower by about sqrt(6)
    above = np.repeat(np.random.default_rng(2).random(60) < 0.3, 6)
    by_patient = share_flagged(above, np.repeat(np.arange(60), 6))
    by_film = share_flagged(above, np.arange(360))
    assert by_patient.value == by_film.value
    ratio = (by_patient.high - by_patient.low) / (by_film.high - by_film.low)
    assert ratio == pytest.approx(6**0.5, rel=0.1)


@pytest.mark.parametrize("flagged", [0, 1])
def test_where_all_films_agree_each_patient_is_one_trial(flagged):
    estimate = share_flagged(np.full(60, flagged), np.repeat(np.arange(20), 3))
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
    assert (sensitivity.value, sensitivity.reason) == (None, "too few cases: 3 positive patients")
    assert specificity.value is not None
    sensitivity, _ = sensitivity_specificity(np.zeros(40), np.arange(40) % 5, 2, np.arange(40))
    assert (sensitivity.value, sensitivity.reason) == (None, "no positive")
    _, specificity = sensitivity_specificity(np.ones(40), np.arange(40) % 5, 2, np.arange(40))
    assert (specificity.value, specificity.reason) == (None, "no negative")


def test_resamples_without_a_positive_are_too_few_cases():
    # two positive patients of 40 are both missing from (38/40)**40 = 13 % of resamples
    patients = np.repeat(np.arange(40), 2)
    sensitivity, _ = sensitivity_specificity(
        patients < 2, np.arange(80) % 2, 0.5, patients, min_patients=1, bootstrap_from=0
    )
    assert (sensitivity.value, sensitivity.reason) == (None, "too few cases: 2 positive patients")


def test_share_of_few_and_of_none():
    assert share_flagged([], []).reason == "no film"
    few = share_flagged([1, 0, 1], ["a", "b", "b"])
    assert (few.value, few.reason) == (None, "too few cases: 2 patients")
    assert (few.positives, few.negatives, few.positive_patients, few.negative_patients) == (2, 1, 2, 1)


@pytest.mark.parametrize("threshold", [-np.inf, np.inf])
def test_infinite_thresholds_are_the_ends(threshold):
    labels, scores, patients = simulate()
    sensitivity, specificity = sensitivity_specificity(labels, scores, threshold, patients)
    assert (sensitivity.value, specificity.value) == ((1, 0) if threshold < 0 else (0, 1))


def test_no_threshold_is_refused():
    labels, scores, patients = simulate()
    with pytest.raises(ValueError, match="threshold"):
        sensitivity_specificity(labels, scores, np.nan, patients)
