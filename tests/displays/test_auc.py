"""AUC per label: the dots are the values of the summary, sorted."""

import numpy as np

from cxr_core.displays import AucDisplay
from cxr_core.displays.marks import Dots
from cxr_core.estimate import Counts, Estimate
from cxr_core.evaluation import ANY_FINDING


def test_table_and_dots_have_the_values_of_the_summary(summary):
    display = AucDisplay.of(summary)
    table = display.table().set_index("label")
    assert table["value"].to_dict() == {label: auc.value for label, auc in summary.auc.items()}
    assert table["low"].to_dict() == {label: auc.low for label, auc in summary.auc.items()}
    (dots,) = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots))
    assert sorted(dots.x) == sorted(auc.value for auc in summary.auc.values())
    assert list(dots.x[1:]) == sorted(dots.x[1:])
    assert dots.y[0].startswith(ANY_FINDING)
    assert dots.x[0] == summary.auc[ANY_FINDING].value


def test_a_label_with_too_few_cases_is_listed_as_missing(summary):
    few = Estimate.missing("too few cases (2 positive, 199 negative patients)", Counts(2, 398, 2, 199))
    display = AucDisplay({"Hernia": few, "Mass": summary.auc["Mass"]})
    assert display.missing() == {"Hernia": few.reason}
    (dots,) = (mark for mark in display.chart().panels[0].marks if isinstance(mark, Dots))
    assert len(dots.x) == 1
    assert np.isfinite(dots.low).all()
    nothing = AucDisplay({"Hernia": few}).chart()
    assert nothing.panels[0].message == "No label has enough cases for an AUC."
