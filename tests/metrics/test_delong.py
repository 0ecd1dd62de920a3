"""DeLong's interval and test: against R's pROC, by hand, and in the form for patients with several images."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import (
    BootstrapOptions,
    auc_per_class,
    auc_with_interval,
    clustered_auc,
    clustered_test,
    delong_auc,
    delong_test,
)
from cxr_core.metrics.delong import PSEUDO_PATIENTS, placements

PROC = Path(__file__).parent / "proc"
# A shared machine may be slow at any moment, and a failure should come back.
steady = settings(deadline=None, derandomize=True)


def read_cases(path):
    """Return by name labels, scores and the other model's scores."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: tuple(
            np.array([float(row[key]) for row in rows if row["case"] == name]) for key in ("label", "score", "other")
        )
        for name in dict.fromkeys(row["case"] for row in rows)
    }


def compare(cases, numbers):
    with numbers.open(newline="") as file:
        table = {row["case"]: {k: float(v) for k, v in row.items() if k != "case"} for row in csv.DictReader(file)}
    assert set(table) == set(cases)
    assert len(table) >= 5
    for name, (labels, scores, others) in cases.items():
        theirs = table[name]
        ours, ninety = (delong_auc(labels, scores, level, scale="area") for level in (0.95, 0.9))
        on_logit, test = delong_auc(labels, scores), delong_test(labels, scores, others)
        half = norm.ppf(0.975) * np.sqrt(theirs["variance"]) / (theirs["auc"] * (1 - theirs["auc"]))
        for value, expected in (
            (ours.value, theirs["auc"]),
            (ours.low, theirs["low"]),
            (ours.high, theirs["high"]),
            (ninety.low, theirs["low_90"]),
            (ninety.high, theirs["high_90"]),
            (on_logit.low, expit(logit(theirs["auc"]) - half)),
            (on_logit.high, expit(logit(theirs["auc"]) + half)),
            (test.difference.value, theirs["auc"] - theirs["other"]),
            (test.difference.low, theirs["difference_low"]),
            (test.difference.high, theirs["difference_high"]),
            (test.statistic, theirs["statistic"]),
            (test.p_value, theirs["p_value"]),
        ):
            assert value == pytest.approx(expected, abs=1e-6), name


def test_equal_to_the_numbers_of_proc_that_are_kept():
    compare(read_cases(PROC / "cases.csv"), PROC / "numbers.csv")


def test_equal_to_proc_as_it_runs_here(proc, tmp_path):
    random = np.random.default_rng(3)
    rows = []
    for k, (positives, negatives, step) in enumerate(
        [(30, 50, 0), (8, 200, 0), (60, 60, 0.4), (300, 900, 0), (40, 9, 1)]
    ):
        labels = np.repeat([1, 0], [positives, negatives])
        scores = random.normal(labels.astype(float))
        others = 0.5 * scores + random.normal(size=len(labels))
        if step:
            scores, others = (np.round(values / step) * step for values in (scores, others))
        rows += [(f"case {k}", *row) for row in zip(labels, scores, others, strict=True)]
    (tmp_path / "cases.csv").write_text(
        "case,label,score,other\n"
        + "".join(
            f"{case},{y},{s!r},{o!r}\n"
            for case, y, s, o in ((case, int(y), float(s), float(o)) for case, y, s, o in rows)
        )
    )
    compare(read_cases(tmp_path / "cases.csv"), proc(tmp_path / "cases.csv"))
    compare(read_cases(PROC / "cases.csv"), proc(PROC / "cases.csv"))


def test_placements_by_hand():
    # positives 0.8, 0.4; negatives 0.6, 0.4, 0.2: of 3 negatives, 0.8 has 3 below, 0.4 has 1 and a tie;
    # of 2 positives, 0.6 has 1 above, 0.4 has 1 and a tie, 0.2 has 2
    below, above = placements(np.array([1, 1, 0, 0, 0], bool), np.array([0.8, 0.4, 0.6, 0.4, 0.2]))
    assert below.tolist() == pytest.approx([1, 1.5 / 3])
    assert above.tolist() == pytest.approx([1 / 2, 1.5 / 2, 1])


