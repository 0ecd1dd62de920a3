"""Shares and means over films, clustered by patient."""

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import t as student

from cxr_core.metrics import Share, patient_mean, patient_share, patient_shares, wilson
from cxr_core.metrics.shares import clustered_wilson


def test_clustered_limits_by_hand():
    # four patients with 4, 3, 2, 1 films of which 3, 0, 2, 0 have the event: share 5/10. Deviations from half
    # of the films: 1, -1.5, 1, -0.5, squares 1 + 2.25 + 1 + 0.25 = 4.5, times 4/3 over 100: variance 0.06.
    # So the ten films are worth 0.25 / 0.06 = 4.1667, and Student's quantile with 3 degrees is 3.182446.
    low, high = clustered_wilson(np.array([3.0, 0, 2, 0]), np.array([4.0, 3, 2, 1]))
    worth, z = 0.25 / 0.06, 3.182446
    half = z / (1 + z**2 / worth) * np.sqrt(0.25 / worth + z**2 / (4 * worth**2))
    assert [low, high] == pytest.approx([0.5 - half, 0.5 + half], abs=1e-6)


def test_films_are_worth_no_more_than_their_number():
    # every patient has one of two: between patients nothing varies, and the 20 films count as independent
    low, high = clustered_wilson(np.ones(10), np.full(10, 2.0))
    z = student.ppf(0.975, 9)
    half = z / (1 + z**2 / 20) * np.sqrt(0.25 / 20 + z**2 / (4 * 20**2))
    assert [low, high] == pytest.approx([0.5 - half, 0.5 + half], abs=1e-12)


def test_one_film_a_patient_is_wilsons():
    event = np.arange(30) < 12
    found, expected = patient_share(event, np.arange(30)), wilson(12, 30)
    assert (found.value, found.low, found.high, found.method) == (12 / 30, expected.low, expected.high, "Wilson")
    peer = binomtest(12, 30).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_the_method_follows_the_patients_with_and_without():
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(300), 3)
    event = random.random(900) < 0.5
    common, rare = patient_share(event, patients), patient_share(patients < 20, patients)
    assert (common.method, rare.method) == ("resampled patients, percentiles", "Wilson, clustered by patient")
    clustered = patient_share(event, patients, bootstrap_from=10**6)
    assert clustered.high - clustered.low == pytest.approx(common.high - common.low, rel=0.1)


def test_only_films_among_are_counted():
    patients = np.repeat(np.arange(40), 2)
    event, among = np.arange(80) % 3 == 0, np.arange(80) % 4 != 1
    found = patient_share(event, patients, among)
    assert found.value == np.mean(event[among])
    assert found == patient_share(event[among], patients[among])


def test_a_single_patient_has_no_interval():
    one = patient_share([1, 0, 0], [7, 7, 7], min_patients=1)
    assert (one.value, one.low, one.reason) == (1 / 3, None, "no interval: one patient")
    assert patient_share([1, 0], [1, 2], [False, False]).reason == "no film"


def test_mean_by_hand():
    # patients with sums 3, 1, 2 of 2, 1, 1 films: mean 6/4. Deviations 3 - 3, 1 - 1.5, 2 - 1.5: squares 0.5,
    # times 3/2, root 0.8660 over 4 films; Student's quantile with 2 degrees is 4.302653
    found = patient_mean([1, 2, 1, 2], [0, 0, 1, 2], min_patients=2)
    half = 4.302653 * np.sqrt(1.5 * 0.5) / 4
    assert found.value == 1.5
    assert [found.low, found.high] == pytest.approx([1.5 - half, 1.5 + half], abs=1e-6)
    cut = patient_mean([1, 2, 1, 2], [0, 0, 1, 2], min_patients=2, lowest=1, highest=2)
    assert (cut.low, cut.high) == (1, 2)
    assert (found.positives, found.positive_patients) == (4, 3)


def test_mean_of_many_patients_is_resampled():
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(250), 2)
    values = random.normal(size=500) + random.normal(size=250)[patients]
    resampled, spread = (patient_mean(values, patients, bootstrap_from=k) for k in (200, 1000))
    assert resampled.method != spread.method
    assert [resampled.low, resampled.high] == pytest.approx([spread.low, spread.high], abs=0.03)


def test_a_mean_that_nothing_moves_or_nobody_carries():
    assert patient_mean(np.ones(20), np.arange(20)).reason == "no interval: no spread between patients"
    assert patient_mean([], []).reason == "no film"
    assert patient_mean([1, 2], [1, 1]).reason == "too few cases: 1 patients"
    with pytest.raises(ValueError, match="finite"):
        patient_mean([np.nan], [1])


def test_shares_together_are_each_alone():
    random = np.random.default_rng(5)
    patients = random.integers(0, 500, 1500)
    event, among = random.random(1500) < 0.5, random.random(1500) < 0.7
    few = patients < 5
    asked = [
        Share(event, among),
        Share(event, few, words="patients with it"),
        Share(event, ~among, (1, 2, 3, 4)),
        Share(event, few & ~few, empty="no film at all"),
        Share(np.ones(1500, bool)),
    ]
    together = patient_shares(asked, patients, 60, 2)
    for share, found in zip(asked, together, strict=True):
        options = {"counts": share.counts, "empty": share.empty, "words": share.words}
        assert found == patient_share(share.event, patients, share.among, 60, 2, **options)
    assert together[0].method == "resampled patients, percentiles"
    assert together[1].reason == "too few cases: 5 patients with it"
    assert (together[2].positives, together[3].reason) == (1, "no film at all")
    assert patient_shares([], patients) == ()
