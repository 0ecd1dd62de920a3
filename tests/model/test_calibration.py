"""What a card's calibration allows to be shown."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import expit, logit

from cxr_core.errors import ModelUnusable, WrongArguments
from cxr_core.estimate import Counts, Estimate
from cxr_core.model import assumed_prevalence, open_model, reassess
from cxr_core.model.calibration import (
    Calibration,
    Curve,
    HeldOut,
    Scale,
    check_calibration,
    discrimination_not_shown,
    probability_scale,
)
from cxr_core.model.card import OperatingPoint, Threshold
from cxr_core.model.findings import make_findings
from cxr_core.model.folder import CARD, write_sums

COUNTS = Counts(100, 900, 80, 400)
PLATT = Curve(
    "platt",
    slope=0.5,
    intercept=-1.0,
    logits=(-2.0, 0.0, 2.0),
    low=(-2.6, -1.2, -0.3),
    high=(-1.4, -0.8, 0.4),
    prevalence=0.1,
    counts=COUNTS,
)
ISOTONIC = Curve(
    "isotonic",
    logits=(-1.0, 1.0, 1.5),
    log_odds=(-3.0, -1.0, -1.0),
    low=(-3.5, -1.4, -1.4),
    high=(-2.5, -0.6, -0.6),
    prevalence=0.2,
    counts=COUNTS,
)
NONE = Curve(None, counts=COUNTS, reason="too few cases (2 positive")


def calibration(sampling, **curves):
    return Calibration(
        weights_sha256="w",
        sampling=sampling,
        images="images",
        sources=("somewhere",),
        reference="somebody",
        number_of_images=1000,
        number_of_patients=420,
        split="",
        split_sha256="",
        interval="95 %",
        held_out="folds",
        rule="Platt",
        per_label=curves or {"A": PLATT, "B": ISOTONIC, "C": NONE},
    )


def point(**thresholds):
    return OperatingPoint(
        "default",
        "by hand",
        "none",
        {label: Threshold(value, counts=COUNTS if value else None) for label, value in thresholds.items()},
    )


@pytest.fixture
def card(predictor):
    labels = ("A", "B", "C")
    return dataclasses.replace(predictor.card, labels=labels, calibration=calibration("consecutive"))


def test_platt_is_a_line_and_goes_on_beyond_its_knots():
    # 0.5 x 1 - 1, and half way between knots
    assert PLATT.at(1.0) == pytest.approx((-0.75, -0.5, -0.2))
    # low rises by 0.45 a unit on the right and by 0.7 on the left; high by 0.6 and by 0.3
    assert PLATT.at(4.0) == pytest.approx((-0.3 + 0.9, 1.0, 0.4 + 1.2))
    assert PLATT.at(-4.0) == pytest.approx((-2.6 - 1.4, -3.0, -1.4 - 0.6))


def test_isotonic_is_linear_between_knots_and_constant_beyond():
    assert ISOTONIC.at(0.0) == pytest.approx((-2.45, -2.0, -1.55))
    assert ISOTONIC.at(-9.0) == ISOTONIC.at(-1.0)
    assert ISOTONIC.at(9.0) == ISOTONIC.at(1.2) == (-1.4, -1.0, -0.6)


def test_only_a_consecutive_sample_gives_a_probability_as_it_is():
    assert probability_scale(calibration("consecutive"), "A") == Scale(PLATT)
    for sampling in ("enriched", "unknown"):
        assert probability_scale(calibration(sampling), "A") is None
    assert probability_scale(calibration("consecutive"), "C") is None
    assert probability_scale(None, "A") is None


@pytest.mark.parametrize("sampling", ["consecutive", "enriched", "unknown"])
def test_a_prevalence_moves_all_log_odds_by_the_same(sampling):
    scale = probability_scale(calibration(sampling), "A", {"A": 0.02})
    # ln(0.02 / 0.98) - ln(0.1 / 0.9) = -1.694596
    assert scale.shift == pytest.approx(-1.694596, abs=1e-6)
    for shifted, plain in zip(scale.at(0.7), PLATT.at(0.7), strict=True):
        assert logit(shifted) == pytest.approx(plain - 1.694596, abs=1e-6)


def test_the_prevalence_of_the_images_themselves_moves_nothing():
    assert probability_scale(calibration("enriched"), "B", {"B": 0.2}).shift == 0
    # a label that was not named is not moved
    assert probability_scale(calibration("enriched"), "A", {"B": 0.2}) is None
    assert probability_scale(calibration("consecutive"), "A", {"B": 0.2}).shift == 0


def test_at_the_true_prevalence_the_mean_probability_is_the_share_of_positives():
    # a curve fitted where one in ten is positive, used where one in fifty is, images of a kind looking alike
    rng = np.random.default_rng(0)
    mean = {True: 1.0, False: -1.0}
    # two normals of SD 1 two apart: log-odds = 2 x + ln(prevalence odds)
    curve = dataclasses.replace(PLATT, slope=2.0, intercept=float(logit(0.1)))
    scale = probability_scale(calibration("enriched", A=curve), "A", {"A": 0.02})
    positive = rng.random(20000) < 0.02
    scores = rng.normal(np.where(positive, mean[True], mean[False]))
    assert np.mean([scale.at(x)[1] for x in scores]) == pytest.approx(0.02, abs=0.003)


def test_states_on_the_scale_of_probability(card):
    # threshold 0.5 is logit 0, log-odds -1; the interval at logit 1 is (-0.75, -0.2), at 0.2 it is (-1.11, -0.68)
    at = point(A=0.5, B=0.5, C=0.5)
    above, _, by_score = make_findings(card, np.array([1.0, 0.0, 0.1]), at)
    assert above.state == "above"
    assert above.probability == pytest.approx(expit(-0.5))
    assert above.interval == pytest.approx(tuple(expit([-0.75, -0.2])))
    assert above.threshold == pytest.approx(expit(-1.0))
    assert above.score == pytest.approx(expit(1.0))
    # the interval contains the threshold, and decides nothing
    near = make_findings(card, np.array([0.2, 0, 0]), at)[0]
    assert near.interval[0] < near.threshold < near.interval[1]
    assert near.state == "above"
    assert make_findings(card, np.array([-1e-9, 0, 0]), at)[0].state == "below"
    # no curve: score beside a threshold on the score
    assert (by_score.probability, by_score.interval, by_score.threshold) == (None, None, 0.5)
    assert by_score.state == "above"


def test_without_a_probability_the_score_stands_beside_its_threshold(card):
    enriched = dataclasses.replace(card, calibration=calibration("enriched"))
    found = make_findings(enriched, np.array([1e-6, -1e-6, 0.0]), point(A=0.5, B=0.5, C=0.5))
    assert [f.state for f in found] == ["above", "below", "above"]
    assert all(f.probability is None and f.interval is None and f.threshold == 0.5 for f in found)


def test_a_label_that_is_not_evaluated_has_no_probability(card):
    found = make_findings(card, np.array([3.0, 3.0, 3.0]), point(A=None, B=0.5, C=0.5))
    assert (found[0].state, found[0].reason) == ("not_evaluated", "no operating point")
    assert (found[0].probability, found[0].interval, found[0].threshold) == (None, None, None)


def test_a_prevalence_moves_value_interval_and_threshold_and_no_state(card):
    logits, at = np.array([1.0, 0.3, 0.1]), point(A=0.5, B=0.5, C=0.5)
    plain = make_findings(card, logits, at)
    shifted = make_findings(card, logits, at, {"A": 0.5, "B": 0.01})
    for one, other, moved in zip(plain, shifted, (logit(0.5) - logit(0.1), logit(0.01) - logit(0.2), 0), strict=True):
        assert one.state == other.state
        if one.probability is not None:
            for before, after in (
                (one.probability, other.probability),
                (one.threshold, other.threshold),
                (one.interval[0], other.interval[0]),
                (one.interval[1], other.interval[1]),
            ):
                assert logit(after) - logit(before) == pytest.approx(moved)


def test_the_state_is_what_the_printed_numbers_say(calibrated_models):
    card = open_model(str(calibrated_models / "consecutive")).card
    rng = np.random.default_rng(0)
    for name in card.operating_points:
        for logits in rng.normal(-1, 1.5, (40, 14)):
            for f in make_findings(card, logits, card.operating_point(name)):
                if f.state == "not_evaluated":
                    continue
                assert f.state == ("above" if f.probability >= f.threshold else "below")
                assert (f.state == "above") == (f.score >= card.operating_point(name).thresholds[f.label].value)


NUMBER = Estimate(0.0, -1.0, 1.0)


def earned(auc=None, slope=None):
    """Return Platt's curve with an AUC and a cross-validated slope, each (value, low, high)."""
    others = ("intercept", "in_the_large", "brier", "brier_uncalibrated", "brier_difference")
    losses = ("log_loss", "log_loss_uncalibrated", "log_loss_difference")
    numbers = dict.fromkeys((*others, *losses), NUMBER)
    held_out = None if slope is None else HeldOut(slope=Estimate(*slope), bins=(), **numbers)
    return dataclasses.replace(PLATT, auc=None if auc is None else Estimate(*auc), held_out=held_out)


