"""Hits and overlap are drawn as they were found; too few boxes have words."""

import numpy as np
import pytest

from cxr_core.displays import HitsDisplay, OverlapDisplay
from cxr_core.displays.marks import Line
from cxr_core.evaluation.boxes import THRESHOLDS, box_numbers
from cxr_core.store import Localisation


@pytest.fixture(scope="module")
def boxes():
    rng = np.random.default_rng(2)
    pairs, marks = 60, len(THRESHOLDS)
    return box_numbers(
        Localisation(
            images=np.array([f"{i}.png" for i in range(pairs)]),
            patients=np.array([str(i) for i in range(pairs)]),
            labels=np.array(["Mass"] * 40 + ["Effusion"] * 15 + ["Nodule"] * 5),
            boxes=tuple(np.array([[0.0, 0, 10, 10]]) for _ in range(pairs)),
            strongest=rng.uniform(0, 90, (pairs, 2)),
            hits=rng.random(pairs) < 0.4,
            centre_hits=rng.random(pairs) < 0.2,
            thresholds=np.array(THRESHOLDS),
            overlap=rng.random((pairs, marks)) * 0.4,
            centre_overlap=rng.random((pairs, marks)) * 0.2,
            marked=rng.random((pairs, marks)),
        ),
        resamples=100,
    )


def test_hits_are_drawn_beside_the_centre(boxes):
    display = HitsDisplay(boxes)
    centre, hits = display.chart().panels[0].marks
    table = display.table().set_index("label")
    assert hits.x[hits.y.index("Mass (40)")] == table.loc["Mass", "hit_rate_value"] == boxes["Mass"].hit_rate.value
    assert centre.x[centre.y.index("Mass (40)")] == boxes["Mass"].centre_hit_rate.value
    assert not any(name.startswith("Nodule") for name in hits.y)
    assert table.loc["Nodule", "hit_rate_reason"] == boxes["Nodule"].hit_rate.reason


def test_overlap_by_threshold(boxes):
    display = OverlapDisplay("Mass", boxes["Mass"])
    centre, overlap = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Line))
    assert list(overlap.y) == [e.value for e in boxes["Mass"].overlap]
    assert list(centre.y) == [e.value for e in boxes["Mass"].centre_overlap]
    assert display.table()["threshold"].tolist() == list(THRESHOLDS)


def test_too_few_boxes_have_words(boxes):
    panel = OverlapDisplay("Nodule", boxes["Nodule"]).chart().panels[0]
    assert "too few" in panel.words
    assert not panel.marks
