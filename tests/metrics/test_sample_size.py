"""Widths against published worked examples, intervals of simulated studies, and the closed forms written out."""

import math

import numpy as np
import pytest
from scipy.special import expit, ndtr, ndtri

from cxr_core.metrics import (
    auc_half_width,
    binormal_log_odds,
    calibration_slope_half_width,
    delong_auc,
    patients_needed,
    proportion_half_width,
    roc_auc,
    wilson,
)

Z = float(ndtri(0.975))


def test_the_worked_example_of_riley_et_al():
    """Mechanical heart valve failure: prevalence 0.018, AUC 0.8, log-odds N(-5, 2.5): intervals of 0.1 and 0.2 in all.

    Published by Riley et al. (2021) and with pmvalsampsize: 4,252 patients for the AUC, 4,544 for the slope; the
    second from a million random numbers, so exact to some 0.3 %.
    """
    prevalence = 0.018

    def auc(patients):
        # no study has less than one positive patient
        return auc_half_width(0.8, max(patients * prevalence, 1), max(patients * (1 - prevalence), 1))

    assert patients_needed(auc, 0.05) == 4252
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    log_odds = -5 + 2.5 * nodes
    needed = patients_needed(lambda n: calibration_slope_half_width(log_odds, n, weights), 0.1)
    assert needed == pytest.approx(4544, rel=0.004)


@pytest.mark.parametrize(("auc", "positives", "negatives"), [(0.65, 60, 300), (0.8, 40, 160), (0.9, 100, 100)])
def test_an_auc_is_as_uncertain_as_it_says(auc, positives, negatives):
    """Spread of the AUC, and mean of DeLong's interval, over simulated studies with normal scores."""
    rng = np.random.default_rng(7)
    shift = math.sqrt(2) * ndtri(auc)
    labels = np.repeat([True, False], [positives, negatives])
    values, halves = [], []
    for _ in range(400):
        scores = rng.normal(size=len(labels)) + shift * labels
        values.append(roc_auc(labels, scores).value)
        delong = delong_auc(labels, scores, scale="area")
        halves.append((delong.high - delong.low) / 2)
    half = auc_half_width(auc, positives, negatives)
    # the standard deviation of 400 is exact to 3.5 %; the formula assumes other distributions than the normal ones
    # here, and is wider by 6 % at 0.9
    assert half == pytest.approx(Z * np.std(values), rel=0.12)
    assert half == pytest.approx(np.mean(halves), rel=0.08)


@pytest.mark.parametrize(("auc", "prevalence"), [(0.7, 0.1), (0.85, 0.3)])
def test_a_slope_is_as_uncertain_as_it_says(auc, prevalence):
    """Spread of the slope of a logistic regression over simulated studies of a calibrated model."""
    rng, patients = np.random.default_rng(3), 1500
    values, weights = binormal_log_odds(auc, prevalence)
    shift = math.sqrt(2) * ndtri(auc)
    truth = rng.random((200, patients)) < prevalence
    x = math.log(prevalence / (1 - prevalence)) + shift * rng.normal(size=truth.shape) + (truth - 0.5) * shift**2
    intercepts, slopes = np.zeros((200, 1)), np.ones((200, 1))
    for _ in range(8):  # Newton's method, of all studies at once
        p = expit(intercepts + slopes * x)
        w, residuals = p * (1 - p), truth - p
        a, b, c = (m.sum(axis=1, keepdims=True) for m in (w, w * x, w * x * x))
        g, h = (m.sum(axis=1, keepdims=True) for m in (residuals, residuals * x))
        intercepts += (c * g - b * h) / (a * c - b * b)
        slopes += (a * h - b * g) / (a * c - b * b)
    assert np.mean(slopes) == pytest.approx(1, abs=0.03)
    assert calibration_slope_half_width(values, patients, weights) == pytest.approx(Z * np.std(slopes), rel=0.15)


def test_binormal_log_odds_have_the_auc_and_the_prevalence():
    values, weights = binormal_log_odds(0.8, 0.2)
    negative, positive = np.split(values, 2)
    # normal scores of one variance: AUC = Phi((m1 - m0) / (s sqrt(2)))
    means = [weights[:80] @ negative / 0.8, weights[80:] @ positive / 0.2]
    deviation = math.sqrt(weights[80:] @ (positive - means[1]) ** 2 / 0.2)
    assert ndtr((means[1] - means[0]) / (deviation * math.sqrt(2))) == pytest.approx(0.8)
    assert weights @ expit(values) == pytest.approx(0.2, abs=1e-9)
    assert weights.sum() == pytest.approx(1)


def test_a_proportion_has_the_width_of_wilsons_interval():
    for successes, trials in ((0, 12), (8, 10), (180, 200), (30, 30)):
        interval = wilson(successes, trials)
        assert proportion_half_width(successes / trials, trials) == pytest.approx((interval.high - interval.low) / 2)
    # level 0.9 is narrower by the ratio of the quantiles where patients are many
    narrower = proportion_half_width(0.5, 10**6, 0.9) / proportion_half_width(0.5, 10**6)
    assert narrower == pytest.approx(float(ndtri(0.95)) / Z, rel=1e-4)


def test_the_smallest_number_is_found():
    for wanted in (0.2, 0.05, 0.013):
        needed = patients_needed(lambda n: proportion_half_width(0.7, n), wanted)
        assert proportion_half_width(0.7, needed) <= wanted < proportion_half_width(0.7, needed - 1)
    assert patients_needed(lambda n: 0.0, 0.05) == 1
    assert patients_needed(lambda n: 1.0, 0.05) is None


def test_a_slope_needs_log_odds_that_vary():
    assert calibration_slope_half_width([0.3] * 5, 100) == math.inf
    assert calibration_slope_half_width([-40.1] * 7, 100) == math.inf


@pytest.mark.parametrize(
    "call",
    [
        lambda: auc_half_width(1.0, 20, 20),
        lambda: auc_half_width(0.7, 0, 20),
        lambda: auc_half_width(0.7, 20, 20, level=1.0),
        lambda: proportion_half_width(1.2, 20),
        lambda: proportion_half_width(0.5, 0),
        lambda: calibration_slope_half_width([], 20),
        lambda: calibration_slope_half_width([0.0, np.nan], 20),
        lambda: calibration_slope_half_width([0.0, 1.0], 20, [1.0]),
        lambda: binormal_log_odds(0.5, 0.2),
        lambda: binormal_log_odds(0.7, 1.0),
        lambda: patients_needed(lambda n: 1 / n, 0.0),
    ],
)
def test_other_numbers_are_refused(call):
    with pytest.raises(ValueError, match="accepted"):
        call()
