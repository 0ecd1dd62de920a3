"""The difference of two precisions, from scores that are made up, against numbers counted by hand."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr_core.calibration.sample import CalibrationSource
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import open_model
from cxr_core.model.card import Familiarity, OperatingPoint, Threshold
from cxr_core.quantisation.difference import measure_difference
from cxr_core.quantisation.paired_scores import PairedScores
from tests.images import made_up_scores

SOURCE = CalibrationSource("images of validation patients", split="parts", split_sha256="1" * 64)
OPTIONS = BootstrapOptions(200)


def point(thresholds, labels):
    values = {label: Threshold(thresholds.get(label), source="made-up", reason="too few cases") for label in labels}
    return {"default": OperatingPoint("default", "made-up", "no images", values)}


@pytest.fixture(scope="module")
def card():
    card = open_model("second-read-mini").card
    return dataclasses.replace(
        card,
        calibration=None,
        operating_points=point(dict.fromkeys(card.labels, 0.3), card.labels),
        familiarity=Familiarity(2.0, "made-up", 10, 10, 10),
    )


@pytest.fixture(scope="module")
def scores():
    """600 images of 300 patients; logits at INT8 have an error, maps too, and every tenth strongest cell has moved."""
    float32 = made_up_scores(300, 2)
    rng = np.random.default_rng(1)
    logits = float32.logits + rng.normal(0, 0.2, float32.logits.shape)
    count, labels = logits.shape
    apart = np.where(np.arange(count * labels) % 10 == 0, 1 + np.arange(count * labels) % 3, 0).reshape(count, labels)
    correlations = np.full((count, labels), 0.98)
    correlations[0, 0] = np.nan
    distances = rng.uniform(1, 3, count)
    return PairedScores(
        float32, dataclasses.replace(float32, logits=logits), correlations, apart, distances, distances + 0.5
    )


def test_every_number_is_that_of_the_images(card, scores):
    found = measure_difference(card, card, scores, SOURCE, fitted_here=True, options=OPTIONS)
    assert (found.number_of_images, found.number_of_patients) == (600, 300)
    assert (found.images, found.split, found.split_sha256) == (SOURCE.images, SOURCE.split, SOURCE.split_sha256)
    assert found.fitted_here
    above, above_int8 = scores.float32.scores >= 0.3, scores.int8.scores >= 0.3
    changed = above != above_int8
    assert found.any_state.value == pytest.approx(changed.any(axis=1).mean())
    assert found.any_state.counts.positive_images == changed.any(axis=1).sum()
    positive = scores.float32.images.positive
    differences = []
    for c, label in enumerate(card.labels):
        one = found.per_label[label]
        int8, float32 = (roc_auc_score(positive[:, c], s.logits[:, c]) for s in (scores.int8, scores.float32))
        differences.append(int8 - float32)
        assert one.auc.value == pytest.approx(int8)
        assert one.auc_float32.value == pytest.approx(float32)
        assert one.auc_difference.value == pytest.approx(int8 - float32)
        assert one.auc_difference.low < one.auc_difference.value < one.auc_difference.high
        assert one.state_changes.value == pytest.approx(changed[:, c].mean())
        expected = np.corrcoef(scores.int8.logits[:, c], scores.float32.logits[:, c])[0, 1]
        assert one.logit_correlation == pytest.approx(expected)
        assert one.maps.same_cell.value == pytest.approx((scores.cells_apart[:, c] == 0).mean())
    assert found.mean_auc_difference.value == pytest.approx(np.mean(differences))
    assert found.maps.same_cell.value == pytest.approx((scores.cells_apart == 0).mean())
    assert found.maps.within_one_cell.value == pytest.approx((scores.cells_apart <= 1).mean())
    assert found.maps_above.same_cell.value == pytest.approx((scores.cells_apart[above] == 0).mean())
    assert found.maps.correlation.value == pytest.approx(0.98)
    assert found.maps.correlation.counts.images == 600 * 14 - 1
    warned = (scores.distances_float32 > 2) != (scores.distances > 2)
    assert found.familiarity_changes.value == pytest.approx(warned.mean())


def test_each_precision_has_thresholds_of_its_own(card, scores):
    same = dataclasses.replace(scores, int8=scores.float32)
    higher = dataclasses.replace(card, operating_points=point(dict.fromkeys(card.labels, 0.5), card.labels))
    found = measure_difference(card, higher, same, SOURCE, fitted_here=False, options=OPTIONS)
    between = (scores.float32.scores >= 0.3) & (scores.float32.scores < 0.5)
    assert found.any_state.value == pytest.approx(between.any(axis=1).mean())
    assert found.mean_auc_difference.value == 0
    assert not found.fitted_here


def test_a_label_that_one_precision_does_not_evaluate_has_no_state_to_change(card, scores):
    some = {label: 0.3 for label in card.labels if label != "Mass"}
    without = dataclasses.replace(card, operating_points=point(some, card.labels))
    for pair, name in (((card, without), "INT8"), ((without, card), "float32")):
        found = measure_difference(*pair, scores, SOURCE, fitted_here=True, options=OPTIONS)
        assert found.per_label["Mass"].state_changes.value is None
        assert found.per_label["Mass"].state_changes.reason == f"not evaluated at {name}: too few cases"
        others = [c for c, label in enumerate(card.labels) if label != "Mass"]
        changed = (scores.float32.scores >= 0.3) != (scores.int8.scores >= 0.3)
        assert found.any_state.value == pytest.approx(changed[:, others].any(axis=1).mean())


def test_nothing_evaluated_and_nothing_stated_is_said_so(card, scores):
    nothing = dataclasses.replace(card, operating_points=point({}, card.labels), familiarity=None)
    images = scores.float32.images.with_labels(("Mass",))
    few = dataclasses.replace(
        scores,
        float32=dataclasses.replace(scores.float32, images=images),
        int8=dataclasses.replace(scores.int8, images=images),
    )
    found = measure_difference(nothing, nothing, few, SOURCE, fitted_here=True, options=OPTIONS)
    assert found.any_state.reason == "no label is evaluated at both precisions"
    assert found.maps_above.same_cell.value is None
    assert found.maps_above.correlation.value is None
    assert found.familiarity_changes is None
    assert found.per_label["Mass"].auc.value is not None
    for estimate in ("auc", "auc_float32", "auc_difference"):
        assert "no reference labels" in getattr(found.per_label["Effusion"], estimate).reason
