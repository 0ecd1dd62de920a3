"""Displays of one label: values equal those of the metrics; without values there is a message."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import (
    CalibrationDisplay,
    NetBenefitDisplay,
    OperatingDisplay,
    PrecisionRecallDisplay,
    ScoreDistributionDisplay,
    as_svg,
    outcomes_of,
    plotly_figure,
)
from cxr_core.displays.calibration import NO_PROBABILITY
from cxr_core.displays.marks import Bars, Cells, Dots, Line
from cxr_core.metrics import (
    BootstrapOptions,
    at_threshold,
    calibration_curve,
    decision_curve,
    precision_recall_curve,
)


@pytest.fixture(scope="module")
def outcome(predictions):
    outcome = outcomes_of(predictions)["Effusion"]
    return dataclasses.replace(outcome, probabilities=outcome.scores)


@pytest.fixture(scope="module")
def without_positives(outcome):
    return dataclasses.replace(outcome, truth=np.zeros_like(outcome.truth))


def marks(display, kind):
    return [mark for panel in display.chart().panels for mark in panel.marks if isinstance(mark, kind)]


def test_precision_and_recall(outcome):
    display = PrecisionRecallDisplay.of(outcome, options=BootstrapOptions(50))
    curve = precision_recall_curve(outcome.truth, outcome.scores)
    (line,) = marks(display, Line)
    np.testing.assert_array_equal(line.x, curve.recall)
    np.testing.assert_array_equal(display.table()["precision"], curve.precision)
    assert f"{display.average_precision.value:.3f}" in display.chart().caption


def test_calibration(outcome):
    display = CalibrationDisplay.of(outcome, options=BootstrapOptions(50))
    arrays = (outcome.truth, outcome.probabilities, outcome.patients)
    bins = calibration_curve(*arrays, options=BootstrapOptions(resamples=50))
    (dots,) = marks(display, Dots)
    assert list(dots.y) == [b.observed.value for b in bins]
    assert list(display.table()["observed_low"]) == [b.observed.low for b in bins]
    assert f"predicted {bins[-1].predicted:.1%}, observed {bins[-1].observed.value:.1%} (" in display.chart().alt


def test_without_probabilities_calibration_and_net_benefit_show_a_message(outcome):
    scores_only = dataclasses.replace(outcome, probabilities=None)
    for display in (CalibrationDisplay.of(scores_only), NetBenefitDisplay.of(scores_only)):
        assert display.chart().panels[0].message == NO_PROBABILITY
        assert display.table().empty
        assert not marks(display, Line | Dots)


def test_the_score_distribution_counts_every_image_once(outcome):
    display = ScoreDistributionDisplay.of(outcome)
    assert display.scale == "probability"
    assert display.table()[["positives", "negatives"]].sum().tolist() == [outcome.truth.sum(), (~outcome.truth).sum()]
    negative, positive = marks(display, Bars)
    assert positive.y.sum() == pytest.approx(1)
    assert negative.y.sum() == pytest.approx(1)
    with_threshold = ScoreDistributionDisplay.of(dataclasses.replace(outcome, probabilities=None), 0.3)
    assert with_threshold.scale == "score"
    assert with_threshold.chart().caption == "Dotted line: operating point, 0.300."
    assert display.chart().caption == ""


def test_net_benefit(outcome):
    display = NetBenefitDisplay.of(outcome, options=BootstrapOptions(50))
    again = decision_curve(outcome.truth, outcome.probabilities, outcome.patients, display.curve.thresholds,
                           options=BootstrapOptions(resamples=50))  # fmt: skip
    model = marks(display, Line)[1]
    assert list(model.y) == [e.value for e in again.model]
    assert list(display.table()["everyone_value"]) == [e.value for e in again.treat_all]


def test_the_operating_point(outcome):
    display = OperatingDisplay.at(outcome, 0.3, 0.02, options=BootstrapOptions(50))
    point = at_threshold(outcome.truth, outcome.scores, 0.3, outcome.patients, BootstrapOptions(50))
    (cells,) = marks(display, Cells)
    assert cells.text[0][0].startswith(f"{point.true_positives:,}<br>")
    assert cells.values[0, 0] == point.sensitivity.value
    assert display.estimates()["sensitivity"] == point.sensitivity
    table = display.table().set_index("number")
    assert table.loc["false positives", "value"] == point.false_positives
    odds = point.sensitivity.value * 0.02 / ((1 - point.specificity.value) * 0.98)
    assert table.loc["PPV at an assumed prevalence of 2.0%", "value"] == pytest.approx(odds / (1 + odds))


def test_a_label_without_positives_shows_messages(without_positives):
    displays = [
        PrecisionRecallDisplay.of(without_positives),
        CalibrationDisplay.of(without_positives),
        ScoreDistributionDisplay.of(without_positives),
        NetBenefitDisplay.of(without_positives),
        OperatingDisplay.at(without_positives, 0.3, 0.02),
    ]
    for display in displays:
        plotly_figure(display.chart())
        assert b"<svg" in as_svg(display.chart())
        display.table()
    for display in displays[:2] + displays[3:4]:
        assert "no positive" in display.chart().panels[0].message
    assert displays[4].numbers()["sensitivity"] == "no positive"
    assert displays[2].chart().panels[1].message == "no positive images"
