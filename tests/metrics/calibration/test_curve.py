"""Calibration curve, its error, and the parts of the Brier score: by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration as peer
from sklearn.metrics import brier_score_loss

from cxr_core.metrics import BootstrapOptions, brier_decomposition, calibration_curve, calibration_error
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients

steady = settings(deadline=None, derandomize=True)


@st.composite
def images(draw):
    n = draw(st.integers(2, 60))
    labels = np.array([True, False, *draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    tied, untied = st.integers(0, 5).map(lambda k: k / 5), st.floats(0, 1)
    return labels, np.array(draw(st.lists(draw(st.sampled_from([tied, untied])), min_size=n, max_size=n)))


def simulate(seed=0, patients=150, images=3, slope=1.0):
    random = np.random.default_rng(seed)
    which = np.repeat(np.arange(patients), images)
    log_odds = random.normal(size=patients)[which] + random.normal(size=len(which)) - 1
    labels = random.random(len(which)) < 1 / (1 + np.exp(-log_odds))
    return labels, 1 / (1 + np.exp(-slope * log_odds)), which


def test_by_hand():
    # two bins of four: 0.1, 0.1, 0.2, 0.2 with one positive, 0.6, 0.6, 0.8, 0.8 with two
    labels, probabilities = [0, 0, 0, 1, 1, 0, 1, 0], [0.1, 0.1, 0.2, 0.2, 0.6, 0.6, 0.8, 0.8]
    patients = np.arange(8)
    low, high = calibration_curve(labels, probabilities, patients, bins=2, options=BootstrapOptions(min_patients=1))
    assert (low.low, low.high, low.predicted, low.observed.value) == (0.1, 0.2, pytest.approx(0.15), 0.25)
    assert (high.low, high.high, high.predicted, high.observed.value) == (0.6, 0.8, pytest.approx(0.7), 0.5)
    # gaps of 0.1 and 0.2, half of the images each
    error = calibration_error(labels, probabilities, patients, bins=2, options=BootstrapOptions(min_patients=1))
    assert error.error.value == pytest.approx(0.15)
    assert error.bins == 2
    parts = brier_decomposition(labels, probabilities, patients, bins=2, options=BootstrapOptions(min_patients=1))
    assert parts.reliability.value == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert parts.resolution.value == pytest.approx(0.125**2)
    assert parts.uncertainty.value == pytest.approx(3 / 8 * 5 / 8)


def curve_and_peer(labels, probabilities, bins):
    """Return the curve, and the observed and predicted rates of scikit-learn's."""
    options = BootstrapOptions(min_patients=1)
    curve = calibration_curve(labels, probabilities, np.arange(len(labels)), bins=bins, options=options)
    return curve, *peer.calibration_curve(labels, probabilities, n_bins=bins, strategy="quantile")


@steady
@given(images(), st.integers(1, 12))
def test_the_curve_equals_the_peer(case, bins):
    labels, probabilities = case
    curve, observed, predicted = curve_and_peer(labels, probabilities, bins)
    np.testing.assert_allclose([b.observed.value for b in curve], observed, rtol=0, atol=1e-12)
    np.testing.assert_allclose([b.predicted for b in curve], predicted, rtol=0, atol=1e-12)
    assert sum(b.observed.positives + b.observed.negatives for b in curve) == len(labels)


@steady
@given(images(), st.sampled_from([None, 1, 3, 10]))
def test_the_parts_add_up_to_the_score_of_the_peer(case, bins):
    labels, probabilities = case
    parts = brier_decomposition(
        labels, probabilities, np.arange(len(labels)), bins=bins, options=BootstrapOptions(resamples=5, min_patients=1)
    )
    whole = parts.reliability.value - parts.resolution.value + parts.uncertainty.value + parts.within.value
    assert parts.brier.value == pytest.approx(brier_score_loss(labels, probabilities), abs=1e-12)
    assert whole == pytest.approx(parts.brier.value, abs=1e-12)
    if bins is None:
        assert parts.within.value == pytest.approx(0, abs=1e-12)
        assert parts.groups == len(set(probabilities.tolist()))


