"""The worst images of a label equal those of a plain sort, and no patient is shown."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import FailuresDisplay, as_svg, outcome_of, plotly_figure
from cxr_core.displays.marks import Dots, Rule
from cxr_core.labels import LABELS


@pytest.fixture(scope="module")
def identifiable(predictions):
    """The synthetic run with recognisable patients and file names."""
    count = len(predictions)
    return dataclasses.replace(
        predictions,
        patients=np.array([f"QZPATIENT{i // 2}" for i in range(count)]),
        images=np.array([f"QZFILE{i}.png" for i in range(count)]),
    )


def test_the_table_equals_a_plain_sort_and_states_the_side_of_the_operating_point(identifiable):
    outcome = outcome_of(identifiable, "Effusion")
    display = FailuresDisplay.of(outcome, identifiable, max_images=5, threshold=0.3)
    c = LABELS.index("Effusion")
    truth, scores = identifiable.references["mined"][:, c], identifiable.scores[:, c]
    negatives = sorted((scores[i], i) for i in range(len(identifiable)) if truth[i] == 1)[:5]
    positives = sorted(((scores[i], i) for i in range(len(identifiable)) if truth[i] == 0), reverse=True)[:5]
    table = display.table()
    assert table["kind"].tolist() == ["false negative"] * 5 + ["false positive"] * 5
    assert table["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    assert table["score"].tolist() == [score for score, _ in negatives + positives]
    assert table["image"].tolist() == [identifiable.sha256[i][:12] for _, i in negatives + positives]
    assert display.rows().tolist() == [i for _, i in negatives + positives]
    assert table["state"].tolist() == ["above" if score >= 0.3 else "below" for score, _ in negatives + positives]
    first = negatives[0][1]
    assert table["view"][0] == identifiable.views[first]
    assert (table["age"][0] == identifiable.ages[first]) or np.isnan(identifiable.ages[first])
    others = [label for label, value in zip(LABELS, identifiable.references["mined"][first], strict=True) if value == 1]
    assert len(table["other_labels"][0].split(", ")) == max(1, len(others) - 1)
    assert "Effusion" not in table["other_labels"][0]


def test_patients_are_never_shown_and_file_names_only_on_request(identifiable):
    outcome = outcome_of(identifiable, "Effusion")
    display = FailuresDisplay.of(outcome, identifiable, max_images=5)
    exported = display.table().to_csv() + as_svg(display.chart()).decode() + plotly_figure(display.chart()).to_json()
    assert "QZ" not in exported
    named = dataclasses.replace(display, names=True).table()
    assert named["file"].str.startswith("QZFILE").all()
    assert "QZPATIENT" not in named.to_csv()
    assert set(named["state"]) == {""}


def test_failures_are_marked_in_the_score_distribution(identifiable):
    outcome = outcome_of(identifiable, "Effusion")
    display = FailuresDisplay.of(outcome, identifiable, max_images=4, threshold=0.3)
    negatives, positives = display.chart().panels
    for panel, kind in ((negatives, "false positive"), (positives, "false negative")):
        (dots,) = (mark for mark in panel.marks if isinstance(mark, Dots))
        assert list(dots.x) == display.scores()[kind]
        assert [mark.at for mark in panel.marks if isinstance(mark, Rule)] == [0.3]
    assert positives.x.title == "score"
    assert "The 4 worst false negatives have scores of" in display.chart().alt


def test_a_label_without_positives_has_false_positives_only(identifiable):
    outcome = outcome_of(identifiable, "Effusion")
    display = FailuresDisplay.of(
        dataclasses.replace(outcome, truth=np.zeros_like(outcome.truth)), identifiable, max_images=3
    )
    assert display.table()["kind"].tolist() == ["false positive"] * 3
    chart = display.chart()
    plotly_figure(chart)
    assert chart.panels[1].message == "no positive images"
    assert "false negatives" not in chart.alt
