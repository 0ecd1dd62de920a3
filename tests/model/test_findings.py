import dataclasses

import numpy as np
import pytest

from cxr_core.model import log_odds
from cxr_core.model.card import Counts, OperatingPoint, Threshold
from cxr_core.model.findings import find, usable_threshold
from cxr_core.model.words import small_words


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


def test_thirty_patients_of_each_kind_are_needed():
    assert [usable_threshold(POINT, label) for label in "ABCD"] == [0.5, None, None, None]


def test_states_and_scores(card):
    found = find(card, np.array([0.0, 4.0, 4.0, 4.0]), POINT)
    # sigmoid(0) = 0.5, at the threshold: above
    assert [f.state for f in found] == ["above", "not_evaluated", "not_evaluated", "not_evaluated"]
    assert found[0].score == 0.5
    assert found[1].score == pytest.approx(1 / (1 + np.exp(-4)))
    assert all(f.probability is None and f.interval is None for f in found)
    assert found[1].threshold is None
    assert find(card, np.array([-1e-9, 0, 0, 0]), POINT)[0].state == "below"


def test_log_odds_by_hand():
    assert log_odds(0.5) == 0
    assert log_odds(0.8) == pytest.approx(np.log(4))
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all()


def test_ranked_by_distance_from_the_threshold(predictor):
    from cxr_core.imaging import phantom_dicom
    from cxr_core.reading import read_film

    _, reading = read_film(phantom_dicom(256, 224), predictor)
    ranked = reading.ranked()
    assert sorted(f.label for f in ranked) == sorted(predictor.card.labels)
    known = [f for f in ranked if f.threshold is not None]
    assert list(ranked[: len(known)]) == known
    shown = [f.score if f.probability is None else f.probability for f in known]
    away = [log_odds(value) - log_odds(f.threshold) for value, f in zip(shown, known, strict=True)]
    assert away == sorted(away, reverse=True)
    rest = [f.score for f in ranked[len(known) :]]
    assert rest == sorted(rest, reverse=True)


def test_a_published_threshold_is_used_without_counts_and_one_that_was_never_set_is_not():
    published = OperatingPoint(
        "default",
        "as published",
        "none",
        {"A": Threshold(0.002, source="the authors"), "B": Threshold(None, reason="x")},
    )
    assert [usable_threshold(published, label) for label in "AB"] == [0.002, None]


def test_small_numbers_are_not_shown_as_nought():
    assert [small_words(value) for value in (0.0, 0.0004403, 0.0022490, 0.0098, 0.01, 0.2, 0.9999)] == [
        "0.000",
        "0.00044",
        "0.0022",
        "0.0098",
        "0.010",
        "0.200",
        "1.000",
    ]
