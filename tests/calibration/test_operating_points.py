"""Operating points: the rules, and that they are judged on patients that they were not set on."""

import dataclasses

import numpy as np
import pytest

from cxr_core.calibration import operating_points as module
from cxr_core.calibration.operating_points import MOST_FLAGGED, RULES, operating_points
from cxr_core.calibration.sample import CalibrationSet
from cxr_core.metrics import BootstrapOptions, sensitivity_specificity
from tests.images import made_up_scores

LABELS = ("Effusion", "Mass", "Nodule", "Edema")


@pytest.fixture(scope="module")
def images():
    scored = made_up_scores(400, labels=LABELS, rare=("Edema",))
    return CalibrationSet.of(scored)


@pytest.fixture(scope="module")
def points(images):
    return operating_points(images, "images", options=BootstrapOptions(200))


def above_at(images, point):
    values = [point.thresholds[label].value for label in LABELS]
    return np.stack([images.scores[:, c] >= (np.inf if v is None else v) for c, v in enumerate(values)], axis=1)


def test_their_names_can_be_typed(points):
    assert list(points) == ["default", "youden", "sensitivity-0.90", "sensitivity-0.95", "specificity-0.95"]


def test_the_default_is_the_lowest_specificity_that_flags_few_enough(images, points):
    above = above_at(images, points["default"])
    flagged = above[images.without_findings].any(axis=1).mean()
    assert flagged <= MOST_FLAGGED
    assert points["default"].flagged_where_set.value == flagged
    # one specificity for all: that of each label, which the next lower thousandth would not keep
    specificities = [1 - above[~images.positive[:, c], c].mean() for c in range(3)]
    assert np.ptp(specificities) < 0.005
    lower = module._one_specificity(images, range(3), int(1000 * min(specificities)) - 2)
    more = np.any([images.scores[images.without_findings, c] >= value for c, value in lower.items()], axis=0).mean()
    assert more > MOST_FLAGGED


@pytest.fixture(scope="module")
def in_two_views(images):
    """Return the images, of which every fifth patient's are AP, scored higher throughout, and sexes and ages."""
    bedside = images.patients % 5 == 0
    return dataclasses.replace(
        images,
        logits=images.logits + np.where(bedside, 0.8, 0.0)[:, None],
        views=np.where(bedside, "AP", "PA"),
        sexes=np.where(images.patients % 2 == 0, "F", "M"),
        ages=np.where(images.patients < 20, np.nan, images.patients % 70 + 10.0),
    )


def test_the_default_flags_few_enough_in_each_view_and_no_fewer_than_it_must(in_two_views):
    point = operating_points(in_two_views, "images", options=BootstrapOptions(20))["default"]
    flagged = above_at(in_two_views, point).any(axis=1)
    rates = {
        view: flagged[in_two_views.without_findings & (in_two_views.views == view)].mean() for view in ("AP", "PA")
    }
    assert rates["PA"] < rates["AP"] <= MOST_FLAGGED
    assert rates["AP"] > MOST_FLAGGED - 0.05
    assert "in each view with 30 patients" in point.rule
    # a view with fewer patients is not counted by itself
    few = in_two_views.select((in_two_views.views == "PA") | (in_two_views.patients < 100))
    assert len(np.unique(few.patients[few.views == "AP"])) == 20
    pooled = above_at(few, operating_points(few, "images", options=BootstrapOptions(20))["default"]).any(axis=1)
    assert pooled[few.without_findings].mean() > MOST_FLAGGED - 0.02
    assert pooled[few.without_findings & (few.views == "AP")].mean() > MOST_FLAGGED


def test_every_rate_by_group_is_a_count_of_states(in_two_views):
    """Recomputed from thresholds and scores: in-sample, and with each fold judged by the thresholds of the others."""
    for point, rule in zip(
        operating_points(in_two_views, "images", options=BootstrapOptions(20)).values(), RULES, strict=True
    ):
        in_sample = above_at(in_two_views, point)
        held_out = np.zeros_like(in_sample)
        fold = module.patient_folds(in_two_views.patients, module.FOLDS, 0)
        for number in range(module.FOLDS):
            columns = [c for c, label in enumerate(LABELS) if point.thresholds[label].value is not None]
            for c, value in rule.set(in_two_views.select(fold != number), columns).items():
                held_out[fold == number, c] = in_two_views.scores[fold == number, c] >= value
        for above, overall, by_group in (
            (held_out, point.flagged_without_findings, point.flagged_by_group),
            (in_sample, point.flagged_where_set, point.flagged_by_group_where_set),
        ):
            flagged, clear = above.any(axis=1), in_two_views.without_findings
            assert overall.value == flagged[clear].mean()
            assert overall.counts.images == clear.sum()
            assert list(by_group) == [
                "view: AP", "view: PA", "sex: F", "sex: M", "age: under 18", "age: 18 to 39", "age: 40 to 59",
                "age: 60 to 79",
            ]  # fmt: skip
            for group, rate in by_group.items():
                inside = clear & in_two_views.groups[group]
                assert (rate.value, rate.counts.positive_images) == (flagged[inside].mean(), flagged[inside].sum())
                assert rate.low <= rate.value <= rate.high
        assert point.labels_above_per_image.value == pytest.approx(held_out.sum(axis=1).mean())


def test_a_label_without_discrimination_has_no_threshold_and_does_not_count(images):
    reason = "discrimination not shown: AUC 0.52, 0.42 to 0.60"
    points = operating_points(images, "images", not_shown={"Mass": reason}, options=BootstrapOptions(20))
    for point in points.values():
        assert (point.thresholds["Mass"].value, point.thresholds["Mass"].reason) == (None, reason)
        assert point.thresholds["Mass"].counts == images.counts(1)
    flagged = above_at(images, points["default"])[images.without_findings].any(axis=1).mean()
    assert MOST_FLAGGED - 0.02 < flagged <= MOST_FLAGGED


