"""Text of a card's numbers and of findings."""

import dataclasses
from typing import get_args

import pytest

from cxr_core.estimate import Counts, Estimate
from cxr_core.model import open_model
from cxr_core.model.card import Imported, OperatingPoint, Threshold
from cxr_core.model.findings import Finding, State, flag_rate
from cxr_core.model.formatting import (
    CROSS_VALIDATED,
    STATE_NAMES,
    STATE_TEXTS,
    describe_calibration,
    describe_curve,
    describe_evaluation,
    describe_import,
    describe_not_evaluated,
    describe_scale,
    describe_states,
    format_finding,
    format_prevalence,
)
from cxr_core.model.rate_formatting import (
    describe_flag_rate,
    describe_group_rates,
    describe_limit,
    describe_operating_point,
    describe_view_rate,
)

COUNTS = Counts(40, 160, 30, 90)


@pytest.fixture(scope="module")
def cards(calibrated_models):
    return {kind: open_model(str(calibrated_models / kind)).card for kind in ("consecutive", "enriched")}


def test_the_scale_of_a_reading(cards, predictor):
    plain = dataclasses.replace(predictor.card, calibration=None)
    assert describe_scale(plain, None) == "Scores are not probabilities: this model is not calibrated."
    assert "600 consecutive images (made-up)" in describe_scale(cards["consecutive"], None)
    assert "are an enriched sample" in describe_scale(cards["enriched"], None)
    calibration = dataclasses.replace(cards["enriched"].calibration, sampling="unknown")
    unknown = dataclasses.replace(cards["enriched"], calibration=calibration)
    assert "sampled in an unknown way" in describe_scale(unknown, None)


@pytest.mark.parametrize("kind", ["consecutive", "enriched"])
def test_a_prevalence_is_called_an_assumption(cards, kind):
    text = describe_scale(cards[kind], {"Effusion": 0.05})
    assert text.startswith("Assumption:")
    assert "Effusion 5%" in text
    assert ("Other labels show a score" in text) == (kind == "enriched")


def test_assumed_prevalences():
    assert (
        format_prevalence({"Effusion": 0.05, "Pleural_Thickening": 0.0012}) == "Effusion 5%, Pleural thickening 0.12%"
    )
    assert format_prevalence({"Effusion": 0.05, "Mass": 0.05}) == "5% for 2 labels"


def test_the_calibration_of_a_model(cards, predictor):
    assert "not calibrated" in describe_calibration(dataclasses.replace(predictor.card, calibration=None))
    text = describe_calibration(cards["consecutive"])
    assert text.startswith("Platt curves for 12 of 14 labels, on 600 made-up images (300 patients; made-up;")
    assert text.endswith("taken consecutively")
    curves = cards["consecutive"].calibration.per_label
    assert "too few cases" in describe_curve(curves["Hernia"])
    assert describe_curve(curves["Effusion"]).startswith("platt, ")


def test_the_flag_rate_has_its_interval_and_images(cards):
    metric = Estimate(0.2, 0.15, 0.26, COUNTS)
    assert describe_flag_rate(metric, CROSS_VALIDATED, Estimate(0.18)) == (
        "At its operating point it flags 20.0% (15.0% to 26.0%) of images without findings "
        "(cross-validated; 200 images; in-sample 18.0%)."
    )
    assert "(in-sample; 200 images)." in describe_flag_rate(metric)
    assert "not known: no image." in describe_flag_rate(Estimate(None, None, None, COUNTS, "no image"))
    assert "not known." in describe_flag_rate(None)
    point = cards["consecutive"].operating_points["default"]
    text = describe_operating_point(point)
    assert f"with and without findings, {point.labels_above_per_image.value:.1f} (" in text
    known = {label: t.sensitivity.value for label, t in point.thresholds.items() if t.value is not None}
    assert f"Sensitivity by label: {min(known.values()):.1%} (" in text
    assert f" to {max(known.values()):.1%} (" in text


def test_a_limit_that_other_patients_exceed_is_stated_with_the_views_that_do():
    limited = dataclasses.replace(GROUPED, most_flagged=0.2)
    assert describe_operating_point(limited) == (
        "At its operating point it flags 10.0% (5.0% to 19.0%) of images without findings (cross-validated; 200 images;"
        " in-sample 9.0%). Set to flag at most 20% of images without findings in each view, in-sample; "
        "cross-validated, AP 26.0% (10.0% to 53.0%) is above that."
    )
    kept = dataclasses.replace(limited, most_flagged=0.3)
    assert describe_limit(kept) == "Set to flag at most 30% of images without findings in each view, in-sample."
    assert "Set to" not in describe_operating_point(GROUPED)


GROUPED = OperatingPoint(
    "default",
    "rule",
    "images",
    {},
    flagged_without_findings=Estimate(0.1, 0.05, 0.19, COUNTS),
    flagged_by_group={
        "view: AP": Estimate(0.26, 0.1, 0.53, COUNTS),
        "view: PA": Estimate.missing("too few cases (6 patients)"),
        "sex: F": Estimate(0.13, 0.04, 0.31, COUNTS),
    },
    flagged_where_set=Estimate(0.09),
    flagged_by_group_where_set={"view: AP": Estimate(0.2)},
    held_out="5 folds",
)


