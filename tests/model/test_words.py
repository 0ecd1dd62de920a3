"""One set of words for every screen and file."""

import dataclasses

import pytest

from cxr_core.model import open_model
from cxr_core.model.card import Counts, Metric
from cxr_core.model.findings import Finding
from cxr_core.model.measure import Interval
from cxr_core.model.words import (
    calibration_words,
    curve_words,
    flagged_words,
    number_words,
    prevalence_words,
    probability_words,
    share_words,
    small_words,
    value_words,
)

COUNTS = Counts(40, 160, 30, 90)


@pytest.fixture(scope="module")
def cards(calibrated_models):
    return {kind: open_model(str(calibrated_models / kind)).card for kind in ("consecutive", "enriched")}


def test_what_the_numbers_of_a_reading_are(cards, predictor):
    plain = dataclasses.replace(predictor.card, calibration=None)
    assert probability_words(plain, None) == "Scores are not probabilities: this model is not calibrated."
    assert "600 consecutive films (made-up)" in probability_words(cards["consecutive"], None)
    assert "were enriched" in probability_words(cards["enriched"], None)
    unknown = dataclasses.replace(cards["enriched"].calibration, sampling="unknown")
    assert "not known" in probability_words(dataclasses.replace(cards["enriched"], calibration=unknown), None)


@pytest.mark.parametrize("kind", ["consecutive", "enriched"])
def test_a_prevalence_is_called_an_assumption(cards, kind):
    words = probability_words(cards[kind], {"Effusion": 0.05})
    assert words.startswith("Assumption:")
    assert "Effusion 5 %" in words
    assert ("Other labels show a score" in words) == (kind == "enriched")


def test_prevalences():
    assert (
        prevalence_words({"Effusion": 0.05, "Pleural_Thickening": 0.0012}) == "Effusion 5 %, Pleural thickening 0.12 %"
    )
    assert prevalence_words({"Effusion": 0.05, "Mass": 0.05}) == "5 % for 2 labels"


def test_on_what_a_model_was_calibrated(cards, predictor):
    assert "not calibrated" in calibration_words(dataclasses.replace(predictor.card, calibration=None))
    words = calibration_words(cards["consecutive"])
    assert words.startswith("Platt curves for 12 of 14 labels, on 600 made-up films (300 patients; made-up;")
    assert words.endswith("taken consecutively")
    curves = cards["consecutive"].calibration.per_label
    assert "too few cases" in curve_words(curves["Hernia"])
    assert curve_words(curves["Effusion"]).startswith("platt, ")


def test_shares_have_their_interval_and_films(cards):
    metric = Metric(0.2, 0.15, 0.26, COUNTS)
    assert share_words(metric, held_out=True) == (
        "At its operating point it flags 20 % of held-out films without findings (95 % interval 15 to 26 %, 200 films)."
    )
    assert "not known: no film." in share_words(Metric(None, None, None, COUNTS, "no film"))
    assert "not known." in share_words(None)
    assert "labels are above on a film" in flagged_words(cards["consecutive"].operating_points["default"])


def test_numbers():
    assert number_words(Interval(-0.1234, -0.2, 0.05), 3, "+") == "-0.123 (-0.200 to +0.050)"
    assert number_words(Interval(0.5, None, None, "no interval")) == "0.50"
    assert number_words(Interval(None, None, None, "too few cases")) == "too few cases"
    assert number_words(None) == "not known"
    assert [small_words(x) for x in (0.5, 0.01, 0.00999, 0.00123)] == ["0.500", "0.010", "0.01", "0.0012"]


def test_a_finding_in_words():
    score = Finding("A", 0.0, 0.5, None, None, 0.25, "above")
    assert value_words(score) == "score 0.500, threshold 0.250"
    assert value_words(dataclasses.replace(score, threshold=None, state="not_evaluated")) == "score 0.500"
    calibrated = dataclasses.replace(score, probability=0.1, interval=(0.004, 0.2), threshold=0.15)
    assert value_words(calibrated) == "probability 0.100 (0.004 to 0.200), threshold 0.150"
