"""Intervals from resampled patients, and Wilson's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import count_patients, patient_bootstrap, patient_bootstrap_auc, roc_auc, wilson
from cxr_core.metrics.replicates import auc_replicates
from cxr_core.metrics.resampling import index_patients, multiplicities

# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


def draw_row(data, n, values):
    return np.array(data.draw(st.lists(values, min_size=n, max_size=n)))


def simulate(patients=60, films=3, rate=0.3, steps=None, seed=0):
    """Return labels, scores, patients; with ``steps``, scores fall on so many levels."""
    random = np.random.default_rng(seed)
    which = np.sort(random.integers(0, patients, patients * films))
    labels = random.random(len(which)) < rate
    scores = random.normal(labels.astype(float))
    return labels, np.round(scores * steps) / steps if steps else scores, which


def test_patients_by_hand():
    # a has both kinds, b only positive films, c only negative ones
    labels = [1, 0, 1, 1, 0]
    assert count_patients(labels, ["a", "a", "b", "b", "c"]) == (2, 2)
    assert count_patients([], []) == (0, 0)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("steps", [None, 2])
def test_replicates_equal_a_plain_loop_over_the_same_draws(rate, steps):
    labels, scores, patients = simulate(rate=rate, steps=steps)
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, 100, 7)), axis=1).astype(int)
    replicates = auc_replicates([(labels, scores)], patients, 100, 7)[0]
    for r in range(100):
        films = [film for film in range(len(labels)) for _ in range(times[which[film], r])]
        if len(set(labels[films])) < 2:
            assert np.isnan(replicates[r])
        else:
            assert replicates[r] == pytest.approx(roc_auc_score(labels[films], scores[films]), abs=1e-12)


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
    times = np.concatenate(list(multiplicities(number, 10, 0)), axis=1)
    expected = [roc_auc(labels, scores, times[which, r]).value for r in range(10)]
    np.testing.assert_allclose(
        auc_replicates([(labels, scores)], patients, 10, 0)[0],
        [np.nan if value is None else value for value in expected],
        rtol=0,
        atol=1e-12,
    )


def test_chunks_do_not_change_replicates():
    # 60_000 films leave 2**21 // 60_001 = 34 resamples in a chunk
    labels, scores, patients = simulate(patients=200, films=300, steps=20)
    replicates = auc_replicates([(labels, scores)], patients, 40, 0)[0]
    times = np.concatenate(list(multiplicities(200, 40, 0)), axis=1)
    for r in (0, 33, 34, 39):
        expected = roc_auc(labels, scores, times[patients, r]).value
        assert replicates[r] == pytest.approx(expected, abs=1e-12)


def test_interval_is_the_percentiles_of_the_replicates():
    labels, scores, patients = simulate()
    estimate = patient_bootstrap_auc(labels, scores, patients, resamples=400, seed=2, level=0.9)
    replicates = auc_replicates([(labels, scores)], patients, 400, 2)[0]
    expected = np.quantile(replicates, [0.05, 0.95])
    np.testing.assert_allclose([estimate.low, estimate.high], expected, rtol=0, atol=1e-12)
    assert estimate.value == roc_auc(labels, scores).value
    assert (estimate.positives, estimate.negatives) == (labels.sum(), (~labels).sum())
    assert (estimate.positive_patients, estimate.negative_patients) == count_patients(labels, patients)
    assert estimate.low < estimate.value < estimate.high


def test_one_film_a_patient_is_the_ordinary_bootstrap():
    labels, scores, _ = simulate(patients=40)
    films = np.arange(len(labels))
    random = np.random.default_rng(4)
    drawn = random.integers(0, len(labels), size=(200, len(labels)))
    expected = np.quantile([roc_auc_score(labels[d], scores[d]) for d in drawn], [0.025, 0.975])
    estimate = patient_bootstrap_auc(labels, scores, films, resamples=200, seed=4)
    np.testing.assert_allclose([estimate.low, estimate.high], expected, rtol=0, atol=1e-12)


def test_films_that_repeat_make_the_interval_wider():
    # 80 patients with 5 identical films each carry as much as 80 films, and a film-level interval takes
    # them for 400: it should be narrower by about sqrt(5)
    random = np.random.default_rng(11)
    labels = np.repeat(random.random(80) < 0.4, 5)
    scores = np.repeat(random.normal(size=80), 5) + labels
    patients = np.repeat(np.arange(80), 5)
    by_patient = patient_bootstrap_auc(labels, scores, patients)
    by_film = patient_bootstrap_auc(labels, scores, np.arange(400))
    one_film = patient_bootstrap_auc(labels[::5], scores[::5], patients[::5])
    ratio = (by_patient.high - by_patient.low) / (by_film.high - by_film.low)
    assert ratio == pytest.approx(5**0.5, rel=0.1)
    assert by_patient.value == by_film.value == one_film.value
    assert (by_patient.low, by_patient.high) == (one_film.low, one_film.high)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    # two normals a distance of 1 apart have an AUC of Phi(1 / sqrt(2)) = 0.7602; of 200 intervals at 0.9,
    # 180 should hold it, with a standard deviation of sqrt(200 * 0.9 * 0.1) = 4.2
    truth, held = 0.7602, 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        labels = np.repeat([True, False], 40)
        scores = random.normal(labels.astype(float))
        estimate = patient_bootstrap_auc(labels, scores, np.arange(80), resamples=200, level=0.9)
        held += estimate.low <= truth <= estimate.high
    assert 180 - 4 * 4.2 < held < 180 + 4 * 4.2


def test_classes_together_equal_classes_one_by_one():
    cases = [simulate(rate=rate, seed=seed) for rate, seed in ((0.2, 1), (0.7, 2))]
    labels, scores = (np.stack([case[k] for case in cases], axis=1) for k in (0, 1))
    labels, scores = np.column_stack([labels, np.zeros(len(labels))]), np.column_stack([scores, scores[:, 0]])
    patients = cases[0][2]
    together = patient_bootstrap_auc(labels, scores, patients, resamples=300)
    assert isinstance(together, tuple)
    for c, estimate in enumerate(together):
        assert estimate == patient_bootstrap_auc(labels[:, c], scores[:, c], patients, resamples=300)
    assert together[2].reason == "no positive"
    assert together[2].low is together[2].value is None


def test_seed_decides_and_order_of_films_does_not():
    labels, scores, patients = simulate()
    first = patient_bootstrap_auc(labels, scores, patients, resamples=300)
    assert first == patient_bootstrap_auc(labels, scores, patients, resamples=300)
    assert first != patient_bootstrap_auc(labels, scores, patients, resamples=300, seed=1)
    order = np.random.default_rng(0).permutation(len(labels))
    assert first == patient_bootstrap_auc(labels[order], scores[order], patients[order], resamples=300)
    names = np.array([f"p{patient:03}" for patient in patients])
    assert first == patient_bootstrap_auc(labels, scores, names, resamples=300)


def test_too_few_patients_is_said_with_counts():
    labels = np.repeat([True, False], [9, 20])
    estimate = patient_bootstrap_auc(labels, np.arange(29.0) % 7, np.arange(29))
    assert estimate.value is estimate.low is estimate.high is None
    assert estimate.reason == "too few cases: 9 positive, 20 negative patients"
    assert (estimate.positives, estimate.positive_patients) == (9, 9)
    assert patient_bootstrap_auc(labels, np.arange(29.0) % 7, np.arange(29), min_patients=9).value is not None


def test_resamples_without_a_class_are_too_few_cases():
    # one positive patient of 30 is missing from (29/30)**30 = 36 % of resamples
    labels = np.arange(30) == 0
    estimate = patient_bootstrap_auc(labels, np.arange(30.0) % 11, np.arange(30), min_patients=1)
    assert estimate.value is None
    assert estimate.reason == "too few cases: 1 positive, 29 negative patients"


def test_films_in_perfect_order_have_no_interval():
    labels = np.repeat([True, False], 20)
    estimate = patient_bootstrap_auc(labels, labels.astype(float), np.arange(40))
    assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)
    assert "same value" in estimate.reason


def test_no_film():
    assert patient_bootstrap_auc([], [], []).reason == "no film"
    assert [e.reason for e in patient_bootstrap_auc(np.zeros((0, 2)), np.zeros((0, 2)), [])] == ["no film"] * 2


@pytest.mark.parametrize(
    ("labels", "scores", "patients"),
    [
        ([0, 1], [0.1, 0.2], [1]),
        ([0, 1], [0.1, np.nan], [1, 2]),
        ([0, 1], [[0.1], [0.2]], [1, 2]),
        ([0, 2], [0.1, 0.2], [1, 2]),
        (np.zeros((2, 1, 1)), np.zeros((2, 1, 1)), [1, 2]),
    ],
)
def test_other_input_is_refused(labels, scores, patients):
    with pytest.raises(ValueError, match=r"accepted|cannot"):
        patient_bootstrap_auc(labels, scores, patients)


def test_any_statistic_sees_the_same_draws():
    labels, scores, patients = simulate(steps=3)
    expected = patient_bootstrap_auc(labels, scores, patients, resamples=100, seed=3)
    assert patient_bootstrap(roc_auc, labels, scores, patients=patients, resamples=100, seed=3) == expected
    plain = patient_bootstrap(
        lambda y, s: roc_auc_score(y, s), labels, scores, patients=patients, resamples=100, seed=3
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
        min_patients=2,
    )
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)
    assert (estimate.positive_patients, estimate.negative_patients) == (2, 2)


@pytest.mark.parametrize("undefined", [None, float("nan")])
def test_an_undefined_statistic_has_a_reason(undefined):
    labels, _, patients = simulate()
    estimate = patient_bootstrap(lambda labels: undefined, labels, patients=patients, resamples=5)
    assert (estimate.value, estimate.reason) == (None, "undefined on these films")


def test_any_statistic_needs_cases_too():
    assert patient_bootstrap(roc_auc, [0, 0], [0.1, 0.2], patients=[1, 2]).reason == "no positive"
    few = patient_bootstrap(roc_auc, [0, 1], [0.1, 0.2], patients=[1, 2])
    assert few.reason == "too few cases: 1 positive, 1 negative patients"
    with pytest.raises(ValueError, match="one row for each"):
        patient_bootstrap(roc_auc, [0, 1], [0.1], patients=[1, 2])


@steady
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_equals_the_peer(case, level):
    estimate = wilson(*case, level)
    peer = binomtest(*case).proportion_ci(level, method="wilson")
    assert estimate.low == pytest.approx(peer.low, abs=1e-12)
    assert estimate.high == pytest.approx(peer.high, abs=1e-12)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_wilson_by_hand():
    # 0 of 10, z = 1.959964: the upper limit is z**2 / (n + z**2) = 3.841459 / 13.841459
    estimate = wilson(0, 10)
    assert estimate.low == 0
    assert estimate.high == pytest.approx(3.841459 / 13.841459, abs=1e-6)
    assert (estimate.positives, estimate.negatives, estimate.positive_patients) == (0, 10, None)


def test_wilson_of_nothing():
    assert (wilson(0, 0).value, wilson(0, 0).reason) == (None, "no trial")


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0.5, 2), (0, -1)])
def test_wilson_refuses_what_are_no_counts(successes, trials):
    with pytest.raises(ValueError, match="whole numbers"):
        wilson(successes, trials)