def test_rates_by_group_have_the_cross_validated_one_first():
    assert describe_group_rates(GROUPED) == (
        "Flagged of images without findings by view, cross-validated: AP 26.0% (10.0% to 53.0%; 40 of 200 "
        "images; in-sample 20.0%)"
        ", PA not known (too few cases (6 patients))",
        "Flagged of images without findings by sex, cross-validated: F 13.0% (4.0% to 31.0%; 40 of 200 images)",
    )
    assert ", in-sample: AP 26.0%" in describe_group_rates(dataclasses.replace(GROUPED, held_out=""))[0]
    of_this_view = describe_view_rate(flag_rate(GROUPED, "AP"))
    assert of_this_view == (
        "This image is AP: of AP images without findings it flags 26.0% (10.0% to 53.0%; 40 of 200 images), "
        "cross-validated."
    )
    for unknown in (None, flag_rate(GROUPED, "PA"), flag_rate(GROUPED, "")):
        assert describe_view_rate(unknown) == ""


def of_state(label, state, reason=None):
    return Finding(label, 0.0, 0.5, None, None, None if reason else 0.5, state, reason)


def test_the_line_on_top_of_a_reading_counts_and_names():
    effusion, mass = of_state("Effusion", "above"), of_state("Pleural_Thickening", "above")
    below = of_state("Mass", "below")
    without = of_state("Hernia", "not_evaluated", "too few cases (4 positive, 744 negative patients; 30 needed)")
    few = of_state("Edema", "not_evaluated", "too few cases (14 positive, 747 negative patients; 30 needed)")
    chance = of_state("Nodule", "not_evaluated", "discrimination not shown: AUC 0.52, 0.42 to 0.60")
    assert describe_states([effusion, mass, below, without]) == (
        "2 of 3 evaluated findings are above their operating point: Effusion, Pleural thickening"
    )
    assert describe_states([effusion, below]) == "1 of 2 evaluated findings is above its operating point: Effusion"
    assert describe_states([below, below]) == (
        "None of 2 evaluated findings is above its operating point. This does not mean normal."
    )
    assert describe_states([without]) == "No finding is evaluated. This does not mean normal."
    assert describe_not_evaluated([effusion, without, chance, few]) == (
        "too few cases: Hernia, Edema; discrimination not shown: Nodule"
    )
    assert describe_not_evaluated([effusion]) == ""


def test_a_card_without_a_validation_auc_says_what_was_not_checked(cards, predictor):
    card = cards["consecutive"]
    assert describe_evaluation(card) == ""
    without = {label: dataclasses.replace(curve, auc=None) for label, curve in card.calibration.per_label.items()}
    old = dataclasses.replace(card, calibration=dataclasses.replace(card.calibration, per_label=without))
    assert describe_evaluation(old).startswith("Thresholds are used: the card states no validation AUC")
    threshold = Threshold(0.2, source="the authors")
    point = OperatingPoint("default", "none", "none", dict.fromkeys(card.labels, threshold))
    published = dataclasses.replace(card, operating_points={"default": point}, calibration=None)
    assert describe_evaluation(published).startswith("Published thresholds are used as they are: the card states no")
    nothing = dataclasses.replace(point, thresholds=dict.fromkeys(card.labels, Threshold(None, reason="none")))
    assert describe_evaluation(dataclasses.replace(published, operating_points={"default": nothing})) == ""


def test_every_state_has_its_name_and_its_text():
    assert set(STATE_NAMES) == set(STATE_TEXTS) == set(get_args(State))
    # "below" is what was measured, never "absent" or "normal"
    assert STATE_TEXTS["below"] == "below its operating point"


@pytest.mark.parametrize("verified", [True, False, None])
@pytest.mark.parametrize("source", ["the authors", None])
def test_an_imported_model_that_is_not_verified_is_doubted_with_operating_points_and_without(
    predictor, verified, source
):
    threshold = Threshold(0.2, source=source) if source else Threshold(None, reason="none came with the weights")
    point = OperatingPoint("default", "none", "none", dict.fromkeys(predictor.card.labels, threshold))
    imported = Imported("torch:x", "x (state dict)", "0" * 64, "nothing", verified=verified)
    card = dataclasses.replace(predictor.card, imported=imported, operating_points={"default": point})
    text = describe_import(card)
    assert ("come from its authors" in text) == (source is not None)
    assert ("It has no operating points" in text) == (source is None)
    assert ("does not have the hash of the published one" in text) == (verified is False)


def test_a_finding_with_interval_and_threshold():
    score = Finding("A", 0.0, 0.5, None, None, 0.25, "above")
    assert format_finding(score) == "score 0.500, threshold 0.250"
    assert format_finding(dataclasses.replace(score, threshold=None, state="not_evaluated")) == "score 0.500"
    calibrated = dataclasses.replace(score, probability=0.1, interval=(0.004, 0.2), threshold=0.15)
    assert format_finding(calibrated) == "probability 0.100 (0.004 to 0.200), threshold 0.150"
