import dataclasses
import json

import pytest

from cxr_core.errors import ModelUnusable
from cxr_core.evaluation import ANY_FINDING
from cxr_core.labels import LABELS
from cxr_core.model import read_card, write_card
from cxr_core.model.findings import MIN_PATIENTS
from cxr_core.model.folder import CARD, find_model


@pytest.fixture
def card():
    return read_card(find_model("second-read-mini") / CARD)


def test_it_comes_back_as_it_was_written(card, tmp_path):
    write_card(card, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card


def test_an_epoch_without_an_auc_does_not_make_the_card_unreadable(card, tmp_path):
    history = ({"stage": 0.0, "step": 1.0, "loss": 0.1, "validation_auc": float("nan")},)
    training = dataclasses.replace(card.training, history=history)
    write_card(dataclasses.replace(card, training=training), tmp_path / "card.json")
    assert read_card(tmp_path / "card.json").training.history[0]["validation_auc"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 99}, "schema 99 found"),
        ({"labels": []}, "labels"),
        ({"map_anchors": {"Mass": 1.0}}, "map_anchors does not name exactly"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_named(card, tmp_path, change, words):
    path = tmp_path / "card.json"
    write_card(card, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelUnusable, match=words):
        read_card(path)


def test_the_embedded_card_says_what_it_is(card):
    assert card.labels == LABELS
    assert card.demonstration
    assert not card.architecture.transfer_learned
    assert card.input.size >= 224
    assert card.training.images > 0
    # the experts' word comes first
    assert card.metrics[0].name == "nih_expert"
    assert card.metrics[0].reference == "majority of three radiologists"
    assert {table.name for table in card.metrics} == {
        "nih_expert",
        "nih_128",
        "nih_128, PA images",
        "nih_128, AP images",
    }
    assert {len(points) for points in card.readers.values()} == {5}
    assert any("random weights, not transfer-learned" in limit for limit in card.limits)


def test_every_auc_has_its_interval_or_its_reason(card):
    for table in card.metrics:
        assert set(table.per_label) == {*LABELS, ANY_FINDING}
        lowest = 0 if table.metric == "AUC" else -1
        for metric in table.per_label.values():
            few = min(metric.counts.positive_patients, metric.counts.negative_patients) < 10
            assert (metric.value is None) == few
            if few:
                assert metric.reason.startswith(("too few cases", "no positive"))
            else:
                assert lowest <= metric.low <= metric.value <= metric.high <= 1


def test_only_labels_with_enough_patients_have_an_operating_point(card):
    for label, threshold in card.operating_points["default"].thresholds.items():
        counts = threshold.counts
        enough = min(counts.positive_patients, counts.negative_patients) >= MIN_PATIENTS
        assert (threshold.value is not None) == enough, label
        if enough:
            assert threshold.specificity.low <= threshold.specificity.value <= threshold.specificity.high
            assert threshold.sensitivity.low <= threshold.sensitivity.value <= threshold.sensitivity.high


def test_the_embedded_calibration_is_of_natural_images_and_helps_on_held_out_patients(card):
    calibration = card.calibration
    assert calibration is not None
    assert calibration.sampling == "consecutive"
    assert calibration.sources == ("nih_128",)
    assert calibration.split_sha256 == card.training.split_sha256
    known = [curve for curve in calibration.per_label.values() if curve.method is not None]
    assert known
    for curve in known:
        held = curve.held_out
        assert min(curve.counts.positive_patients, curve.counts.negative_patients) >= MIN_PATIENTS
        assert held.slope.low < held.slope.value < held.slope.high
        assert held.intercept.low < held.intercept.value < held.intercept.high
        # not wholly on the worse side
        assert held.brier_difference.low <= 0
        assert held.log_loss_difference.low <= 0
    default = card.operating_points["default"]
    assert default.flagged_where_set.value <= 0.20
    assert default.flagged_without_findings.low <= 0.20
    assert default.held_out


def test_a_card_that_states_no_resampling_keeps_the_one_that_it_was_made_with(tmp_path):
    from cxr_core.imaging import Preparation

    card = json.loads((find_model("second-read-mini") / "card.json").read_text())
    for field in ("resampling", "crop_fraction", "exposure"):
        del card["input"][field]
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card))
    assert read_card(path).input.preparation() == Preparation(224, "pad", 128, "triangle", 1.0, "none")
