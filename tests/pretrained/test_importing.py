"""Import, on weights in torchxrayvision's own layout: both engines against torchxrayvision's own numbers."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxr_core.errors import ModelUnusable, PathUnusable, WeightsRefused
from cxr_core.model import open_model
from cxr_core.model.card import Imported
from cxr_core.model.engines import Inference
from cxr_core.model.predictor import open_engine
from cxr_core.pretrained.catalogue import OUTPUTS, PUBLISHED, find_published
from cxr_core.pretrained.weights.files import Weights
from tests.pretrained.weights import reference as ref

pytestmark = pytest.mark.slow

IMAGES = (ref.test_images().transpose(0, 2, 3, 1) + 1024) / 2048
"""The same arrays as displayed grey: exact in float32, since they are multiples of 1/8."""


def close(ours, theirs):
    np.testing.assert_array_less(np.abs(ours - theirs), 1e-4 * np.maximum(1, np.abs(theirs)))


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_an_engine_says_what_torchxrayvision_says(imported, engine):
    assert IMAGES.dtype == np.float32
    folder = open_model(str(imported))
    assert folder.card.labels == OUTPUTS
    logits = open_engine(folder, engine).infer(IMAGES).logits
    stored = ref.reference()
    close(logits, stored["logits"])
    scores = 1 / (1 + np.exp(-logits))
    close(scores, stored["sigmoid"])
    close(ref.op_norm(scores, stored["points_all"]), stored["scaled_all"])
    close(ref.op_norm(scores, stored["points_nih"]), stored["scaled_nih"])
    # the state that the scaling puts at 0.5 is ours at the threshold
    thresholds = [folder.card.operating_points["default"].thresholds[label].value for label in OUTPUTS]
    np.testing.assert_array_equal(scores >= np.float32(thresholds), stored["scaled_all"] >= 0.5)


def test_the_maps_add_up_to_the_logits(imported):
    from cxr_core.model import class_maps

    engine = open_engine(open_model(str(imported)), "openvino")
    inference = engine.infer(IMAGES[:1])
    maps = class_maps(inference.features[0], engine.head)
    assert maps.shape == (18, 7, 7)
    close(maps.sum(axis=(1, 2)) + engine.head.bias, inference.logits[0])


def test_the_card_says_what_is_known_and_what_is_not(imported):
    card = open_model(str(imported)).card
    data = ref.rebuilt("legacy")
    assert card.id == "txv-all"
    assert card.imported.sha256 == hashlib.sha256(data).hexdigest()
    assert card.imported.source == "torchxrayvision:densenet121-res224-all"
    assert "whole module, torch's legacy format" in card.imported.file
    # the hash given is not the published one, and the card leads with that
    assert "not known to be the published file's" in card.limits[0]
    assert card.title.endswith("weights not verified by hash")
    assert card.unverified
    assert card.input.fit == "crop"
    assert card.input.resampling == "torchxrayvision"
    assert "float32 differs from float64 by" in card.imported.self_check
    assert card.training.images is None
    assert "PadChest" in card.training.datasets
    assert sum(name.startswith("NIH ChestX-ray14") for name in card.training.datasets) == 3
    assert card.familiarity is None
    assert card.counts == {}
    assert not card.demonstration
    for threshold in card.operating_points["default"].thresholds.values():
        assert threshold.source.startswith("published by the authors; the patients behind it are not stated")
        assert threshold.source.endswith("weights not verified by hash")
        assert threshold.counts is None
    assert "no validation images" in card.map_anchor_rule
    assert set(card.map_anchors.values()) == {float(np.log(1.5))}
    assert not any("fractures and other" in line for line in card.not_looked_for)
    assert any("other than fractures" in line for line in card.not_looked_for)
    for table in card.metrics:
        seen = "images possibly seen in training" in table.images
        assert seen == ("VinDr" not in table.name), table.name
        assert table.interval.startswith("none published")
        assert table.name.endswith("weights not verified by hash")
        assert all("not verified" in metric.reason for metric in table.per_label.values())


def test_nothing_but_the_folder_is_left(imported):
    assert [path.name for path in imported.parent.iterdir()] == ["txv-all"]
    sizes = [path.stat().st_size for path in imported.rglob("*") if path.is_file()]
    assert max(sizes) < 50e6
    assert sum(sizes) < 64e6


@pytest.fixture(scope="module")
def network():
    """One network, filled again and again: to build it takes seconds."""
    from cxr_core.pretrained.from_torch import build_network

    return build_network(11, scale=2048, offset=-1024)


@pytest.fixture
def convert(network, monkeypatch):
    from cxr_core.pretrained import from_torch as module

    monkeypatch.setattr(module, "build_network", lambda classes, **_: network)

    def run(changes=None, numbers=None, outputs=OUTPUTS):
        arrays = {name: value for name, value in (ref.full_arrays() | (changes or {})).items() if value is not None}
        return module.network_from_torch(Weights(arrays, numbers or {}, "", ""), outputs, find_published("chex").labels)

    return run


def test_untrained_outputs_are_dropped_and_the_others_exact(convert):
    trained = [OUTPUTS.index(label) for label in find_published("chex").labels]
    logits = np.asarray(convert()(IMAGES[:2], training=False))
    assert logits.shape == (2, 11)
    close(logits, ref.reference()["logits"][:2, trained])


def test_without_moving_the_epsilon_nearly_dead_channels_are_off(convert):
    trained = [OUTPUTS.index(label) for label in find_published("chex").labels]
    epsilon = {name.replace("running_var", "eps"): 1.001e-5 for name, _ in ref.layout() if name.endswith("running_var")}
    logits = np.asarray(convert(numbers=epsilon)(IMAGES[:2], training=False))
    assert np.abs(logits - ref.reference()["logits"][:2, trained]).max() > 6e-4


NORM = "features.denseblock2.denselayer3.norm1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({f"{NORM}.running_var": None}, f"no {NORM}.running_var: it is not DenseNet121. Known layouts: "),
        ({f"{NORM}.extra": np.zeros(3, np.float32)}, "1 arrays that DenseNet121 does not have"),
        ({f"{NORM}.bias": np.full(192, np.nan, np.float32)}, "no finite numbers"),
        ({f"{NORM}.running_var": np.full(192, -1, np.float32)}, "negative variance"),
        ({f"{NORM}.weight": np.zeros(191, np.float32)}, r"has the shape \(191,\)"),
        ({f"{NORM}.weight": np.zeros(192, np.int64)}, "no finite numbers"),
        ({"features.conv0.weight": np.zeros((64, 4, 7, 7), np.float32)}, "one or three channels"),
        ({"features.conv0.weight": np.zeros((64, 3, 7, 7), np.float32)}, "DenseNet121 needs"),
        ({"features.conv0.weight": np.zeros(7, np.float32)}, "one or three channels"),
        ({"features.transition1.conv.weight": np.zeros(7, np.float32)}, "1 axes where 4 belong"),
        (
            {"classifier.weight": np.zeros((14, 1024), np.float32), "classifier.bias": np.zeros(14, np.float32)},
            "has 14 outputs; 18 belong",
        ),
    ],
)
def test_other_weights_are_refused_in_one_line(convert, changes, words):
    with pytest.raises(WeightsRefused, match=words) as refusal:
        convert(changes)
    assert "\n" not in str(refusal.value)


def test_names_of_several_devices_and_batch_counters_do_not_matter(convert):
    from cxr_core.pretrained import from_torch as module

    arrays = {f"module.{name}": value for name, value in ref.full_arrays().items()} | {"op_threshs": np.zeros(18)}
    labels = find_published("chex").labels
    made = module.network_from_torch(Weights(arrays, {}, "", ""), OUTPUTS, labels)
    close(np.asarray(made(IMAGES[:1], training=False))[:, 0], ref.reference()["logits"][:1, 0])


def test_a_folder_that_is_there_is_left_alone(imported):
    from cxr_core.pretrained.importing import import_published

    before = sorted(imported.rglob("*"))
    with pytest.raises(PathUnusable, match="exists already"):
        import_published(PUBLISHED["densenet121-res224-all"], None, None, imported)
    assert sorted(imported.rglob("*")) == before


class Says:
    def __init__(self, logits):
        self.logits = np.float32(logits)

    def infer(self, images):
        return Inference(np.zeros((len(images), 7, 7, 4), np.float32), np.full((len(images), 18), self.logits))


@pytest.fixture
def says(monkeypatch):
    """Let the engines, and the network in float64, answer what a test says."""
    from cxr_core.pretrained import self_check as module

    def answers(reference, served, exact):
        engines = {"tensorflow": Says(reference), "openvino": Says(served)}
        monkeypatch.setattr(module, "open_engine", lambda folder, name: engines[name])
        monkeypatch.setattr(module, "exact_logits", lambda folder, images: np.full((len(images), 18), exact))
        return module

    return answers


@pytest.mark.parametrize(
    ("reference", "served", "exact", "words"),
    [
        (1.0, 1.001, 1.000002, "differ by 0.001 .*does not explain it"),
        (0.5, 0.5002, 0.50001, "differ by 0.0002 .*does not explain it"),
        (np.nan, np.nan, 1.0, "scores are not finite numbers"),
        (1.0, 1.0, np.nan, "scores are not finite numbers"),
        (1.0, 1.001, 1.02, "amplify rounding so much"),
    ],
)
def test_engines_that_differ_leave_no_model(imported, tmp_path, monkeypatch, says, reference, served, exact, words):
    from cxr_core.pretrained import importing as module

    says(reference, served, exact)

    def copied(network, size, folder):
        shutil.copytree(imported, folder)

    monkeypatch.setattr(module, "save_network", copied)
    monkeypatch.setattr(
        module, "network_from_torch", lambda *_: type("Network", (), {"count_params": lambda self: 1})()
    )
    origin = Imported("torchxrayvision:all", "x", "0" * 64, "nothing")
    with pytest.raises(ModelUnusable, match=words) as refusal:
        module.import_published(find_published("all"), Weights({}, {}, "", ""), origin, tmp_path / "models" / "bad")
    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "models").iterdir())


def test_engines_that_agree_are_measured(imported, says):
    # 0.0005 of 10
    check = says(10.0, 10.0005, 10.0).check_engines(str(imported))
    assert check.engines == pytest.approx(5e-5, rel=0.01)
    assert not check.note


def test_a_difference_that_float32_explains_is_a_note(imported, says):
    """What was refused before: float32 is off by 1.5e-4, and the engines by 2e-4 from each other."""
    check = says(1.0, 1.0002, 0.99985).check_engines(str(imported))
    assert "differ by 0.0002 times" in check.note
    assert "by 0.0001," in check.note or "by 0.0002," in check.note
    assert "explains the difference" in check.note


def test_the_synthetic_radiographs_are_like_radiographs():
    """Logits stay within what a radiograph gives; blocks and flat images drove them to 130 and more."""
    from cxr_core.imaging import Preparation
    from cxr_core.pretrained.self_check import synthetic_radiographs

    images = synthetic_radiographs(Preparation(224, "crop"))
    assert images.shape == (8, 224, 224, 1)
    assert images.dtype == np.float32
    assert len({image.tobytes() for image in images}) == 8
    for image in images:
        assert 0.1 < image.mean() < 0.8
        assert image.std() > 0.1
        # smooth, as a picture of a chest is: most of the variance is in large areas
        coarse = image[:, :, 0].reshape(28, 8, 28, 8).mean(axis=(1, 3))
        assert coarse.std() > 0.9 * image.std()


PIPELINE = Path(__file__).parent / "pipeline_reference.npz"


def test_from_a_files_bytes_to_the_logits_it_is_torchxrayvisions_own_pipeline(imported):
    """normalize, XRayCenterCrop, XRayResizer(224) and the model, on twenty PNG and DICOM files."""
    from cxr_core.imaging import prepare, read_radiograph
    from tests.pretrained import pipeline_images

    opened = open_model(str(imported))
    engine = open_engine(opened, "openvino")
    with np.load(PIPELINE) as stored:
        names, expected, places = stored["names"].tolist(), stored["logits"], stored["places"]
    assert len(names) == len(pipeline_images.SIZES) == 20
    assert expected.std() > 1
    for number, name in enumerate(names):
        made, data = pipeline_images.file(number)
        assert made == name
        pixels, _ = prepare(read_radiograph(data).display, opened.card.input.preparation())
        np.testing.assert_allclose(pixels[3::31, 5::29, 0] * 2048 - 1024, places[number], atol=0.02, err_msg=name)
        logits = engine.infer(pixels[None]).logits[0]
        np.testing.assert_allclose(logits, expected[number], atol=1e-3, err_msg=name)


def test_the_published_bytes_are_told_from_others(monkeypatch):
    from cxr_core.pretrained.imported_card import NewModel, published_card

    origin = Imported("torchxrayvision:all", "x", "0" * 64, "the published file's, witnessed")
    model = NewModel("x", type("Network", (), {"count_params": lambda self: 1})(), "0" * 64, {})
    limits = published_card(find_published("all"), origin, model, verified=True).limits
    assert not any("not proved" in limit for limit in limits)
    same = published_card(find_published("all"), origin, model, verified=True)
    assert not same.unverified
    assert "not verified" not in repr(same)
    few = published_card(find_published("rsna"), origin, model, verified=False)
    assert few.labels == ("Pneumonia", "Lung Opacity")
    assert "not proved" in few.limits[0]
    assert any("No AUC of it was found published" in limit for limit in few.limits)
    # what the model cannot say is told
    assert "effusion" in few.not_looked_for[-1]
    assert set(few.caveats) == {"Pneumonia", "Lung Opacity"}
