"""The detection of a change: the bound on false alarms, what is detected, and which series are named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from cxr_core.metrics import (
    ChangeOptions,
    NumericReference,
    ProportionReference,
    detect_changes,
    first_of_patient,
    numeric_reference,
    proportion_reference,
)

steady = settings(deadline=None, derandomize=True, max_examples=20)


def draw(seed, patients=300):
    """Return values of patients with 1 to 8 images, who differ in level and in the number of images."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), random.integers(1, 9, patients))
    return random.gamma(2.0, size=patients)[patient] + random.normal(size=len(patient)), patient


def test_the_statistic_is_that_of_a_plain_loop():
    logs = np.random.default_rng(0).normal(-0.02, 0.2, (60, 4))
    level, alarms, _ = detect_changes(logs, ChangeOptions(reads_per_false_alarm=1e6))
    # the sum over every moment of a change of the product of all ratios since
    products = [np.exp(logs[start:60].sum(axis=0)) for start in range(60)]
    assert level[-1] == pytest.approx(np.mean(np.sum(products, axis=0)) / 1e6)
    assert alarms.tolist() == []


def test_charts_start_again_after_an_alarm_and_name_their_part():
    logs = np.tile(np.log([[3.0, 1 / 3]]), (8, 1))
    level, alarms, parts = detect_changes(logs, ChangeOptions(reads_per_false_alarm=18))
    # by hand, first chart: 3, 12, 39; second: 1/3, 4/9, 13/27; half of the sum reaches 18 at the third read
    assert level[:3] * 18 == pytest.approx([(3 + 1 / 3) / 2, (12 + 4 / 9) / 2, (39 + 13 / 27) / 2])
    assert alarms.tolist() == [2, 5]
    assert parts[0] == pytest.approx([39 / (39 + 13 / 27), 13 / 27 / (39 + 13 / 27)])
    assert level[3] == level[0]


@steady
@given(st.integers(0, 10**6), st.floats(0.1, 1.0), st.floats(-1.0, 1.0))
def test_a_factor_has_a_mean_of_at_most_one_while_the_reference_is_off_by_the_margin(seed, shift, off):
    values, patient = draw(seed)
    reference, options = numeric_reference(values, patient), ChangeOptions(shift=shift)
    scores = norm.ppf((np.arange(4000) + 0.5) / 4000) + off * options.margin * reference.standard_error
    rank = np.interp(norm.cdf(scores), np.concatenate([[0], reference.cumulative]), np.arange(len(values) + 1))
    drawn = reference.values[np.minimum(rank.astype(int), len(values) - 1)]
    means = np.exp(reference.factors(drawn, options)).mean(axis=0)
    assert means.max() <= 1.01


@steady
@given(st.floats(0, 1), st.integers(30, 3000), st.floats(1.2, 5), st.floats(0, 1))
def test_a_proportion_within_its_limits_raises_no_chart_on_average(value, patients, ratio, place):
    reference, options = ProportionReference(value, patients), ChangeOptions(odds_ratio=ratio)
    low, high = reference.limits(options.margin)
    truth = low + place * (high - low)
    one, none = np.exp(reference.factors([1, 0], options))
    means = truth * one + (1 - truth) * none
    # a reference of none or of all cannot have less than half a patient
    assert means.max() <= 1 + (0.5 * ratio / patients if value * (1 - value) * patients < 1 else 1e-9)


def test_normal_scores_give_each_patient_the_same_weight():
    values, patient = draw(1)
    reference = numeric_reference(values, patient)
    weights = 1 / np.bincount(patient)[patient] / 300
    scores = reference.standardise(values)
    assert (weights @ scores, weights @ scores**2) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.03))
    assert reference.standard_error == pytest.approx(
        np.std(np.bincount(patient, scores) / np.bincount(patient), ddof=1) / 300**0.5
    )
    # no value, however far off, counts as more than half a patient
    assert reference.standardise([1e9])[0] == pytest.approx(norm.ppf(1 - 0.5 / 300))
    events = proportion_reference(values > 2, patient)
    assert events.value == pytest.approx(weights @ (values > 2))


