"""Displays of readers, of groups and of two runs: numbers of the metrics, drawn and tabled alike."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import AgreementDisplay, ComparisonDisplay, ReadersDisplay, SubgroupDisplay, outcomes_of
from cxr_core.displays.marks import Cells, Dots
from cxr_core.displays.subgroups import group_words
from cxr_core.evaluation.comparison import compare_runs
from cxr_core.metrics import at_threshold, holm, reader_agreement, reader_points
from cxr_core.store import RunStore
from tests.runs import record_of


@pytest.fixture(scope="module")
def outcome(predictions):
    return outcomes_of(predictions)["Effusion"]


@pytest.fixture(scope="module")
def answers(predictions, outcome):
    return predictions.readers.answers[outcome.rows][:, :, predictions.labels.tolist().index("Effusion")]


def test_readers(predictions, outcome, answers):
    point = at_threshold(outcome.truth, outcome.scores, 0.3, outcome.patients, 50)
    display = ReadersDisplay.of("Effusion", predictions.readers.readers, answers, outcome.patients,
                                (point.sensitivity, point.specificity), resamples=50)  # fmt: skip
    table = display.table()
    assert table["reader"].tolist() == [*predictions.readers.readers.tolist(), "model"]
    points = reader_points(answers, outcome.patients, 50)
    assert table["sensitivity_value"].tolist() == [*(p.sensitivity.value for p in points), point.sensitivity.value]
    sensitivity, specificity = (panel.marks[0] for panel in display.chart().panels)
    assert list(sensitivity.x) == table["sensitivity_value"].tolist()[::-1]
    assert list(specificity.x) == table["specificity_value"].tolist()[::-1]


def test_agreement(predictions, outcome, answers):
    display = AgreementDisplay.of(outcome, predictions.readers.readers, answers, 0.3, resamples=50)
    again = reader_agreement(answers, outcome.patients, outcome.scores >= 0.3, 50)
    (cells,) = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Cells))
    assert cells.rows[-1] == "model"
    assert cells.values[-1, 0] == again.pairs[0, 5].value
    assert np.isnan(cells.values[0, 1])
    table = display.table().set_index("what")
    assert table.loc["all readers (Fleiss)", "value"] == again.fleiss.value
    assert table.loc["model less readers, mean kappa", "low"] == again.gain.low


def test_subgroups(predictions, outcome):
    display = SubgroupDisplay.of(outcome, predictions, 0.3, resamples=50)
    table = display.table().set_index("group")
    assert table.index[0] == "all films"
    women = predictions.sexes[outcome.rows] == "F"
    positive = women & outcome.truth
    assert table.loc["sex F", "false_negative_rate_value"] == (outcome.scores[positive] < 0.3).mean()
    missed = display.chart().panels[0]
    assert len(missed.y.names) == sum(len(row.group) <= 1 for row in display.rows)
    (dots,) = (mark for mark in missed.marks if isinstance(mark, Dots))
    assert table.loc["sex F", "false_negative_rate_value"] in dots.x
    assert display.crossings().panels[0].y.names
    assert any("sex F" in group_words(row) and "view AP" in group_words(row) for row in display.rows)


def test_two_runs(predictions, tmp_path):
    noise = np.random.default_rng(1).normal(scale=0.4, size=predictions.scores.shape)
    worse = dataclasses.replace(predictions, scores=np.clip(predictions.scores + noise, 0, 1))
    store = RunStore(folder=tmp_path)
    runs = [store.add(record_of(p, name), p) for name, p in (("better", predictions), ("worse", worse))]
    comparison = compare_runs(*runs)
    store.close()
    found = comparison.differences
    assert [f.adjusted_p_value for f in found.values()] == list(holm([f.p_value for f in found.values()]))
    display = ComparisonDisplay(comparison)
    table = display.table().set_index("label")
    assert table["value"].to_dict() == {label: f.difference.value for label, f in found.items()}
    dots = [mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots)]
    assert sum(len(mark.x) for mark in dots) == len(found)
    told_apart = {name for mark in dots if mark.name.startswith("differs") for name in mark.y}
    assert len(told_apart) == sum(p < 0.05 for p in table["holm_p_value"]) > 0