@pytest.mark.parametrize(
    ("auc", "slope", "reason"),
    [
        ((0.7, 0.6, 0.8), (1.0, 0.5, 1.5), None),
        ((0.7, 0.501, 0.8), (1.0, 0.001, 1.5), None),
        ((0.52, 0.42, 0.6), (1.0, 0.5, 1.5), "discrimination not shown: AUC 0.52, 0.42 to 0.60"),
        ((0.6, 0.5, 0.7), (1.0, 0.5, 1.5), "discrimination not shown: AUC 0.60, 0.50 to 0.70"),
        # worse than chance is no discrimination either
        ((0.3, 0.2, 0.4), (1.0, 0.5, 1.5), "discrimination not shown: AUC 0.30, 0.20 to 0.40"),
        (
            (0.7, 0.6, 0.8),
            (0.4, -0.1, 0.9),
            "discrimination not shown: cross-validated calibration slope 0.40, -0.10 to 0.90",
        ),
        ((0.7, 0.6, 0.8), None, "discrimination not shown: None"),
        # cards of earlier versions have no AUC: the slope alone speaks
        (None, (1.0, 0.5, 1.5), None),
        (None, (0.4, -0.1, 0.9), "discrimination not shown: cross-validated calibration slope 0.40, -0.10 to 0.90"),
        (None, None, None),
    ],
)
def test_a_label_earns_its_evaluation(card, auc, slope, reason):
    curve = earned(auc, slope)
    assert discrimination_not_shown(curve) == reason
    with_curve = dataclasses.replace(card, calibration=calibration("consecutive", A=curve, B=ISOTONIC, C=NONE))
    finding = make_findings(with_curve, np.array([1.0, 0.0, 0.0]), point(A=0.5, B=0.5, C=0.5))[0]
    assert finding.reason == reason
    assert finding.state == ("above" if reason is None else "not_evaluated")
    assert (finding.threshold is None) == (finding.probability is None) == (reason is not None)