def test_unknown_values_change_nothing():
    reference = numeric_reference(*draw(2))
    for series in (reference, ProportionReference(0.2, 300)):
        assert series.factors([np.nan]).tolist() == [[0.0, 0.0]]
    known = numeric_reference([1.0, np.nan, 2.0, 3.0], ["a", "b", "c", "d"])
    assert (known.patients, known.values.tolist()) == (3, [1.0, 2.0, 3.0])


def test_tied_values_are_in_the_middle_of_their_rank():
    reference = numeric_reference([0.0] * 50 + [1.0] * 50, np.arange(100))
    assert reference.standardise([0.0, 0.5, 1.0]) == pytest.approx(norm.ppf([0.25, 0.5, 0.75]))


def run_lengths(options, series, seed, shift=0.0, *, streams, longest):
    """Return reads until the alarm in streams of correlated series, each against a reference of its own."""
    random, lengths = np.random.default_rng(seed), []
    for _ in range(streams):
        common = random.normal(size=(400 + longest, 1))
        values = np.sqrt(0.5) * (common + random.normal(size=(400 + longest, series)))
        factors = [
            numeric_reference(column[:400], np.arange(400)).factors(column[400:] + shift, options)
            for column in values.T
        ]
        alarms = detect_changes(np.concatenate(factors, axis=1), options)[1]
        lengths.append(alarms[0] + 1 if len(alarms) else longest)
    return np.array(lengths)


def test_reads_until_a_false_alarm_are_as_many_as_stated():
    """With references that are themselves samples, and series that depend on one another."""
    options = ChangeOptions(reads_per_false_alarm=150)
    unshifted = run_lengths(options, 4, seed=0, streams=15, longest=1500)
    assert unshifted.mean() > 150
    shifted = run_lengths(options, 4, seed=1, shift=0.5, streams=15, longest=500)
    assert np.quantile(shifted, 0.9) < 100


@pytest.mark.slow
def test_the_bound_is_kept_without_a_margin_where_the_reference_is_known():
    """Standard normal values, no margin: the mean is at least as stated, and over it by the last step alone."""
    options, random = ChangeOptions(reads_per_false_alarm=200, margin=0.0), np.random.default_rng(5)
    ranks = np.arange(20_000)
    exact = NumericReference(norm.ppf((ranks + 0.5) / 20_000), (ranks + 1) / 20_000, 0.0, 20_000)
    lengths = []
    for _ in range(200):
        factors = [exact.factors(column, options) for column in random.normal(size=(3, 3000))]
        alarms = detect_changes(np.concatenate(factors, axis=1), options)[1]
        lengths.append(alarms[0] + 1 if len(alarms) else 3000)
    print(f"mean of {np.mean(lengths):.0f} reads, standard error {np.std(lengths) / 200**0.5:.0f}")
    assert 200 - 2 * np.std(lengths) / 200**0.5 < np.mean(lengths) < 300


def test_only_the_first_read_of_a_patient_in_thirty_days_counts():
    days = [0, 5, 29.9, 30, 45, 60]
    assert first_of_patient(days, ["a"] * 6).tolist() == [True, False, False, True, False, True]
    assert first_of_patient(days, [""] * 6).all()


@pytest.mark.parametrize("wrong", [{"reads_per_false_alarm": 0}, {"shift": 0}, {"odds_ratio": 1}, {"margin": -1}])
def test_other_options_are_refused(wrong):
    with pytest.raises(ValueError, match="accepted"):
        ChangeOptions(**wrong)
    with pytest.raises(ValueError, match="at least 2"):
        numeric_reference([1.0, 2.0], ["a", "a"])
    with pytest.raises(ValueError, match="at least 2"):
        proportion_reference([], [])