@steady
@given(st.data())
def test_placements_equal_a_double_loop(data):
    n = data.draw(st.integers(2, 30))
    labels = np.array([True, False, *data.draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    scores = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), dtype=float)
    won = np.sign(scores[labels][:, None] - scores[~labels]) / 2 + 0.5
    below, above = placements(labels, scores)
    np.testing.assert_allclose(below, won.mean(axis=1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(above, won.mean(axis=0), rtol=0, atol=1e-12)


def clustered_case(seed=0, patients=40, images=3):
    random = np.random.default_rng(seed)
    which = np.repeat(np.arange(patients), images)
    labels = random.random(len(which)) < np.where(which % 2, 0.7, 0.1)
    common = random.normal(size=patients)[which]
    scores = labels + common + random.normal(size=len(which))
    return labels, np.round(scores, 1), np.round(scores + random.normal(size=len(which)), 1), which


def obuchowski(labels, models, patients):
    """The variance written out as in the paper: sums of placements less their expectation, patient by patient."""
    s = {"10": 0.0, "01": 0.0, "11": 0.0}
    components = []
    for scores in models:
        won = np.sign(scores[labels][:, None] - scores[~labels]) / 2 + 0.5
        components.append((won.mean(axis=1), won.mean(axis=0), won.mean()))
    m, n = labels.sum(), (~labels).sum()
    of_positives, of_negatives = patients[labels], patients[~labels]
    everyone = np.unique(patients)
    i10, i01, i = len(np.unique(of_positives)), len(np.unique(of_negatives)), len(everyone)
    total = 0.0
    for a, sign_a in zip(components, (1, -1), strict=False):
        for b, sign_b in zip(components, (1, -1), strict=False):
            s = dict.fromkeys(s, 0.0)
            for p in everyone:
                x = [(c[0][of_positives == p] - c[2]).sum() for c in (a, b)]
                y = [(c[1][of_negatives == p] - c[2]).sum() for c in (a, b)]
                s["10"] += i10 / ((i10 - 1) * m) * x[0] * x[1]
                s["01"] += i01 / ((i01 - 1) * n) * y[0] * y[1]
                s["11"] += i / (i - 1) * (x[0] * y[1] + y[0] * x[1])
            total += sign_a * sign_b * (s["10"] / m + s["01"] / n + s["11"] / (m * n))
    return total


def test_clustered_limits_are_those_of_the_paper_with_students_quantile():
    labels, scores, _, patients = clustered_case()
    auc = clustered_auc(labels, scores, patients, options=BootstrapOptions(level=0.9))
    area, rarer = roc_auc_score(labels, scores), min(auc.positive_patients, auc.negative_patients)
    centre = logit((area * rarer + PSEUDO_PATIENTS / 2) / (rarer + PSEUDO_PATIENTS))
    half = student.ppf(0.95, rarer - 1) * np.sqrt(obuchowski(labels, [scores], patients)) / (area * (1 - area))
    assert auc.value == pytest.approx(area, abs=1e-12)
    assert [auc.low, auc.high] == pytest.approx(expit([centre - half, centre + half]), abs=1e-12)


def test_clustered_test_is_that_of_the_paper_with_students_quantile():
    labels, scores, others, patients = clustered_case(1)
    result = clustered_test(labels, scores, others, patients)
    difference = roc_auc_score(labels, scores) - roc_auc_score(labels, others)
    error = np.sqrt(obuchowski(labels, [scores, others], patients))
    degrees = min(result.difference.positive_patients, result.difference.negative_patients) - 1
    assert result.statistic == pytest.approx(difference / error, abs=1e-9)
    assert result.p_value == pytest.approx(2 * student.sf(abs(difference / error), degrees), abs=1e-9)
    quantile = student.ppf(0.975, degrees)
    assert [result.difference.low, result.difference.high] == pytest.approx(
        [difference - quantile * error, difference + quantile * error], abs=1e-9
    )
    # the interval and the test are one
    assert (result.p_value < 0.05) == (result.difference.low > 0 or result.difference.high < 0)


def test_with_one_image_each_the_statistic_is_delongs():
    labels, scores, others, _ = clustered_case(2)
    result = clustered_test(labels, scores, others, np.arange(len(labels)))
    assert result.statistic == pytest.approx(delong_test(labels, scores, others).statistic, abs=1e-9)


def test_repeated_images_widen_the_clustered_interval_alone():
    # each image five times: by patient nothing is gained, by image the width falls by sqrt(5)
    labels, scores, _, _ = clustered_case(3, patients=100, images=1)
    five = [np.repeat(part, 5) for part in (labels, scores, np.arange(100))]
    once, by_patient = clustered_auc(labels, scores, np.arange(100)), clustered_auc(*five)
    assert (by_patient.low, by_patient.high) == pytest.approx((once.low, once.high), abs=1e-9)
    by_image, plain = delong_auc(*five[:2], scale="area"), delong_auc(labels, scores, scale="area")
    assert (plain.high - plain.low) / (by_image.high - by_image.low) == pytest.approx(5**0.5, rel=0.02)


def test_the_number_of_patients_chooses_the_interval_and_it_is_named():
    labels, scores, _, patients = clustered_case(4)
    few, many = (
        auc_with_interval(labels, scores, patients, BootstrapOptions(200, bootstrap_min_patients=k)) for k in (200, 20)
    )
    assert (few.method, many.method) == ("clustered by patient, logit scale", "patient bootstrap, percentiles")
    assert few.value == many.value
    assert few == clustered_auc(labels, scores, patients)
    both = auc_per_class(
        np.stack([labels, patients < 12], 1),
        np.stack([scores] * 2, 1),
        patients,
        BootstrapOptions(200, bootstrap_min_patients=18),
    )
    assert [estimate.method for estimate in both] == [many.method, few.method]
    assert both[0] == auc_with_interval(labels, scores, patients, BootstrapOptions(200, bootstrap_min_patients=18))


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1], []])
def test_a_missing_class_is_named(labels):
    scores, patients = np.arange(len(labels)), np.arange(len(labels))
    reason = "no image" if not labels else "no negative" if labels[0] else "no positive"
    for result in (
        delong_auc(labels, scores),
        delong_test(labels, scores, scores).difference,
        clustered_auc(labels, scores, patients),
        clustered_test(labels, scores, scores, patients).difference,
        auc_with_interval(labels, scores, patients),
    ):
        assert (result.value, result.low, result.reason) == (None, None, reason)


