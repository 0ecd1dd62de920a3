"""Each reader minus the model, by scikit-learn's curve and by a plain loop over the same draws."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import recall_score, roc_curve

from cxr_core.metrics import (
    BootstrapOptions,
    majority_of_others,
    reader_differences,
    threshold_at_sensitivity,
    threshold_at_specificity,
)
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients


def simulate(seed=0, images=150, patients=60, readers=5):
    random = np.random.default_rng(seed)
    truth = random.random(images) < 0.4
    answers = np.where(random.random((images, readers)) < 0.85, truth[:, None], ~truth[:, None])
    return answers, truth + random.normal(size=images), random.integers(0, patients, images)


def peer_difference(answers, reader, scores):
    """By scikit-learn's curve, linear between its points."""
    others = np.delete(answers, reader, axis=1).sum(axis=1)
    kept = 2 * others != answers.shape[1] - 1
    truth, called, scores = 2 * others[kept] > answers.shape[1] - 1, answers[kept, reader], scores[kept]
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    sensitivity, specificity = recall_score(truth, called), recall_score(~truth, ~called)
    # at a false positive rate that has several points the highest is meant, so the curve is asked just right of it
    at_specificity = np.interp(1 - specificity + 1e-12, false, true)
    at_sensitivity = 1 - np.interp(sensitivity - 1e-12, true, false)
    return sensitivity - at_specificity, specificity - at_sensitivity


def test_differences_equal_those_on_the_curve_of_scikit_learn():
    answers, scores, patients = simulate()
    for tied in (scores, np.round(scores, 1)):
        found = reader_differences(answers, tied, patients, BootstrapOptions(resamples=20))
        for reader, difference in enumerate(found.readers):
            expected = peer_difference(answers, reader, tied)
            assert [difference.sensitivity.value, difference.specificity.value] == pytest.approx(expected, abs=1e-9)


def test_without_ties_the_model_is_at_the_threshold_with_the_readers_specificity():
    answers, scores, patients = simulate()
    (difference, *_) = reader_differences(answers, scores, patients, BootstrapOptions(resamples=20)).readers
    majority, tied = majority_of_others(answers, 0)
    truth, called, own = majority[~tied], answers[~tied, 0], scores[~tied]
    above = own >= threshold_at_specificity(truth, own, recall_score(~truth, ~called))
    assert recall_score(~truth, ~above) == recall_score(~truth, ~called)
    expected = recall_score(truth, called) - recall_score(truth, above)
    assert difference.sensitivity.value == pytest.approx(expected, abs=1e-12)
    above = own >= threshold_at_sensitivity(truth, own, recall_score(truth, called))
    assert recall_score(truth, above) == recall_score(truth, called)
    expected = recall_score(~truth, ~called) - recall_score(~truth, ~above)
    assert difference.specificity.value == pytest.approx(expected, abs=1e-12)
    assert difference.ties == tied.sum()
    assert difference.sensitivity.counts.positive_images == truth.sum()


def test_intervals_and_p_values_equal_a_plain_loop_over_the_same_draws():
    answers, scores, patients = simulate()
    options = BootstrapOptions(resamples=60, seed=9)
    found = reader_differences(answers, scores, patients, options)
    number, which = index_patients(patients, len(answers))
    times = np.concatenate(list(multiplicities(number, options)), axis=1).astype(int)
    drawn = [np.repeat(np.arange(len(answers)), times[which, r]) for r in range(60)]
    loop = np.array([[peer_difference(answers[rows], k, scores[rows]) for k in range(5)] for rows in drawn])
    for estimate, p_value, replicates in (
        (found.readers[1].sensitivity, found.readers[1].sensitivity_p, loop[:, 1, 0]),
        (found.readers[4].specificity, found.readers[4].specificity_p, loop[:, 4, 1]),
        (found.mean.sensitivity, found.mean.sensitivity_p, loop[..., 0].mean(axis=1)),
    ):
        assert [estimate.low, estimate.high] == pytest.approx(np.quantile(replicates, [0.025, 0.975]), abs=1e-9)
        z = estimate.value / replicates.std(ddof=1)
        assert p_value == pytest.approx(2 * norm.sf(abs(z)), rel=1e-6)
    assert found.mean.sensitivity.value == pytest.approx(np.mean([r.sensitivity.value for r in found.readers]))


def test_a_model_that_is_the_reader_differs_by_nothing():
    answers, _, patients = simulate()
    found = reader_differences(answers, answers[:, 3].astype(float), patients, BootstrapOptions(resamples=20))
    own = found.readers[3]
    assert (own.sensitivity.value, own.specificity.value) == pytest.approx((0, 0), abs=1e-12)


def test_thousands_of_scores_in_groups_of_neighbours_change_little(monkeypatch):
    answers, scores, patients = simulate(images=3000, patients=3000)
    exact = reader_differences(answers, scores, patients, BootstrapOptions(resamples=20))
    monkeypatch.setattr("cxr_core.metrics.reader_minus_model._MAX_LEVELS", 500)
    grouped = reader_differences(answers, scores, patients, BootstrapOptions(resamples=20))
    assert grouped.mean.sensitivity.value == pytest.approx(exact.mean.sensitivity.value, abs=2e-3)
    assert grouped.mean.sensitivity.value != exact.mean.sensitivity.value
    assert grouped.mean.specificity.low == pytest.approx(exact.mean.specificity.low, abs=4e-3)


def test_too_few_positive_patients_are_a_reason():
    answers = np.zeros((200, 4), dtype=bool)
    answers[:8] = True
    found = reader_differences(answers, np.arange(200.0), np.arange(200))
    for difference in (*found.readers, found.mean):
        assert difference.sensitivity.reason == "too few cases (8 positive, 192 negative patients)"
        assert difference.specificity_p is None
    nobody = reader_differences(np.zeros((0, 3), dtype=bool), [], [])
    assert nobody.mean.sensitivity.reason == "no image"


def test_one_reference_for_all_readers_and_another_for_each_are_counted_alike():
    """With three readers, few images have one reference for all of them: the two others are often tied."""
    answers, scores, patients = simulate(readers=3)
    found = reader_differences(answers, scores, patients, BootstrapOptions(resamples=20))
    for reader, difference in enumerate(found.readers):
        expected = peer_difference(answers, reader, scores)
        assert [difference.sensitivity.value, difference.specificity.value] == pytest.approx(expected, abs=1e-9)
