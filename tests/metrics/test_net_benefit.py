"""Net benefit by hand and in every resample; how probabilities are spread."""

import numpy as np
import pytest

from cxr_core.metrics import BootstrapOptions, decision_curve, outcome_histogram
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients


def simulate(seed=0, images=150, patients=60):
    random = np.random.default_rng(seed)
    labels = random.random(images) < 0.3
    return labels, np.clip(random.normal(0.3 + 0.3 * labels, 0.2), 0, 1), random.integers(0, patients, images)


def test_by_hand():
    # of 100 images 20 are positive; at 0.25 or over are 15 of them and 30 others: 15/100 - 30/100 x 1/3 = 0.05;
    # acting on all: 20/100 - 80/100 x 1/3
    labels = np.repeat([1, 0], [20, 80])
    probabilities = np.repeat([0.25, 0.1, 0.6, 0.2], [15, 5, 30, 50])
    curve = decision_curve(labels, probabilities, np.arange(100), [0.25])
    assert curve.model[0].value == pytest.approx(0.05)
    assert curve.treat_all[0].value == pytest.approx(0.2 - 0.8 / 3)
    assert curve.prevalence == 0.2
    # at a prevalence of 0.1: 0.75 x 0.1 - 1/3 x 0.375 x 0.9
    rarer = decision_curve(labels, probabilities, np.arange(100), [0.25], prevalence=0.1)
    assert rarer.model[0].value == pytest.approx(0.075 - 0.375 * 0.9 / 3)
    assert rarer.treat_all[0].value == pytest.approx(0.1 - 0.9 / 3)
    # that of acting on all is then no matter of these images
    assert rarer.treat_all[0].low is None
    assert "same value" in rarer.treat_all[0].reason


@pytest.mark.parametrize("prevalence", [None, 0.05])
def test_intervals_equal_a_plain_loop_over_the_same_draws(prevalence):
    labels, probabilities, patients = simulate()
    thresholds = np.array([0.1, 0.5])
    curve = decision_curve(labels, probabilities, patients, thresholds, BootstrapOptions(80, 4), prevalence=prevalence)
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(80, 4))), axis=1).astype(int)
    loop = []
    for r in range(80):
        images = np.repeat(np.arange(len(labels)), times[which, r])
        y, p = labels[images], probabilities[images]
        share = y.mean() if prevalence is None else prevalence
        loop.append([np.mean(p[y] >= t) * share - np.mean(p[~y] >= t) * (1 - share) * t / (1 - t) for t in thresholds])
    for k, estimate in enumerate(curve.model):
        assert [estimate.low, estimate.high] == pytest.approx(
            np.quantile(np.array(loop)[:, k], [0.025, 0.975]), abs=1e-12
        )


def test_too_few_cases_are_no_curve():
    curve = decision_curve([1, 0, 0], [0.5, 0.2, 0.1], [1, 2, 3], [0.1, 0.2])
    assert [estimate.reason for estimate in curve.model] == ["too few cases (1 positive, 2 negative patients)"] * 2
    assert decision_curve([], [], [], [0.1]).treat_all[0].reason == "no image"


def test_the_histogram_is_numpys():
    labels, probabilities, _ = simulate()
    histogram = outcome_histogram(labels, probabilities, bins=7)
    for counts, kind in ((histogram.positives, labels), (histogram.negatives, ~labels)):
        expected, edges = np.histogram(probabilities[kind], bins=7, range=(0, 1))
        np.testing.assert_array_equal(counts, expected)
        np.testing.assert_allclose(histogram.edges, edges, rtol=0, atol=1e-15)
    assert histogram.positives.sum() == labels.sum()
    assert outcome_histogram([1, 0], [1.0, 0.0], bins=4).positives.tolist() == [0, 0, 0, 1]


def test_other_input_is_refused():
    labels, probabilities, patients = simulate()
    with pytest.raises(ValueError, match="Thresholds"):
        decision_curve(labels, probabilities, patients, [0.0, 0.5])
    with pytest.raises(ValueError, match="prevalence"):
        decision_curve(labels, probabilities, patients, [0.5], prevalence=1)
    with pytest.raises(ValueError, match="Probabilities"):
        decision_curve(labels, probabilities + 1, patients, [0.5])
    with pytest.raises(ValueError, match="bins"):
        outcome_histogram(labels, probabilities, bins=0)
