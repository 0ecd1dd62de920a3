"""Brier score, log loss, and their paired difference."""

import numpy as np
import pytest
import sklearn.metrics
from scipy.special import expit

from cxr_core.metrics import (
    BootstrapOptions,
    brier_difference,
    brier_loss,
    log_loss,
    log_loss_difference,
    patient_bootstrap,
    patient_mean,
)


def simulate(seed=0, patients=80, images=200):
    random = np.random.default_rng(seed)
    logits = random.normal(size=images)
    return random.random(images) < expit(logits), expit(logits), random.integers(0, patients, images)


def test_by_hand():
    labels, probabilities = np.repeat([1, 0], [10, 10]), np.repeat([0.8, 0.4], [10, 10])
    # (0.2**2 + 0.4**2) / 2 = 0.1, and -(ln 0.8 + ln 0.6) / 2
    assert brier_loss(labels, probabilities, np.arange(20)).value == pytest.approx(0.1)
    expected = -(np.log(0.8) + np.log(0.6)) / 2
    assert log_loss(labels, probabilities, np.arange(20)).value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_they_are_sklearns(seed):
    labels, probabilities, patients = simulate(seed)
    ours = brier_loss(labels, probabilities, patients).value, log_loss(labels, probabilities, patients).value
    theirs = sklearn.metrics.brier_score_loss(labels, probabilities), sklearn.metrics.log_loss(labels, probabilities)
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_certain_and_wrong_is_dear_but_not_infinite():
    labels, probabilities = np.repeat([0, 1], [20, 20]), np.repeat([0.0, 1.0], [20, 20])
    probabilities[0] = 1.0
    ours = log_loss(labels, probabilities, np.arange(40)).value
    assert ours == pytest.approx(sklearn.metrics.log_loss(labels, probabilities), rel=1e-6)
    assert ours == pytest.approx(-np.log(np.finfo(float).eps) / 40, rel=1e-6)


def test_intervals_equal_the_plain_loop():
    labels, probabilities, patients = simulate()
    ours = brier_loss(
        labels, probabilities, patients, options=BootstrapOptions(resamples=200, seed=4, bootstrap_min_patients=0)
    )
    plain = patient_bootstrap(
        lambda y, p: np.mean((p - y) ** 2),
        labels,
        probabilities,
        patients=patients,
        options=BootstrapOptions(resamples=200, seed=4),
    )
    assert (ours.value, ours.low, ours.high) == pytest.approx((plain.value, plain.low, plain.high), abs=1e-12)


def test_a_difference_is_paired():
    labels, probabilities, patients = simulate(1)
    worse = np.clip(probabilities + 0.05, 0, 1)
    for difference, loss in ((brier_difference, brier_loss), (log_loss_difference, log_loss)):
        ours = difference(labels, probabilities, worse, patients)
        one, other = (loss(labels, p, patients) for p in (probabilities, worse))
        assert ours.value == pytest.approx(one.value - other.value)
        # unpaired, the intervals are several times as wide as the one of the difference
        assert (one.high - one.low) > 2 * (ours.high - ours.low)
        mirrored = difference(labels, worse, probabilities, patients)
        assert (mirrored.low, mirrored.high) == pytest.approx((-ours.high, -ours.low))


def test_no_difference_has_no_interval():
    labels, probabilities, patients = simulate(2)
    same = brier_difference(labels, probabilities, probabilities, patients)
    assert (same.value, same.low) == (0, None)
    assert same.reason == "no interval: no spread between patients"


def test_few_cases_and_wrong_values():
    assert brier_loss(np.arange(40) < 3, np.full(40, 0.5), np.arange(40)).reason.startswith("too few cases (3 positive")
    assert brier_loss([0], [1.0], ["a"]).reason == "no positive"
    for wrong in ([0.5, 1.1], [-0.1, 0.5]):
        with pytest.raises(ValueError, match="below 0 or above 1"):
            brier_loss([0, 1], wrong, [1, 2])


def test_with_few_patients_the_interval_is_that_of_their_spread():
    labels, probabilities, patients = simulate()
    loss = brier_loss(labels, probabilities, patients)
    mean = patient_mean((probabilities - labels) ** 2, patients)
    assert (loss.value, loss.low, loss.high) == (mean.value, mean.low, mean.high)
    assert loss.method == "clustered by patient"
    assert (loss.positives, loss.negatives) == (labels.sum(), (~labels).sum())
