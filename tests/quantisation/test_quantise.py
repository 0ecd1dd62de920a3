"""A model folder gets an INT8 graph that NNCF made, with a card that was fitted for it; its own files stay."""

import dataclasses
import shutil

import numpy as np
import openvino
import pytest

from cxr_core.calibration.sample import CalibrationSource
from cxr_core.datasets.batches import load_image
from cxr_core.datasets.table import read_table
from cxr_core.errors import ModelUnusable, PathUnusable, TrainingRefused
from cxr_core.model import class_maps, open_engine, open_model, precision
from cxr_core.model.folder import CARD, INT8_GRAPH, INT8_WEIGHTS, SUMS
from cxr_core.model.precision import INT8_ENGINE, at_int8
from cxr_core.quantisation import quantise as quantising
from cxr_core.quantisation.quantise import compare_precisions, quantise
from tests.images import made_up_dataset
from tests.small_models import small_model

SOURCE = CalibrationSource("images", "consecutive")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, table = made_up_dataset(tmp_path_factory.mktemp("images"), patients=150, images=1)
    return read_table(table, folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory, images, nncf, any_processor_of_module):
    """The small model, quantised, with the bytes that its files had before, and what was reported."""
    folder = small_model(tmp_path_factory.mktemp("models") / "small")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = []
    result = quantise(str(folder), images, SOURCE, range_images=40, report=lambda *step: told.append(step))
    return folder, before, told, result


def test_the_files_of_the_model_stay_and_a_whole_folder_is_beside_them(made):
    folder, before, _, result = made
    assert all(path.read_bytes() == data for path, data in before.items())
    assert result.folder == folder / "openvino-int8"
    assert {path.name for path in result.folder.iterdir()} == {CARD, INT8_GRAPH, INT8_WEIGHTS, SUMS}
    assert result.unreadable == 0
    quantised = at_int8(open_model(str(folder)))
    assert quantised.card == result.card


def test_the_card_was_fitted_for_this_graph(made, images):
    folder, _, _, result = made
    card, float32 = result.card, open_model(str(folder)).card
    assert card.weights_sha256 == float32.weights_sha256
    assert card.calibration.weights_sha256 == card.int8.weights_sha256 == card.files[INT8_WEIGHTS]
    assert card.calibration.number_of_images == len(images)
    assert card.calibration.sampling == "consecutive"
    assert card.operating_points["default"].thresholds["Mass"].value is not None
    assert "too few cases" in card.operating_points["default"].thresholds["Edema"].reason
    assert card.map_anchors != float32.map_anchors
    assert (card.int8.range_images, card.int8.range_patients) == (40, 40)
    assert "NNCF" in card.int8.method
    assert card.stability is None
    assert sum(limit.startswith("Read at INT8") for limit in card.limits) == 1
    difference = card.int8.difference
    assert difference.fitted_here
    assert difference.number_of_images == difference.number_of_patients == len(images)
    assert difference.per_label["Mass"].auc.value > 0.6
    assert difference.per_label["Mass"].logit_correlation > 0.95
    assert difference.maps.correlation.value > 0.9


def test_both_outputs_are_there_and_the_maps_add_up_to_the_logits(made, images):
    folder = open_model(str(made[0]))
    engine = open_engine(at_int8(folder), INT8_ENGINE)
    float32 = open_engine(folder, "openvino")
    differences = []
    for path in images.paths[:20]:
        image = load_image(path, folder.card.input.preparation())
        answer = engine.infer(image[None])
        maps = class_maps(answer.features[0], engine.head)
        expected = maps.sum(axis=(1, 2)) + engine.head.bias
        tolerance = 1e-4 * np.maximum(1, np.abs(expected))
        np.testing.assert_array_less(np.abs(answer.logits[0] - expected), tolerance)
        differences.append(np.abs(answer.logits - float32.infer(image[None]).logits).max())
    # the head is the same; the convolutions are not
    np.testing.assert_array_equal(engine.head.kernel, float32.head.kernel)
    np.testing.assert_array_equal(engine.head.bias, float32.head.bias)
    assert 0 < max(differences) < 0.5


def test_the_convolutions_are_of_integers_and_pooling_and_dense_layer_are_not(made):
    graph = openvino.Core().read_model(made[3].folder / INT8_GRAPH)
    kinds = [node.get_type_name() for node in graph.get_ordered_ops()]
    assert kinds.count("Convolution") == 2
    assert "FakeQuantize" in kinds
    stored = {str(node.get_element_type()) for node in graph.get_ordered_ops() if node.get_type_name() == "Constant"}
    assert any("int8" in kind or "i8" in kind for kind in stored), stored
    (dense,) = (node for node in graph.get_ordered_ops() if node.get_type_name() == "MatMul")
    assert dense.input_value(1).get_node().get_type_name() == "Constant"
    assert dense.input_value(0).get_node().get_type_name() == "ReduceMean"


def test_the_same_images_give_the_same_graph(made, images, tmp_path):
    copy = shutil.copytree(made[0], tmp_path / "small", ignore=shutil.ignore_patterns("openvino-int8"))
    again = quantise(str(copy), images, SOURCE, range_images=40)
    assert again.card.int8.weights_sha256 == made[3].card.int8.weights_sha256
    assert again.card.operating_points == made[3].card.operating_points


def test_what_is_done_is_reported(made, images):
    told = made[2]
    assert ("quantising", 1, 1) in told
    assert ("reading at both precisions", len(images), len(images)) in told
    assert ("curves", 14, 14) in told
    assert told[-1] == ("comparing with float32", 1, 1)


def test_other_images_are_compared_without_writing_anything(made, images):
    folder = made[0]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = compare_precisions(str(folder), images.select(np.arange(60)), SOURCE)
    assert found.number_of_images == 60
    assert not found.fitted_here
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_images_that_the_model_may_have_learned_from_are_refused(made, images):
    seen = dataclasses.replace(images, sources=np.full(len(images), "nih_128"))
    for command in (quantise, compare_precisions):
        with pytest.raises(TrainingRefused, match="too sure of itself"):
            command(str(made[0]), seen, SOURCE)


def test_no_image_that_can_be_read_is_refused_before_anything_is_made(images, tmp_path, any_processor):
    folder = small_model(tmp_path / "small")
    none = dataclasses.replace(images, paths=np.full(len(images), tmp_path / "missing.png", dtype=object))
    with pytest.raises(TrainingRefused, match="No image of the table could be read"):
        quantise(str(folder), none, SOURCE)
    assert not (folder / "openvino-int8").exists()


def test_a_processor_that_gains_nothing_makes_no_graph(images, tmp_path, monkeypatch):
    folder = small_model(tmp_path / "small")
    monkeypatch.setattr(precision, "int8_instructions", lambda: ())
    with pytest.raises(ModelUnusable, match="gains little or nothing"):
        quantise(str(folder), images, SOURCE)


def test_a_place_that_cannot_be_written_is_found_before_the_work(images, tmp_path, monkeypatch, any_processor):
    folder = small_model(tmp_path / "small")
    monkeypatch.setattr(quantising.os, "access", lambda path, mode: False)
    with pytest.raises(PathUnusable, match="small cannot be written to"):
        quantise(str(folder), images, SOURCE)
