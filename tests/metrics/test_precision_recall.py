"""Precision, recall and average precision: by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cxr_core.metrics import (
    BootstrapOptions,
    average_precision,
    average_precision_per_class,
    average_precision_with_interval,
    precision_recall_curve,
)
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients
from cxr_core.metrics.ranking_replicates import average_precision_replicates

# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)
TIED = st.integers(0, 4).map(lambda k: k / 4)
UNTIED = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@st.composite
def images(draw):
    n = draw(st.integers(1, 50))
    labels = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    labels[0] = True
    return np.array(labels), np.array(draw(st.lists(draw(st.sampled_from([TIED, UNTIED])), min_size=n, max_size=n)))


def test_by_hand():
    # by falling score: + 0.9, - 0.8, + and - at 0.5, + 0.1. Precision 1/1, 1/2, 2/4, 3/5 at recall 1/3, 1/3, 2/3, 1
    labels, scores = [1, 0, 1, 0, 1], [0.9, 0.8, 0.5, 0.5, 0.1]
    curve = precision_recall_curve(labels, scores)
    assert curve.precision.tolist() == [1, 1 / 2, 2 / 4, 3 / 5]
    assert curve.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1])
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.5, 0.1]
    assert average_precision(labels, scores).value == pytest.approx((1 + 2 / 4 + 3 / 5) / 3, abs=1e-15)


@steady
@given(images())
def test_curve_and_average_equal_the_peer(case):
    labels, scores = case
    curve = precision_recall_curve(labels, scores)
    precision, recall, thresholds = peer.precision_recall_curve(labels, scores)
    # the peer ascends and adds the point (0, 1)
    np.testing.assert_allclose(curve.precision, precision[-2::-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.recall, recall[-2::-1], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, thresholds[::-1])
    assert average_precision(labels, scores).value == pytest.approx(
        peer.average_precision_score(labels, scores), abs=1e-12
    )


def test_degenerate_images():
    assert average_precision([1, 1], [0.2, 0.1]).value == peer.average_precision_score([1, 1], [0.2, 0.1]) == 1
    assert average_precision([1, 0, 0], [0.3, 0.3, 0.3]).value == 1 / 3
    none, nobody = precision_recall_curve([0, 0], [0.1, 0.2]), precision_recall_curve([], [])
    assert (none.recall, none.reason, none.precision.tolist()) == (None, "no positive", [0, 0])
    assert (nobody.recall, nobody.reason) == (None, "no image")
    assert average_precision([0, 0], [0.1, 0.2]).reason == "no positive"
    assert average_precision([], []).value is None


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("steps", [None, 2])
def test_replicates_equal_a_plain_loop_over_the_same_draws(rate, steps):
    random = np.random.default_rng(0)
    patients = random.integers(0, 50, 150)
    labels = random.random(150) < rate
    scores = random.normal(labels.astype(float))
    scores = np.round(scores * steps) / steps if steps else scores
    number, which = index_patients(patients, 150)
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(60, 7))), axis=1).astype(int)
    replicates = average_precision_replicates([(labels, scores)], patients, BootstrapOptions(60, 7))[0]
    for r in range(60):
        drawn = np.repeat(np.arange(150), times[which, r])
        if labels[drawn].any():
            assert replicates[r] == pytest.approx(peer.average_precision_score(labels[drawn], scores[drawn]), abs=1e-12)
        else:
            assert np.isnan(replicates[r])


def test_interval_is_the_percentiles_of_the_replicates():
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(60), 2)
    labels = random.random(120) < 0.3
    scores = random.normal(labels.astype(float))
    estimate = average_precision_with_interval(
        labels, scores, patients, options=BootstrapOptions(resamples=200, seed=2)
    )
    replicates = average_precision_replicates([(labels, scores)], patients, BootstrapOptions(200, 2))[0]
    assert [estimate.low, estimate.high] == pytest.approx(np.quantile(replicates, [0.025, 0.975]), abs=1e-12)
    assert estimate.value == average_precision(labels, scores).value
    both = average_precision_per_class(
        np.stack([labels, patients < 3], axis=1),
        np.stack([scores] * 2, axis=1),
        patients,
        options=BootstrapOptions(resamples=200, seed=2),
    )
    assert both[0] == estimate
    assert both[1].reason == "too few cases (3 positive, 57 negative patients)"
    assert average_precision_with_interval([], [], []).reason == "no image"
