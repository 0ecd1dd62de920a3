"""Pointing game and intersection over union: values drawn, and messages for too few boxes."""

import numpy as np
import pytest

from cxr_core.displays import IntersectionOverUnionDisplay, PointingGameDisplay
from cxr_core.displays.marks import Line
from cxr_core.evaluation.boxes import THRESHOLDS, box_numbers
from cxr_core.metrics import BootstrapOptions
from cxr_core.model.localisation import CENTRE
from cxr_core.store import Localisation


@pytest.fixture(scope="module")
def boxes():
    rng = np.random.default_rng(2)
    rows, thresholds = 60, len(THRESHOLDS)
    return box_numbers(
        Localisation(
            images=np.array([f"{i}.png" for i in range(rows)]),
            patients=np.array([str(i) for i in range(rows)]),
            labels=np.array(["Mass"] * 40 + ["Effusion"] * 15 + ["Nodule"] * 5),
            boxes=tuple(np.array([[0.0, 0, 10, 10]]) for _ in range(rows)),
            strongest=rng.uniform(0, 90, (rows, 2)),
            hits=rng.random(rows) < 0.4,
            centre_hits=rng.random(rows) < 0.2,
            thresholds=np.array(THRESHOLDS),
            overlap=rng.random((rows, thresholds)) * 0.4,
            centre_overlap=rng.random((rows, thresholds)) * 0.2,
            marked=rng.random((rows, thresholds)),
        ),
        options=BootstrapOptions(100),
    )


def test_hit_rates_of_maps_and_of_the_image_centre(boxes):
    display = PointingGameDisplay(boxes)
    centre, hits = display.chart().panels[0].marks
    table = display.table().set_index("label")
    assert hits.x[hits.y.index("Mass (40)")] == table.loc["Mass", "hit_rate_value"] == boxes["Mass"].hit_rate.value
    assert centre.x[centre.y.index("Mass (40)")] == boxes["Mass"].baseline_hit_rate(CENTRE).value
    assert not any(name.startswith("Nodule") for name in hits.y)
    assert table.loc["Nodule", "hit_rate_reason"] == boxes["Nodule"].hit_rate.reason


def test_overlap_by_threshold(boxes):
    display = IntersectionOverUnionDisplay("Mass", boxes["Mass"])
    centre, overlap = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Line))
    assert list(overlap.y) == [e.value for e in boxes["Mass"].overlap]
    assert list(centre.y) == [e.value for e in boxes["Mass"].centre_overlap]
    assert display.table()["threshold"].tolist() == list(THRESHOLDS)


def test_too_few_boxes_show_a_message(boxes):
    panel = IntersectionOverUnionDisplay("Nodule", boxes["Nodule"]).chart().panels[0]
    assert "too few" in panel.message
    assert not panel.marks
