"""Displays of readers minus model, of agreement without each reader, and of label noise: numbers of the run, drawn."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import (
    LabelNoiseDisplay,
    LeaveOneOutDisplay,
    ReaderAnalysisDisplay,
    ReaderDifferencesDisplay,
    plotly_figure,
)
from cxr_core.displays.display import RunView, numbers_by_row
from cxr_core.displays.marks import Dots
from cxr_core.evaluation import summarise
from cxr_core.metrics import BootstrapOptions
from tests.runs import made_up, record_of

LABELS = ("Effusion", "Mass")


@pytest.fixture(scope="module")
def run():
    predictions = made_up(240, labels=LABELS, readers=5)
    record = record_of(predictions, thresholds={"Effusion": 0.3})
    return RunView.of(
        predictions, summarise(record, predictions, options=BootstrapOptions(30)), options=BootstrapOptions(30)
    )


def dots(panel):
    (mark,) = [mark for mark in panel.marks if isinstance(mark, Dots)]
    return dict(zip(mark.y, zip(mark.x, mark.low, mark.high, strict=True), strict=True))


def test_differences_are_drawn_and_tabled_alike(run):
    display = ReaderDifferencesDisplay.of_run(run, "Effusion")
    each = numbers_by_row(run, "reader_differences_each", "Effusion")
    estimate = each["Effusion", "reader 3"]["specificity_difference"]
    table = display.table().set_index("reader")
    assert table.loc["reader 3", "specificity_difference_low"] == estimate.low
    assert (
        table.loc["reader 3", "specificity_difference_p"]
        == each["Effusion", "reader 3"]["specificity_difference_p"].value
    )
    chart = display.chart()
    assert dots(chart.panels[1])["reader 3"] == (estimate.value, estimate.low, estimate.high)
    assert list(dots(chart.panels[0])) == [*(f"reader {r + 1}" for r in range(5)), "mean of the readers"]
    # both axes are even about 0 and hold every interval
    for panel in chart.panels:
        assert -panel.x.low == panel.x.high > max(abs(end) for row in dots(panel).values() for end in row)
    assert len(chart.table_rows) == 7
    assert "in-sample" in chart.caption


def test_the_analysis_draws_three_panels_over_the_same_labels(run):
    display = ReaderAnalysisDisplay.of_run(run)
    chart = display.chart()
    assert [list(dots(panel)) for panel in chart.panels] == [["Effusion", "Any finding"]] * 3
    numbers = numbers_by_row(run, "reader_analysis")["Effusion", ""]
    assert dots(chart.panels[2])["Effusion"][1] == numbers["difference_fixed_cases"].low
    assert (
        display.table().set_index("label").loc["Effusion", "difference_random_value"]
        == numbers["difference_random"].value
    )
    assert len(display.table_rows()[0]) == len(display.table_rows()[1]) == 10


def test_agreement_without_each_reader(run):
    display = LeaveOneOutDisplay.of_run(run, "Effusion")
    kappa, change = (dots(panel) for panel in display.chart().panels)
    assert list(kappa) == ["all readers", "readers and model", *(f"without reader {r + 1}" for r in range(5))]
    assert kappa["all readers"][0] - kappa["without reader 2"][0] == pytest.approx(change["without reader 2"][0])
    table = display.table().set_index("readers")
    assert table.loc["without reader 2", "change_value"] == change["without reader 2"][0]
    assert np.isnan(table.loc["all readers", "change_value"])
    # the model has no operating point for the other label
    assert "readers and model" not in dots(LeaveOneOutDisplay.of_run(run, "Mass").chart().panels[0])


def test_label_noise_draws_both_areas(run):
    display = LabelNoiseDisplay.of_run(run)
    assert display.others == ("experts",)
    chart = display.chart()
    numbers = numbers_by_row(run, "label_noise")["Mass", "experts"]
    assert dots(chart.panels[2])["Mass"][0] == numbers["label_kappa"].value
    this, other = chart.panels[3].marks
    assert this.x[list(this.y).index("Mass")] == numbers["auc_of_both"].value
    assert other.x[list(other.y).index("Mass")] == numbers["auc_by_other"].value
    assert dots(chart.panels[4])["Mass"][0] == numbers["auc_change"].value
    assert (
        display.table().set_index("label").loc["Mass", "label_sensitivity_value"] == numbers["label_sensitivity"].value
    )
    figure = plotly_figure(chart)
    assert len([trace for trace in figure.data if trace.type == "scatter"]) == 6


def test_nothing_is_drawn_of_what_a_run_does_not_have(run):
    predictions = dataclasses.replace(
        run.predictions, readers=None, references={"mined": run.predictions.references["mined"]}
    )
    bare = RunView.of(predictions, summarise(record_of(predictions), predictions, options=BootstrapOptions(2)))
    assert ReaderDifferencesDisplay.of_run(bare, "Effusion") is None
    assert ReaderAnalysisDisplay.of_run(bare) is None
    assert LeaveOneOutDisplay.of_run(bare, "Effusion") is None
    assert LabelNoiseDisplay.of_run(bare) is None


def test_too_few_cases_are_written_in_place_of_dots():
    predictions = made_up(24, labels=("Effusion",), readers=3)
    run = RunView.of(
        predictions,
        summarise(record_of(predictions, thresholds={"Effusion": 0.3}), predictions, options=BootstrapOptions(5)),
    )
    chart = ReaderDifferencesDisplay.of_run(run, "Effusion").chart()
    assert "too few cases" in chart.panels[0].message
    assert not chart.panels[0].marks
    analysis = ReaderAnalysisDisplay.of_run(run)
    assert "too few cases" in analysis.chart().caption
    counts = numbers_by_row(run, "reader_analysis")["Effusion", ""]["difference_random"].counts
    label, difference, p_value, *_, patients = analysis.table_rows()[1]
    assert (label, difference, p_value) == ("Effusion", "too few cases", "-")
    assert patients == f"{counts.positive_patients} / {counts.negative_patients}"
