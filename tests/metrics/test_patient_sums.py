"""Sums in resamples of patients: patients drawn one by one, and by kind."""

import numpy as np
import pytest

from cxr_core.metrics import BootstrapOptions
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.patient_sums import sum_replicates


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("share", [1.0, 0.03])
@pytest.mark.parametrize("whole", [True, False])
def test_sums_are_those_of_the_patients_that_were_drawn(whole, share, cached, monkeypatch):
    """Of 3,001 patients, which no block divides, dense and sparse, exactly where the values are whole numbers."""
    if not cached:
        monkeypatch.setattr("cxr_core.metrics.bootstrap._CACHED_CELLS", 0)
    random, options = np.random.default_rng(0), BootstrapOptions(333, 5)
    values = random.integers(0, 9, (4, 3001)).astype(float) if whole else random.normal(size=(4, 3001))
    values *= random.random(values.shape) < share
    drawn = np.concatenate(list(multiplicities(3001, options)), axis=1)
    found = sum_replicates(values, options)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, values @ drawn, rtol=0, atol=0 if whole else 1e-9)


def test_drawing_by_kind_of_patient_is_drawing_patients():
    """The same mean and covariance of the sums, within four standard errors of 20,000 resamples of either."""
    random = np.random.default_rng(0)
    images = random.integers(1, 4, 400)
    sums = np.stack([images, random.binomial(images, 0.3), random.binomial(images, 0.1)]).astype(float)
    one_by_one, by_kind = (sum_replicates(sums, BootstrapOptions(20_000, 3, pooled=pooled)) for pooled in (False, True))
    exact = 400 * np.cov(sums, bias=True)
    deviations = np.sqrt(np.diag(exact))
    for drawn_sums in (one_by_one, by_kind):
        assert np.abs((drawn_sums.mean(axis=1) - sums.sum(axis=1)) / deviations).max() < 4 / np.sqrt(20_000)
        scaled = (np.cov(drawn_sums) - exact) / np.outer(deviations, deviations)
        assert np.abs(scaled).max() < 4 * np.sqrt(2 / 20_000)
    for tail in (0.025, 0.5, 0.975):
        # a quantile's standard error is under 0.02 standard deviations here; counts are whole numbers
        differ = np.quantile(one_by_one, tail, axis=1) - np.quantile(by_kind, tail, axis=1)
        assert (np.abs(differ) <= 1 + 0.08 * deviations).all()


def test_many_kinds_of_patients_are_drawn_one_by_one():
    sums = np.random.default_rng(0).random((2, 60))
    options = BootstrapOptions(50, 1)
    assert (sum_replicates(sums, options) == sum_replicates(sums, BootstrapOptions(50, 1, pooled=True))).all()
