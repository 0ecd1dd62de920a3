"""The dots are the summary's numbers, in order, with their counts."""

import numpy as np

from cxr_core.displays import AucDisplay
from cxr_core.displays.marks import Dots
from cxr_core.evaluation import ANY_FINDING
from cxr_core.metrics import Estimate


def test_table_and_dots_are_the_summary(summary):
    display = AucDisplay.of(summary)
    table = display.table().set_index("label")
    assert table["value"].to_dict() == {label: auc.value for label, auc in summary.auc.items()}
    assert table["low"].to_dict() == {label: auc.low for label, auc in summary.auc.items()}
    (dots,) = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots))
    assert sorted(dots.x) == sorted(auc.value for auc in summary.auc.values())
    assert list(dots.x[1:]) == sorted(dots.x[1:])
    assert dots.y[0].startswith(ANY_FINDING)
    assert dots.x[0] == summary.auc[ANY_FINDING].value


def test_a_label_with_too_few_cases_is_named_and_not_drawn(summary):
    few = Estimate(None, None, None, 2, 398, 2, 199, "too few cases: 2 positive, 199 negative patients")
    display = AucDisplay({"Hernia": few, "Mass": summary.auc["Mass"]})
    assert display.missing() == {"Hernia": few.reason}
    (dots,) = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots))
    assert len(dots.x) == 1
    assert np.isfinite(dots.low).all()
    nothing = AucDisplay({"Hernia": few}).chart()
    assert nothing.panels[0].words == "No label has enough cases for an AUC."
