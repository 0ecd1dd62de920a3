"""Micro, macro and weighted means: against scikit-learn, whole and in every resample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cxr_core.metrics import mean_auc, mean_average_precision
from cxr_core.metrics.resampling import index_patients, multiplicities

steady = settings(deadline=None, derandomize=True, max_examples=50)
MEANS = ("micro", "macro", "weighted")


def simulate(films=120, classes=4, patients=40, seed=0, step=0.5):
    random = np.random.default_rng(seed)
    labels = random.random((films, classes)) < np.linspace(0.15, 0.8, classes)
    scores = np.round((random.normal(size=labels.shape) + labels) / step) * step
    return labels, scores, random.integers(0, patients, films)


@pytest.mark.parametrize(
    ("means", "score"), [(mean_auc, peer.roc_auc_score), (mean_average_precision, peer.average_precision_score)]
)
@steady
@given(st.integers(0, 10**6), st.sampled_from([0.01, 1.0, 5.0]))
def test_values_equal_the_peer(means, score, seed, step):
    labels, scores, patients = simulate(films=30, seed=seed, step=step)
    labels[:2] = [[True] * 4, [False] * 4]
    found = means(labels, scores, patients, resamples=2, min_patients=1)
    for name in MEANS:
        assert getattr(found, name).value == pytest.approx(score(labels, scores, average=name), abs=1e-12)


@pytest.mark.parametrize(
    ("means", "score"), [(mean_auc, peer.roc_auc_score), (mean_average_precision, peer.average_precision_score)]
)
def test_intervals_equal_a_plain_loop_over_the_same_draws(means, score):
    labels, scores, patients = simulate()
    found = means(labels, scores, patients, resamples=80, seed=3)
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, 80, 3)), axis=1).astype(int)
    loop = {name: [] for name in MEANS}
    for r in range(80):
        films = np.repeat(np.arange(len(labels)), times[which, r])
        for name in MEANS:
            loop[name].append(score(labels[films], scores[films], average=name))
    for name in MEANS:
        estimate = getattr(found, name)
        assert [estimate.low, estimate.high] == pytest.approx(np.quantile(loop[name], [0.025, 0.975]), abs=1e-12)


def test_classes_without_enough_cases_are_left_out_and_named():
    labels, scores, patients = simulate()
    labels[:, 1] = False
    labels[:, 2] = patients < 4
    found = mean_auc(labels, scores, patients, resamples=50)
    assert found.classes == (0, 3)
    assert found.left_out[0] == (1, "no positive")
    assert found.left_out[1][1].startswith("too few cases: 4 positive")
    expected = peer.roc_auc_score(labels[:, [0, 3]], scores[:, [0, 3]])
    assert found.macro.value == pytest.approx(expected, abs=1e-12)
    assert found.macro.positives == labels[:, [0, 3]].sum()
    none = mean_auc(labels[:, 1:2], scores[:, 1:2], patients)
    assert (none.macro.value, none.macro.reason, none.classes) == (None, "no class with enough cases", ())


def test_films_of_which_nothing_is_known_are_left_out_of_that_class():
    labels, scores, patients = simulate()
    known = np.random.default_rng(5).random(labels.shape) < 0.8
    found = mean_auc(labels, scores, patients, known, resamples=50)
    areas = [peer.roc_auc_score(labels[known[:, c], c], scores[known[:, c], c]) for c in range(4)]
    assert found.macro.value == pytest.approx(np.mean(areas), abs=1e-12)
    assert found.micro.value == pytest.approx(peer.roc_auc_score(labels[known], scores[known]), abs=1e-12)
    # what is not known has no say
    hidden = np.where(known, labels, ~labels)
    assert mean_auc(hidden, scores, patients, known, resamples=50) == found


def test_a_mean_is_surer_than_its_classes_where_they_differ_by_chance():
    labels, scores, patients = simulate(films=400, classes=6, patients=400)
    found = mean_auc(labels, scores, patients, resamples=300)
    alone = [mean_auc(labels[:, [c]], scores[:, [c]], patients, resamples=300).macro for c in range(6)]
    assert found.macro.high - found.macro.low < 0.6 * np.mean([one.high - one.low for one in alone])


def test_other_input_is_refused():
    labels, scores, patients = simulate()
    with pytest.raises(ValueError, match="classes"):
        mean_auc(labels[:, 0], scores[:, 0], patients)
    with pytest.raises(ValueError, match="Known"):
        mean_auc(labels, scores, patients, np.ones(len(labels), dtype=bool))


def test_micro_may_be_left_out():
    labels, scores, patients = simulate()
    whole, quick = (mean_auc(labels, scores, patients, resamples=50, micro=micro) for micro in (True, False))
    assert quick.micro is None
    assert (quick.macro, quick.weighted) == (whole.macro, whole.weighted)
