"""Limits of control charts: by hand, by simulation, and beside R's chi-squared test."""

import shutil
import subprocess

import numpy as np
import pytest
from scipy.stats import poisson

from cxr_core.metrics import (
    ProportionReference,
    category_test,
    count_limits,
    numeric_reference,
    proportion_limits,
    stability_index,
)
from tests.conftest import missing


def test_counts_have_the_limits_of_poisson_or_wider_ones():
    low, high = count_limits([100, 104, 96, 101, 99])
    assert poisson.cdf(low - 1, 100) < 0.00135 <= poisson.cdf(low, 100)
    assert poisson.cdf(high - 1, 100) < 0.99865 <= poisson.cdf(high, 100)
    wide = count_limits([60, 140, 100, 80, 120])
    assert wide[0] < low < high < wide[1]
    assert count_limits([0, 0, 0]) == (0, 0)


def test_a_future_day_lies_within_the_limits_as_often_as_stated():
    random = np.random.default_rng(0)
    for days in (random.poisson(30, (400, 200)), random.negative_binomial(10, 0.25, (400, 200))):
        inside = [low <= day[-1] <= high for day in days for low, high in [count_limits(day[:-1], 0.95)]]
        assert 0.93 < np.mean(inside) < 0.995


def test_a_future_week_lies_within_the_limits_though_the_reference_is_a_sample():
    random, inside = np.random.default_rng(1), []
    for _ in range(300):
        reference = ProportionReference(random.binomial(100, 0.1) / 100, 100)
        low, high = proportion_limits(reference, [80], level=0.95)[0]
        inside.append(low <= random.binomial(80, 0.1) / 80 <= high)
    assert 0.93 < np.mean(inside) < 0.99
    # limits of a proportion that is exactly known are narrower, and those of more reads
    exact = proportion_limits(ProportionReference(0.1, 10**6), [80, 800])
    assert np.ptp(exact[1]) < np.ptp(exact[0]) < np.ptp(proportion_limits(reference, [80])[0])
    assert np.isnan(proportion_limits(reference, [0])).all()


def test_the_stability_index_is_that_of_its_formula():
    reference = numeric_reference(np.arange(1000.0), np.arange(1000))
    values = np.concatenate([np.arange(0, 500, 2.5), np.arange(500, 1000, 5.0)])
    counts = np.array([40] * 5 + [20] * 5)
    p = (counts + 0.5) / (300 + 5)
    found = stability_index(values, reference)
    assert (found.bins, found.reads) == (10, 300)
    assert found.value == pytest.approx(((p - 0.1) * np.log(p / 0.1)).sum(), rel=0.03)


def test_the_stability_index_exceeds_its_limit_as_often_as_stated():
    random, over = np.random.default_rng(2), []
    for _ in range(400):
        reference = numeric_reference(random.normal(size=500), np.arange(500))
        found = stability_index(random.normal(size=200), reference)
        over.append(found.value > found.limit)
    assert 0.02 < np.mean(over) < 0.08
    assert stability_index(random.normal(0.5, size=200), reference).value > found.limit


def test_the_stability_index_of_few_reads_or_of_ties_is_none():
    reference = numeric_reference(np.arange(100.0), np.arange(100))
    assert stability_index(np.arange(49.0), reference).value is None
    assert stability_index([np.nan] * 60, reference).reads == 0
    assert stability_index(np.zeros(100), numeric_reference(np.zeros(100), np.arange(100))).value is None
    # three values of equal weight give three bins
    three = numeric_reference(np.arange(99) % 3, np.arange(99))
    assert stability_index(np.arange(60) % 3, three).bins == 3


def test_the_mix_of_categories_equals_r():
    program = shutil.which("Rscript")
    if program is None:
        missing("proc", "R is not installed")
    script = "cat(format(chisq.test(matrix(c(30,70,5,450,550,40),2,byrow=TRUE),correct=FALSE)$p.value,digits=15))"
    expected = float(subprocess.run([program, "-e", script], capture_output=True, text=True, check=True).stdout)
    found = category_test({"PA": 30, "AP": 70, "": 5}, {"PA": 450, "AP": 550, "": 40})
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_mix_that_cannot_be_compared_has_no_p_value():
    assert category_test({"PA": 5}, {"PA": 100}) is None
    assert category_test({}, {"PA": 100, "AP": 3}) is None
    assert category_test({"PA": 2, "AP": 1}, {"PA": 1000, "AP": 3}) is None


@pytest.mark.parametrize("counts", [[3], [1.5, 2.5], [-1, 2], [[1, 2]]])
def test_other_counts_are_refused(counts):
    with pytest.raises(ValueError, match="whole numbers"):
        count_limits(counts)
