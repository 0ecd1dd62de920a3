"""A card's numbers are drawn as they are."""

from cxr_core.displays import MetricDisplay
from cxr_core.displays.marks import Dots, Rule
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