def test_every_rule_keeps_its_word_on_the_images_it_was_set_on(images, points):
    for c, label in enumerate(LABELS[:3]):
        for name, kind, share in (
            ("sensitivity-0.90", 0, 0.90),
            ("sensitivity-0.95", 0, 0.95),
            ("specificity-0.95", 1, 0.95),
        ):
            reached = sensitivity_specificity(
                images.positive[:, c], images.scores[:, c], points[name].thresholds[label].value, images.patients
            )[kind].value
            assert share <= reached < share + 0.02

        def index(value, c=c):
            both = sensitivity_specificity(images.positive[:, c], images.scores[:, c], value, images.patients)
            return both[0].value + both[1].value

        best = index(points["youden"].thresholds[label].value)
        assert all(best >= index(points[name].thresholds[label].value) for name in points)


def test_numbers_are_of_patients_that_the_rule_was_not_set_on(images):
    """With few patients and labels of no worth, thresholds flatter themselves; the card's numbers do not."""
    rng = np.random.default_rng(1)
    few = images.select(images.patients < 130)
    noise = dataclasses.replace(few, logits=rng.normal(size=few.logits.shape))
    flattered, honest = [], []
    for seed in range(12):
        drawn = dataclasses.replace(noise, logits=np.random.default_rng(seed).normal(size=few.logits.shape))
        columns = [c for c in range(3) if drawn.why_not_fitted(c) is None]
        point = operating_points(drawn, "images", options=BootstrapOptions(20, seed))["youden"]
        for c in columns:
            threshold = point.thresholds[LABELS[c]]
            own = sensitivity_specificity(drawn.positive[:, c], drawn.scores[:, c], threshold.value, drawn.patients)
            flattered.append(own[0].value + own[1].value - 1)
            honest.append(threshold.sensitivity.value + threshold.specificity.value - 1)
    # scores that know nothing have an index of 0
    assert np.mean(flattered) > 0.1
    assert abs(np.mean(honest)) < 0.06


def test_the_share_flagged_is_held_out_and_the_count_above_is_on_all_images(images, points):
    point = points["default"]
    fold = module.patient_folds(images.patients, module.FOLDS, 0)
    above = np.zeros(images.positive.shape, dtype=bool)
    for number in range(module.FOLDS):
        others = images.select(fold != number)
        for c, value in module._default(others, [0, 1, 2]).items():
            above[fold == number, c] = images.scores[fold == number, c] >= value
    assert point.flagged_without_findings.value == above[images.without_findings].any(axis=1).mean()
    assert point.labels_above_per_image.value == pytest.approx(above.sum(axis=1).mean())
    for metric in (point.flagged_without_findings, point.labels_above_per_image):
        assert metric.low < metric.value < metric.high
    assert point.flagged_without_findings.low < MOST_FLAGGED + 0.03
    assert "5 folds by patient" in point.held_out


def test_too_few_patients_have_no_threshold_and_their_counts(points):
    for point in points.values():
        edema = point.thresholds["Edema"]
        assert edema.value is None
        assert "30 of each needed" in edema.reason or "60 positive needed" in edema.reason
        assert edema.counts.positive_patients < 5


def test_sensitivity_095_needs_sixty_positive_patients(images):
    # as many patients as hold 30 to 59 with an effusion
    some = next(
        part
        for number in range(40, 400)
        for part in [images.select(images.patients < number)]
        if part.counts(0).positive_patients == 45
    )
    points = operating_points(some, "images", options=BootstrapOptions(20))
    assert points["sensitivity-0.90"].thresholds["Effusion"].value is not None
    assert "sensitivity-0.95" not in points or points["sensitivity-0.95"].thresholds["Effusion"].value is None
    assert some.why_not_fitted(0, 60).endswith("; 60 positive needed)")


def test_without_a_single_label_there_is_only_an_empty_default(images):
    few = images.select(images.patients < 10)
    points = operating_points(few, "images")
    assert list(points) == ["default"]
    assert all(threshold.value is None for threshold in points["default"].thresholds.values())
    assert points["default"].flagged_without_findings is None


def test_where_no_image_is_without_findings_the_default_is_a_plain_specificity(images):
    nothing = dataclasses.replace(images, without_findings=np.zeros(len(images), dtype=bool))
    point = operating_points(nothing, "images", options=BootstrapOptions(20))["default"]
    plain = operating_points(images, "images", options=BootstrapOptions(20))["specificity-0.95"]
    assert {k: t.value for k, t in point.thresholds.items()} == {k: t.value for k, t in plain.thresholds.items()}
    assert point.flagged_without_findings.reason == "no image"


def test_saturated_scores_have_thresholds_between_nought_and_one(images):
    far = dataclasses.replace(images, logits=images.logits * 60)
    assert (far.scores > 0).all()
    assert (far.scores < 1).all()
    for point in operating_points(far, "images", options=BootstrapOptions(20)).values():
        assert all(t.value is None or 0 < t.value < 1 for t in point.thresholds.values())


def test_a_label_without_reference_is_unknown():
    scored = made_up_scores(20, labels=("Mass", "Fracture"))
    unknown = CalibrationSet.of(dataclasses.replace(scored, images=scored.images.with_labels(("Mass",))))
    assert isinstance(unknown, CalibrationSet)
    assert unknown.stated.tolist() == [True, False]
    assert not unknown.positive[:, 1].any()
    assert operating_points(unknown, "images")["default"].thresholds["Fracture"].counts is None
    assert len(RULES) == 5