@steady
@given(images(), st.integers(1, 12))
def test_the_error_is_that_of_the_peers_curve(case, bins):
    labels, probabilities = case
    curve, observed, predicted = curve_and_peer(labels, probabilities, bins)
    weights = [(b.observed.positives + b.observed.negatives) / len(labels) for b in curve]
    error = calibration_error(
        labels, probabilities, np.arange(len(labels)), bins, options=BootstrapOptions(resamples=5, min_patients=1)
    )
    assert error.error.value == pytest.approx(np.abs(observed - predicted) @ weights, abs=1e-12)


def test_resamples_equal_a_plain_loop_over_the_same_draws():
    labels, probabilities, patients = simulate(patients=40, slope=2)
    error = calibration_error(labels, probabilities, patients, bins=4, options=BootstrapOptions(resamples=60, seed=2))
    parts = brier_decomposition(labels, probabilities, patients, bins=4, options=BootstrapOptions(resamples=60, seed=2))
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(60, 2))), axis=1).astype(int)
    edges = np.quantile(probabilities, [0.25, 0.5, 0.75])
    errors, scores = [], []
    for r in range(60):
        drawn = np.repeat(np.arange(len(labels)), times[which, r])
        y, p, group = labels[drawn], probabilities[drawn], np.searchsorted(edges, probabilities[drawn])
        errors.append(sum(abs(p[group == k].sum() - y[group == k].sum()) for k in range(4)) / len(y))
        scores.append(brier_score_loss(y, p))
    low, high = np.quantile(errors, [0.025, 0.975])
    assert error.error.high == pytest.approx(2 * error.error.value - low, abs=1e-12)
    assert [parts.brier.low, parts.brier.high] == pytest.approx(np.quantile(scores, [0.025, 0.975]), abs=1e-12)
    assert error.error.low in (0.0, pytest.approx(max(2 * error.error.value - high, 0), abs=1e-12))


def test_chance_alone_is_told_from_miscalibration():
    # of 40 calibrated models, the mean error is about what chance gives, and nearly all intervals reach 0
    errors = [calibration_error(*simulate(seed), options=BootstrapOptions(resamples=200)) for seed in range(40)]
    assert np.mean([f.error.value for f in errors]) == pytest.approx(
        np.mean([f.if_calibrated for f in errors]), rel=0.1
    )
    assert sum(f.error.low == 0 for f in errors) >= 36
    wrong = [
        calibration_error(*simulate(seed, slope=2.5), options=BootstrapOptions(resamples=200)) for seed in range(10)
    ]
    assert all(f.error.low > 0 and f.error.value > 1.5 * f.if_calibrated for f in wrong)


def test_ties_stay_together_and_make_fewer_bins():
    curve = calibration_curve(np.arange(40) % 2, np.repeat([0.2, 0.7], 20), np.arange(40), bins=10)
    assert [(b.low, b.high, b.observed.value) for b in curve] == [(0.2, 0.2, 0.5), (0.7, 0.7, 0.5)]


def test_too_few_cases_have_no_value():
    few = calibration_error([1, 0], [0.5, 0.2], [1, 2])
    assert (few.error.value, few.if_calibrated, few.bins) == (None, None, 0)
    assert few.error.reason == brier_decomposition([1, 0], [0.5, 0.2], [1, 2]).brier.reason
    assert calibration_curve([], [], []) == ()
    assert calibration_curve([1, 0], [0.5, 0.2], [1, 2], bins=1)[0].observed.reason == "too few cases (2 patients)"


def test_other_input_is_refused():
    with pytest.raises(ValueError, match="Probabilities"):
        calibration_curve([1, 0], [1.2, 0.1], [1, 2])
    with pytest.raises(ValueError, match="bins"):
        calibration_curve([1, 0], [0.2, 0.1], [1, 2], bins=0)
