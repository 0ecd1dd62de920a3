"""ROC curves: equal to those of scikit-learn, and thinned without a change of area."""

import dataclasses

import numpy as np
import sklearn.metrics

from cxr_core.displays import RocDisplay, outcomes_of
from cxr_core.displays.marks import Dots, Line
from cxr_core.displays.roc import thin_curve
from cxr_core.evaluation import summarise
from cxr_core.metrics import BootstrapOptions, reader_points, roc_curve
from tests.runs import record_of


def test_the_table_equals_the_curve_of_scikit_learn(predictions, summary):
    outcome = outcomes_of(predictions)["Effusion"]
    table = RocDisplay.of([outcome], summary).table()
    rate, sensitivity, _ = sklearn.metrics.roc_curve(outcome.truth, outcome.scores, drop_intermediate=False)
    np.testing.assert_allclose(table["false_positive_rate"], rate, atol=1e-12)
    np.testing.assert_allclose(table["sensitivity"], sensitivity, atol=1e-12)
    inside = (table["sensitivity_low"] <= table["sensitivity"]) & (table["sensitivity"] <= table["sensitivity_high"])
    assert inside.mean() > 0.9


def test_the_thinned_curve_has_the_area_of_the_whole_curve(predictions):
    outcome = outcomes_of(predictions)["Mass"]
    rate, sensitivity, _ = thin_curve(roc_curve(outcome.truth, outcome.scores))
    whole = sklearn.metrics.roc_auc_score(outcome.truth, outcome.scores)
    assert abs(np.trapezoid(sensitivity, rate) - whole) < 1e-12
    few = thin_curve(roc_curve(outcome.truth, outcome.scores), max_points=60)
    assert len(few[0]) <= 62
    assert abs(np.trapezoid(few[1], few[0]) - whole) < 0.02
    assert (few[0][0], few[1][0], few[0][-1], few[1][-1]) == (0, 0, 1, 1)


def test_every_label_has_a_panel_with_its_auc(predictions, summary):
    outcomes = list(outcomes_of(predictions).values())
    chart = RocDisplay.of(outcomes, summary, bands=False).chart()
    assert len(chart.panels) == 15
    for outcome, panel in zip(outcomes, chart.panels, strict=True):
        assert panel.title == f"{outcome.name} · {summary.auc[outcome.label].value:.2f}"
    assert "Edema 0." in chart.alt


def test_coordinates_of_the_operating_point_and_the_readers(predictions, summary):
    outcome = outcomes_of(predictions)["Effusion"]
    column = predictions.labels.tolist().index("Effusion")
    points = reader_points(
        predictions.readers.answers[:, :, column], predictions.patients, options=BootstrapOptions(resamples=50)
    )
    readers = tuple((f"reader {k + 1}", point) for k, point in enumerate(points))
    display = RocDisplay.of([outcome], summary, thresholds={"Effusion": 0.3}, readers=readers)
    dots = [mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots)]
    above = outcome.scores >= 0.3
    assert dots[0].y == ((above & outcome.truth).sum() / outcome.truth.sum(),)
    assert dots[0].x == ((above & ~outcome.truth).sum() / (~outcome.truth).sum(),)
    assert [d.y[0] for d in dots[1:]] == [p.sensitivity.value for p in points]
    assert [d.x[0] for d in dots[1:]] == [1 - p.specificity.value for p in points]


def test_a_label_without_positives_shows_a_message_instead_of_a_curve(predictions, summary):
    outcome = outcomes_of(predictions)["Effusion"]
    empty = dataclasses.replace(outcome, truth=np.zeros_like(outcome.truth))
    display = RocDisplay.of([empty], summary)
    assert display.chart().panels[0].message == "no positive: no curve"
    assert not any(isinstance(mark, Line) for mark in display.chart().panels[0].marks)
    assert display.table().empty


def test_too_few_cases_show_a_message_instead_of_a_curve(predictions):
    few = predictions.references["mined"].copy()
    few[:, 2] = 0
    few[:4, 2] = 1
    run = dataclasses.replace(predictions, references={"mined": few})
    display = RocDisplay.of(
        [outcomes_of(run)["Effusion"]], summarise(record_of(run), run, options=BootstrapOptions(50))
    )
    panel = display.chart().panels[0]
    assert panel.message.startswith("too few cases (2 positive")
    assert not any(isinstance(mark, Line) for mark in panel.marks)
