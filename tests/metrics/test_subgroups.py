"""Groups and their crossings."""

import numpy as np
import pytest
from sklearn.metrics import recall_score, roc_auc_score

from cxr_core.metrics import BootstrapOptions, age_bands, subgroups, wilson
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients


def simulate(seed=0, images=600):
    random = np.random.default_rng(seed)
    patients = random.integers(0, 300, images)
    sex, view = np.where(patients % 2, "F", "M"), np.where(random.random(images) < 0.4, "AP", "PA")
    labels = random.random(images) < 0.4
    scores = random.normal(labels - 0.8 * (labels & (sex == "F")))
    return labels, scores, patients, {"sex": sex, "view": view}


def test_rows_by_plain_counting():
    labels, scores, patients, characteristics = simulate()
    rows = subgroups(labels, scores, 0.2, patients, characteristics, options=BootstrapOptions(resamples=50))
    assert [len(row.group) for row in rows] == [0, 1, 1, 1, 1, 2, 2, 2, 2]
    above = scores >= 0.2
    for row in rows:
        inside = np.ones(len(labels), dtype=bool)
        for name, value in row.group:
            inside &= characteristics[name] == value
        assert (row.images, row.patients) == (inside.sum(), len(set(patients[inside].tolist())))
        missed = 1 - recall_score(labels[inside], above[inside])
        assert row.false_negative_rate.value == pytest.approx(missed, abs=1e-12)
        assert row.false_positive_rate.value == pytest.approx(
            1 - recall_score(~labels[inside], ~above[inside]), abs=1e-12
        )
        assert row.auc.value == pytest.approx(roc_auc_score(labels[inside], scores[inside]), abs=1e-12)
        assert row.false_negative_rate.positives == labels[inside].sum()
        if row.group:
            elsewhere = 1 - recall_score(labels[~inside], above[~inside])
            assert row.gap.value == pytest.approx(missed - elsewhere, abs=1e-12)
            assert row.gap.low < row.gap.value < row.gap.high
        else:
            assert row.gap is None


def test_every_group_equals_a_plain_loop_over_the_same_draws():
    labels, scores, patients, characteristics = simulate(images=300)
    rows = subgroups(
        labels,
        scores,
        0.2,
        patients,
        characteristics,
        options=BootstrapOptions(resamples=60, seed=3, bootstrap_min_patients=1),
    )
    number, which = index_patients(patients, len(labels))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(60, 3))), axis=1).astype(int)
    above = scores >= 0.2
    for row in rows:
        inside = np.ones(len(labels), dtype=bool)
        for name, value in row.group:
            inside &= characteristics[name] == value
        rates_of_draws = []
        for r in range(60):
            images = np.repeat(np.arange(len(labels)), times[which, r])
            images = images[inside[images]]
            truth, called = labels[images], above[images]
            rates = (truth & ~called).sum() / truth.sum(), (~truth & called).sum() / (~truth).sum()
            rates_of_draws.append([*rates, roc_auc_score(truth, scores[images])])
        expected = np.quantile(rates_of_draws, [0.025, 0.975], axis=0).T
        estimates = (row.false_negative_rate, row.false_positive_rate, row.auc)
        np.testing.assert_allclose([(e.low, e.high) for e in estimates], expected, rtol=0, atol=1e-12)


def test_those_missed_most_come_first_and_those_unknown_last():
    labels, scores, patients, characteristics = simulate()
    characteristics["sex"] = np.where(patients < 6, "X", characteristics["sex"])
    rows = subgroups(labels, scores, 0.2, patients, characteristics, options=BootstrapOptions(resamples=50))
    for depth in (1, 2):
        rates = [row.false_negative_rate.value for row in rows if len(row.group) == depth]
        known = [rate for rate in rates if rate is not None]
        assert known == sorted(known, reverse=True)
        assert rates[: len(known)] == known
    alone = next(row for row in rows if row.group == (("sex", "X"),))
    assert alone.false_negative_rate.reason.startswith("too few cases (")
    assert alone.gap.reason == alone.false_negative_rate.reason
    assert rows[1].group == (("sex", "F"),)
    assert rows[1].gap.low > 0


def test_the_gap_by_hand():
    # one image each: 12 of 20 missed in the group, 10 of 40 outside: Newcombe's limits from Wilson's of both
    labels = np.ones(90, dtype=bool)
    labels[60:] = False
    group = np.where((np.arange(90) < 20) | (np.arange(90) >= 75), "a", "b")
    scores = np.ones(90)
    scores[:12], scores[20:30] = 0, 0
    rows = subgroups(labels, scores, 0.5, np.arange(90), {"g": group}, crossings=1)
    gap = next(row for row in rows if row.group == (("g", "a"),)).gap
    one, other = wilson(12, 20), wilson(10, 40)
    assert gap.value == pytest.approx(0.6 - 0.25)
    assert gap.low == pytest.approx(0.35 - np.hypot(0.6 - one.low, other.high - 0.25), abs=1e-12)
    assert gap.high == pytest.approx(0.35 + np.hypot(one.high - 0.6, 0.25 - other.low), abs=1e-12)


def test_an_empty_name_is_unknown_and_crossings_can_be_left_out():
    labels, scores, patients, characteristics = simulate()
    characteristics["view"] = np.where(np.arange(600) % 5 == 0, "", characteristics["view"])
    rows = subgroups(
        labels, scores, 0.2, patients, characteristics, crossings=1, options=BootstrapOptions(resamples=50)
    )
    assert {row.group[0][1] for row in rows if row.group and row.group[0][0] == "view"} == {"AP", "PA", "unknown"}
    assert max(len(row.group) for row in rows) == 1


def test_everybody_in_one_group_has_nobody_outside():
    labels, scores, patients, _ = simulate()
    row = subgroups(
        labels, scores, 0.2, patients, {"view": np.full(600, "PA")}, options=BootstrapOptions(resamples=50)
    )[1]
    assert row.gap.reason == "outside the group: no positive"
    assert [row.group for row in subgroups([], [], 0.2, [], {"view": np.array([], str)})] == [()]


def test_age_bands_by_hand():
    ages = [0, 17.9, 18, 39, 40, 79, 80, 110, 414, np.nan, -1]
    assert age_bands(ages).tolist() == [
        *["under 18"] * 2, *["18 to 39"] * 2, "40 to 59", "60 to 79", *["80 and over"] * 2, *["unknown"] * 3
    ]  # fmt: skip
    assert age_bands([50], edges=(65,)).tolist() == ["under 65"]
    assert age_bands([]).tolist() == []


def test_other_input_is_refused():
    labels, scores, patients, characteristics = simulate()
    with pytest.raises(ValueError, match="sex of shape"):
        subgroups(labels, scores, 0.2, patients, {"sex": characteristics["sex"][:5]})
    with pytest.raises(ValueError, match="a string for each"):
        subgroups(labels, scores, 0.2, patients, {"age": np.arange(600)})
    with pytest.raises(ValueError, match="threshold"):
        subgroups(labels, scores, np.nan, patients, characteristics)
