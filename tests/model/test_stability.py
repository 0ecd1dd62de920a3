"""Readings under small changes: the real embedded model on a phantom, with thresholds near and far."""

import numpy as np
import pytest

from cxr_core.imaging import SMALL_CHANGES, SmallChange, phantom_dicom, read_radiograph
from cxr_core.model import Predictor, open_model, prepare_input, reassess
from cxr_core.model.model_input import changed_input
from cxr_core.model.predictor import open_engine
from cxr_core.model.stability import describe_changes
from cxr_core.reading import read_image

DATA = phantom_dicom(256, 224)


@pytest.fixture(scope="module")
def edge(edge_model):
    folder = open_model(str(edge_model))
    return Predictor(folder, open_engine(folder, "openvino"))


@pytest.fixture(scope="module")
def reading(edge):
    return read_image(DATA, edge, stability=True)[1]


def test_a_change_that_changes_nothing_has_the_same_answer_to_the_last_bit(predictor):
    radiograph = read_radiograph(DATA)
    image = prepare_input(radiograph, predictor.card.input.preparation())
    same = changed_input(radiograph.display, SmallChange("same", "", lambda d: d), predictor.card.input.preparation())
    np.testing.assert_array_equal(same.pixels, image.pixels)
    read = predictor.read(image)
    (changed,) = predictor.read_changed(read, same).under_changes
    assert changed.findings == read.findings


def test_a_state_at_the_edge_is_marked_and_those_far_away_are_not(reading):
    assert [changed.change for changed in reading.under_changes] == [change.name for change in SMALL_CHANGES]
    assert "crop-4" in reading.changes_of_state("Effusion")
    others = [finding.label for finding in reading.findings if finding.label != "Effusion"]
    assert len(others) == 13
    for label in others:
        assert reading.finding(label).state == "below"
        assert reading.changes_of_state(label) == ()


def test_the_changes_are_those_of_the_displayed_image(edge, reading):
    display = read_radiograph(DATA).display
    for change, changed in zip(SMALL_CHANGES, reading.under_changes, strict=True):
        pixels = changed_input(display, change, edge.card.input.preparation()).pixels
        logits = edge.engine.infer(pixels[None]).logits[0]
        assert [finding.logit for finding in changed.findings] == logits.tolist()


def test_another_operating_point_moves_the_states_under_changes_too(predictor):
    _, default = read_image(DATA, predictor, stability=True)
    other = next(name for name in predictor.card.operating_points if name != "default")
    _, expected = read_image(DATA, predictor, operating_point=other, stability=True)
    again = reassess(default, predictor.card, other)
    assert again.under_changes == expected.under_changes != default.under_changes


def test_a_reading_without_changes_or_with_some_of_them_says_nothing_of_stability(edge, reading):
    _, plain = read_image(DATA, edge)
    assert plain.under_changes == ()
    assert plain.unchecked_changes() == SMALL_CHANGES
    assert not plain.changes_checked
    assert plain.changes_of_state("Effusion") is None
    image = prepare_input(read_radiograph(DATA), edge.card.input.preparation(), small_changes=True)
    some = plain
    for changed in image.small_changes[:-1]:
        some = edge.read_changed(some, changed)
    assert some.unchecked_changes() == SMALL_CHANGES[-1:]
    assert some.changes_of_state("Effusion") is None
    assert edge.read_changed(some, image.small_changes[-1]).under_changes == reading.under_changes


def test_a_refused_image_is_not_read_under_changes(edge):
    _, refused = read_image(phantom_dicom(128, 128, Modality="CT"), edge, stability=True)
    assert refused.findings == refused.under_changes == refused.unchecked_changes() == ()
    assert not refused.changes_checked


def test_a_label_without_a_threshold_has_no_state_that_could_change(predictor):
    _, reading = read_image(DATA, predictor, stability=True)
    for finding in reading.findings:
        assert (reading.changes_of_state(finding.label) is None) == (finding.state == "not_evaluated")


def test_a_change_of_another_version_is_described_by_its_name():
    assert describe_changes(["gamma-0.7", "sharpened"]) == "gamma 0.7 (brighter), sharpened"
