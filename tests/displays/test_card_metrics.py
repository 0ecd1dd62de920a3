"""Metrics of a model card, as a table and as dots."""

import pytest

from cxr_core.displays import MetricDisplay
from cxr_core.displays.marks import Axis, Chart, Dots, Panel, Rule
from cxr_core.displays.plotly_charts import plotly_figure
from cxr_core.estimate import Counts, Estimate
from cxr_core.model.card import MetricTable

COUNTS = Counts(30, 100, 20, 60)
FEW = Estimate(None, None, None, Counts(2, 100, 2, 60), "too few cases (2 positive, 60 negative patients)")


def metric_table(metric, **per_label) -> MetricTable:
    return MetricTable("made up", metric, "images", "mined", 130, 70, "95 %", per_label)


def test_dots_have_the_values_of_the_card_and_missing_labels_are_listed():
    display = MetricDisplay(
        metric_table("AUC", Mass=Estimate(0.7, 0.6, 0.8, COUNTS), Edema=Estimate(0.9, None, None, None), Hernia=FEW)
    )
    rule, dots = display.chart().panels[0].marks
    assert (rule.at, list(dots.x), list(dots.y)) == (0.5, [0.7, 0.9], ["Mass", "Edema"])
    assert display.missing() == {"Hernia": FEW.reason}
    table = display.table().set_index("label")
    assert table.loc["Mass", ["value", "low", "high", "positive_patients"]].tolist() == [0.7, 0.6, 0.8, 20]
    assert "patients not stated" in dots.hover[1]


def test_the_axis_of_differences_contains_zero():
    panel = (
        MetricDisplay(metric_table("AUC less that of others", Mass=Estimate(-0.1, -0.2, 0.05, COUNTS)))
        .chart()
        .panels[0]
    )
    assert isinstance(panel.marks[0], Rule)
    assert panel.marks[0].at == 0
    assert panel.x.low < -0.2
    assert isinstance(panel.marks[1], Dots)


def test_too_few_cases_show_a_message():
    assert MetricDisplay(metric_table("AUC", Hernia=FEW)).chart().panels[0].message == "too few cases"


@pytest.mark.parametrize("low", [None, 0.6])
def test_the_line_of_chance_is_drawn_with_and_without_intervals(low):
    metric = Estimate(0.8, low, low and 0.9, None, "published without interval")
    (line,) = plotly_figure(MetricDisplay(metric_table("AUC", Mass=metric)).chart()).layout.shapes
    assert (line.x0, line.x1, line.line.dash) == (0.5, 0.5, "dot")


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_rule_is_drawn_in_every_panel(axis):
    dots = Dots((0.7,), (0.2,))
    panels = tuple(Panel(Axis(), Axis(), (Rule(axis, 0.4), dots)) for _ in range(3))
    shapes = plotly_figure(Chart("several", panels, alt="several")).layout.shapes
    assert [(shape[f"{axis}0"], shape[f"{axis}1"]) for shape in shapes] == [(0.4, 0.4)] * 3
