"""The failures are those that a sort by hand finds, and no patient is among them."""

import dataclasses

import numpy as np
import pytest

from cxr_core.displays import FailuresDisplay, as_svg, on_screen, outcome_of
from cxr_core.displays.marks import Dots, Rule
from cxr_core.labels import LABELS


@pytest.fixture(scope="module")
def secret(predictions):
    """The made-up run with patients and file names that would be noticed."""
    count = len(predictions)
    return dataclasses.replace(
        predictions,
        patients=np.array([f"QZPATIENT{i // 2}" for i in range(count)]),
        images=np.array([f"QZFILE{i}.png" for i in range(count)]),
    )


def test_the_table_is_a_sort_by_hand_with_the_side_of_the_operating_point(secret):
    outcome = outcome_of(secret, "Effusion")
    display = FailuresDisplay.of(outcome, secret, most=5, threshold=0.3)
    c = LABELS.index("Effusion")
    said, scores = secret.references["mined"][:, c], secret.scores[:, c]
    misses = sorted((scores[i], i) for i in range(len(secret)) if said[i] == 1)[:5]
    alarms = sorted(((scores[i], i) for i in range(len(secret)) if said[i] == 0), reverse=True)[:5]
    table = display.table()
    assert table["kind"].tolist() == ["miss"] * 5 + ["false alarm"] * 5
    assert table["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    assert table["score"].tolist() == [score for score, _ in misses + alarms]
    assert table["film"].tolist() == [secret.sha256[i][:12] for _, i in misses + alarms]
    assert display.rows().tolist() == [i for _, i in misses + alarms]
    assert table["called"].tolist() == ["above" if score >= 0.3 else "below" for score, _ in misses + alarms]
    first = misses[0][1]
    assert table["view"][0] == secret.views[first]
    assert (table["age"][0] == secret.ages[first]) or np.isnan(secret.ages[first])
    others = [label for label, yes in zip(LABELS, secret.references["mined"][first], strict=True) if yes == 1]
    assert len(table["also"][0].split(", ")) == max(1, len(others) - 1)
    assert "Effusion" not in table["also"][0]


def test_no_patient_is_shown_and_a_files_name_only_where_it_is_asked_for(secret):
    outcome = outcome_of(secret, "Effusion")
    display = FailuresDisplay.of(outcome, secret, most=5)
    everything = display.table().to_csv() + as_svg(display.chart()).decode() + on_screen(display.chart()).to_json()
    assert "QZ" not in everything
    named = dataclasses.replace(display, names=True).table()
    assert named["image"].str.startswith("QZFILE").all()
    assert "QZPATIENT" not in named.to_csv()
    assert set(named["called"]) == {""}


def test_the_failures_are_marked_among_the_scores_of_their_kind(secret):
    outcome = outcome_of(secret, "Effusion")
    display = FailuresDisplay.of(outcome, secret, most=4, threshold=0.3)
    negatives, positives = display.chart().panels
    for panel, kind in ((negatives, "false alarm"), (positives, "miss")):
        (dots,) = (mark for mark in panel.marks if isinstance(mark, Dots))
        assert list(dots.x) == display.scores()[kind]
        assert [mark.at for mark in panel.marks if isinstance(mark, Rule)] == [0.3]
    assert positives.x.title == "score"
    assert "The 4 worst misses have scores of" in display.chart().alt


def test_a_class_without_positives_has_false_alarms_alone(secret):
    outcome = outcome_of(secret, "Effusion")
    display = FailuresDisplay.of(dataclasses.replace(outcome, truth=np.zeros_like(outcome.truth)), secret, most=3)
    assert display.table()["kind"].tolist() == ["false alarm"] * 3
    chart = display.chart()
    on_screen(chart)
    assert chart.panels[1].words == "no positive film"
    assert "misses" not in chart.alt
