"""Published numbers stand beside a run only where it is on the same split."""

import numpy as np
import pytest

from cxr_core.displays import AucDisplay
from cxr_core.displays.marks import Dots
from cxr_core.evaluation import summarise
from cxr_core.evaluation.published import OFFICIAL, PUBLISHED, comparable
from cxr_core.labels import LABELS
from tests.runs import made_up, record_of


@pytest.fixture(scope="module")
def predictions():
    return made_up(200)


def test_every_publication_names_every_label_and_its_source():
    for published in PUBLISHED:
        assert set(published.auc) == set(LABELS)
        assert published.source
    # the means that their authors state
    assert np.mean(list(PUBLISHED[1].auc.values())) == pytest.approx(0.8414, abs=5e-4)
    assert np.mean(list(PUBLISHED[0].auc.values())) == pytest.approx(0.738, abs=2e-3)


@pytest.mark.parametrize(("split", "part"), [("nih_split", "test"), ("none", "all"), (OFFICIAL, "validation")])
def test_a_run_on_other_films_has_none_beside_it(predictions, split, part):
    record = record_of(predictions, split=split, part=part)
    assert comparable(record) == ()
    display = AucDisplay.of(summarise(record, predictions, resamples=50))
    assert not any(mark.name for mark in display.chart().panels[0].marks if isinstance(mark, Dots))


def test_a_run_on_the_same_split_has_those_of_that_split_alone(predictions):
    record = record_of(predictions, split=OFFICIAL, part="test")
    assert [published.name for published in comparable(record)] == ["Wang et al."]
    display = AucDisplay.of(summarise(record, predictions, resamples=50))
    (dots,) = (m for m in display.chart().panels[0].marks if isinstance(m, Dots) and m.name)
    assert sorted(dots.x) == sorted(PUBLISHED[0].auc.values())
    assert display.table().set_index("label").loc["Edema", "published: Wang et al."] == 0.835
