"""Operating points: the rules, and that they are judged on patients that they were not set on."""

import dataclasses

import numpy as np
import pytest

from cxr_core.metrics import sensitivity_specificity
from cxr_core.training import operating_points as module
from cxr_core.training.operating_points import MOST_FLAGGED, RULES, operating_points
from cxr_core.training.sample import Sample, sample_of
from tests.films import made_up_scores

LABELS = ("Effusion", "Mass", "Nodule", "Edema")


@pytest.fixture(scope="module")
def films():
    scored = made_up_scores(400, labels=LABELS, rare=("Edema",))
    return sample_of(LABELS, scored.films, scored.logits)


@pytest.fixture(scope="module")
def points(films):
    return operating_points(films, "films", resamples=200)


def above_at(films, point):
    values = [point.thresholds[label].value for label in LABELS]
    return np.stack([films.scores[:, c] >= (np.inf if v is None else v) for c, v in enumerate(values)], axis=1)


def test_their_names_can_be_typed(points):
    assert list(points) == ["default", "youden", "sensitivity-0.90", "sensitivity-0.95", "specificity-0.95"]


def test_the_default_is_the_lowest_specificity_that_flags_few_enough(films, points):
    above = above_at(films, points["default"])
    flagged = above[films.clear].any(axis=1).mean()
    assert flagged <= MOST_FLAGGED
    assert points["default"].flagged_where_set.value == flagged
    # one specificity for all: that of each label, which the next lower thousandth would not keep
    specificities = [1 - above[~films.positive[:, c], c].mean() for c in range(3)]
    assert np.ptp(specificities) < 0.005
    lower = module._one_specificity(films, range(3), int(1000 * min(specificities)) - 2)
    more = np.any([films.scores[films.clear, c] >= value for c, value in lower.items()], axis=0).mean()
    assert more > MOST_FLAGGED


def test_every_rule_keeps_its_word_on_the_films_it_was_set_on(films, points):
    for c, label in enumerate(LABELS[:3]):
        for name, kind, share in (
            ("sensitivity-0.90", 0, 0.90),
            ("sensitivity-0.95", 0, 0.95),
            ("specificity-0.95", 1, 0.95),
        ):
            reached = sensitivity_specificity(
                films.positive[:, c], films.scores[:, c], points[name].thresholds[label].value, films.patients
            )[kind].value
            assert share <= reached < share + 0.02

        def index(value, c=c):
            both = sensitivity_specificity(films.positive[:, c], films.scores[:, c], value, films.patients)
            return both[0].value + both[1].value

        best = index(points["youden"].thresholds[label].value)
        assert all(best >= index(points[name].thresholds[label].value) for name in points)


def test_numbers_are_of_patients_that_the_rule_was_not_set_on(films):
    """With few patients and labels of no worth, thresholds flatter themselves; the card's numbers do not."""
    rng = np.random.default_rng(1)
    few = films.select(films.patients < 130)
    noise = dataclasses.replace(few, logits=rng.normal(size=few.logits.shape))
    flattered, honest = [], []
    for seed in range(12):
        drawn = dataclasses.replace(noise, logits=np.random.default_rng(seed).normal(size=few.logits.shape))
        columns = [c for c in range(3) if drawn.lacking(c) is None]
        point = operating_points(drawn, "films", resamples=20, seed=seed)["youden"]
        for c in columns:
            threshold = point.thresholds[LABELS[c]]
            own = sensitivity_specificity(drawn.positive[:, c], drawn.scores[:, c], threshold.value, drawn.patients)
            flattered.append(own[0].value + own[1].value - 1)
            honest.append(threshold.sensitivity.value + threshold.specificity.value - 1)
    # scores that know nothing have an index of 0
    assert np.mean(flattered) > 0.1
    assert abs(np.mean(honest)) < 0.06


def test_the_share_flagged_is_held_out_and_the_count_above_is_on_all_films(films, points):
    point = points["default"]
    fold = module.patient_folds(films.patients, module.FOLDS, 0)
    above = np.zeros(films.positive.shape, dtype=bool)
    for number in range(module.FOLDS):
        others = films.select(fold != number)
        for c, value in module._default(others, [0, 1, 2]).items():
            above[fold == number, c] = films.scores[fold == number, c] >= value
    assert point.flagged_without_findings.value == above[films.clear].any(axis=1).mean()
    assert point.labels_above_per_film.value == pytest.approx(above.sum(axis=1).mean())
    for metric in (point.flagged_without_findings, point.labels_above_per_film):
        assert metric.low < metric.value < metric.high
    assert point.flagged_without_findings.low < MOST_FLAGGED + 0.03
    assert "5 folds by patient" in point.held_out


def test_too_few_patients_have_no_threshold_and_their_counts(points):
    for point in points.values():
        edema = point.thresholds["Edema"]
        assert edema.value is None
        assert "30 of each needed" in edema.reason or "60 positive needed" in edema.reason
        assert edema.counts.positive_patients < 5


def test_sensitivity_095_needs_sixty_positive_patients(films):
    # as many patients as hold 30 to 59 with an effusion
    some = next(
        part
        for number in range(40, 400)
        for part in [films.select(films.patients < number)]
        if part.counts(0).positive_patients == 45
    )
    points = operating_points(some, "films", resamples=20)
    assert points["sensitivity-0.90"].thresholds["Effusion"].value is not None
    assert "sensitivity-0.95" not in points or points["sensitivity-0.95"].thresholds["Effusion"].value is None
    assert some.lacking(0, 60).endswith("60 positive needed")


def test_without_a_single_label_there_is_only_an_empty_default(films):
    few = films.select(films.patients < 10)
    points = operating_points(few, "films")
    assert list(points) == ["default"]
    assert all(threshold.value is None for threshold in points["default"].thresholds.values())
    assert points["default"].flagged_without_findings is None


def test_where_no_film_is_without_findings_the_default_is_a_plain_specificity(films):
    nothing = dataclasses.replace(films, clear=np.zeros(len(films), dtype=bool))
    point = operating_points(nothing, "films", resamples=20)["default"]
    plain = operating_points(films, "films", resamples=20)["specificity-0.95"]
    assert {k: t.value for k, t in point.thresholds.items()} == {k: t.value for k, t in plain.thresholds.items()}
    assert point.flagged_without_findings.reason == "no film"


def test_saturated_scores_have_thresholds_between_nought_and_one(films):
    far = dataclasses.replace(films, logits=films.logits * 60)
    assert (far.scores > 0).all()
    assert (far.scores < 1).all()
    for point in operating_points(far, "films", resamples=20).values():
        assert all(t.value is None or 0 < t.value < 1 for t in point.thresholds.values())


def test_a_label_without_reference_is_unknown():
    scored = made_up_scores(20, labels=("Mass", "Fracture"))
    unknown = sample_of(("Mass", "Fracture"), scored.films, scored.logits)
    assert isinstance(unknown, Sample)
    assert unknown.known.tolist() == [True, False]
    assert not unknown.positive[:, 1].any()
    assert operating_points(unknown, "films")["default"].thresholds["Fracture"].counts is None
    assert len(RULES) == 5
