"""The band is what a plain loop over the same draws gives."""

import numpy as np
import pytest
import sklearn.metrics

from cxr_core.metrics import roc_band
from cxr_core.metrics.resampling import multiplicities


@pytest.mark.parametrize("ties", [False, True])
def test_the_band_equals_a_loop_over_scikit_learns_curves(ties):
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 3)
    truth = rng.random(120) < 0.4
    scores = rng.normal(size=120) + truth
    if ties:
        scores = scores.round()
    rates = np.linspace(0, 1, 21)
    band = roc_band(truth, scores, patients, rates, resamples=60, seed=5)
    curves = []
    for drawn in multiplicities(40, 60, 5, rows=120):
        for times in drawn.T:
            rate, sensitivity, _ = sklearn.metrics.roc_curve(truth, scores, sample_weight=times[patients],
                                                             drop_intermediate=False)  # fmt: skip
            # the upper end of each vertical step
            top = np.flatnonzero(np.append(np.diff(rate) > 0, True))
            curves.append(np.interp(rates, rate[top], sensitivity[top]))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(band.low, low, atol=1e-12)
    np.testing.assert_allclose(band.high, high, atol=1e-12)
    assert (band.positive_patients, band.reason) == (len(np.unique(patients[truth])), None)


def test_too_few_cases_have_a_reason_and_no_band():
    truth = np.arange(60) < 4
    band = roc_band(truth, np.linspace(0, 1, 60), np.arange(60))
    assert band.low is None
    assert band.reason == "too few cases: 4 positive, 56 negative patients"


@pytest.mark.parametrize("rates", [[0.5, 0.2], [-0.1, 0.5], [[0.1]]])
def test_other_rates_are_refused(rates):
    with pytest.raises(ValueError, match="False positive rates"):
        roc_band([0, 1], [0.1, 0.2], ["a", "b"], rates)
