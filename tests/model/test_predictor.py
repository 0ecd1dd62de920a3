from dataclasses import replace

import numpy as np
import pytest

from cxr_core.imaging import phantom_dicom, read_radiograph
from cxr_core.model import Predictor, prepare_input
from cxr_core.reading import read_image


def between(card, low: dict[str, float], high: dict[str, float]):
    """Return the card with each default threshold between two scores of its label."""
    point = card.operating_points["default"]
    thresholds = {
        label: replace(threshold, value=(low[label] + high[label]) / 2) if threshold.value is not None else threshold
        for label, threshold in point.thresholds.items()
    }
    points = card.operating_points | {"default": replace(point, thresholds=thresholds)}
    # without its curve, whose discrimination would decide which labels are evaluated
    return replace(card, operating_points=points, calibration=None)


def test_another_window_that_changes_a_state_is_a_reason_to_distrust(predictor):
    windows = {"WindowCenter": [2048, 1700], "WindowWidth": [4096, 2800]}
    both = phantom_dicom(256, 224, **windows, WindowCenterWidthExplanation=["NORMAL", "HARDER"])
    alone = [phantom_dicom(256, 224, WindowCenter=c, WindowWidth=w) for c, w in zip(*windows.values(), strict=True)]
    first, second = ({f.label: f.score for f in read_image(data, predictor)[1].findings} for data in alone)
    # thresholds between the two answers: every evaluated label changes
    folder = replace(predictor.folder, card=between(predictor.card, first, second))
    reading = read_image(both, Predictor(folder, predictor.engine))[1]
    (reason,) = [reason for reason in reading.quality.reasons if "other window" in reason]
    assert "(harder)" in reason
    changed = [f.label for f in reading.findings if f.state != "not_evaluated"]
    assert reason.count(" to ") == len(changed) > 5
    assert reading.quality.status == "warning"
    # the findings are those of the first window
    np.testing.assert_allclose([f.score for f in reading.findings], list(first.values()), atol=1e-6)


def test_windows_that_change_nothing_are_not_spoken_of(predictor):
    same = phantom_dicom(256, 224, WindowCenter=[2048, 2048], WindowWidth=[4096, 4096])
    assert len(read_radiograph(same).alternatives) == 2
    reading = read_image(same, predictor)[1]
    assert not any("window" in reason for reason in reading.quality.reasons)


def test_a_reading_has_the_distance_from_the_training_images(predictor):
    radiograph, reading = read_image(phantom_dicom(256, 224), predictor)
    features = predictor.infer(prepare_input(radiograph, predictor.card.input.preparation())).features
    expected = predictor._reference.distance(features.mean(axis=(1, 2)))[0]
    assert reading.distance == pytest.approx(expected)
    # whether it is beyond the card's limit or not
    unlike = any("unlike the training images" in reason for reason in reading.quality.reasons)
    assert unlike == (reading.distance > predictor.card.familiarity.threshold)
    assert read_image(phantom_dicom(256, 224, Modality="CT"), predictor)[1].distance is None
