import dataclasses

import numpy as np
import pytest

from cxr_core.estimate import Counts, Estimate
from cxr_core.model import log_odds
from cxr_core.model.card import OperatingPoint, Threshold
from cxr_core.model.findings import flag_rate, make_findings, usable_threshold, why_not_evaluated


def counts(positive, negative=500):
    return Counts(positive, negative, positive, negative)


@pytest.fixture
def card(predictor):
    return dataclasses.replace(predictor.card, labels=("A", "B", "C", "D"), calibration=None)


POINT = OperatingPoint(
    "default",
    "by hand",
    "none",
    {
        "A": Threshold(0.5, counts=counts(30)),
        "B": Threshold(0.5, counts=counts(29)),
        "C": Threshold(0.5, counts=counts(400, 29)),
        "D": Threshold(None, counts=counts(2), reason="too few cases"),
    },
)


def test_thirty_patients_of_each_kind_are_needed(card):
    assert [usable_threshold(card, POINT, label) for label in "ABCD"] == [0.5, None, None, None]
    assert [why_not_evaluated(card, POINT, label) for label in "ABCD"] == [
        None,
        "too few cases (29 positive, 500 negative patients; 30 of each needed)",
        "too few cases (400 positive, 29 negative patients; 30 of each needed)",
        "too few cases",
    ]


def test_states_and_scores(card):
    found = make_findings(card, np.array([0.0, 4.0, 4.0, 4.0]), POINT)
    # sigmoid(0) = 0.5, at the threshold: above
    assert [f.state for f in found] == ["above", "not_evaluated", "not_evaluated", "not_evaluated"]
    assert found[0].score == 0.5
    assert found[1].score == pytest.approx(1 / (1 + np.exp(-4)))
    assert all(f.probability is None and f.interval is None for f in found)
    assert found[1].threshold is None
    assert [f.reason for f in found] == [why_not_evaluated(card, POINT, label) for label in "ABCD"]
    assert make_findings(card, np.array([-1e-9, 0, 0, 0]), POINT)[0].state == "below"


def test_log_odds_by_hand():
    assert log_odds(0.5) == 0
    assert log_odds(0.8) == pytest.approx(np.log(4))
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all()


def test_ranked_by_distance_from_the_threshold(predictor):
    from cxr_core.imaging import phantom_dicom
    from cxr_core.reading import read_image

    _, reading = read_image(phantom_dicom(256, 224), predictor)
    ranked = reading.ranked()
    assert sorted(f.label for f in ranked) == sorted(predictor.card.labels)
    known = [f for f in ranked if f.threshold is not None]
    assert list(ranked[: len(known)]) == known
    shown = [f.score if f.probability is None else f.probability for f in known]
    away = [log_odds(value) - log_odds(f.threshold) for value, f in zip(shown, known, strict=True)]
    assert away == sorted(away, reverse=True)
    rest = [f.score for f in ranked[len(known) :]]
    assert rest == sorted(rest, reverse=True)


def test_the_rate_flagged_is_that_of_the_card_and_of_the_images_own_view():
    overall, in_view = Estimate(0.1, 0.05, 0.2), Estimate(0.26, 0.1, 0.5)
    point = dataclasses.replace(
        POINT, flagged_without_findings=overall, flagged_by_group={"view: AP": in_view}, held_out="5 folds"
    )
    assert flag_rate(POINT) is None
    rate = flag_rate(point, "AP")
    assert (rate.overall, rate.view, rate.in_view, rate.cross_validated) == (overall, "AP", in_view, True)
    assert flag_rate(point, "PA").in_view is None
    assert not flag_rate(dataclasses.replace(point, held_out="")).cross_validated


def test_a_published_threshold_is_used_without_counts_and_one_that_was_never_set_is_not(card):
    published = OperatingPoint(
        "default",
        "as published",
        "none",
        {"A": Threshold(0.002, source="the authors"), "B": Threshold(None, reason="x")},
    )
    assert [usable_threshold(card, published, label) for label in "AB"] == [0.002, None]
    assert why_not_evaluated(card, published, "B") == "x"
