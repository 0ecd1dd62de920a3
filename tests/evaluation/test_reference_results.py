"""Published results are shown with a run only if it is on the same split."""

import numpy as np
import pytest

from cxr_core.displays import AucDisplay
from cxr_core.displays.marks import Dots
from cxr_core.evaluation import summarise
from cxr_core.evaluation.reference_results import OFFICIAL, PUBLISHED, comparable
from cxr_core.labels import LABELS
from cxr_core.metrics import BootstrapOptions
from tests.runs import made_up, record_of


@pytest.fixture(scope="module")
def predictions():
    return made_up(200)


def test_every_publication_has_every_label_and_a_source():
    for published in PUBLISHED:
        assert set(published.auc) == set(LABELS)
        assert published.source
    # the means stated by the authors
    assert np.mean(list(PUBLISHED[1].auc.values())) == pytest.approx(0.8414, abs=5e-4)
    assert np.mean(list(PUBLISHED[0].auc.values())) == pytest.approx(0.738, abs=2e-3)


@pytest.mark.parametrize(("split", "part"), [("nih_split", "test"), ("none", "all"), (OFFICIAL, "validation")])
def test_a_run_on_another_split_has_no_published_results(predictions, split, part):
    record = record_of(predictions, split=split, part=part)
    assert comparable(record) == ()
    display = AucDisplay.of(summarise(record, predictions, options=BootstrapOptions(50)))
    assert not any(mark.name for mark in display.chart().panels[0].marks if isinstance(mark, Dots))


def test_a_run_on_the_official_split_has_the_published_results_of_that_split(predictions):
    record = record_of(predictions, split=OFFICIAL, part="test")
    assert [published.name for published in comparable(record)] == ["Wang et al."]
    display = AucDisplay.of(summarise(record, predictions, options=BootstrapOptions(50)))
    (dots,) = (m for m in display.chart().panels[0].marks if isinstance(m, Dots) and m.name)
    assert sorted(dots.x) == sorted(PUBLISHED[0].auc.values())
    assert display.table().set_index("label").loc["Edema", "published: Wang et al."] == 0.835
