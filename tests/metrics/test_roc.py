"""The ROC curve, its area and its band: by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cxr_core.metrics import BootstrapOptions, roc_auc, roc_band, roc_curve
from cxr_core.metrics.bootstrap import multiplicities

# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


# Few distinct scores, so that most draws have ties; the others have nearly none.
TIED = st.integers(0, 4).map(lambda k: k / 4)


UNTIED = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@st.composite
def images(draw, both_classes=True):
    n = draw(st.integers(2 if both_classes else 1, 60))
    labels = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    if both_classes:
        labels[:2] = [True, False]
    scores = draw(st.lists(draw(st.sampled_from([TIED, UNTIED])), min_size=n, max_size=n))
    return np.array(labels), np.array(scores)


def test_auc_by_hand():
    # positives 0.8, 0.4, negatives 0.6, 0.2: of 4 pairs, 0.8 wins 2, 0.4 wins 1
    assert roc_auc([1, 1, 0, 0], [0.8, 0.4, 0.6, 0.2]).value == (2 + 1) / 4


def test_a_tie_counts_one_half():
    # positives 0.5, 0.9, negatives 0.5, 0.5, 0.1: 0.5 wins 1 and ties 2, 0.9 wins 3, of 6 pairs
    assert roc_auc([1, 1, 0, 0, 0], [0.5, 0.9, 0.5, 0.5, 0.1]).value == (1 + 2 / 2 + 3) / 6


def test_a_weight_of_two_is_an_image_twice():
    # positives 0.5 (weight 2), 0.9, negatives 0.5 (weight 3), 0.7: pairs weigh 6 (tied), 2 (lost), 3, 1
    value = roc_auc([1, 1, 0, 0], [0.5, 0.9, 0.5, 0.7], weights=[2, 1, 3, 1]).value
    assert value == pytest.approx((6 / 2 + 3 + 1) / (6 + 2 + 3 + 1), abs=1e-15)


@steady
@given(images())
def test_auc_equals_the_peer(case):
    labels, scores = case
    assert roc_auc(labels, scores).value == pytest.approx(peer.roc_auc_score(labels, scores), abs=1e-12)


@steady
@given(images(), st.data())
def test_weighted_auc_equals_the_peer(case, data):
    labels, scores = case
    positive = st.floats(0.01, 100)
    weights = np.array(data.draw(st.lists(positive, min_size=len(labels), max_size=len(labels))))
    weights[2:][data.draw(st.lists(st.booleans(), min_size=len(labels) - 2, max_size=len(labels) - 2))] = 0
    expected = peer.roc_auc_score(labels, scores, sample_weight=weights)
    assert roc_auc(labels, scores, weights).value == pytest.approx(expected, abs=1e-12)


@steady
@given(images())
def test_curve_equals_the_peer(case):
    labels, scores = case
    curve = roc_curve(labels, scores)
    false_positive_rate, sensitivity, thresholds = peer.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, false_positive_rate, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.sensitivity, sensitivity, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


@steady
@given(images())
def test_area_under_the_curve_is_the_auc(case):
    curve = roc_curve(*case)
    area = np.trapezoid(curve.sensitivity, curve.false_positive_rate)
    assert roc_auc(*case).value == pytest.approx(area, abs=1e-12)


@steady
@given(images())
def test_turning_scores_round_turns_the_auc_round(case):
    labels, scores = case
    assert roc_auc(labels, -scores).value == pytest.approx(1 - roc_auc(labels, scores).value, abs=1e-12)
    assert roc_auc(~labels, -scores).value == pytest.approx(roc_auc(labels, scores).value, abs=1e-12)


@steady
@given(images(both_classes=False))
def test_a_value_or_a_reason(case):
    estimate = roc_auc(*case)
    assert (estimate.value is None) == (estimate.reason is not None)
    assert estimate.value is None or 0 <= estimate.value <= 1
    assert estimate.positives + estimate.negatives == len(case[0])


@pytest.mark.parametrize(("labels", "reason"), [([0, 0], "no positive"), ([1, 1], "no negative"), ([], "no image")])
def test_a_missing_class_is_named(labels, reason):
    scores = np.linspace(0, 1, len(labels))
    estimate, curve = roc_auc(labels, scores), roc_curve(labels, scores)
    assert (estimate.value, estimate.reason) == (None, reason)
    assert (curve.sensitivity is None) == (sum(labels) == 0)
    assert (curve.false_positive_rate is None) == (sum(labels) == len(labels))
    assert curve.reason == reason


@pytest.mark.parametrize(("weights", "name"), [([0, 1], "positives"), ([1, 0], "negatives")])
def test_no_weight_is_no_value(weights, name):
    assert roc_auc([1, 0], [0.5, 0.4], weights).reason == f"no weight on {name}"


@pytest.mark.parametrize("weight", [1e-300, 1e300])
def test_the_size_of_weights_does_not_matter(weight):
    assert roc_auc([1, 1, 0], [0.5, 0.1, 0.4], np.full(3, weight)).value == 1 / 2


def test_all_scores_equal():
    curve = roc_curve([1, 0, 0], [0.3, 0.3, 0.3])
    assert roc_auc([1, 0, 0], [0.3, 0.3, 0.3]).value == 1 / 2
    assert curve.thresholds.tolist() == [np.inf, 0.3]
    assert curve.sensitivity.tolist() == curve.false_positive_rate.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("labels", "scores", "said"),
    [
        ([0, 1], [0.1], "shape"),
        ([[0, 1]], [[0.1, 0.2]], "shape"),
        ([0, 2], [0.1, 0.2], "0 and 1"),
        ([0, np.nan], [0.1, 0.2], "0 and 1"),
        (["a", "b"], [0.1, 0.2], "type"),
        ([0, 1], [0.1, np.nan], "finite"),
        ([0, 1], [0.1, np.inf], "finite"),
        ([0, 1], ["0.1", "0.2"], "type"),
    ],
)
@pytest.mark.parametrize("function", [roc_auc, roc_curve])
def test_other_input_is_refused(function, labels, scores, said):
    with pytest.raises(ValueError, match=said):
        function(labels, scores)


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, np.nan], [1, np.inf]])
def test_other_weights_are_refused(weights):
    with pytest.raises(ValueError, match="Weights"):
        roc_auc([0, 1], [0.1, 0.2], weights)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_labels_of_any_number_type(kind):
    labels = np.array([1, 0, 1], dtype=kind)
    assert roc_auc(labels, np.array([3, 2, 1], dtype=np.float32)).value == 1 / 2


@pytest.mark.parametrize("ties", [False, True])
def test_the_band_equals_a_loop_over_scikit_learns_curves(ties):
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 3)
    truth = rng.random(120) < 0.4
    scores = rng.normal(size=120) + truth
    if ties:
        scores = scores.round()
    rates = np.linspace(0, 1, 21)
    band = roc_band(truth, scores, patients, rates, options=BootstrapOptions(resamples=60, seed=5))
    curves = []
    for drawn in multiplicities(40, BootstrapOptions(60, 5), tallest=120):
        for times in drawn.T:
            rate, sensitivity, _ = peer.roc_curve(truth, scores, sample_weight=times[patients],
                                                             drop_intermediate=False)  # fmt: skip
            # the upper end of each vertical step
            top = np.flatnonzero(np.append(np.diff(rate) > 0, True))
            curves.append(np.interp(rates, rate[top], sensitivity[top]))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(band.low, low, atol=1e-12)
    np.testing.assert_allclose(band.high, high, atol=1e-12)
    assert (band.counts.positive_patients, band.reason) == (len(np.unique(patients[truth])), None)


def test_too_few_cases_have_a_reason_and_no_band():
    truth = np.arange(60) < 4
    band = roc_band(truth, np.linspace(0, 1, 60), np.arange(60))
    assert band.low is None
    assert band.reason == "too few cases (4 positive, 56 negative patients)"


@pytest.mark.parametrize("rates", [[0.5, 0.2], [-0.1, 0.5], [[0.1]]])
def test_other_rates_are_refused(rates):
    with pytest.raises(ValueError, match="False positive rates"):
        roc_band([0, 1], [0.1, 0.2], ["a", "b"], rates)
