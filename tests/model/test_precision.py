"""INT8 is read only where the processor gains from it, and only with the graph that its card was fitted for."""

import dataclasses
import json
import shutil

import pytest

from cxr_core.errors import ModelUnusable, WrongArguments
from cxr_core.model import ModelFolder, open_model, precision, shared_predictor
from cxr_core.model.folder import CARD, INT8_GRAPH, INT8_WEIGHTS, SUMS
from cxr_core.model.precision import INT8_ENGINE, at_int8, checked_int8_card, engine_at, int8_folder, place_for_int8
from cxr_core.settings import Settings, settings
from tests.small_models import pretended_int8, small_model


@pytest.fixture
def processor(monkeypatch, tmp_path):
    """Set the flags that Linux lists for the processor; None for a system that lists none."""

    def set_flags(flags: str | None) -> None:
        path = tmp_path / "cpuinfo"
        if flags is not None:
            path.write_text(f"processor\t: 0\nmodel name\t: one\nflags\t\t: fpu {flags} sse2\n\n" * 2)
        monkeypatch.setattr(precision, "_CPUINFO", path)

    return set_flags


@pytest.fixture
def model(tmp_path, own_folders):
    return open_model(str(small_model(tmp_path / "small")))


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("avx2 avx512_vnni", ("AVX-512 VNNI",)),
        ("avx_vnni amx_int8 amx_tile", ("AVX-VNNI", "AMX-INT8")),
        ("avx2 avx512f", ()),
        (None, None),
    ],
)
def test_the_instructions_are_those_that_the_system_lists(processor, flags, found):
    processor(flags)
    assert precision.int8_instructions() == found


@pytest.mark.parametrize(("flags", "words"), [("avx2", "gains little or nothing"), (None, "not known on this system")])
def test_a_processor_that_is_not_known_to_gain_is_refused(processor, model, flags, words):
    processor(flags)
    with pytest.raises(ModelUnusable, match=words) as refused:
        at_int8(model)
    assert "without --precision int8" in str(refused.value)
    with pytest.raises(ModelUnusable, match=words):
        shared_predictor(str(model.path), INT8_ENGINE)


def test_a_model_without_the_graph_says_how_it_is_made(processor, model):
    processor("avx_vnni")
    with pytest.raises(ModelUnusable, match=r"it has no INT8 graph.*models quantise small"):
        at_int8(model)


def test_precision_and_engine_are_one_name(processor):
    assert engine_at("float32", None) is None
    assert engine_at("float32", "tensorflow") == "tensorflow"
    assert engine_at("int8", None) == engine_at("int8", "openvino") == INT8_ENGINE
    for given, engine, words in (
        ("int4", None, "accepted are float32, int8"),
        ("int8", "tensorflow", "openvino alone"),
        ("float32", INT8_ENGINE, "Accepted: openvino, tensorflow"),
        ("int8", INT8_ENGINE, "Accepted: openvino, tensorflow"),
    ):
        with pytest.raises(WrongArguments, match=words):
            engine_at(given, engine)


def test_no_setting_makes_the_page_read_at_int8(own_folders):
    own_folders.setenv("SECOND_READ_ENGINE", INT8_ENGINE)
    settings.cache_clear()
    with pytest.raises(WrongArguments, match="SECOND_READ_ENGINE"):
        settings()
    assert not any("precision" in name or "int8" in name for name in Settings.model_fields)


def test_the_graph_lies_in_the_model_folder_or_at_home_for_a_model_of_the_program(model):
    assert place_for_int8(model) == model.path / "openvino-int8"
    included = open_model("second-read-mini")
    assert place_for_int8(included) == settings().home / "int8" / included.card.weights_sha256
    assert int8_folder(included) is None


def test_a_graph_is_served_with_its_own_card(processor, model):
    processor("avx_vnni")
    place = pretended_int8(model)
    quantised = at_int8(model)
    assert (quantised.path, quantised.int8, quantised.graph) == (model.path, place, place / INT8_GRAPH)
    assert quantised.card.map_anchors != model.card.map_anchors
    assert quantised.card_digest != model.card_digest
    assert set(quantised.graph_digests).isdisjoint(model.graph_digests)
    predictor = shared_predictor(str(model.path), INT8_ENGINE)
    assert predictor.engine.name == INT8_ENGINE
    assert predictor.card == quantised.card
    assert shared_predictor(str(model.path), "openvino").engine.name == "openvino"


def test_a_copy_of_the_folder_is_served_with_its_graph(processor, model, tmp_path):
    processor("avx_vnni")
    pretended_int8(model)
    copy = open_model(str(shutil.copytree(model.path, tmp_path / "copy")))
    assert at_int8(copy).card.int8 is not None


@pytest.mark.parametrize("name", [CARD, INT8_GRAPH, INT8_WEIGHTS, SUMS])
def test_a_file_that_was_changed_or_is_missing_is_refused(processor, model, name):
    processor("avx_vnni")
    file = pretended_int8(model) / name
    file.write_bytes(file.read_bytes()[:-2] + b"  ")
    with pytest.raises(ModelUnusable, match=r"INT8 graph of model small: "):
        at_int8(model)
    # float32 is read as before
    assert open_model(str(model.path)).card == model.card
    file.unlink()
    with pytest.raises(ModelUnusable, match="INT8 graph"):
        at_int8(model)


def test_what_was_fitted_for_another_graph_is_refused(processor, model):
    processor("avx_vnni")
    place = pretended_int8(model)
    card = checked_int8_card(model, place)
    for changed in (
        dataclasses.replace(card, int8=dataclasses.replace(card.int8, weights_sha256="0" * 64)),
        dataclasses.replace(card, int8=dataclasses.replace(card.int8, graph_sha256="0" * 64)),
        dataclasses.replace(card, int8=None),
    ):
        pretended_int8(model, card=changed)
        with pytest.raises(ModelUnusable, match="fitted for another graph"):
            at_int8(model)
    pretended_int8(model, card=dataclasses.replace(card, weights_sha256="0" * 64))
    with pytest.raises(ModelUnusable, match=r"made from other weights \(SHA-256 000000000000"):
        at_int8(model)


def test_a_model_that_was_calibrated_anew_is_refused_at_int8_and_one_whose_card_has_changed_otherwise_is_not(
    processor, model
):
    processor("avx_vnni")
    pretended_int8(model)
    at_int8(ModelFolder(model.path, dataclasses.replace(model.card, title="Another title", map_anchors={})))
    point = model.card.operating_points["default"]
    threshold = dataclasses.replace(point.thresholds["Mass"], value=0.25)
    moved = dataclasses.replace(point, thresholds=point.thresholds | {"Mass": threshold})
    embedded = open_model("second-read-mini").card
    for changed in (
        dataclasses.replace(model.card, operating_points={"default": moved}),
        dataclasses.replace(model.card, calibration=embedded.calibration),
        dataclasses.replace(model.card, familiarity=embedded.familiarity),
    ):
        with pytest.raises(ModelUnusable, match=r"small: calibration or operating points of float32 were fitted again"):
            at_int8(ModelFolder(model.path, changed))


def test_the_card_says_that_it_is_at_int8(model):
    card = json.loads((pretended_int8(model) / CARD).read_text())
    assert card["int8"]["difference"]["number_of_images"] == 40
