"""Figures of concordance and of monitoring: their marks and tables are the numbers that were computed."""

import numpy as np
import pandas as pd
import pytest

from cxr_core.displays import (
    AccuracyChangeDisplay,
    AlarmDisplay,
    ConcordanceDisplay,
    ControlChartDisplay,
    DistributionDisplay,
    OpinionChangeDisplay,
    ReadingTimeDisplay,
    ScoreChartsDisplay,
    as_svg,
    plotly_figure,
)
from cxr_core.displays.monitoring import describe_episode
from cxr_core.metrics import Opinions, ReadingTime, concordance
from cxr_core.monitoring import Alarm, Clusters, Contribution, Episode, Watch

CLUSTERS = Clusters({}, "studies")


@pytest.fixture(scope="module")
def groups():
    random = np.random.default_rng(0)
    n = 240
    truth = random.random(n) < 0.3
    words = np.array(["absent", "present"])
    first = words[(truth ^ (random.random(n) < 0.25)).astype(int)]
    above = truth ^ (random.random(n) < 0.2)
    final = np.where(random.random(n) < 0.3, words[above.astype(int)], first)
    label = np.where(np.arange(n) < 230, np.where(np.arange(n) % 2, "Mass", "Effusion"), "Hernia")
    columns = np.arange(n).astype(str), np.full(n, "A"), label, np.full(n, "2026-11")
    table = Opinions(*columns, above, first, final, words[truth.astype(int)])
    # ten patients of the rarest label: no sensitivity
    return {name: concordance(table.rows(label == name)) for name in ("Effusion", "Hernia", "Mass")}


def test_agreement_and_both_disagreements_are_drawn(groups):
    display = ConcordanceDisplay("label", groups, CLUSTERS)
    kappa, disagreements = display.chart().panels
    (dots,) = (mark for mark in kappa.marks if hasattr(mark, "x"))
    assert list(dots.x) == [groups[name].kappa.value for name in dots.y]
    assert [mark.name for mark in disagreements.marks] == ["reader only", "model only"]
    assert list(disagreements.marks[1].x) == [groups[name].model_only.value for name in disagreements.marks[1].y]
    table = display.table().set_index(["label", "number"])
    assert table.loc[("Mass", "reader_only"), "p_value"] == groups["Mass"].disagreement_p
    assert table.loc[("Mass", "kappa"), "low"] == groups["Mass"].kappa.low


def test_changes_are_drawn_in_both_directions(groups):
    chart = OpinionChangeDisplay("label", groups, CLUSTERS).chart()
    toward, away = chart.panels[0].marks
    assert list(toward.x) == [groups[name].toward.value for name in toward.y]
    assert max(away.x) == 0
    assert chart.table_rows[0] == ("label", "changed", "toward", "away", "p")


def test_accuracy_stands_before_and_after(groups):
    display = AccuracyChangeDisplay("label", groups, CLUSTERS)
    sensitivity, _ = display.chart().panels
    before, after = sensitivity.marks
    assert list(after.x) == [groups[name].sensitivity.after.value for name in after.y]
    assert groups["Hernia"].sensitivity.before.value is None
    assert "Hernia" not in before.y
    assert "Hernia" in sensitivity.y.names
    table = display.table().set_index(["label", "number", "when"])
    assert table.loc[("Mass", "specificity", "difference"), "value"] == groups["Mass"].specificity.difference.value
    assert AccuracyChangeDisplay("label", {}, CLUSTERS).chart().panels[0].message == "no reference standard"


def periods(series="flagged"):
    return pd.DataFrame(
        {
            "period": pd.date_range("2026-03-02", periods=4, freq="7D"),
            "series": series,
            "reads": [100, 120, 90, 100],
            "value": [0.1, 0.12, 0.4, 0.0],
            "low": [0.05, 0.06, 0.04, np.nan],
            "high": [0.2, 0.19, 0.21, np.nan],
            "outside": [False, False, True, False],
        }
    )


def test_a_control_chart_has_limits_and_marks_what_lies_outside():
    chart = ControlChartDisplay.of(periods(), "flagged", "week").chart()
    low, high, inside, outside = chart.panels[0].marks
    assert (low.y.tolist(), high.x.tolist()) == ([0.05, 0.06, 0.04], [0, 1, 2])
    assert (list(inside.x), list(outside.x), list(outside.y)) == ([0, 1, 3], [2], [0.4])
    assert outside.hover == ("2026-03-16: 40.0% of 90 reads, limits 4.0% to 21.0%",)
    assert "1 of 4 outside" in chart.alt
    assert ControlChartDisplay.of(periods(), "refused", "week").chart().panels[0].message


