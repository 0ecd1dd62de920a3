"""Risk against coverage: by hand, and in every resample."""

import numpy as np
import pytest

from cxr_core.metrics import BootstrapOptions, risk_coverage
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients


def simulate(seed=0, images=120, patients=50, step=None):
    random = np.random.default_rng(seed)
    labels = random.random(images) < 0.4
    scores = random.normal(labels - 0.5)
    sureness = np.abs(scores)
    return labels, scores, np.round(sureness / step) * step if step else sureness, random.integers(0, patients, images)


def plain_area(wrong, sureness):
    """The mean over images of the risk of all images that are as sure or surer."""
    return np.mean([wrong[sureness >= sure].mean() for sure in sureness])


def test_by_hand():
    # by falling sureness 5, 4, 3, 2, 1: right, wrong, right, right, wrong: risks 0, 1/2, 1/3, 1/4, 2/5
    labels, scores = [1, 1, 0, 0, 0], [0.9, 0.1, 0.2, 0.1, 0.7]
    curve = risk_coverage(
        labels, scores, 0.5, [5, 4, 3, 2, 1], np.arange(5), [0.4, 0.5, 1.0], options=BootstrapOptions(min_patients=1)
    )
    assert curve.area.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert curve.full_coverage.value == 2 / 5
    first, second, last = curve.points
    assert (first.images, first.coverage, first.risk.value, first.positives_withheld) == (2, 0.4, 1 / 2, 0)
    # half of five images is three
    assert (second.images, second.risk.value) == (3, 1 / 3)
    assert (second.sensitivity.value, second.specificity.value) == (1 / 2, 1)
    assert (last.images, last.risk.value) == (5, curve.full_coverage.value)


@pytest.mark.parametrize("step", [None, 0.5])
def test_area_equals_a_plain_loop_over_the_same_draws(step):
    labels, scores, sureness, patients = simulate(step=step)
    curve = risk_coverage(labels, scores, 0, sureness, patients, options=BootstrapOptions(resamples=60, seed=5))
    wrong = (scores >= 0) != labels
    assert curve.area.value == pytest.approx(plain_area(wrong, sureness), abs=1e-12)
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(60, 5))), axis=1).astype(int)
    drawn = [np.repeat(np.arange(len(labels)), times[which, r]) for r in range(60)]
    expected = np.quantile([plain_area(wrong[images], sureness[images]) for images in drawn], [0.025, 0.975])
    assert [curve.area.low, curve.area.high] == pytest.approx(expected, abs=1e-12)


def test_every_point_equals_a_plain_loop_over_the_same_draws():
    labels, scores, sureness, patients = simulate(images=400, patients=120)
    points = risk_coverage(
        labels,
        scores,
        0,
        sureness,
        patients,
        [0.5, 1.0],
        options=BootstrapOptions(resamples=50, seed=4, bootstrap_min_patients=10),
    ).points
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(50, 4))), axis=1).astype(int)
    above = scores >= 0
    for point in points:
        covered = sureness >= np.sort(sureness)[::-1][point.images - 1]
        risks = []
        for r in range(50):
            weight = times[which, r] * covered
            risks.append(
                [
                    (weight * (above != labels)).sum() / weight.sum(),
                    (weight * (above & labels)).sum() / (weight * labels).sum(),
                    (weight * ~(above | labels)).sum() / (weight * ~labels).sum(),
                ]
            )
        expected = np.quantile(risks, [0.025, 0.975], axis=0).T
        estimates = (point.risk, point.sensitivity, point.specificity)
        np.testing.assert_allclose([(e.low, e.high) for e in estimates], expected, rtol=0, atol=1e-12)


def test_images_of_the_same_sureness_stay_together():
    labels, scores, sureness, patients = simulate(step=0.5)
    for point in risk_coverage(labels, scores, 0, sureness, patients, [0.1, 0.3, 0.8]).points:
        limit = np.sort(sureness)[::-1][point.images - 1]
        assert point.images == (sureness >= limit).sum()
        assert point.positives_withheld == labels[sureness < limit].sum()


def test_sureness_helps_where_it_knows_and_not_where_it_does_not():
    labels, scores, sureness, patients = simulate(images=2000, patients=2000)
    knowing = risk_coverage(labels, scores, 0, sureness, patients, options=BootstrapOptions(resamples=100))
    guessing = risk_coverage(
        labels, scores, 0, np.random.default_rng(1).random(2000), patients, options=BootstrapOptions(resamples=100)
    )
    assert knowing.area.high < guessing.area.low
    assert guessing.area.low < guessing.full_coverage.value < guessing.area.high
    risks = [point.risk.value for point in knowing.points]
    assert risks == sorted(risks)


def test_a_written_share_is_kept_exactly():
    images = np.arange(100)
    for hundredths in range(1, 101):
        point = risk_coverage(
            images % 2, images, 50, images, images, [hundredths / 100], options=BootstrapOptions(resamples=1)
        ).points[0]
        assert point.images == hundredths


def test_too_few_cases_and_other_input():
    few = risk_coverage([1, 0], [0.5, 0.1], 0.3, [1, 2], [1, 2])
    assert few.area.reason == "too few cases (1 positive, 1 negative patient)"
    assert few.full_coverage.reason == "too few cases (2 patients)"
    nobody = risk_coverage([], [], 0.3, [], [])
    assert (nobody.points, nobody.area.reason) == ((), "no image")
    with pytest.raises(ValueError, match="Coverages"):
        risk_coverage([1, 0], [0.5, 0.1], 0.3, [1, 2], [1, 2], [0.0])
    with pytest.raises(ValueError, match="threshold"):
        risk_coverage([1, 0], [0.5, 0.1], np.nan, [1, 2], [1, 2])