def test_no_spread_is_no_interval_and_no_test():
    labels = np.repeat([1, 0], 20)
    perfect = delong_auc(labels, labels)
    assert (perfect.value, perfect.low, perfect.reason) == (1, None, "no interval: no spread between images")
    assert clustered_auc(labels, labels, np.arange(40)).reason == "no interval: no spread between patients"
    scores = np.random.default_rng(0).normal(size=40) + labels
    same = delong_test(labels, scores, 3 * scores + 1)
    assert (same.difference.value, same.statistic, same.p_value) == (0, None, None)
    assert same.reason == "no interval: no spread between images"
    assert clustered_test(labels, scores, scores, np.arange(40)).p_value is None
    assert delong_auc([1, 0, 0], [0.5, 0.4, 0.6]).reason == "no interval: only one positive or one negative image"


def test_too_few_patients_are_said_to_be_too_few():
    _, scores, others, patients = clustered_case(5)
    reason = "too few cases (4 positive, 36 negative patients)"
    assert clustered_auc(patients < 4, scores, patients).reason == reason
    assert clustered_test(patients < 4, scores, others, patients).reason == reason
    assert clustered_test(patients < 4, scores, others, patients).p_value is None


def test_other_input_is_refused():
    with pytest.raises(ValueError, match="scale"):
        delong_auc([0, 1], [0, 1], scale="probit")
    with pytest.raises(ValueError, match="level"):
        delong_auc([0, 1], [0, 1], level=95)
    with pytest.raises(ValueError, match="shape"):
        delong_test([0, 1], [0, 1], [0])