def test_alarms_are_marked_and_described():
    level = np.array([0.1, 0.4, 1.3, 0.2])
    alarm = Alarm(4, pd.Timestamp("2026-03-16", tz="UTC"), 3, (Contribution("score: Pleural_Thickening", True, 0.8),))
    display = AlarmDisplay(Watch(np.arange(4), level, (alarm,)), 10_000)
    chart = display.chart()
    _, line, dots = chart.panels[0].marks
    assert (line.y.tolist(), list(dots.x), list(dots.y)) == (level.tolist(), [3], [1.3])
    assert chart.notes == ("Alarm on 2026-03-16 after 3 reads: Score of Pleural thickening higher",)
    assert display.table().to_dict("records")[0] | {"time": None} == {
        "time": None, "since": None, "reads": 3, "series": "score: Pleural_Thickening", "direction": "rise",
        "part": 0.8,
    }  # fmt: skip
    assert AlarmDisplay(Watch(np.arange(0), np.zeros(0), ()), 10_000).chart().panels[0].message == "no read"


def test_a_change_is_one_line_with_since_when():
    day = pd.Timestamp("2026-03-16", tz="UTC")
    alarm = Alarm(4, day, 30, (Contribution("flagged", False, 0.8),), day - pd.Timedelta(days=3))
    line = describe_episode(Episode(alarm, Alarm(9, day + pd.Timedelta(days=7), 5, alarm.contributions), 2))
    assert line == (
        "Alarm on 2026-03-16 after 30 reads, change since about 2026-03-13, 2 alarms, the last on 2026-03-23: "
        "Images with any finding above its threshold lower"
    )


def test_means_of_scores_are_small_charts_about_zero():
    table = pd.concat([periods("mean score: Mass").assign(value=[0.1, -0.2, 0.9, 0.0], low=-0.3), periods("flagged")])
    chart = ScoreChartsDisplay(table, "week").chart()
    (panel,) = chart.panels
    assert panel.title == "Mass"
    assert panel.y.low == -panel.y.high
    assert "Score, Mass 1 of 4 weeks" in chart.alt
    assert chart.table_rows[1] == ("Mass", "+0.00 SD", "none", "1 of 4")
    assert len(ScoreChartsDisplay(table, "week").table()) == 4
    assert ScoreChartsDisplay(periods(), "week").chart().panels[0].message


def test_distributions_are_drawn_with_their_limits():
    table = pd.DataFrame(
        [("score: Mass", 50, 0.3, 0.1, 0.2, 0.4, 0.6, 0.3), ("age", 4, None, None, None, None, None, 55.0)],
        columns=["series", "reads", "stability_index", "limit", "lower_quartile", "median", "upper_quartile",
                 "median_of_reference"],
    )  # fmt: skip
    index, scores = DistributionDisplay(table).chart().panels
    assert [(mark.name, list(mark.x), list(mark.y)) for mark in index.marks] == [
        ("limit", [0.1], ["Mass"]), ("over the limit", [0.3], ["Mass"]),
    ]  # fmt: skip
    assert [list(mark.x) for mark in scores.marks] == [[0.4], [0.3]]
    assert index.y.names == ("Age", "Mass")


def test_the_time_per_read_is_drawn_where_there_is_one():
    times = {"all": ReadingTime(40, (10.0, 20.0, 30.0)), "Reader 1": ReadingTime(3, None, "too few cases (3 patients)")}
    chart = ReadingTimeDisplay("reader", times).chart()
    (dots,) = chart.panels[0].marks
    assert (list(dots.x), list(dots.y), dots.low[0], dots.high[0]) == ([20.0], ["All"], 10.0, 30.0)
    assert chart.table_rows[2][2] == "too few cases (3 patients)"
    assert plotly_figure(chart).data
    assert ReadingTimeDisplay("reader", {}).chart().panels[0].message == "no read"


def test_all_are_drawn_on_paper_and_on_a_page(groups):
    alarm = AlarmDisplay(Watch(np.arange(4), np.array([0.1, 0.4, 0.3, 0.2]), ()), 10_000)
    displays = [
        kind("label", groups, CLUSTERS) for kind in (ConcordanceDisplay, OpinionChangeDisplay, AccuracyChangeDisplay)
    ]
    for display in (*displays, alarm, *(ControlChartDisplay.of(periods(s), s, "week") for s in ("reads", "seconds"))):
        chart = display.chart()
        assert plotly_figure(chart).data
        assert as_svg(chart)
