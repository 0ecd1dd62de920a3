"""Displays of readers, of subgroups and of two runs: values equal those of the metrics."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import AgreementDisplay, ComparisonDisplay, ReadersDisplay, SubgroupDisplay, outcomes_of
from cxr_core.displays.marks import Cells, Dots
from cxr_core.evaluation.comparison import compare_runs
from cxr_core.formatting import format_estimate
from cxr_core.metrics import BootstrapOptions, at_threshold, holm, reader_agreement, reader_points
from cxr_core.store import RunStore
from tests.runs import record_of


@pytest.fixture(scope="module")
def outcome(predictions):
    return outcomes_of(predictions)["Effusion"]


@pytest.fixture(scope="module")
def answers(predictions, outcome):
    return predictions.readers.answers[outcome.rows][:, :, predictions.labels.tolist().index("Effusion")]


def test_readers(predictions, outcome, answers):
    point = at_threshold(outcome.truth, outcome.scores, 0.3, outcome.patients, BootstrapOptions(50))
    display = ReadersDisplay.of("Effusion", predictions.readers.readers, answers, outcome.patients,
                                (point.sensitivity, point.specificity), options=BootstrapOptions(50))  # fmt: skip
    table = display.table()
    assert table["reader"].tolist() == [*predictions.readers.readers.tolist(), "model"]
    points = reader_points(answers, outcome.patients, BootstrapOptions(50))
    assert table["sensitivity_value"].tolist() == [*(p.sensitivity.value for p in points), point.sensitivity.value]
    sensitivity, specificity = (panel.marks[0] for panel in display.chart().panels)
    assert list(sensitivity.x) == table["sensitivity_value"].tolist()[::-1]
    assert list(specificity.x) == table["specificity_value"].tolist()[::-1]


def test_agreement(predictions, outcome, answers):
    display = AgreementDisplay.of(outcome, predictions.readers.readers, answers, 0.3, options=BootstrapOptions(50))
    expected = reader_agreement(answers, outcome.patients, outcome.scores >= 0.3, BootstrapOptions(50))
    (cells,) = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Cells))
    assert cells.rows[-1] == "model"
    assert cells.values[-1, 0] == expected.pairs[0, 5].value
    assert np.isnan(cells.values[0, 1])
    table = display.table().set_index("what")
    assert table.loc["all readers (Fleiss)", "value"] == expected.fleiss.value
    assert table.loc["mean kappa, model minus readers", "low"] == expected.gain.low


def test_subgroups(predictions, outcome):
    display = SubgroupDisplay.of(outcome, predictions, 0.3, options=BootstrapOptions(50))
    table = display.table().set_index("group")
    assert table.index[0] == "all images"
    women = predictions.sexes[outcome.rows] == "F"
    positive = women & outcome.truth
    assert table.loc["sex F", "false_negative_rate_value"] == (outcome.scores[positive] < 0.3).mean()
    panel = display.chart().panels[0]
    assert len(panel.y.names) == sum(len(row.group) <= 1 for row in display.rows)
    (dots,) = (mark for mark in panel.marks if isinstance(mark, Dots))
    assert table.loc["sex F", "false_negative_rate_value"] in dots.x
    assert display.crossings().panels[0].y.names


def test_each_panel_of_the_subgroups_states_its_own_metric_as_text(predictions, outcome):
    display = SubgroupDisplay.of(outcome, predictions, 0.3, options=BootstrapOptions(50))
    overall = display.rows[0]
    false_negative, false_positive, auc = display.chart().split()
    for panel, title, estimate, percent in (
        (false_negative, "false negative rate", overall.false_negative_rate, True),
        (false_positive, "false positive rate", overall.false_positive_rate, True),
        (auc, "AUC", overall.auc, False),
    ):
        start = f"Subgroups of Effusion, {title}: all images {format_estimate(estimate, percent=percent)}; "
        assert panel.alt.startswith(start)
    women = next(row for row in display.rows if row.group == (("sex", "F"),))
    assert f"sex F {format_estimate(women.auc)}" in auc.alt
    assert "AUC:" in display.crossings().split()[-1].alt


def test_two_runs(predictions, tmp_path):
    noise = np.random.default_rng(1).normal(scale=0.4, size=predictions.scores.shape)
    worse = dataclasses.replace(predictions, scores=np.clip(predictions.scores + noise, 0, 1))
    store = RunStore(folder=tmp_path)
    runs = [store.add(record_of(p, name), p) for name, p in (("better", predictions), ("worse", worse))]
    comparison, of_pa = compare_runs(*runs), compare_runs(*runs, view="PA")
    store.close()
    assert of_pa.images == (predictions.views == "PA").sum() < comparison.images
    assert ComparisonDisplay(of_pa).chart().title.endswith("minus worse, view PA")
    for label, (one, two) in comparison.aucs.items():
        assert comparison.differences[label].difference.value == pytest.approx(one.value - two.value)
    means = [np.mean([comparison.aucs[label][k].value for label in comparison.labels_in_mean]) for k in (0, 1)]
    assert [comparison.mean.first.value, comparison.mean.second.value] == pytest.approx(means)
    assert comparison.mean.difference.low > 0
    tests = comparison.differences
    assert [t.adjusted_p_value for t in tests.values()] == list(holm([t.p_value for t in tests.values()]))
    display = ComparisonDisplay(comparison)
    table = display.table().set_index("label")
    assert table["value"].to_dict() == {label: t.difference.value for label, t in tests.items()}
    dots = [mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots)]
    assert sum(len(mark.x) for mark in dots) == len(tests)
    significant = {name for mark in dots if mark.name.startswith("significant") for name in mark.y}
    assert len(significant) == sum(p < 0.05 for p in table["holm_p_value"]) > 0
