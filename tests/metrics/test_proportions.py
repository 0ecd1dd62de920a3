"""Proportions and means over images, clustered by patient, and Wilson's interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student

from cxr_core.estimate import Counts
from cxr_core.metrics import (
    BootstrapOptions,
    Proportion,
    patient_mean,
    patient_proportion,
    patient_proportions,
    wilson,
)
from cxr_core.metrics.proportions import clustered_wilson


def test_clustered_limits_by_hand():
    # four patients with 4, 3, 2, 1 images of which 3, 0, 2, 0 have the event: share 5/10. Deviations from half
    # of the images: 1, -1.5, 1, -0.5, squares 1 + 2.25 + 1 + 0.25 = 4.5, times 4/3 over 100: variance 0.06.
    # So the ten images are worth 0.25 / 0.06 = 4.1667, and Student's quantile with 3 degrees is 3.182446.
    low, high = clustered_wilson(np.array([3.0, 0, 2, 0]), np.array([4.0, 3, 2, 1]))
    worth, z = 0.25 / 0.06, 3.182446
    half = z / (1 + z**2 / worth) * np.sqrt(0.25 / worth + z**2 / (4 * worth**2))
    assert [low, high] == pytest.approx([0.5 - half, 0.5 + half], abs=1e-6)


def test_images_are_worth_no_more_than_their_number():
    # every patient has one of two: between patients nothing varies, and the 20 images count as independent
    low, high = clustered_wilson(np.ones(10), np.full(10, 2.0))
    z = student.ppf(0.975, 9)
    half = z / (1 + z**2 / 20) * np.sqrt(0.25 / 20 + z**2 / (4 * 20**2))
    assert [low, high] == pytest.approx([0.5 - half, 0.5 + half], abs=1e-12)


def test_one_image_a_patient_is_wilsons():
    event = np.arange(30) < 12
    proportion, expected = patient_proportion(event, np.arange(30)), wilson(12, 30)
    assert (proportion.value, proportion.low, proportion.high, proportion.method) == (
        12 / 30,
        expected.low,
        expected.high,
        "Wilson",
    )
    peer = binomtest(12, 30).proportion_ci(method="wilson")
    assert (proportion.low, proportion.high) == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_the_method_follows_the_patients_with_and_without():
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(300), 3)
    event = random.random(900) < 0.5
    common, rare = patient_proportion(event, patients), patient_proportion(patients < 20, patients)
    assert (common.method, rare.method) == ("patient bootstrap, percentiles", "Wilson, clustered by patient")
    clustered = patient_proportion(event, patients, options=BootstrapOptions(bootstrap_min_patients=10**6))
    assert clustered.high - clustered.low == pytest.approx(common.high - common.low, rel=0.1)


def test_only_images_among_are_counted():
    patients = np.repeat(np.arange(40), 2)
    event, among = np.arange(80) % 3 == 0, np.arange(80) % 4 != 1
    proportion = patient_proportion(event, patients, among=among)
    assert proportion.value == np.mean(event[among])
    assert proportion == patient_proportion(event[among], patients[among])


def test_a_single_patient_has_no_interval():
    one = patient_proportion([1, 0, 0], [7, 7, 7], options=BootstrapOptions(min_patients=1))
    assert (one.value, one.low, one.reason) == (1 / 3, None, "no interval: only one patient")
    assert patient_proportion([1, 0], [1, 2], among=[False, False]).reason == "no image"


def test_mean_by_hand():
    # patients with sums 3, 1, 2 of 2, 1, 1 images: mean 6/4. Deviations 3 - 3, 1 - 1.5, 2 - 1.5: squares 0.5,
    # times 3/2, root 0.8660 over 4 images; Student's quantile with 2 degrees is 4.302653
    mean = patient_mean([1, 2, 1, 2], [0, 0, 1, 2], options=BootstrapOptions(min_patients=2))
    half = 4.302653 * np.sqrt(1.5 * 0.5) / 4
    assert mean.value == 1.5
    assert [mean.low, mean.high] == pytest.approx([1.5 - half, 1.5 + half], abs=1e-6)
    cut = patient_mean([1, 2, 1, 2], [0, 0, 1, 2], options=BootstrapOptions(min_patients=2), lowest=1, highest=2)
    assert (cut.low, cut.high) == (1, 2)
    assert (mean.positives, mean.positive_patients) == (4, 3)


def test_mean_of_many_patients_is_resampled():
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(250), 2)
    values = random.normal(size=500) + random.normal(size=250)[patients]
    resampled, spread = (
        patient_mean(values, patients, options=BootstrapOptions(bootstrap_min_patients=k)) for k in (200, 1000)
    )
    assert resampled.method != spread.method
    assert [resampled.low, resampled.high] == pytest.approx([spread.low, spread.high], abs=0.03)


def test_a_mean_that_nothing_moves_or_nobody_carries():
    assert patient_mean(np.ones(20), np.arange(20)).reason == "no interval: no spread between patients"
    assert patient_mean([], []).reason == "no image"
    assert patient_mean([1, 2], [1, 1]).reason == "too few cases (1 patient)"
    with pytest.raises(ValueError, match="finite"):
        patient_mean([np.nan], [1])


def test_shares_together_are_each_alone():
    random = np.random.default_rng(5)
    patients = random.integers(0, 500, 1500)
    event, among = random.random(1500) < 0.5, random.random(1500) < 0.7
    few = patients < 5
    asked = [
        Proportion(event, among),
        Proportion(event, few, kind="{} with it"),
        Proportion(event, ~among, Counts(1, 2, 3, 4)),
        Proportion(event, few & ~few, empty="no image at all"),
        Proportion(np.ones(1500, bool)),
    ]
    together = patient_proportions(asked, patients, BootstrapOptions(60, 2))
    for share, estimate in zip(asked, together, strict=True):
        assert (estimate,) == patient_proportions([share], patients, BootstrapOptions(60, 2))
    assert together[0].method == "patient bootstrap, percentiles"
    assert together[1].reason == "too few cases (5 patients with it)"
    assert (together[2].positives, together[3].reason) == (1, "no image at all")
    assert patient_proportions([], patients) == ()


# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


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
    assert (estimate.positives, estimate.negatives, estimate.positive_patients) == (0, 10, 0)


def test_wilson_of_nothing():
    assert (wilson(0, 0).value, wilson(0, 0).reason) == (None, "no trial")


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0.5, 2), (0, -1)])
def test_wilson_refuses_what_are_no_counts(successes, trials):
    with pytest.raises(ValueError, match="whole numbers"):
        wilson(successes, trials)


def test_share_of_few_and_of_none():
    assert patient_proportion([], []).reason == "no image"
    few = patient_proportion([1, 0, 1], ["a", "b", "b"])
    assert (few.value, few.reason) == (None, "too few cases (2 patients)")
    assert (few.positives, few.negatives, few.positive_patients, few.negative_patients) == (2, 1, 2, 1)
