"""Replicates of AUC and average precision: those of scikit-learn with the multiplicities as weights."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cxr_core.metrics import BootstrapOptions, bootstrap, ranking_replicates
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.ranking_replicates import auc_replicates, average_precision_replicates

OPTIONS = BootstrapOptions(resamples=30, seed=4)


@pytest.fixture(autouse=True)
def forgotten():
    """No replicates of other tests are known."""
    ranking_replicates._kept.clear()
    yield
    ranking_replicates._kept.clear()


def images(distinct, seed=0, prevalence=0.3):
    """Labels, scores of so many levels, and patients of one to six images."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(60), rng.integers(1, 7, 60))
    labels = rng.random(len(patients)) < prevalence
    scores = np.round(rng.random(len(patients)) * 0.7 + 0.3 * labels, 12)
    return labels, np.floor(scores * distinct) / distinct, patients


@pytest.mark.parametrize("distinct", [3, 20, 10**9], ids=["mostly ties", "ties", "no ties"])
@pytest.mark.parametrize("prevalence", [0.1, 0.8])
@pytest.mark.parametrize("exact_in_single", [2**24, 0], ids=["single precision", "double precision"])
def test_replicates_are_those_of_weighted_images(distinct, prevalence, exact_in_single, monkeypatch):
    monkeypatch.setattr(bootstrap, "_EXACT_IN_SINGLE", exact_in_single)
    labels, scores, patients = images(distinct, prevalence=prevalence)
    weights = np.concatenate([*multiplicities(60, OPTIONS)], axis=1)[patients]
    for replicates, statistic in (
        (auc_replicates, roc_auc_score),
        (average_precision_replicates, average_precision_score),
    ):
        (row,) = replicates([(labels, scores)], patients, OPTIONS)
        expected = [statistic(labels, scores, sample_weight=column) for column in weights.T]
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("replicates", [auc_replicates, average_precision_replicates])
def test_single_and_double_precision_give_the_same_bits(replicates, monkeypatch):
    labels, scores, patients = images(50)
    (single,) = replicates([(labels, scores)], patients, OPTIONS)
    ranking_replicates._kept.clear()
    monkeypatch.setattr(bootstrap, "_EXACT_IN_SINGLE", 0)
    (double,) = replicates([(labels, scores)], patients, OPTIONS)
    assert single.tobytes() == double.tobytes()


@pytest.mark.parametrize("replicates", [auc_replicates, average_precision_replicates])
def test_what_is_known_is_not_computed_again(replicates, monkeypatch):
    labels, scores, patients = images(50)
    first = replicates([(labels, scores)], patients, OPTIONS)
    first_bits = first.tobytes()
    first[:] = 0
    monkeypatch.setattr(ranking_replicates, "multiplicities", None)
    again = replicates([(labels, scores), (labels, scores, np.arange(len(labels)))], patients, OPTIONS)
    assert again[0].tobytes() == again[1].tobytes() == first_bits
    # anything else would have to be computed
    rows = np.arange(len(labels) - 1)
    for columns, of_patients, options in (
        ([(labels, scores + (np.arange(len(labels)) == 3))], patients, OPTIONS),
        ([(labels ^ (np.arange(len(labels)) == 3), scores)], patients, OPTIONS),
        ([(labels[rows], scores[rows], rows)], patients, OPTIONS),
        ([(labels, scores)], patients[::-1], OPTIONS),
        ([(labels, scores)], patients, BootstrapOptions(resamples=31, seed=4)),
        ([(labels, scores)], patients, BootstrapOptions(resamples=30, seed=5)),
    ):
        with pytest.raises(TypeError):
            replicates(columns, of_patients, options)


@pytest.mark.parametrize("distinct", [3, 20, 10**9], ids=["mostly ties", "ties", "no ties"])
@pytest.mark.parametrize("prevalence", [0.1, 0.8])
def test_precision_that_follows_is_computed_with_the_auc_to_the_same_bits(prevalence, distinct, monkeypatch):
    labels, scores, patients = images(distinct, prevalence=prevalence)
    alone = [f([(labels, scores)], patients, OPTIONS) for f in (auc_replicates, average_precision_replicates)]
    ranking_replicates._kept.clear()
    auc = auc_replicates([(labels, scores)], patients, OPTIONS, precision_follows=True)
    if prevalence < 0.5:
        # with more positives than negatives the AUC is that of the exchanged classes
        monkeypatch.setattr(ranking_replicates, "multiplicities", None)
    precision = average_precision_replicates([(labels, scores)], patients, OPTIONS)
    assert [auc.tobytes(), precision.tobytes()] == [row.tobytes() for row in alone]


def test_the_two_statistics_are_not_taken_for_one_another():
    labels, scores, patients = images(50)
    auc, precision = (f([(labels, scores)], patients, OPTIONS) for f in (auc_replicates, average_precision_replicates))
    assert not np.array_equal(auc, precision)


def test_no_more_classes_are_kept_than_fit(monkeypatch):
    monkeypatch.setattr(ranking_replicates, "_MOST_KEPT", 3)
    labels, scores, patients = images(50)
    for step in range(5):
        auc_replicates([(labels, np.roll(scores, step))], patients, OPTIONS)
    assert len(ranking_replicates._kept._rows) == 3
