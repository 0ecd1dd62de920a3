"""Resamples of patients, percentiles, and statistics in every resample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import (
    BootstrapOptions,
    bootstrap,
    patient_bootstrap,
    roc_auc,
)
from cxr_core.metrics.bootstrap import default_resamples, multiplicities, percentile_interval
from cxr_core.metrics.cases import index_patients
from cxr_core.metrics.ranking_replicates import auc_replicates
from tests.metrics.test_auc import bootstrap_auc, simulate


def drawn(patients, resamples, seed, tallest=None):
    return np.concatenate(list(multiplicities(patients, BootstrapOptions(resamples, seed), tallest)), axis=1)


def test_each_resample_has_as_many_patients_as_there_are():
    counts = drawn(7, 50, seed=1)
    assert counts.shape == (7, 50)
    assert (counts.sum(axis=0) == 7).all()
    assert (counts == counts.round()).all()
    assert (counts >= 0).all()


def test_the_draws_are_those_of_the_generator():
    numbers = np.random.default_rng(5).integers(0, 4, size=(20, 4))
    expected = [[int((row == patient).sum()) for row in numbers] for patient in range(4)]
    assert drawn(4, 20, seed=5).tolist() == expected


def test_every_patient_is_drawn_as_often_as_any_other():
    # the mean over R resamples of a count of variance 1 - 1/P has a standard error under 1 / sqrt(R)
    resamples = 10_000
    assert np.abs(drawn(20, resamples, seed=0).mean(axis=1) - 1).max() < 4 / resamples**0.5


def test_narrow_chunks_draw_the_same():
    # a caller with tall arrays gets 2**21 // 300_000 = 6 resamples at a time
    chunks = list(multiplicities(9, BootstrapOptions(20, 3), tallest=300_000))
    assert [chunk.shape[1] for chunk in chunks] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate(chunks, axis=1), drawn(9, 20, 3))
    # more of them than are converted together
    chunks = list(multiplicities(9, BootstrapOptions(400, 3), tallest=300_000))
    assert [chunk.shape[1] for chunk in chunks] == [6] * 66 + [4]
    np.testing.assert_array_equal(np.concatenate(chunks, axis=1), drawn(9, 400, 3))


def test_draws_that_are_too_many_to_keep_are_the_same(monkeypatch):
    expected = drawn(300, 50, seed=2, tallest=300_000)
    monkeypatch.setattr(bootstrap, "_CACHED_CELLS", 0)
    np.testing.assert_array_equal(drawn(300, 50, seed=2), expected)


def test_so_many_resamples_as_images_allow():
    drawn = {0: 2000, 60: 2000, 25_000: 2000, 50_000: 1000, 112_120: 445, 10**7: 400}
    assert {images: default_resamples(images) for images in drawn} == drawn


def test_the_seed_decides():
    assert (drawn(9, 20, seed=3) == drawn(9, 20, seed=3)).all()
    assert (drawn(9, 20, seed=3) != drawn(9, 20, seed=4)).any()


@pytest.mark.parametrize(("patients", "resamples"), [(0, 5), (5, 0)])
def test_nothing_to_draw_is_refused(patients, resamples):
    with pytest.raises(ValueError, match="at least 1"):
        next(multiplicities(patients, BootstrapOptions(resamples)))


def test_percentiles_by_hand():
    # 0, 1, ..., 100: the 2.5th percentile lies half way between 2 and 3
    low, high, reason = percentile_interval(
        np.random.default_rng(0).permutation(np.arange(101.0)), BootstrapOptions(level=0.95)
    )
    assert (low, high) == (pytest.approx(2.5), pytest.approx(97.5))
    assert reason is None


def test_five_percent_may_be_undefined_and_no_more():
    replicates = np.arange(100.0)
    replicates[:5] = np.nan
    assert percentile_interval(replicates, BootstrapOptions(level=0.9))[:2] == (
        pytest.approx(5 + 0.05 * 94),
        pytest.approx(5 + 0.95 * 94),
    )
    replicates[5] = np.nan
    assert percentile_interval(replicates, BootstrapOptions(level=0.9)) == (None, None, "too few cases")
    assert percentile_interval(np.full(3, np.nan)) == (None, None, "too few cases")


def test_no_variation_is_no_interval():
    low, high, reason = percentile_interval(np.ones(100))
    assert (low, high) == (None, None)
    assert "same value" in reason


@pytest.mark.parametrize("level", [0, 1, 95, np.nan])
def test_other_levels_are_refused(level):
    with pytest.raises(ValueError, match="level"):
        BootstrapOptions(level=level)


# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


def draw_row(data, n, values):
    return np.array(data.draw(st.lists(values, min_size=n, max_size=n)))


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("steps", [None, 2])
def test_replicates_equal_a_plain_loop_over_the_same_draws(rate, steps):
    labels, scores, patients = simulate(rate=rate, steps=steps)
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(100, 7))), axis=1).astype(int)
    replicates = auc_replicates([(labels, scores)], patients, BootstrapOptions(100, 7))[0]
    for r in range(100):
        images = [image for image in range(len(labels)) for _ in range(times[which[image], r])]
        if len(set(labels[images])) < 2:
            assert np.isnan(replicates[r])
        else:
            assert replicates[r] == pytest.approx(roc_auc_score(labels[images], scores[images]), abs=1e-12)


@steady
@given(st.data())
def test_replicates_equal_weighted_auc(data):
    n = data.draw(st.integers(2, 25))
    labels, scores, patients = (
        draw_row(data, n, st.booleans()),
        draw_row(data, n, st.integers(0, 5)).astype(float),
        draw_row(data, n, st.integers(0, 8)),
    )
    labels[:2] = [True, False]
    number, which = index_patients(patients, n)
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(10, 0))), axis=1)
    expected = [roc_auc(labels, scores, times[which, r]).value for r in range(10)]
    np.testing.assert_allclose(
        auc_replicates([(labels, scores)], patients, BootstrapOptions(10, 0))[0],
        [np.nan if value is None else value for value in expected],
        rtol=0,
        atol=1e-12,
    )


def test_chunks_do_not_change_replicates():
    # 60_000 images leave 2**21 // 60_001 = 34 resamples in a chunk
    labels, scores, patients = simulate(patients=200, images=300, steps=20)
    replicates = auc_replicates([(labels, scores)], patients, BootstrapOptions(40, 0))[0]
    times = np.concatenate(list(multiplicities(200, BootstrapOptions(40, 0))), axis=1)
    for r in (0, 33, 34, 39):
        expected = roc_auc(labels, scores, times[patients, r]).value
        assert replicates[r] == pytest.approx(expected, abs=1e-12)


def test_any_statistic_sees_the_same_draws():
    labels, scores, patients = simulate(steps=3)
    expected = bootstrap_auc(labels, scores, patients, options=BootstrapOptions(resamples=100, seed=3))
    assert (
        patient_bootstrap(roc_auc, labels, scores, patients=patients, options=BootstrapOptions(resamples=100, seed=3))
        == expected
    )
    plain = patient_bootstrap(
        lambda y, s: roc_auc_score(y, s),
        labels,
        scores,
        patients=patients,
        options=BootstrapOptions(resamples=100, seed=3),
    )
    np.testing.assert_allclose(
        [plain.value, plain.low, plain.high],
        [expected.value, expected.low, expected.high],
        rtol=0,
        atol=1e-12,
    )


def test_any_statistic_by_hand():
    # patients a (score 0, both kinds of label) and b (score 1, both kinds): a resample of 2 has a mean
    # of 0, 1/2 or 1, with chances 1/4, 1/2, 1/4, so the 95 % interval is the whole of [0, 1]
    estimate = patient_bootstrap(
        lambda labels, scores: scores.mean(),
        [1, 0, 1, 0],
        [0, 0, 1, 1],
        patients=["a", "a", "b", "b"],
        options=BootstrapOptions(min_patients=2),
    )
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)
    assert (estimate.positive_patients, estimate.negative_patients) == (2, 2)


@pytest.mark.parametrize("undefined", [None, float("nan")])
def test_an_undefined_statistic_has_a_reason(undefined):
    labels, _, patients = simulate()
    estimate = patient_bootstrap(
        lambda labels: undefined, labels, patients=patients, options=BootstrapOptions(resamples=5)
    )
    assert (estimate.value, estimate.reason) == (None, "undefined on these images")


def test_any_statistic_needs_cases_too():
    assert patient_bootstrap(roc_auc, [0, 0], [0.1, 0.2], patients=[1, 2]).reason == "no positive"
    few = patient_bootstrap(roc_auc, [0, 1], [0.1, 0.2], patients=[1, 2])
    assert few.reason == "too few cases (1 positive, 1 negative patient)"
    with pytest.raises(ValueError, match="one row for each"):
        patient_bootstrap(roc_auc, [0, 1], [0.1], patients=[1, 2])
