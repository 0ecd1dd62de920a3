"""A card's numbers are drawn as they are."""

import pytest

from cxr_core.displays import MetricDisplay
from cxr_core.displays.marks import Axis, Chart, Dots, Panel, Rule
from cxr_core.displays.screen import on_screen
from cxr_core.model.card import Counts, Metric, MetricTable

COUNTS = Counts(30, 100, 20, 60)
FEW = Metric(None, None, None, Counts(2, 100, 2, 60), "too few cases: 2 positive, 60 negative patients")


def measured(metric, **per_label) -> MetricTable:
    return MetricTable("made up", metric, "films", "mined", 130, 70, "95 %", per_label)


def test_dots_are_the_cards_values_and_a_missing_one_is_named():
    display = MetricDisplay(
        measured("AUC", Mass=Metric(0.7, 0.6, 0.8, COUNTS), Edema=Metric(0.9, None, None, None), Hernia=FEW)
    )
    rule, dots = display.chart().panels[0].marks
    assert (rule.at, list(dots.x), list(dots.y)) == (0.5, [0.7, 0.9], ["Mass", "Edema"])
    assert display.missing() == {"Hernia": FEW.reason}
    table = display.table().set_index("label")
    assert table.loc["Mass", ["value", "low", "high", "positive_patients"]].tolist() == [0.7, 0.6, 0.8, 20]
    assert "patients not stated" in dots.hover[1]


def test_a_difference_is_drawn_around_zero():
    panel = MetricDisplay(measured("AUC less that of others", Mass=Metric(-0.1, -0.2, 0.05, COUNTS))).chart().panels[0]
    assert isinstance(panel.marks[0], Rule)
    assert panel.marks[0].at == 0
    assert panel.x.low < -0.2
    assert isinstance(panel.marks[1], Dots)


def test_with_too_few_cases_there_are_words():
    assert MetricDisplay(measured("AUC", Hernia=FEW)).chart().panels[0].words == "too few cases"


@pytest.mark.parametrize("low", [None, 0.6])
def test_the_line_of_chance_is_on_the_screen_with_and_without_intervals(low):
    metric = Metric(0.8, low, low and 0.9, None, "published without interval")
    (line,) = on_screen(MetricDisplay(measured("AUC", Mass=metric)).chart()).layout.shapes
    assert (line.x0, line.x1, line.line.dash) == (0.5, 0.5, "dot")


@pytest.mark.parametrize("along", ["x", "y"])
def test_a_rule_is_drawn_in_a_panel_that_is_still_empty(along):
    dots = Dots((0.7,), (0.2,))
    panels = tuple(Panel(Axis(), Axis(), (Rule(along, 0.4), dots)) for _ in range(3))
    shapes = on_screen(Chart("several", panels, alt="several")).layout.shapes
    assert [(shape[f"{along}0"], shape[f"{along}1"]) for shape in shapes] == [(0.4, 0.4)] * 3
