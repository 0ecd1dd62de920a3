"""Micro, macro and weighted means: against scikit-learn, whole and in every resample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cxr_core.metrics import BootstrapOptions, compare_mean_auc, mean_auc, mean_average_precision
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients

steady = settings(deadline=None, derandomize=True, max_examples=50)
MEANS = ("micro", "macro", "weighted")


def simulate(images=120, classes=4, patients=40, seed=0, step=0.5):
    random = np.random.default_rng(seed)
    labels = random.random((images, classes)) < np.linspace(0.15, 0.8, classes)
    scores = np.round((random.normal(size=labels.shape) + labels) / step) * step
    return labels, scores, random.integers(0, patients, images)


@pytest.mark.parametrize(
    ("means", "score"), [(mean_auc, peer.roc_auc_score), (mean_average_precision, peer.average_precision_score)]
)
@steady
@given(st.integers(0, 10**6), st.sampled_from([0.01, 1.0, 5.0]))
def test_values_equal_the_peer(means, score, seed, step):
    labels, scores, patients = simulate(images=30, seed=seed, step=step)
    labels[:2] = [[True] * 4, [False] * 4]
    result = means(labels, scores, patients, BootstrapOptions(2, min_patients=1))
    for name in MEANS:
        assert getattr(result, name).value == pytest.approx(score(labels, scores, average=name), abs=1e-12)


@pytest.mark.parametrize(
    ("means", "score"), [(mean_auc, peer.roc_auc_score), (mean_average_precision, peer.average_precision_score)]
)
def test_intervals_equal_a_plain_loop_over_the_same_draws(means, score):
    labels, scores, patients = simulate()
    result = means(labels, scores, patients, BootstrapOptions(80, 3))
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(80, 3))), axis=1).astype(int)
    loop = {name: [] for name in MEANS}
    for r in range(80):
        images = np.repeat(np.arange(len(labels)), times[which, r])
        for name in MEANS:
            loop[name].append(score(labels[images], scores[images], average=name))
    for name in MEANS:
        estimate = getattr(result, name)
        assert [estimate.low, estimate.high] == pytest.approx(np.quantile(loop[name], [0.025, 0.975]), abs=1e-12)


def test_classes_without_enough_cases_are_left_out_and_named():
    labels, scores, patients = simulate()
    labels[:, 1] = False
    labels[:, 2] = patients < 4
    mean = mean_auc(labels, scores, patients, options=BootstrapOptions(resamples=50))
    assert mean.classes == (0, 3)
    assert mean.excluded[0] == (1, "no positive")
    assert mean.excluded[1][1].startswith("too few cases (4 positive")
    expected = peer.roc_auc_score(labels[:, [0, 3]], scores[:, [0, 3]])
    assert mean.macro.value == pytest.approx(expected, abs=1e-12)
    assert mean.macro.positives == labels[:, [0, 3]].sum()
    none = mean_auc(labels[:, 1:2], scores[:, 1:2], patients)
    assert (none.macro.value, none.macro.reason, none.classes) == (None, "no class with enough cases", ())


def test_images_of_which_nothing_is_known_are_left_out_of_that_class():
    labels, scores, patients = simulate()
    labelled = np.random.default_rng(5).random(labels.shape) < 0.8
    mean = mean_auc(labels, scores, patients, labelled=labelled, options=BootstrapOptions(resamples=50))
    areas = [peer.roc_auc_score(labels[labelled[:, c], c], scores[labelled[:, c], c]) for c in range(4)]
    assert mean.macro.value == pytest.approx(np.mean(areas), abs=1e-12)
    assert mean.micro.value == pytest.approx(peer.roc_auc_score(labels[labelled], scores[labelled]), abs=1e-12)
    # what is not known has no say
    hidden = np.where(labelled, labels, ~labels)
    assert mean_auc(hidden, scores, patients, labelled=labelled, options=BootstrapOptions(resamples=50)) == mean


def test_a_mean_is_surer_than_its_classes_where_they_differ_by_chance():
    labels, scores, patients = simulate(images=400, classes=6, patients=400)
    mean = mean_auc(labels, scores, patients, options=BootstrapOptions(resamples=300))
    alone = [
        mean_auc(labels[:, [c]], scores[:, [c]], patients, options=BootstrapOptions(resamples=300)).macro
        for c in range(6)
    ]
    assert mean.macro.high - mean.macro.low < 0.6 * np.mean([one.high - one.low for one in alone])


def test_other_input_is_refused():
    labels, scores, patients = simulate()
    with pytest.raises(ValueError, match="classes"):
        mean_auc(labels[:, 0], scores[:, 0], patients)
    with pytest.raises(ValueError, match="Labelled"):
        mean_auc(labels, scores, patients, labelled=np.ones(len(labels), dtype=bool))


def test_micro_may_be_left_out():
    labels, scores, patients = simulate()
    whole, quick = (
        mean_auc(labels, scores, patients, options=BootstrapOptions(resamples=50), micro=micro)
        for micro in (True, False)
    )
    assert quick.micro is None
    assert (quick.macro, quick.weighted) == (whole.macro, whole.weighted)


def test_the_means_of_two_models_are_paired_by_resample():
    labels, scores, patients = simulate()
    other = scores + np.random.default_rng(7).normal(size=scores.shape)
    labelled = np.random.default_rng(5).random(labels.shape) < 0.8
    labels[:, 1] = False
    options = BootstrapOptions(80, 3)
    both = compare_mean_auc(labels, scores, other, patients, options, labelled=labelled)
    for values, estimate in ((scores, both.first), (other, both.second)):
        alone = mean_auc(labels, values, patients, options, labelled=labelled, micro=False)
        assert (both.classes, estimate) == (alone.classes, alone.macro)
    assert both.classes == (0, 2, 3)
    assert both.difference.value == both.first.value - both.second.value
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, options)), axis=1).astype(int)
    loop = []
    for r in range(80):
        images = np.repeat(np.arange(len(labels)), times[which, r])
        rows = [images[labelled[images, c]] for c in both.classes]
        areas = [
            [peer.roc_auc_score(labels[i, c], s[i, c]) for c, i in zip(both.classes, rows, strict=True)]
            for s in (scores, other)
        ]
        loop.append(np.mean(areas[0]) - np.mean(areas[1]))
    low, high = np.quantile(loop, [0.025, 0.975])
    assert (both.difference.low, both.difference.high) == pytest.approx((low, high), abs=1e-12)


def test_two_models_without_a_class_have_no_means():
    labels, scores, patients = simulate()
    both = compare_mean_auc(np.zeros_like(labels), scores, scores, patients)
    assert (both.first.reason, both.difference.value, both.classes) == ("no class with enough cases", None, ())
    same = compare_mean_auc(labels, scores, scores, patients, BootstrapOptions(resamples=50))
    assert same.difference.value == 0