def test_one_number_is_assumed_for_every_label_that_has_a_curve():
    assert assumed_prevalence(calibration("enriched"), 0.03) == {"A": 0.03, "B": 0.03}
    assert assumed_prevalence(calibration("enriched"), {"B": 0.5}) == {"B": 0.5}
    assert assumed_prevalence(calibration("enriched"), None) is None
    assert assumed_prevalence(None, {}) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"A": 0}, "between 0 and 1"),
        ({"A": 1}, "between 0 and 1"),
        (float("nan"), "between 0 and 1"),
        (2.0, "between 0 and 1"),
        ({"C": 0.1}, r"too few cases \(2 positive"),
        ({"Z": 0.1}, "no label of this model. Accepted: A, B"),
    ],
)
def test_what_cannot_be_assumed_is_said(given, words):
    with pytest.raises(WrongArguments, match=words):
        assumed_prevalence(calibration("enriched"), given)


def test_a_model_without_calibration_has_nothing_to_shift():
    for nothing in (None, calibration("enriched", C=NONE)):
        with pytest.raises(WrongArguments, match="no calibrated label"):
            assumed_prevalence(nothing, 0.1)


def test_a_reading_under_other_terms_is_the_reading_made_under_them(calibrated_models):
    from cxr_core.imaging import phantom_dicom
    from cxr_core.model import Predictor
    from cxr_core.model.predictor import open_engine
    from cxr_core.reading import read_image

    folder = open_model(str(calibrated_models / "enriched"))
    predictor = Predictor(folder, open_engine(folder, "openvino"))
    data, given = phantom_dicom(256, 224), {"Effusion": 0.2}
    _, plain = read_image(data, predictor)
    _, direct = read_image(data, predictor, operating_point="youden", prevalence=given)
    again = reassess(plain, folder.card, "youden", given)
    assert again.findings == direct.findings
    assert again.prevalence == direct.prevalence == given
    assert again.flagged == direct.flagged
    assert direct.flagged.overall == folder.card.operating_points["youden"].flagged_without_findings
    assert direct.finding("Effusion").probability is not None
    assert direct.finding("Mass").probability is None
    assert plain.finding("Effusion").probability is None
    with pytest.raises(WrongArguments, match="no operating point"):
        reassess(plain, folder.card, "none")


@pytest.mark.parametrize(
    ("label", "change"),
    [
        ("A", {"low": (1.0,)}),
        ("A", {"slope": None}),
        ("A", {"logits": (0.0, 0.0, 2.0)}),
        ("A", {"prevalence": None}),
        ("B", {"log_odds": ()}),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused(label, change):
    curves = {"A": PLATT, "B": ISOTONIC}
    check_calibration(calibration("unknown", **curves), ("A", "B"), "m")
    curves[label] = dataclasses.replace(curves[label], **change)
    with pytest.raises(ModelUnusable, match=f"calibration of {label} is incomplete"):
        check_calibration(calibration("unknown", **curves), ("A", "B"), "m")


def test_curves_for_other_labels_are_refused():
    with pytest.raises(ModelUnusable, match="exactly the card's labels"):
        check_calibration(calibration("unknown"), ("A", "B"), "m")


def test_a_calibration_of_other_weights_is_refused(calibrated_models, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(calibrated_models / "consecutive", copy)
    card = json.loads((copy / CARD).read_text())
    assert card["calibration"]["weights_sha256"] == card["weights_sha256"]
    card["calibration"]["weights_sha256"] = "0" * 64
    (copy / CARD).write_text(json.dumps(card))
    write_sums(copy)
    with pytest.raises(ModelUnusable, match="the calibration of the card was made with other weights"):
        open_model(str(copy))
