"""Curves from score to probability, and whether probabilities are what they say."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from cxr_core.metrics import (
    BootstrapOptions,
    isotonic,
    isotonic_replicates,
    patient_bootstrap,
    platt,
    platt_replicates,
    recalibration,
)
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.calibration.logistic import logistic_lines, one_step_replicates
from cxr_core.metrics.cases import index_patients


def simulate(seed=0, patients=300, images=900, slope=0.7, intercept=-1.5):
    """Images of patients whose chance of the label is known: log-odds = slope x logit + intercept."""
    random = np.random.default_rng(seed)
    which = np.concatenate([np.arange(patients), random.integers(0, patients, images - patients)])
    logits = random.normal(size=patients)[which] + random.normal(scale=0.7, size=images) - 0.5
    return random.random(images) < expit(slope * logits + intercept), logits, which


def their_line(labels, logits, weights=None):
    regression = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-9)
    fitted = regression.fit(logits[:, None], labels, sample_weight=weights)
    return fitted.coef_[0, 0], fitted.intercept_[0]


def test_platt_by_hand():
    # one of four positive at logit 0, three of four at logit 2: log-odds -ln 3 and ln 3
    line = platt([0, 0, 0, 1, 0, 1, 1, 1], [0, 0, 0, 0, 2, 2, 2, 2])
    assert (line.slope, line.intercept) == pytest.approx((np.log(3), -np.log(3)), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("spread", "middle"), [(1, 0), (0.05, 3), (30, -200)])
def test_platt_is_sklearns_unpenalised_regression(seed, spread, middle):
    labels, logits, _ = simulate(seed)
    line = platt(labels, logits * spread + middle)
    # theirs on the plain logit, since its solver wants a standardised one
    slope, intercept = their_line(labels, logits)
    assert line.slope * spread == pytest.approx(slope, abs=1e-5)
    assert line.intercept + line.slope * middle == pytest.approx(intercept, abs=1e-5)


def test_the_fitted_images_have_slope_one_and_intercept_nought():
    labels, logits, patients = simulate()
    line = platt(labels, logits)
    again = recalibration(
        labels, expit(line.slope * logits + line.intercept), patients, options=BootstrapOptions(resamples=50)
    )
    assert again.slope.value == pytest.approx(1, abs=1e-9)
    assert again.intercept.value == pytest.approx(0, abs=1e-9)
    assert again.in_the_large.value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "logits", "reason"),
    [
        ([], [], "no image"),
        ([1, 1], [0, 1], "no negative"),
        ([0, 0], [0, 1], "no positive"),
        ([0, 1], [2, 2], "all scores are equal"),
        ([0, 0, 1, 1], [0, 1, 2, 3], "scores separate the labels perfectly"),
        ([0, 0, 1, 1], [0, 1, 1, 3], "scores separate the labels perfectly"),
    ],
)
def test_where_there_is_no_line_the_reason_is_given(labels, logits, reason):
    line = platt(labels, logits)
    assert (line.slope, line.intercept, line.reason) == (None, None, reason)
    with pytest.raises(ValueError, match=reason):
        platt_replicates(labels, logits, np.arange(len(labels)))


def test_a_score_that_falls_with_the_label_has_a_falling_line():
    labels, logits, _ = simulate()
    assert platt(labels, -logits).slope == pytest.approx(-platt(labels, logits).slope)


def test_replicates_are_the_plain_loop_over_resamples():
    labels, logits, patients = simulate(3, 60, 200)
    ours = platt_replicates(labels, logits, patients, options=BootstrapOptions(resamples=20, seed=7))
    number = np.random.default_rng(7).integers(0, 60, size=(20, 60))
    for column, drawn in zip(ours.T, number, strict=True):
        weights = np.bincount(drawn, minlength=60)[patients]
        assert column == pytest.approx(their_line(labels, logits, weights.astype(float)), abs=1e-5)


def test_replicates_do_not_depend_on_how_they_are_cut():
    labels, logits, patients = simulate(1, 400, 3000)
    # over 3,000 images the bootstrap comes in chunks of some twenty resamples; here, all at once
    (drawn,) = multiplicities(400, BootstrapOptions(60, 1))
    at_once = logistic_lines(labels, logits, drawn[patients])
    np.testing.assert_allclose(
        platt_replicates(labels, logits, patients, options=BootstrapOptions(resamples=60, seed=1)), at_once, atol=1e-8
    )


def test_a_resample_without_a_positive_is_left_out():
    labels = np.arange(40) < 2
    logits = np.where(labels, 0.5, np.linspace(-1, 1, 40))
    replicates = platt_replicates(labels, logits, np.arange(40), options=BootstrapOptions(resamples=500))
    # (38 / 40)**40 = 12.9 % hold neither of the two
    assert np.isnan(replicates).all(axis=0).mean() == pytest.approx(0.129, abs=0.05)


def test_isotonic_by_hand():
    # shares 0, 1, 0, 1 at four logits: the middle two violate and are pooled
    fit = isotonic([0, 1, 0, 1], [0, 1, 2, 3])
    np.testing.assert_allclose(fit.logits, [0, 1, 2, 3])
    np.testing.assert_allclose(fit.proportions, [0, 0.5, 0.5, 1])
    # half way from 0 to 1 the line is half way from 0 to 0.5; beyond the ends it stays
    np.testing.assert_allclose(fit.predict([-9, 0.5, 9]), [0, 0.25, 1])


@pytest.mark.parametrize("seed", range(4))
def test_isotonic_is_sklearns(seed):
    labels, logits, _ = simulate(seed)
    logits = logits.round(1)
    weights = np.random.default_rng(seed).integers(0, 4, len(labels)).astype(float)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(logits, labels, sample_weight=weights)
    at = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(isotonic(labels, logits, weights).predict(at), theirs.predict(at), atol=1e-12)


def test_isotonic_replicates_are_weighted_fits():
    labels, logits, patients = simulate(2, 50, 150)
    at = np.array([-1.0, 0.0, 1.0])
    ours = isotonic_replicates(labels, logits, patients, at, options=BootstrapOptions(resamples=10, seed=3))
    drawn = np.random.default_rng(3).integers(0, 50, size=(10, 50))
    for column, row in zip(ours.T, drawn, strict=True):
        images = np.concatenate([np.flatnonzero(patients == patient) for patient in row])
        theirs = IsotonicRegression(out_of_bounds="clip").fit(logits[images], labels[images])
        np.testing.assert_allclose(column, theirs.predict(at), atol=1e-12)


def test_no_image_has_no_isotonic_curve():
    with pytest.raises(ValueError, match="at least one"):
        isotonic([], [])


def test_recalibration_is_a_regression_on_predicted_log_odds():
    labels, logits, patients = simulate(5)
    probabilities = expit(2 * logits + 0.3)
    ours = recalibration(labels, probabilities, patients, options=BootstrapOptions(resamples=30, seed=2))
    # log-odds 0.7 x + c of predicted p = 2 x + 0.3: slope 0.35
    slope, intercept = their_line(labels, logit(probabilities))
    assert ours.slope.value == pytest.approx(slope, abs=1e-5)
    assert ours.intercept.value == pytest.approx(intercept, abs=1e-5)
    plain = patient_bootstrap(
        lambda y, p: their_line(y, logit(p))[0],
        labels,
        probabilities,
        patients=patients,
        options=BootstrapOptions(resamples=30, seed=2),
    )
    assert (ours.slope.low, ours.slope.high) == pytest.approx((plain.low, plain.high), abs=1e-4)
    assert ours.slope.high < 1


def test_calibration_in_the_large_makes_expected_and_observed_equal():
    labels, logits, patients = simulate(6)
    predicted = 1.3 * logits + 1
    shift = recalibration(labels, expit(predicted), patients, options=BootstrapOptions(resamples=60)).in_the_large
    assert expit(predicted + shift.value).sum() == pytest.approx(labels.sum(), abs=1e-6)
    assert shift.low < shift.value < shift.high < 0


def test_too_few_patients_are_not_recalibrated():
    labels = np.arange(40) < 5
    result = recalibration(labels, np.linspace(0.1, 0.9, 40), np.arange(40))
    assert result.slope.reason == "too few cases (5 positive, 35 negative patients)"
    assert result.slope == result.intercept == result.in_the_large
    assert recalibration(np.zeros(4), np.full(4, 0.5), np.arange(4)).slope.reason == "no positive"


@pytest.mark.parametrize("wrong", [[0.0, 0.5], [0.5, 1.0], [-0.1, 0.5]])
def test_certainty_is_no_probability_to_recalibrate(wrong):
    with pytest.raises(ValueError, match="those between"):
        recalibration([0, 1], wrong, [1, 2])


def test_on_a_known_curve_probability_and_interval_cover_the_truth():
    """Of 120 samples from one known curve, about 95 % of the intervals hold the true log-odds."""
    at = np.array([-2.0, -0.5, 1.0])
    truth = 0.7 * at - 1.5
    covered, fitted = [], []
    for seed in range(120):
        labels, logits, patients = simulate(seed, 200, 400)
        line = platt(labels, logits)
        slopes, intercepts = platt_replicates(
            labels, logits, patients, options=BootstrapOptions(resamples=200, seed=seed)
        )
        low, high = np.quantile(slopes * at[:, None] + intercepts, [0.025, 0.975], axis=1)
        covered.append((low <= truth) & (truth <= high))
        fitted.append(line.slope * at + line.intercept)
    # a binomial share of 120 around 0.95 has SD 0.02
    assert (np.mean(covered, axis=0) > 0.88).all()
    # and intervals twice as wide would hold all of them
    assert (np.mean(covered, axis=0) < 1).all()
    np.testing.assert_allclose(np.mean(fitted, axis=0), truth, atol=0.06)


def test_the_isotonic_curve_nears_the_known_one():
    labels, logits, _ = simulate(0, 8000, 20000)
    at = np.array([-1.5, 0.0, 1.0])
    np.testing.assert_allclose(isotonic(labels, logits).predict(at), expit(0.7 * at - 1.5), atol=0.04)


def test_one_step_is_a_step_of_each_resample_and_near_its_end():
    random = np.random.default_rng(0)
    patients = random.integers(0, 3000, 6000)
    logits = random.normal(-2, 1, 6000)
    labels = random.random(6000) < expit(1.2 * logits + 0.3)
    full = recalibration(labels, expit(logits), patients, options=BootstrapOptions(resamples=200, seed=1))
    quick = recalibration(
        labels, expit(logits), patients, options=BootstrapOptions(resamples=200, seed=1), one_step=True
    )
    for name in ("slope", "intercept", "in_the_large"):
        one, other = getattr(full, name), getattr(quick, name)
        assert one.value == other.value
        # of an interval's width, a twenty-fifth: about what other draws would move it by
        width = one.high - one.low
        assert [other.low, other.high] == pytest.approx([one.low, one.high], abs=width / 25)
    # the first resample by hand: gradient and information of its images at the line of all images
    fit = platt(labels, logits)
    start = np.array([fit.slope, fit.intercept])
    number, which = index_patients(patients, 6000)
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(200, 1))), axis=1)[which, 0]
    chance, design = expit(fit.slope * logits + fit.intercept), np.stack([logits, np.ones(6000)])
    information = (design * times * chance * (1 - chance)) @ design.T
    step = np.linalg.solve(information, (design * times) @ (labels - chance))
    replicates = one_step_replicates(labels, logits, which, [start], BootstrapOptions(200, 1))
    np.testing.assert_allclose(replicates[:, 0], start + step, rtol=0, atol=1e-10)


def test_steps_of_several_fits_are_those_of_each_to_the_bit():
    random = np.random.default_rng(0)
    which = random.integers(0, 300, 600)
    logits = random.normal(-2, 1, 600)
    labels, options = random.random(600) < expit(1.2 * logits + 0.3), BootstrapOptions(200, 1)
    fits = [np.array([1.2, 0.3]), np.array([0.1])]
    together = one_step_replicates(labels, logits, which, fits, options)
    apart = [one_step_replicates(labels, logits, which, [fit], options) for fit in fits]
    assert (together == np.concatenate(apart)).all()
    assert together.shape == (3, 200)
