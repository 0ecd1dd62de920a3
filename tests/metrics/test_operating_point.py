"""Thresholds at a sensitivity, at a specificity, and by Youden's index."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr_core.metrics import (
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)

# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


def draw_row(data, n, values):
    return np.array(data.draw(st.lists(values, min_size=n, max_size=n)))


def test_threshold_by_hand():
    # negatives 0.1, 0.2, 0.3, 0.5; three of four must be below, so the threshold lies over 0.3; the next
    # score of any image is the positive at 0.4
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
def test_small_changes_of_scores_move_no_image(specificity):
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

    youden = youden_threshold(labels, scores)
    candidates = [*np.unique(scores), np.inf]
    best = max(map(index, candidates))
    assert index(youden) == pytest.approx(best)
    # of several that are as good, the one with the fewest images over it
    assert youden <= max(t for t in candidates if index(t) == pytest.approx(best))
    assert (scores >= youden).sum() == min((scores >= t).sum() for t in candidates if index(t) == pytest.approx(best))


def test_thresholds_that_cannot_be_set_are_refused():
    with pytest.raises(ValueError, match="No positive"):
        threshold_at_sensitivity([0], [1.0], 0.9)
    with pytest.raises(ValueError, match="A sensitivity of"):
        threshold_at_sensitivity([1], [1.0], 0)
    with pytest.raises(ValueError, match="over 0"):
        threshold_at_sensitivity([1], [0.0], 1, lower=0)
    with pytest.raises(ValueError, match="one positive and one negative"):
        youden_threshold([1, 1], [0.1, 0.2])
